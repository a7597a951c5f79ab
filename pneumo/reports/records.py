"""The record of a film: what became of it, as plain values, as JSON and as a row of CSV."""

import csv
import dataclasses
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pneumo import DISCLAIMER, __version__
from pneumo.errors import ImageSizeError, PneumoError, UnsupportedImageError
from pneumo.evaluation.calibration import Answer
from pneumo.inference.conclusion import conclude, limits
from pneumo.inference.findings import Finding
from pneumo.inference.opacity import Severity
from pneumo.inference.reading import Reading, Status
from pneumo.inference.similar_scores import SimilarFilms
from pneumo.labels import ANSWER_WORDS, STATUS_WORDS
from pneumo.preprocessing.outlines import Corners
from pneumo.sentences import BREAKING, Sentence, visible

CSV_COLUMNS = (
    "file",
    "status",
    "answer",
    "probability",
    "uncertain_because",
    "reasons",
    "findings",
    "forced",
    "checked",
    "crop",
    "model",
    "model_sha256",
    "site",
    "image_sha256",
    "pneumo_version",
)


@dataclass(frozen=True)
class ImageFacts:
    """The format of a film's file, and the width and height of the film in pixels."""

    format: str
    width: int
    height: int


@dataclass(frozen=True)
class Record:
    """What became of a film; the fields are the keys of the line that ``predict --json`` prints, in its order.

    Attributes:
        file: what the film is called.
        status: ``ok`` where there is an answer, ``refused`` or ``error``.
        answer: ``likely``, ``uncertain`` or ``unlikely``; None where there is none.
        probability: calibrated probability of pneumonia, 0…1.
        uncertain_because: of an ``uncertain`` answer: ``foreign`` where the film is unlike those that the model learned
            from, ``between_limits`` where the probability lies between the model's limits, ``rare`` where `at` took
            “likely” back; None else.
        statement: what the answer comes to, as a count of children; None without an answer.
        reasons: sentences, those of the gate first.
        findings: of the gate, refusals first; None where the film was not checked or could not be read.
        forced: whether the gate refused the film and the user asked for an answer all the same.
        checked: whether the gate was asked.
        thresholds: ``decision``, ``low`` and ``high`` of the model; None without an answer.
        prevalence: that the probability was calibrated for; None without an answer.
        severity: how much of the lungs is opaque; None where the answer is “unlikely” or it was not measured.
        clinic_prevalence: the share of pneumonia that answer and statement hold for, where `at` restated them.
        crop: corners of the film that was cut out of the picture at the user's request, clockwise from its upper left,
            x and y as shares of the picture's width and height; None where nothing was cut out.
        image: None where the file could not be read.
        image_sha256: of the file; None where it could not be read.
        model: name of the model's folder.
        model_title: the model's name for people.
        model_sha256: of its weights.
        site: of the hospital that the model is calibrated for ``name``, ``made``, ``normal_films`` and
            ``pneumonia_films``; None where the model answers as it was trained.
        pneumo_version: that made the record.
        disclaimer: what the answer is not.
        heatmap: path of the PNG that was written of the film; None where none was.
        report: path of the PDF that was written of the film; None where none was.
        count: the number of children in the statement; empty where it has none; no part of the line.
        similar: the validation films that were counted for the statement; no part of the line.
        limits: whom the model learned from; no part of the line.
    """

    file: str
    status: Status
    answer: Answer | None
    probability: float | None
    uncertain_because: str | None
    statement: str | None
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...] | None
    forced: bool
    checked: bool
    thresholds: dict[str, float] | None
    prevalence: float | None
    severity: Severity | None
    crop: Corners | None
    image: ImageFacts | None
    image_sha256: str | None
    model: str
    model_title: str
    model_sha256: str
    site: dict[str, Any] | None = None
    pneumo_version: str = __version__
    disclaimer: str = DISCLAIMER
    heatmap: str | None = None
    report: str | None = None
    clinic_prevalence: float | None = None
    count: str = ""
    similar: SimilarFilms | None = dataclasses.field(default=None, repr=False)
    limits: Sentence | None = dataclasses.field(default=None, repr=False)

    def at(self, prevalence: float | None) -> "Record":
        """Restate answer and statement for a place where another share of the children, 0…1, have pneumonia.

        Args:
            prevalence: of that place; the model's own where None.
        """
        if self.answer is None or self.similar is None or prevalence in (None, self.prevalence):
            return self
        found = conclude(self.answer, self.similar, prevalence)
        taken_back = found.answer != self.answer
        return dataclasses.replace(
            self,
            answer=found.answer,
            statement=found.statement,
            count=found.count,
            uncertain_because="rare" if taken_back else self.uncertain_because,
            clinic_prevalence=prevalence,
            similar=found.similar,
        )

    def as_values(self) -> dict[str, Any]:
        """Return plain values by key; what does not apply to the film is left out."""
        keys = [field.name for field in dataclasses.fields(self) if field.name not in _ASIDE]
        values = {key: getattr(self, key) for key in keys}
        values["reasons"] = list(self.reasons)
        values["findings"] = None if self.findings is None else [_as_values(each) for each in self.findings]
        values["image"] = self.image and dataclasses.asdict(self.image)
        # At a clinic the answer may be another than the model's.
        told = self.severity if self.answer != "unlikely" else None
        values["severity"] = told and told.as_values()
        return {key: value for key, value in values.items() if value is not None or key not in _WHERE_KNOWN}


_ASIDE = ("count", "similar", "limits")
_WHERE_KNOWN = frozenset(
    {
        *("uncertain_because", "statement", "thresholds", "prevalence", "severity", "clinic_prevalence", "crop"),
        *("image", "image_sha256", "heatmap", "report", "site"),
    }
)


def record(reading: Reading, prevalence: float | None = None) -> Record:
    """Return what became of a film, where a share of the children have pneumonia (`Record.at`)."""
    card, film, assessment = reading.models.card, reading.radiograph, reading.assessment
    found = conclude(assessment.answer, assessment.similar) if assessment else None
    site = reading.models.classifier.site
    return Record(
        file=reading.name,
        status=reading.status,
        answer=assessment.answer if assessment else None,
        probability=assessment.probability if assessment else None,
        uncertain_because=assessment.uncertain_because if assessment else None,
        statement=found.statement if found else None,
        reasons=reading.reasons,
        findings=reading.findings,
        forced=reading.forced,
        checked=reading.gate is not None,
        thresholds={key: card.thresholds[key] for key in ("decision", "low", "high")} if assessment else None,
        prevalence=card.calibration["prevalence"] if assessment else None,
        severity=reading.severity,
        crop=reading.correction.crop if reading.correction else None,
        image=ImageFacts(film.format, film.width, film.height) if film else None,
        image_sha256=film.sha256 if film else None,
        model=card.name,
        model_title=card.title,
        model_sha256=card.sha256,
        site={key: getattr(site, key) for key in ("name", "made", "normal_films", "pneumonia_films")} if site else None,
        count=found.count if found else "",
        similar=assessment.similar if assessment else None,
        limits=limits(card),
    ).at(prevalence)


def check_record(file: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what the gate found in a film, the line that ``check --json`` prints."""
    accepted = all(finding.severity != "refuse" for finding in findings)
    return {"file": file, "accepted": accepted, "findings": [_as_values(each) for each in findings]}


def unreadable_record(file: str, error: PneumoError) -> dict[str, Any]:
    """Return the line of ``check --json`` for a file that could not be read."""
    kinds = {UnsupportedImageError: "unsupported", ImageSizeError: "image_size"}
    code = next((code for kind, code in kinds.items() if isinstance(error, kind)), "unreadable")
    return check_record(file, [Finding(code, "refuse", str(error))])


def _as_values(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain values, with the corners of the films that can be cut out of the picture if any."""
    values = {"code": finding.code, "severity": finding.severity, "message": finding.message}
    crops = [each.crop for each in finding.corrections if each.crop]
    return {**values, "crops": crops} if crops else values


def outcome(record: Record) -> Sentence:
    """Return what became of a film in two words: its answer, or why it has none."""
    return ANSWER_WORDS[record.answer] if record.answer else STATUS_WORDS[record.status]


def tally(records: Iterable[Record]) -> dict[Sentence, int]:
    """Count what became of films, by `outcome`, in a fixed order and without zeros."""
    counts = Counter(outcome(record) for record in records)
    return {words: counts[words] for words in (*ANSWER_WORDS.values(), *STATUS_WORDS.values()) if counts[words]}


def film_name(record: Record) -> str:
    """Return the last part of the path that a film was read from: folders on the way to it may name a person."""
    return re.split(r"[\\/]", record.file)[-1]


def to_json(record: Record, *, indent: int | None = None) -> str:
    """Return a record as JSON, on one line where no indent is given."""
    return json_text(record.as_values(), indent=indent)


def json_text(values: Any, *, indent: int | None = None) -> str:
    """Return values as JSON whose letters are readable and of which no sign breaks or turns a line."""
    text = json.dumps(values, ensure_ascii=False, indent=indent)
    return BREAKING.sub(lambda sign: sign[0] if sign[0] == "\n" else f"\\u{ord(sign[0]):04x}", text)


def to_csv(records: Iterable[Record]) -> str:
    """Return records as CSV with a header; reasons, and the codes of findings, are joined by spaces; corners are JSON;
    of a site the name is told.

    A cell that a spreadsheet would run as a formula is led by an apostrophe: file names come from strangers.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for record in records:
        codes = " ".join(finding.code for finding in record.findings or ())
        crop = json.dumps(record.crop) if record.crop else None
        row = {**record.as_values(), "reasons": " ".join(record.reasons), "findings": codes, "crop": crop}
        row["site"] = record.site["name"] if record.site else None
        writer.writerow([inert(row.get(column)) for column in CSV_COLUMNS])
    return text.getvalue()


def inert(cell: Any) -> Any:
    """Return a cell of a table that no spreadsheet runs as a formula, and of which no sign breaks a row."""
    if not isinstance(cell, str):
        return cell
    lead = "'" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else ""
    # `csv` leaves a bare carriage return unquoted, and a spreadsheet starts a new row at it; a tab is harmless.
    return lead + "\t".join(map(visible, cell.replace("\r", " ").split("\t")))
