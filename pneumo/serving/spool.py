"""The spool: films that wait to be read and answers that wait to be delivered, on disk, bounded, and soon gone.

A file appears under its name only when it is whole and on the disk (written beside, fsync, rename), so that a process
may be killed, and a machine may lose its power, at any moment. Names are hashes and say nothing of a patient.
"""

import hashlib
import os
import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pneumo.errors import BusyError, SpoolError

# A film that pneumo was ended on so many times is answered as unreadable: it may be what ends pneumo.
MOST_ATTEMPTS = 3
_FILM, _ANSWER, _PART, _LOCK = ".film", ".answer", ".part", "lock"


@dataclass(frozen=True)
class SpooledFilm:
    """A film that waits to be read.

    Attributes:
        name: SHA-256 of its file, in hexadecimal.
        attempts: how often reading it was begun.
        bytes: of its file.
    """

    name: str
    attempts: int
    bytes: int


class Spool:
    """A folder of films and answers; one object serves many threads, and one process has the folder.

    Attributes:
        limit: bytes that films and answers may take; the answers to one film come on top.

    Raises:
        SpoolError: if the folder cannot be made or written to, or another process has it.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.limit, self._folder = limit, folder
        self._changed = threading.Condition()
        self._stopped = False
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            self._lock = _locked(folder / _LOCK)
            found = sorted(folder.iterdir(), key=lambda path: (path.stat().st_mtime_ns, path.name))
            for path in found:
                if path.suffix == _PART:
                    path.unlink()
        except OSError as error:
            raise SpoolError(
                "The spool {folder} cannot be used ({why}). Name a folder that pneumo may write to and no other pneumo "
                "uses.",
                folder=str(folder),
                why=error.strerror or type(error).__name__,
            ) from error
        # By name, the oldest first.
        self._films = {film.name: film for film in map(_film, found) if film}
        self._answers = {path.name: path.stat().st_size for path in found if path.suffix == _ANSWER}

    @property
    def films(self) -> int:
        """How many films wait to be read."""
        with self._changed:
            return len(self._films)

    @property
    def answers(self) -> int:
        """How many answers wait to be delivered."""
        with self._changed:
            return len(self._answers)

    def add(self, film: bytes) -> None:
        """Keep a film; when this returns it is on the disk.

        Raises:
            BusyError: if there is no room for it; nothing of it is kept, as with the next.
            SpoolError: if the disk is full or fails.
        """
        name = hashlib.sha256(film).hexdigest()
        with self._changed:
            if name in self._films:
                return
            if self._bytes() + len(film) > self.limit:
                raise BusyError("The spool is full.")
            try:
                self._write(f"{name}{_FILM}0", film)
            except OSError as error:
                raise SpoolError("The spool cannot be written to.") from error
            self._films[name] = SpooledFilm(name, 0, len(film))
            self._changed.notify_all()

    def next_film(self) -> tuple[SpooledFilm, bytes] | None:
        """Wait for a film, and return the oldest one and its bytes; one more attempt at it is on the disk.

        While the spool is full, answers go out before another film is read.

        Returns:
            None once the spool is stopped.

        Raises:
            OSError: if the disk fails.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or (self._films and self._has_room()))
            if self._stopped:
                return None
            film = next(iter(self._films.values()))
            begun = SpooledFilm(film.name, film.attempts + 1, film.bytes)
            path = self._path_of(begun)
            self._path_of(film).rename(path)
            self._films[film.name] = begun
            self._flush()
        return begun, path.read_bytes()

    def put_back(self, film: SpooledFilm) -> None:
        """Forget an attempt at a film that was given up in good order.

        Args:
            film: as `next_film` returns it.
        """
        with self._changed:
            before = replace(film, attempts=film.attempts - 1)
            self._path_of(film).rename(self._path_of(before))
            self._films[film.name] = before

    def answer(self, film: SpooledFilm, answers: Mapping[str, bytes]) -> None:
        """Put the answers to a film in its place.

        Args:
            film: as `next_film` returns it.
            answers: by a word that tells them apart.

        Raises:
            OSError: if the disk fails; the film then stays.
        """
        with self._changed:
            for kind, data in answers.items():
                name = f"{film.name}.{kind}{_ANSWER}"
                self._write(name, data)
                self._answers.pop(name, None)
                self._answers[name] = len(data)
            self._path_of(film).unlink(missing_ok=True)
            self._films.pop(film.name, None)
            self._changed.notify_all()

    def wait_for_answers(self, seconds: float | None, known: Collection[str] = ()) -> list[str]:
        """Wait until there is an answer that is not known, or so many seconds, and return the names of all answers, the
        oldest first; none once the spool is stopped.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or not self._answers.keys() <= set(known), seconds)
            return [] if self._stopped else list(self._answers)

    def read_answer(self, name: str) -> bytes:
        """Return the bytes of an answer.

        Raises:
            OSError: if the disk fails.
        """
        return (self._folder / name).read_bytes()

    def delivered(self, name: str) -> None:
        """Forget an answer that has arrived."""
        with self._changed:
            (self._folder / name).unlink(missing_ok=True)
            self._answers.pop(name, None)
            self._changed.notify_all()

    def stop(self) -> None:
        """Wake up whoever waits; what is in the spool stays."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def close(self) -> None:
        """Leave the folder to others."""
        os.close(self._lock)

    def _bytes(self) -> int:
        return sum(film.bytes for film in self._films.values()) + sum(self._answers.values())

    def _has_room(self) -> bool:
        return not self._answers or self._bytes() < self.limit

    def _path_of(self, film: SpooledFilm) -> Path:
        return self._folder / f"{film.name}{_FILM}{film.attempts}"

    def _write(self, name: str, data: bytes) -> None:
        part = self._folder / f"{name}{_PART}"
        try:
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.rename(self._folder / name)
            self._flush()
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise

    def _flush(self) -> None:
        """Have the folder's entries on the disk, where the system can do that."""
        if os.name == "posix":
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _film(path: Path) -> SpooledFilm | None:
    name, _, attempts = path.name.partition(_FILM)
    return SpooledFilm(name, int(attempts), path.stat().st_size) if attempts.isdigit() else None


def _locked(path: Path) -> int:
    """Lock a file for this process for as long as it stays open; a lock goes with its process."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        import fcntl
    except ImportError:  # Not on Windows, where the user must see to it.
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file
