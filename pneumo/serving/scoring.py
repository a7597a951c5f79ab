"""Score an archive: its films are cut into parts, and each part becomes a Parquet file with a row for each film.

The list of films is written down once, in order of their names; a part is a run of it. A part's file appears whole or
not at all, so a run that was killed goes on with the parts that have none: no film is lost, and none is there twice.
"""

import hashlib
import io
import json
import os
import secrets
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pneumo import __version__
from pneumo.errors import ArchiveError, AuditError, PneumoError
from pneumo.model_store import store
from pneumo.serving.archive import Archive, Entry

if TYPE_CHECKING:
    import pyarrow as pa

FILMS, PARTS = "films.sqlite", "parts"
_LOCK = ".running"
_FILE_SETTINGS = ("PNEUMO_SITE", "PNEUMO_AUDIT")
# A kill costs at most one part a worker; a file of a thousand rows has some 100 kB.
FEWEST_IN_PART, MOST_IN_PART = 10, 1000

Row = dict[str, Any]
# Reads one film, or tells of one that could not be had, by its name.
ReadFilm = Callable[[Path | bytes | PneumoError, str], Row]


class Reader(Protocol):
    """What reads films, before it is loaded; it can be pickled."""

    @property
    def identity(self) -> dict[str, str]:
        """What rows depend on, by what it is."""

    def load(self) -> ReadFilm:
        """Load the networks into this process."""


@dataclass(frozen=True)
class ModelReader:
    """A classifier, the gate and all that `pneumo predict` reads a film with.

    Attributes:
        name: of the classifier.
        folder: the folder of model folders; `store.models_folder` where None.
    """

    name: str
    folder: Path | None = None

    @property
    def identity(self) -> dict[str, str]:
        """The hashes of all networks, what runs them, and the site that the classifier is calibrated for."""
        from pneumo.inference import gate, opacity
        from pneumo.model_store import runtime
        from pneumo.model_store import site as sites
        from pneumo.model_store.card import CLASSIFICATION

        site = sites.configured()
        card = store.read_card(self.name, self.folder, CLASSIFICATION)
        hashes = [
            f"{name} {store.read_card(name, self.folder).sha256}"
            for name in (gate.GATE, gate.LUNGS, opacity.NAME)
            if name in store.names(self.folder)
        ]
        return {
            "model": f"{card.name} {card.sha256}",
            "networks": ", ".join((*hashes, f"run by {runtime.chosen()}")),
            "site": f"{site.name} {hashlib.sha256(site.as_json().encode()).hexdigest()}" if site else "none",
        }

    def load(self) -> ReadFilm:
        """Load the networks."""
        from pneumo.inference import Reading, open_models, read_film
        from pneumo.reports import record
        from pneumo.serving.audit import noted

        models = open_models(self.name, self.folder)

        def row(source: Path | bytes | PneumoError, name: str) -> Row:
            if isinstance(source, PneumoError):
                return record(Reading(name, b"", models, error=source)).as_values()
            reading = noted(read_film(source, name, models), "cli")
            if isinstance(reading.error, AuditError):
                raise reading.error
            return record(reading).as_values()

        return row


@dataclass(frozen=True)
class Job:
    """An archive, what reads it, and the folder of results that belongs to both.

    Attributes:
        archive: where the films are.
        reader: what reads them.
        results: the folder of results.
        films: how many there are.
        films_per_part: how many rows a file of results has; the last one may have fewer.
        identity: what the results depend on, by what it is; it stands in every file.
        settings: the environment variables of pneumo, which hold on all machines.
    """

    archive: Archive
    reader: Reader
    results: Path
    films: int
    films_per_part: int
    identity: dict[str, str]
    settings: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def parts(self) -> range:
        """The numbers of the parts."""
        return range(-(-self.films // self.films_per_part))

    def films_in(self, part: int) -> int:
        """Return how many films a part has."""
        return min(self.films_per_part, self.films - part * self.films_per_part)

    def entries(self, part: int) -> list[Entry]:
        """Return the films of a part, in order."""
        first = part * self.films_per_part
        # Unlocked, as many processes read what no one changes, over networks besides.
        with closing(sqlite3.connect(f"{(self.results / FILMS).as_uri()}?mode=ro&immutable=1", uri=True)) as listed:
            rows = listed.execute(
                "SELECT name, place FROM films WHERE number >= ? AND number < ? ORDER BY number",
                (first, first + self.films_per_part),
            )
            return [(os.fsdecode(name), place) for name, place in rows]

    def file(self, part: int) -> Path:
        """Return the path of a part's file."""
        return self.results / PARTS / f"{part:06}.parquet"

    def counts(self, part: int) -> dict[str, int] | None:
        """Return how many films of a part got which answer, or none; None where its file is missing or damaged.

        Raises:
            ArchiveError: if the file is of another run.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            found = pq.read_metadata(self.file(part))
            told = json.loads((found.metadata or {})[b"pneumo"])
        except (OSError, pa.ArrowInvalid, KeyError, ValueError):
            return None
        if told["part"] != part or told["identity"] != self.identity or found.num_rows != self.films_in(part):
            raise ArchiveError(
                "{file} is of another run. Move it away, and run the command again.", file=str(self.file(part))
            )
        return told["counts"]

    def write(self, part: int, rows: list[Row]) -> dict[str, int]:
        """Write the file of a part, and return its `counts`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        counts = dict(Counter(row["answer"] or row["status"] for row in rows))
        told = json.dumps({"part": part, "counts": counts, "identity": self.identity})
        table = pa.Table.from_pylist([_storable(row) for row in rows], columns())
        written = io.BytesIO()
        pq.write_table(table.replace_schema_metadata({"pneumo": told}), written)
        store.write_atomically(self.file(part), written.getvalue())
        return counts


def rules(reader: Reader) -> dict[str, str]:
    """Return what the rows of films depend on, by what it is."""
    return {**reader.identity, "pneumo": __version__}


def columns() -> "pa.Schema":
    """Return the columns of a part: the keys of the line that ``pneumo predict --json`` prints."""
    import pyarrow as pa

    text, number, whole, corners = pa.string(), pa.float64(), pa.int64(), pa.list_(pa.list_(pa.float64()))
    finding = {"code": text, "severity": text, "message": text, "crops": pa.list_(corners)}
    severity = {"share": number, "right": number, "left": number, "grade": text, "error": number}
    site = {"name": text, "made": text, "normal_films": whole, "pneumonia_films": whole}
    kinds: dict[str, Any] = {
        **{"file": text, "status": text, "answer": text, "probability": number, "uncertain_because": text},
        **{"statement": text, "reasons": pa.list_(text), "findings": pa.list_(pa.struct(finding))},
        **{"forced": pa.bool_(), "checked": pa.bool_(), "prevalence": number},
        "thresholds": pa.struct({"decision": number, "low": number, "high": number}),
        **{"severity": pa.struct(severity), "crop": corners},
        "image": pa.struct({"format": text, "width": whole, "height": whole}),
        **{"image_sha256": text, "model": text, "model_title": text, "model_sha256": text},
        **{"site": pa.struct(site), "pneumo_version": text, "disclaimer": text},
    }
    return pa.schema(list(kinds.items()))


def _storable(value: Any) -> Any:
    """Return plain values whose texts are Unicode; names of files need not be."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {key: _storable(each) for key, each in value.items()}
    return [_storable(each) for each in value] if isinstance(value, list | tuple) else value


@contextmanager
def opened(
    archive: Archive,
    reader: Reader,
    results: Path,
    films_per_part: int | None = None,
    listing: Callable[[int], None] = lambda films: None,
) -> Iterator[Job]:
    """Begin to score an archive, or go on with what is there, and keep other runs off meanwhile.

    Args:
        archive: where the films are.
        reader: what reads them.
        results: the folder of results; made if there is none.
        films_per_part: how many films a new folder's parts have; `part_size` where None.
        listing: is told how many films have been listed.

    Raises:
        ArchiveError: if the folder belongs to another archive, model or version, another run is at it, or the archive
            has no film.
        OSError: if the folder cannot be written to.
    """
    results = results.resolve()
    identity = {"archive": archive.identity, **rules(reader)}
    _refuse_other_folders(results)
    (results / PARTS).mkdir(parents=True, exist_ok=True)
    with _only_run(results):
        # What a killed run was writing.
        for unfinished in (*results.glob(f".{FILMS}.*"), *(results / PARTS).glob(".*")):
            unfinished.unlink()
        if not (results / FILMS).exists():
            _write_list(archive, results / FILMS, films_per_part, identity, listing)
        with closing(sqlite3.connect(results / FILMS)) as listed:
            films, films_per_part, known = listed.execute("SELECT films, films_per_part, identity FROM run").fetchone()
        _refuse_other_runs(results, json.loads(known), identity)
        yield Job(archive, reader, results, films, films_per_part, identity, _settings())


def _settings() -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if name.startswith("PNEUMO_")}
    # On another machine processes begin in another folder.
    files = {name: value.strip() for name, value in found.items() if name in _FILE_SETTINGS and value.strip()}
    return found | {name: str(Path(value).expanduser().resolve()) for name, value in files.items()}


def _refuse_other_folders(results: Path) -> None:
    ours = (PARTS, FILMS)
    if results.is_dir() and any(
        path.name not in ours and not path.name.startswith((_LOCK, f".{FILMS}")) for path in results.iterdir()
    ):
        raise ArchiveError(
            "The folder {results} holds other files. Give a folder with --out that is new or empty.",
            results=str(results),
        )


def _refuse_other_runs(results: Path, known: Mapping[str, str], identity: Mapping[str, str]) -> None:
    what = {
        "archive": "another archive",
        "model": "another model",
        "networks": "other networks",
        "site": "another site",
        "pneumo": "another version of pneumo",
    }
    for key in identity:
        if known.get(key) != identity[key]:
            raise ArchiveError(
                "{results} holds results of {other}: {known}; now it is {now}. Give another folder with --out.",
                results=str(results),
                other=what.get(key, key),
                known=known.get(key),
                now=identity[key],
            )


@contextmanager
def _only_run(results: Path) -> Iterator[None]:
    # SQLite's lock works on every system, and is let go when its process is killed.
    with closing(sqlite3.connect(results / _LOCK, timeout=0, isolation_level=None)) as guard:
        try:
            guard.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise ArchiveError(
                "Another run is writing into {results}. Wait for it, or end it.", results=str(results)
            ) from error
        yield


def _write_list(
    archive: Archive,
    path: Path,
    films_per_part: int | None,
    identity: Mapping[str, str],
    listing: Callable[[int], None],
) -> None:
    """Write the films of an archive into a file in order of their names, sorted on disk."""

    def rows() -> Iterator[tuple[bytes, str]]:
        for number, (name, place) in enumerate(archive.entries(), start=1):
            yield os.fsencode(name), place
            if number % 1000 == 0:
                listing(number)

    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with closing(sqlite3.connect(unfinished)) as listed, listed:
            listed.execute("ATTACH '' AS aside")
            listed.execute("CREATE TABLE aside.found (name BLOB, place TEXT)")
            listed.executemany("INSERT INTO aside.found VALUES (?, ?)", rows())
            listed.execute("CREATE TABLE films (number INTEGER PRIMARY KEY, name BLOB, place TEXT)")
            # A service may tell of a film twice.
            listed.execute(
                "INSERT INTO films SELECT row_number() OVER (ORDER BY name, place) - 1, name, place "
                "FROM (SELECT DISTINCT name, place FROM aside.found)"
            )
            films = listed.execute("SELECT count(*) FROM films").fetchone()[0]
            if not films:
                raise ArchiveError("There is no film in the {archive}.", archive=archive.identity)
            size = films_per_part or part_size(films)
            listed.execute("CREATE TABLE run (films INTEGER, films_per_part INTEGER, identity TEXT)")
            listed.execute("INSERT INTO run VALUES (?, ?, ?)", (films, size, json.dumps(identity)))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def part_size(films: int) -> int:
    """Return how many films of an archive a part has: 200 parts, of `FEWEST_IN_PART` to `MOST_IN_PART` films."""
    return max(FEWEST_IN_PART, min(MOST_IN_PART, films // 200))


# Scores parts by a number of workers. Tells its last argument how many films of a part are done, and yields each part
# with its counts once its file is there.
Engine = Callable[[Job, Sequence[int], int | None, Callable[[int, int], None]], Iterator[tuple[int, dict[str, int]]]]


def score(
    job: Job, engine: Engine, workers: int | None = None, progress: Callable[[int], None] = lambda films: None
) -> Counter[str]:
    """Score the films that have no row yet.

    Args:
        job: as `opened` gives it.
        engine: `workers.local` or `workers.ray`.
        workers: how many processes read films; one for each processor where None.
        progress: is told how many films have been read, those of earlier runs included.

    Returns:
        How many films of the archive got which answer, or ``refused`` or ``error``.

    Raises:
        PneumoError: if networks cannot be loaded, the archive is away, or workers end again and again. What is done
            stays.
        OSError: if results cannot be written.
    """
    total: Counter[str] = Counter()
    left = []
    for part in job.parts:
        if (counts := job.counts(part)) is None:
            left.append(part)
        else:
            total.update(counts)
    progress(total.total())
    at_hand: dict[int, int] = {}
    lock = threading.Lock()

    def told(part: int, films: int) -> None:
        with lock:
            at_hand[part] = films
            progress(total.total() + sum(at_hand.values()))

    for part, counts in engine(job, left, workers, told):
        with lock:
            at_hand.pop(part, None)
            total.update(counts)
            progress(total.total())
    return total
