"""The films of a session: what is known of each, in one object that goes as a whole when the user lets go of it."""

import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from pneumo.explanation import drawing
from pneumo.inference.findings import Correction
from pneumo.inference.reading import Models, Reading, read_film, reassess
from pneumo.language import ENGLISH, Language
from pneumo.preprocessing.network_input import fit_within
from pneumo.reports.records import Record, record
from pneumo.sentences import Sentence, say, visible
from pneumo.serving.audit import noted

# What a server may hold of one session's files; results are a few kilobytes each and are all kept.
MAX_FILMS = 200
MAX_BYTES = 500_000_000

# In the order of a worklist: what wants a look first. The signs tell them apart without colour.
OUTCOMES = {
    "likely": say("▲ Likely"),
    "uncertain": say("? Cannot say"),
    "refused": say("⊘ Not assessed"),
    "error": say("✕ Not readable"),
    "unlikely": say("✓ Unlikely"),
}
THUMBNAIL_SIDE = 64


@dataclass(eq=False)
class Film:
    """One film of a session, and all that was worked out of it.

    Attributes:
        identity: of the upload in its session.
        name: of the file.
        data: the file's bytes; None where they were let go.
        record: what became of it; None until it was read.
        thumbnail: the film in small, as an address that holds it; empty until it was read, and where it could not be.
        read_by: the key of the models that read it.
        correct: what the user asked to be done to the film, of what the gate offers; None where nothing was.
        force: whether the user asked for an answer in spite of a refusal.
        reading: the film in full; None unless it is open.
        drawn: what was worked out of `reading`, such as heat maps, by what asked for it.
    """

    identity: str
    name: str
    data: bytes | None
    record: Record | None = None
    thumbnail: str = ""
    read_by: Hashable = None
    correct: Correction | None = None
    force: bool = False
    reading: Reading | None = None
    drawn: dict[Hashable, Any] = field(default_factory=dict)

    def is_read(self, key: Hashable) -> bool:
        """Return whether the film is held in full as the models of a key read it."""
        return self.reading is not None and self.read_by == key

    def read(self, models: Models, key: Hashable) -> Reading:
        """Read the film in full, once for the same models and wishes.

        Args:
            models: that read it.
            key: of the models.

        Raises:
            ValueError: if the film's file was let go.
        """
        if self.reading is None or not self.is_read(key):
            if self.data is None:
                raise ValueError(f"The file of {self.name} is no longer held.")
            known = self.reading
            self.close()
            if known and not known.error and known.models.gate is models.gate:
                # Another classifier: the film and its check are the same.
                found = reassess(known, models)
            else:
                found = read_film(self.data, self.name, models, correct=self.correct or False, force=self.force)
            self.reading = noted(found, "page")
            self.record, self.read_by = record(self.reading), key
            film = self.reading.radiograph
            self.thumbnail = drawing.film_url(fit_within(film.pixels, THUMBNAIL_SIDE)) if film else ""
        return self.reading

    def ask(self, *, correct: Correction | None, force: bool) -> None:
        """Note what the user wants done with the film; it is read anew."""
        self.correct, self.force = correct, force
        self.close()

    def close(self) -> None:
        """Let go of the film in full; its record stays."""
        self.reading = None
        self.drawn.clear()


@dataclass(eq=False)
class FilmList:
    """The films of one session in the order in which they came, their files bounded in number and size.

    Attributes:
        films: by identity.
        opened: the identity of the film that is shown in full, if any.
        document: the PDF of all films, and what it was made of; None until it is asked for.
    """

    max_films: int = MAX_FILMS
    max_bytes: int = MAX_BYTES
    films: dict[str, Film] = field(default_factory=dict)
    opened: str | None = None
    document: tuple[Hashable, bytes] | None = None

    def add(self, identity: str, name: str, data: bytes) -> None:
        """Put a film at the end of the list, unless it is there."""
        self.films.setdefault(identity, Film(identity, name, data))

    def put(self, identity: str, name: str, data: bytes) -> None:
        """Put a film at the end of the list, in the place of one that was there, and show it in full."""
        self.remove(identity)
        self.add(identity, name, data)
        self.open(identity)

    def remove(self, identity: str) -> None:
        """Take a film off the list."""
        self.films.pop(identity, None)
        self.document = None
        if self.opened == identity:
            self.opened = None

    def clear(self) -> None:
        """Take all films off the list."""
        self.films.clear()
        self.opened = self.document = None

    def open(self, identity: str | None) -> None:
        """Show a film in full, and let go of the one that was; None shows no film."""
        if identity != self.opened:
            for film in self.films.values():
                film.close()
        self.opened = identity

    @property
    def opened_film(self) -> Film | None:
        """The film that is shown in full, if any."""
        return self.films.get(self.opened or "")

    def pending(self, key: Hashable) -> list[Film]:
        """Return the films that the models of a key have not read and whose files are still here."""
        return [film for film in self.films.values() if film.data is not None and film.read_by != key]

    def let_go_of_excess(self) -> list[str]:
        """Let go of the oldest files that were read beyond what may be held; returns the identities of their films."""
        held = [film for film in self.films.values() if film.data is not None]
        size = sum(len(film.data) for film in held if film.data is not None)
        excess, gone = len(held) - self.max_films, []
        for oldest in held:
            if excess <= 0 and size <= self.max_bytes:
                break
            if oldest.record is not None and oldest.data is not None and oldest.identity != self.opened:
                size, excess = size - len(oldest.data), excess - 1
                oldest.data, oldest.thumbnail = None, ""
                gone.append(oldest.identity)
        return gone

    @property
    def records(self) -> list[Record]:
        """What became of the films that were read."""
        return [film.record for film in self.films.values() if film.record is not None]

    @property
    def let_go(self) -> int:
        """How many films' files are no longer held."""
        return sum(film.data is None for film in self.films.values())


@dataclass(frozen=True)
class Progress:
    """How far the reading of several films has come: `done` of `total` in `seconds`."""

    done: int
    total: int
    seconds: float

    @property
    def share(self) -> float:
        """Of the films that are done, 0…1."""
        return self.done / self.total if self.total else 1.0

    def __str__(self) -> Sentence:
        """Say it, as in ``12 of 50 films read, about 9 seconds left``, as if the rest went on as it went so far."""
        read = say("{done} of {total} films read", done=self.done, total=self.total)
        left = self.seconds * (1 / self.share - 1) if self.done else 0.0
        if not left:
            return read
        if left < 1.5:
            return say("{read}, about a second left", read=read)
        if left < 90:
            return say("{read}, about {seconds:.0f} seconds left", read=read, seconds=left)
        return say("{read}, about {minutes:.0f} minutes left", read=read, minutes=left / 60)


def read_all(
    films: Sequence[Film],
    models: Models,
    key: Hashable,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Iterator[Progress]:
    """Read films one after the other and note what became of each; yields before each and at the end.

    Args:
        films: to read.
        models: that read them.
        key: of the models.
        turn: what each film is read in, such as its turn in a queue.
    """
    started = time.monotonic()
    for done, film in enumerate(films):
        yield Progress(done, len(films), time.monotonic() - started)
        with turn():
            film.read(models, key)
        film.close()
    yield Progress(len(films), len(films), time.monotonic() - started)


def outcome(record: Record) -> str:
    """Return the key of `OUTCOMES` that a record belongs to."""
    return record.answer or record.status


def counts(records: Iterable[Record]) -> dict[str, int]:
    """Return how many records there are of each of the `OUTCOMES` that occur, in their order."""
    found = [outcome(record) for record in records]
    return {key: found.count(key) for key in OUTCOMES if key in found}


def by_urgency(films: Iterable[Film], prevalence: float | None = None) -> list[Film]:
    """Return films in the order of `OUTCOMES`, those with the highest count first; what was not read yet comes last.

    Args:
        films: to sort; of equals the one that came first stays first.
        prevalence: see `Record.at`.
    """

    def place(film: Film) -> tuple[int, float]:
        if film.record is None:
            return len(OUTCOMES), 0.0
        known = film.record.at(prevalence)
        return [*OUTCOMES].index(outcome(known)), -known.similar.of_100 if known.similar else 0.0

    return sorted(films, key=place)


def table(films: Iterable[Film], language: Language = ENGLISH, prevalence: float | None = None) -> pd.DataFrame:
    """Return a row for each film: ``Film, Answer, Of 100, File`` and ``Quality``.

    ``Film`` is a small picture, ``Of 100`` the count that goes with the answer, empty where there is none. ``Quality``
    is what speaks against the film, or the reason why it has no answer. A film that was not read yet waits. All but
    names is told in `language`.
    """
    translate = language.tell
    rows: list[tuple[str, str, str, str, str]] = []
    for film in films:
        if film.record is None:
            rows.append(("", translate(say("… Waiting")), "", visible(film.name), ""))
            continue
        known = film.record.at(prevalence)
        remarks = known.reasons if known.answer is None else [each.message for each in known.findings or ()]
        if known.answer and not remarks:
            remarks = [say("Fine") if known.checked else say("Not checked")]
        told = translate(OUTCOMES[outcome(known)])
        rows.append((film.thumbnail, told, known.count, visible(film.name), " ".join(map(translate, remarks))))
    return pd.DataFrame(rows, columns=["Film", "Answer", "Of 100", "File", "Quality"])


def with_outcomes(films: Iterable[Film], outcomes: Collection[str], prevalence: float | None = None) -> list[Film]:
    """Return the films with one of the outcomes, and those that wait for one; all films where none is named."""
    return [
        each for each in films if not outcomes or each.record is None or outcome(each.record.at(prevalence)) in outcomes
    ]
