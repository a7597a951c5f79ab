"""From a film that came out of an archive to the answers that go back in: at once, or by way of the spool.

`AtOnce` has delivered the answers to a film when it takes the film; what it cannot deliver it does not take, so its
sender keeps it. `Spooled` has a film on the disk when it takes it, and delivers the answers later.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    SecondaryCaptureImageStorage,
)

from pneumo.errors import (
    ArchiveError,
    AuditError,
    ExplanationError,
    PneumoError,
    UnreadableImageError,
    UnsupportedImageError,
)
from pneumo.explanation import HeatMap, explain
from pneumo.inference import Models, Reading, read_film
from pneumo.radiograph import dicom as header
from pneumo.radiograph import silent_decoders
from pneumo.reports import files
from pneumo.reports.film_files import DICOM_PICTURE, DICOM_REPORT
from pneumo.serving import audit
from pneumo.serving.queue import Queue
from pneumo.serving.spool import MOST_ATTEMPTS, Spool, SpooledFilm

# Storage of films; secondary captures are how films of many modalities without DICOM come.
FILMS = (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    SecondaryCaptureImageStorage,
)
# What a film is called in the reasons that stand in its report.
NAME = "This film"
# Films that `AtOnce` holds in memory, those that wait for their turn included.
MOST_AT_ONCE = 8
# An archive that is away is tried again after this many seconds, and after twice as many each time.
FIRST_RETRY, LAST_RETRY = 1.0, 300.0
# Answers that go out in one association.
MOST_TOGETHER = 50

_log = logging.getLogger(__name__)


class Archive(Protocol):
    """Where answers go."""

    def store(self, objects: Iterator[bytes]) -> Iterator[str]:
        """Store DICOM files one after the other, and yield for each why it is not taken; empty where it is there.

        Raises:
            ArchiveError: if the archive cannot be reached, or no longer.
        """
        ...


@dataclass(frozen=True)
class Answers:
    """What goes back into the archive about a film.

    Attributes:
        status: ``ok``, ``refused`` or ``error``, as of `Reading`.
        objects: DICOM files, ``report`` and, of an answer, ``picture``.
    """

    status: str
    objects: dict[str, bytes]


def answer(film: bytes, models: Models, *, attempts: int = 1) -> Answers:
    """Read a film and return the DICOM objects about it: of an answer the heat map and the report; else the reasons.

    Args:
        film: the bytes of a DICOM file.
        models: that read it.
        attempts: how often that was begun, this time included; a film that ended pneumo too often is not read again.

    Raises:
        AuditError: if an audit log is asked for and cannot be written.
        UnsupportedImageError: if no object can join the film's study.
    """
    if attempts > MOST_ATTEMPTS:
        stopped = UnreadableImageError("pneumo stopped while it read this film. Send the film again.")
        reading = Reading(NAME, film, models, error=stopped)
    else:
        reading = audit.noted(read_film(film, NAME, models), "dicom")
        if isinstance(reading.error, AuditError):
            raise reading.error
    made = files(reading, _heat_map(reading), (DICOM_PICTURE, DICOM_REPORT), made=datetime.now().astimezone())
    if made.problem:
        raise UnsupportedImageError(made.problem)
    kinds = {DICOM_REPORT: "report", DICOM_PICTURE: "picture"}
    return Answers(reading.status, {kinds[ending]: content for ending, content in made.contents.items()})


def _heat_map(reading: Reading) -> HeatMap | None:
    try:
        return explain(reading) if reading.assessment else None
    except ExplanationError:
        return None


def is_own(film: bytes) -> bool:
    """Return whether a DICOM file was made by pneumo: an archive may send all of a study, answers included."""
    with silent_decoders:
        return str(header.elements(film, NAME, ("Manufacturer",)).get("Manufacturer", "")) == "pneumo"


def log_id(film: bytes) -> str:
    """Return what a film is called in the log, which says nothing of the patient."""
    return hashlib.sha256(film).hexdigest()[:8]


class AtOnce:
    """Reads a film and delivers its answers while the sender waits; nothing is kept.

    Args:
        models: that read films.
        archive: that answers go to.
    """

    def __init__(self, models: Models, archive: Archive) -> None:
        self._models, self._archive = models, archive
        self._queue = Queue(most=MOST_AT_ONCE)

    def take(self, film: bytes, sender: str) -> None:
        """Answer a film; senders take turns.

        Raises:
            BusyError: if too many films wait.
            ArchiveError: if the archive is away, or does not take an answer.
            AuditError: if an audit log is asked for and cannot be written.
            ImageError: if no answer can join the film's study.
        """
        began = time.monotonic()
        with self._queue.turn(sender):
            made = answer(film, self._models)
        problems = [problem for problem in self._archive.store(iter(made.objects.values())) if problem]
        if problems:
            raise ArchiveError("The archive does not take the answer ({why}).", why=problems[0])
        _log.info("film %s: %s, answered in %.1f s", log_id(film), made.status, time.monotonic() - began)

    def stop(self) -> None:
        """Do nothing: nothing waits."""


class Spooled:
    """Keeps films on the disk, reads one after the other, and delivers answers until the archive has them.

    Args:
        models: that read films.
        archive: that answers go to.
        spool: where both wait; closed by `stop`.
    """

    def __init__(self, models: Models, archive: Archive, spool: Spool) -> None:
        self._models, self._spool = models, spool
        self._stopped = threading.Event()
        self._delivery = _Delivery(archive, spool, self._stopped)
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._read, self._delivery.run)]
        if spool.films or spool.answers:
            _log.info("spool: %d films and %d answers are waiting", spool.films, spool.answers)
        for thread in self._threads:
            thread.start()

    def take(self, film: bytes, sender: str) -> None:
        """Keep a film.

        Raises:
            BusyError: if the spool is full.
            SpoolError: if the disk is.
        """
        self._spool.add(film)
        _log.info("film %s: kept, %d waiting", log_id(film), self._spool.films)

    def stop(self) -> None:
        """Finish the film and the answer at hand; the others stay in the spool."""
        self._stopped.set()
        self._spool.stop()
        for thread in self._threads:
            thread.join()
        self._spool.close()
        _log.info("spool: %d films and %d answers stay", self._spool.films, self._spool.answers)

    def _read(self) -> None:
        while not self._stopped.is_set():
            try:
                found = self._spool.next_film()
            except OSError as error:
                self._wait_for_disk(error)
                continue
            if found:
                self._answer(*found)

    def _answer(self, film: SpooledFilm, data: bytes) -> None:
        began = time.monotonic()
        made: Answers | None = None
        while not self._stopped.is_set():
            try:
                made = made or self._made(film, data)
                self._spool.answer(film, made.objects)
            except (OSError, AuditError) as error:
                self._wait_for_disk(error)
            else:
                _log.info("film %s: %s, read in %.1f s", log_id(data), made.status, time.monotonic() - began)
                return
        with suppress(OSError):
            self._spool.put_back(film)

    def _made(self, film: SpooledFilm, data: bytes) -> Answers:
        try:
            return answer(data, self._models, attempts=film.attempts)
        except AuditError:
            raise
        except PneumoError:
            _log.error("film %s: its header allows no report, so it gets no answer", log_id(data))
        except Exception as error:
            # What libraries say of a film may quote its header.
            _log.error("film %s: no answer could be made (%s)", log_id(data), type(error).__name__)
        return Answers("error", {})

    def _wait_for_disk(self, error: OSError | AuditError) -> None:
        _log.error("the disk fails: %s", error.strerror if isinstance(error, OSError) else error)
        self._stopped.wait(LAST_RETRY / 10)


class _Delivery:
    """Delivers the answers in a spool, again and again where that is needed."""

    def __init__(self, archive: Archive, spool: Spool, stopped: threading.Event) -> None:
        self._archive, self._spool, self._stopped = archive, spool, stopped
        # By the answer's name: how often the archive did not take it, and when it is tried again.
        self._refused: dict[str, tuple[int, float]] = {}
        self._failures = 0

    def run(self) -> None:
        """Deliver until it is stopped."""
        while not self._stopped.is_set():
            later = [name for name, (_, due) in self._refused.items() if due > time.monotonic()]
            next_due = min((self._refused[name][1] for name in later), default=None)
            seconds = max(0.0, next_due - time.monotonic()) if next_due else None
            names = [name for name in self._spool.wait_for_answers(seconds, later) if name not in later]
            # What has failed least goes first, or else one answer that breaks the connection would hold up all.
            names.sort(key=lambda name: self._refused.get(name, (0, 0.0))[0])
            if names and not self._stopped.is_set():
                self._deliver(names[:MOST_TOGETHER])

    def _deliver(self, names: Sequence[str]) -> None:
        sent: list[str] = []
        delivered = 0
        try:
            for problem in self._archive.store(self._objects(names, sent)):
                if problem:
                    self._try_later(sent[-1])
                    _log.error("answer %s: the archive does not take it (%s)", sent[-1][:8], problem)
                else:
                    self._refused.pop(sent[-1], None)
                    self._spool.delivered(sent[-1])
                    delivered += 1
                if self._stopped.is_set():
                    break
            self._failures = 0
        except (ArchiveError, OSError) as error:
            if sent:
                self._try_later(sent[-1])
            self._failures = 0 if delivered else self._failures
            pause = min(FIRST_RETRY * 2**self._failures, LAST_RETRY)
            self._failures += 1
            _log.error("%s %d answers wait; next try in %.0f s", error, self._spool.answers, pause)
            self._stopped.wait(pause)
        if delivered:
            _log.info("answers: %d delivered, %d waiting", delivered, self._spool.answers)

    def _objects(self, names: Sequence[str], sent: list[str]) -> Iterator[bytes]:
        for name in names:
            sent.append(name)
            yield self._spool.read_answer(name)

    def _try_later(self, name: str) -> None:
        times = self._refused.get(name, (0, 0.0))[0]
        self._refused[name] = times + 1, time.monotonic() + min(FIRST_RETRY * 2**times, LAST_RETRY)
