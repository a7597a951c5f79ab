"""The audit log: a line for every answer, each chained to the one before by its hash; off unless it is asked for.

``PNEUMO_AUDIT=FILE`` asks for it. A line holds no name and no pixel. Who can write the file can write all of it anew;
so `Verdict` tells the hash of the last line, which is kept elsewhere and later sought in the chain.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pneumo import __version__
from pneumo.errors import AuditError
from pneumo.inference.findings import measure
from pneumo.inference.reading import Reading
from pneumo.model_store.site import Site

VARIABLE = "PNEUMO_AUDIT"
# About 15,000 films.
MOST_BYTES = 10 * 1024**2
START = "0" * 64
# More than any line has.
LONGEST_LINE = 64 * 1024
Via = Literal["page", "cli", "api", "dicom"]


def configured() -> Path | None:
    """Return the file of ``PNEUMO_AUDIT``; None where no audit log is asked for."""
    value = os.environ.get(VARIABLE, "").strip()
    return Path(value).expanduser() if value else None


def noted(reading: Reading, via: Via) -> Reading:
    """Write what became of a film into the audit log, if one is asked for: the one place where that happens.

    Args:
        reading: of the film, as someone is about to see it.
        via: by which way it was asked for.

    Returns:
        The same reading; where the log cannot be written, one with that error and without an answer.
    """
    file = configured()
    if file is None:
        return reading
    try:
        AuditLog(file).append(entry(reading, via))
    except AuditError as error:
        return Reading(reading.name, reading.source, reading.models, error=error)
    return reading


def entry(reading: Reading, via: Via) -> dict[str, Any]:
    """Return what the log holds of a film."""
    film, assessment, card = reading.radiograph, reading.assessment, reading.models.card
    return {
        "via": via,
        "image_sha256": film.sha256 if film else None,
        "status": reading.status,
        "answer": assessment.answer if assessment else None,
        "probability": assessment.probability if assessment else None,
        "foreign": bool(assessment and assessment.foreign),
        "findings": None if reading.findings is None else [finding.code for finding in reading.findings],
        "quality": {key: round(value, 4) for key, value in vars(measure(film.pixels)).items()} if film else None,
        "forced": reading.forced,
        "corrected": reading.correction is not None,
        "model": card.name,
        "model_sha256": card.sha256,
        "site_sha256": site_key(reading.models.classifier.site),
        "pneumo_version": __version__,
    }


def site_key(site: Site | None) -> str | None:
    """Return the SHA-256 by which the log knows the calibration for a site."""
    return hashlib.sha256(site.as_json().encode()).hexdigest() if site else None


class AuditLog:
    """The log of one file and of the files that it was rotated to: ``FILE.1`` is the oldest.

    Several processes may write it. The file is only ever added to.
    """

    def __init__(self, file: Path, most_bytes: int = MOST_BYTES) -> None:
        self.file, self._most_bytes = file, most_bytes

    @property
    def files(self) -> list[Path]:
        """The files that there are, oldest first."""
        return [*(path for _, path in self._rotated()), *([self.file] if self.file.exists() else [])]

    def append(self, values: dict[str, Any]) -> None:
        """Add a line with the next number, the time and the hashes; it is on disk when this returns.

        Raises:
            AuditError: if that is not possible; the log is as it was.
        """
        try:
            with _locked(self.file.with_name(f".{self.file.name}.lock")):
                self._append(values)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else None
            raise AuditError(
                "The audit log cannot be written ({why}), so no answer is given. Tell who runs this server.",
                why=why or type(error).__name__,
            ) from error

    def _append(self, values: dict[str, Any]) -> None:
        if self.file.exists() and self.file.stat().st_size >= self._most_bytes:
            self._rotate()
        last, torn, is_open = self._end()
        values = {
            "number": last["number"] + 1 if last else 1,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            **values,
            **({"after_torn": hashlib.sha256(torn).hexdigest()} if torn else {}),
            "previous": last["hash"] if last else START,
        }
        line = json.dumps({**values, "hash": _hash(values)}, ensure_ascii=False).encode() + b"\n"
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
        try:
            before = os.fstat(descriptor).st_size
            _write(descriptor, (b"\n" if is_open else b"") + line, before)
        finally:
            os.close(descriptor)

    def _end(self) -> tuple[dict[str, Any] | None, bytes, bool]:
        """Return the last whole line of the log, what a kill left of a line after it, and whether the end is open."""
        for path in reversed(self.files):
            with path.open("rb") as stream:
                stream.seek(max(0, path.stat().st_size - LONGEST_LINE))
                lines = stream.read().split(b"\n")
            is_open = path == self.file and lines[-1] != b""
            torn = lines[-1] if is_open and _parsed(lines[-1]) is None else b""
            for line in reversed(lines):
                if (values := _parsed(line)) is not None:
                    return values, torn, is_open
            if torn:
                return None, torn, is_open
        return None, b"", False

    def _rotated(self) -> list[tuple[int, Path]]:
        """Return the numbers and the paths of the files that the log was rotated to."""
        pattern = re.compile(re.escape(self.file.name) + r"\.(\d+)")
        folder = self.file.parent
        found = [(pattern.fullmatch(path.name), path) for path in folder.iterdir()] if folder.is_dir() else []
        return sorted((int(match[1]), path) for match, path in found if match)

    def _rotate(self) -> None:
        number = 1 + max((number for number, _ in self._rotated()), default=0)
        self.file.rename(self.file.with_name(f"{self.file.name}.{number}"))


def _write(descriptor: int, line: bytes, before: int) -> None:
    try:
        if os.write(descriptor, line) < len(line):
            raise OSError(28, os.strerror(28))
        os.fsync(descriptor)
    except OSError:
        # The disk is full: a part of a line would look as if the process had been killed.
        os.ftruncate(descriptor, before)
        raise


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that one thread of all processes has at a time; it ends with the process."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _hash(values: dict[str, Any]) -> str:
    """Return the hash of a line: of all that stands in it but the hash itself, with the hash of the line before."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Return the values of a line; None where it is no whole line of a log."""
    try:
        values = json.loads(line)
    except ValueError:
        return None
    whole = isinstance(values, dict) and {"number": int, "previous": str, "hash": str}.items()
    return values if whole and all(isinstance(values.get(key), kind) for key, kind in whole) else None


@dataclass(frozen=True)
class Verdict:
    """What is found in a log.

    Attributes:
        lines: how many whole lines there are.
        problems: which lines were changed, removed or reordered; empty where none was.
        torn: where a process was killed while it wrote a line, which is no tampering.
        first: the number of the first line; 0 where there is none.
        last_hash: of the last line; empty where there is none.
    """

    lines: int
    problems: tuple[str, ...]
    torn: tuple[str, ...]
    first: int = 0
    last_hash: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether the log is as it was written."""
        return not self.problems


def entries(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Yield the values of the whole lines of files, in their order; nothing is checked."""
    for file in files:
        with file.open("rb") as stream:
            yield from filter(None, map(_parsed, stream))


def verify(files: Sequence[Path], kept: str | None = None) -> Verdict:
    """Check the chain of a log.

    Args:
        files: of the log, in any order; the earlier ones may be missing, which `Verdict.first` tells.
        kept: the hash of a line that was noted elsewhere, and that must be in the chain.

    Raises:
        OSError: if a file cannot be read.
    """
    known = {values["number"] for values in entries(files)}
    problems: list[str] = []
    torn: list[str] = []
    lines, first, is_kept = 0, 0, kept is None
    last: dict[str, Any] | None = None
    broken: _Line | None = None
    for line in _lines(files):
        values = _parsed(line.text)
        if values is None:
            broken = line
            continue
        if broken:
            if values.get("after_torn") == hashlib.sha256(broken.text).hexdigest():
                torn.append(f"{broken.place} was broken off when the process that wrote it was killed.")
            else:
                problems.append(f"{broken.place} was changed: it is no line of a log.")
                last = {"number": values["number"] - 1, "hash": values["previous"]}
            broken = None
        problems += _problems(values, last, line.place, known)
        first = first if lines else values["number"]
        lines, last, is_kept = lines + 1, values, is_kept or kept == values["hash"]
    if broken and broken.has_end:
        problems.append(f"{broken.place} was changed: it is no line of a log.")
    elif broken:
        torn.append(f"{broken.place} ends in the middle: the process that wrote it was killed.")
    if not is_kept:
        problems.append(f"No line has the hash {kept}: it was removed, or lines were written anew.")
    return Verdict(lines, tuple(problems), tuple(torn), first, last["hash"] if last else "")


def _problems(values: dict[str, Any], last: dict[str, Any] | None, place: str, known: set[int]) -> list[str]:
    """Return what is wrong with a line.

    Args:
        values: of the line.
        last: those of the line before it.
        place: where the line stands.
        known: the numbers of all lines.
    """
    number, found = values["number"], []
    if values["hash"] != _hash({key: value for key, value in values.items() if key != "hash"}):
        found.append(f"{place} (number {number}) was changed.")
    before = last["number"] if last else number - 1
    if number <= before:
        found.append(f"{place} (number {number}) stands after number {before}: lines were reordered or added.")
    found += [
        f"Number {missing}, before {place}, was removed."
        for missing in range(before + 1, number)
        if missing not in known
    ]
    expected = last["hash"] if last else START
    if number == before + 1 and values["previous"] != expected and (last or number == 1):
        found.append(f"Number {before} was changed: {place} (number {number}) is not chained to it.")
    return found


@dataclass(frozen=True)
class _Line:
    place: str
    text: bytes
    has_end: bool


def _lines(files: Sequence[Path]) -> Iterator[_Line]:
    """Yield the lines of files, in the order of the files' first numbers."""

    def first_number(file: Path) -> int:
        return next((values["number"] for values in entries([file])), sys.maxsize)

    for file in sorted(files, key=first_number):
        with file.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                yield _Line(f"{file.name}, line {number}", line.rstrip(b"\n"), line.endswith(b"\n"))
