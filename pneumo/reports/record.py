"""An `Assessment`, what the gate found, or the reason why there is neither, as JSON and as a row of CSV."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pneumo import DISCLAIMER, __version__
from pneumo.errors import ImageSizeError, PneumoError, UnsupportedImageError
from pneumo.inference.findings import Finding
from pneumo.model_store.card import ModelCard
from pneumo.radiograph import Radiograph
from pneumo.sentences import Sentence, say

if TYPE_CHECKING:
    from pneumo.inference.classifier import Assessment

ANSWER_WORDS = {
    "likely": say("Pneumonia likely"),
    "uncertain": say("Cannot say"),
    "unlikely": say("Pneumonia unlikely"),
}
# What stands in the place of an answer where there is none.
STATUS_WORDS = {"refused": say("Refused"), "error": say("Not readable")}

CSV_COLUMNS = (
    "file",
    "status",
    "answer",
    "probability",
    "reasons",
    "findings",
    "forced",
    "model",
    "model_sha256",
    "image_sha256",
    "pneumo_version",
)


def assessment_record(
    assessment: "Assessment",
    file: str | None = None,
    *,
    findings: Sequence[Finding] | None = None,
    forced: bool = False,
) -> dict[str, Any]:
    """Return an assessment as plain values, the line that ``predict --json`` prints.

    Args:
        assessment: what a classifier said.
        file: how to name the film; the name that it was read under where None.
        findings: what the gate found, refusals first; None where the film was not checked.
        forced: whether the gate refused the film and the user asked for an answer all the same.
    """
    card, film = assessment.card, assessment.radiograph
    return {
        "file": file or film.name,
        "status": "ok",
        "answer": assessment.answer,
        "probability": assessment.probability,
        "reasons": [*_messages(findings), *assessment.reasons],
        "findings": _as_values(findings),
        "forced": forced,
        "thresholds": {key: card.thresholds[key] for key in ("decision", "low", "high")},
        "prevalence": card.calibration["prevalence"],
        **_of_film(film),
        **_of_model(card),
    }


def refused_record(
    film: Radiograph, findings: Sequence[Finding], card: ModelCard, file: str | None = None
) -> dict[str, Any]:
    """Return the line for a film that the gate refused, so that the model was not asked."""
    return {
        "file": file or film.name,
        "status": "refused",
        "answer": None,
        "probability": None,
        "reasons": [*_messages(findings), *film.notes],
        "findings": _as_values(findings),
        "forced": False,
        **_of_film(film),
        **_of_model(card),
    }


def error_record(file: str, error: PneumoError, card: ModelCard) -> dict[str, Any]:
    """Return the line for a file that could not be read."""
    return {
        "file": file,
        "status": "error",
        "answer": None,
        "probability": None,
        "reasons": [str(error)],
        "findings": None,
        "forced": False,
        **_of_model(card),
    }


def check_record(file: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what the gate found in a film, the line that ``check --json`` prints."""
    accepted = all(finding.severity != "refuse" for finding in findings)
    return {"file": file, "accepted": accepted, "findings": _as_values(findings)}


def unreadable_record(file: str, error: PneumoError) -> dict[str, Any]:
    """Return the line of ``check --json`` for a file that could not be read."""
    kinds = {UnsupportedImageError: "unsupported", ImageSizeError: "image_size"}
    code = next((code for kind, code in kinds.items() if isinstance(error, kind)), "unreadable")
    return check_record(file, [Finding(code, "refuse", str(error))])


def _messages(findings: Sequence[Finding] | None) -> list[str]:
    return [finding.message for finding in findings or ()]


def _as_values(findings: Sequence[Finding] | None) -> list[dict[str, str]] | None:
    if findings is None:
        return None
    return [{"code": each.code, "severity": each.severity, "message": each.message} for each in findings]


def _of_film(film: Radiograph) -> dict[str, Any]:
    return {
        "image": {"format": film.format, "width": film.width, "height": film.height},
        "image_sha256": film.sha256,
    }


def _of_model(card: ModelCard) -> dict[str, Any]:
    return {
        "model": card.name,
        "model_title": card.title,
        "model_sha256": card.sha256,
        "pneumo_version": __version__,
        "disclaimer": DISCLAIMER,
    }


def outcome(record: dict[str, Any]) -> Sentence:
    """Return what became of a film in two words: its answer, or why it has none."""
    return ANSWER_WORDS[record["answer"]] if record["status"] == "ok" else STATUS_WORDS[record["status"]]


def tally(records: Iterable[dict[str, Any]]) -> dict[Sentence, int]:
    """Count what became of films, by `outcome`, in a fixed order and without zeros."""
    counts = Counter(outcome(record) for record in records)
    return {words: counts[words] for words in (*ANSWER_WORDS.values(), *STATUS_WORDS.values()) if counts[words]}


def film_name(record: dict[str, Any]) -> str:
    """Return the last part of the path that a film was read from: folders on the way to it may name a person."""
    return re.split(r"[\\/]", record["file"])[-1]


def validity(prevalence: float) -> Sentence:
    """Say what an answer holds for.

    Args:
        prevalence: the share of pneumonia that the model's probability was calibrated for, 0…1.
    """
    return say(
        "The probability holds where {prevalence:.0%} of the films show pneumonia; at a clinic with fewer it is too "
        "high. The models saw children of one to five years from one hospital; other ages, machines and diseases are "
        "unknown to them.",
        prevalence=prevalence,
    )


def to_json(record: dict[str, Any], *, indent: int | None = None) -> str:
    """Return a record as JSON, on one line where no indent is given."""
    return json.dumps(record, ensure_ascii=False, indent=indent)


def to_csv(records: Iterable[dict[str, Any]]) -> str:
    """Return records as CSV with a header; reasons, and the codes of findings, are joined by spaces.

    A cell that a spreadsheet would run as a formula is led by an apostrophe: file names come from strangers.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for record in records:
        codes = " ".join(finding["code"] for finding in record["findings"] or ())
        row = {**record, "reasons": " ".join(record["reasons"]), "findings": codes}
        writer.writerow([_inert(row.get(column)) for column in CSV_COLUMNS])
    return text.getvalue()


def _inert(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    lead = "'" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else ""
    # `csv` leaves a bare carriage return unquoted, and a spreadsheet starts a new row at it.
    return lead + cell.replace("\r", " ")
