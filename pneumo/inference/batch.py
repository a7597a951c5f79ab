"""Many films one after the other: each read, checked and assessed for itself, and the list of what became of them."""

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from pneumo import radiograph
from pneumo.errors import ImageSizeError, PneumoError
from pneumo.inference.gate import Gate, GateResult, corrected
from pneumo.inference.similar_scores import SCALE_ENDS
from pneumo.language import ENGLISH, Language
from pneumo.radiograph import Radiograph
from pneumo.reports.record import assessment_record, error_record, refused_record
from pneumo.sentences import Sentence, say

if TYPE_CHECKING:
    from pneumo.inference.classifier import Assessment, Classifier

# What a server may hold of one session's files; results are a few kilobytes each and are all kept.
MAX_FILMS = 200
MAX_BYTES = 500_000_000

# In the order of a worklist: what wants a look first. The signs tell them apart without colour.
OUTCOMES = {
    "likely": say("▲ Likely"),
    "uncertain": say("? Cannot say"),
    "unlikely": say("✓ Unlikely"),
    "refused": say("⊘ Not assessed"),
    "error": say("✕ Not readable"),
}


@dataclass
class Entry:
    """One film of a list.

    Attributes:
        identity: of the upload in its session.
        name: of the file.
        data: the file's bytes; None where they were let go.
        record: as `report` gives it; None until the film was read.
        corrected: whether the user asked for the correction that the gate offers.
        forced: whether the user asked for an answer in spite of a refusal.
    """

    identity: str
    name: str
    data: bytes | None
    record: dict[str, Any] | None = None
    corrected: bool = False
    forced: bool = False


@dataclass
class FilmList:
    """The films of one session in the order in which they came, their files bounded in number and size.

    Attributes:
        entries: by identity.
        opened: the identity of the film that is shown in full, if any.
    """

    max_films: int = MAX_FILMS
    max_bytes: int = MAX_BYTES
    entries: dict[str, Entry] = field(default_factory=dict)
    opened: str | None = None

    def add(self, identity: str, name: str, data: bytes) -> None:
        """Put a film at the end of the list, unless it is there."""
        self.entries.setdefault(identity, Entry(identity, name, data))

    def remove(self, identity: str) -> None:
        """Take a film off the list."""
        self.entries.pop(identity, None)
        if self.opened == identity:
            self.opened = None

    def clear(self) -> None:
        """Take all films off the list."""
        self.entries.clear()
        self.opened = None

    def pending(self, model_sha256: str) -> list[Entry]:
        """Return the films that this model has not been asked about and whose files are still here."""
        return [
            entry
            for entry in self.entries.values()
            if entry.data is not None and (entry.record is None or entry.record["model_sha256"] != model_sha256)
        ]

    def record(self, entry: Entry, record: dict[str, Any]) -> None:
        """Note what became of a film, and let go of the oldest files that were read beyond what may be held."""
        entry.record = record
        held = [each for each in self.entries.values() if each.data is not None]
        size = sum(len(each.data) for each in held if each.data is not None)
        excess = len(held) - self.max_films
        for oldest in held:
            if excess <= 0 and size <= self.max_bytes:
                break
            if oldest.record is not None and oldest.data is not None and oldest.identity != self.opened:
                size, excess = size - len(oldest.data), excess - 1
                oldest.data = None

    @property
    def records(self) -> list[dict[str, Any]]:
        """What became of the films that were read."""
        return [entry.record for entry in self.entries.values() if entry.record is not None]

    @property
    def let_go(self) -> int:
        """How many films' files are no longer held."""
        return sum(entry.data is None for entry in self.entries.values())


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


def judged(
    film: Radiograph, verdict: GateResult | None, classifier: "Classifier", *, forced: bool = False
) -> "tuple[dict[str, Any], Assessment | None]":
    """Assess a film that was checked, unless the gate refuses it.

    Args:
        film: as it is to be assessed.
        verdict: of the gate on it; None where films are not checked.
        classifier: the model to ask.
        forced: whether to ask it in spite of a refusal.

    Returns:
        The film's record, and what the model said; None where it was not asked.
    """
    refused = verdict is not None and not verdict.accepted
    findings = verdict.findings if verdict else None
    if refused and not forced:
        return refused_record(film, findings or (), classifier.card), None
    assessment = classifier.assess(film, verdict.lungs if verdict else None)
    return assessment_record(assessment, findings=findings, forced=refused), assessment


def checked(entry: Entry, screener: Gate | None) -> tuple[Radiograph, GateResult | None]:
    """Read and check one film of a list, corrected where the user asked for that.

    Returns:
        The film, and what the gate says of it; None where films are not checked.

    Raises:
        ImageError: if the file cannot be read.
        ValueError: if it was let go.
    """
    if entry.data is None:
        raise ValueError(f"The file of {entry.name} is no longer held.")
    film = radiograph.read(entry.data, entry.name)
    verdict = screener.check(film) if screener else None
    if screener and verdict and verdict.correction and entry.corrected:
        film = corrected(film, verdict.correction)
        verdict = screener.check(film)
    return film, verdict


def read_entry(entry: Entry, screener: Gate | None, classifier: "Classifier") -> dict[str, Any]:
    """Read, check and assess one film of a list, as the user asked for it to be.

    Returns:
        Its record; that of an error where the file cannot be read, so that a broken file costs nobody else's answer.

    Raises:
        ValueError: if the film's file was let go.
    """
    try:
        return judged(*checked(entry, screener), classifier, forced=entry.forced)[0]
    except PneumoError as error:
        return error_record(entry.name, error, classifier.card)
    except MemoryError:
        too_large = ImageSizeError(
            "{name} needs more memory than there is. Export the film in a smaller size.", name=entry.name
        )
        return error_record(entry.name, too_large, classifier.card)


def outcome(record: dict[str, Any]) -> str:
    """Return the key of `OUTCOMES` that a record belongs to."""
    return record["answer"] or record["status"]


def counts(records: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Return how many records there are of each of the `OUTCOMES` that occur, in their order."""
    found = [outcome(record) for record in records]
    return {key: found.count(key) for key in OUTCOMES if key in found}


def table(entries: Iterable[Entry], language: Language = ENGLISH) -> pd.DataFrame:
    """Return a row for each film: ``File, Answer, Probability`` (missing where there is none) and ``Remark``.

    A probability has three decimals and keeps within `SCALE_ENDS`: no film is certain. A remark is what speaks against
    the answer, or the reason why there is none. A film that was not read yet waits. Answers and remarks are told in
    `language`.
    """
    tell, rows = language.tell, []
    for entry in entries:
        record = entry.record
        if record is None:
            rows.append((entry.name, tell(say("… Waiting")), None, ""))
            continue
        told = record["reasons"] if record["answer"] is None else [each["message"] for each in record["findings"] or ()]
        remark = " ".join(map(tell, told))
        rows.append((entry.name, tell(OUTCOMES[outcome(record)]), record["probability"], remark))
    films = pd.DataFrame(rows, columns=["File", "Answer", "Probability", "Remark"])
    films["Probability"] = films["Probability"].astype(float).clip(*SCALE_ENDS).round(3)
    return films


def with_outcomes(entries: Iterable[Entry], outcomes: Collection[str]) -> list[Entry]:
    """Return the films with one of the outcomes, and those that wait for one; all films where none is named."""
    return [each for each in entries if not outcomes or each.record is None or outcome(each.record) in outcomes]


def read_all(
    films: FilmList, entries: Sequence[Entry], screener: Gate | None, classifier: "Classifier"
) -> Iterator[Progress]:
    """Read films of a list one after the other and note what became of each; yields before each and at the end."""
    started = time.monotonic()
    for done, entry in enumerate(entries):
        yield Progress(done, len(entries), time.monotonic() - started)
        films.record(entry, read_entry(entry, screener, classifier))
    yield Progress(len(entries), len(entries), time.monotonic() - started)
