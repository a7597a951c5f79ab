"""An `Assessment`, or the reason why there is none, as JSON and as a row of CSV."""

import csv
import io
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pneumo import DISCLAIMER, __version__
from pneumo.errors import PneumoError
from pneumo.model_store import ModelCard

if TYPE_CHECKING:
    from pneumo.classifier import Assessment

CSV_COLUMNS = (
    "file",
    "status",
    "answer",
    "probability",
    "reasons",
    "model",
    "model_sha256",
    "image_sha256",
    "pneumo_version",
)


def assessment_record(assessment: "Assessment", file: str | None = None) -> dict[str, Any]:
    """Return an assessment as plain values, the line that ``predict --json`` prints.

    Args:
        assessment: what a classifier said.
        file: how to name the film; the name that it was read under where None.
    """
    card, film = assessment.card, assessment.radiograph
    return {
        "file": file or film.name,
        "status": "ok",
        "answer": assessment.answer,
        "probability": assessment.probability,
        "reasons": list(assessment.reasons),
        "model": card.name,
        "model_sha256": card.sha256,
        "thresholds": {key: card.thresholds[key] for key in ("decision", "low", "high")},
        "prevalence": card.calibration["prevalence"],
        "image": {"format": film.format, "width": film.width, "height": film.height},
        "image_sha256": film.sha256,
        "pneumo_version": __version__,
        "disclaimer": DISCLAIMER,
    }


def error_record(file: str, error: PneumoError, card: ModelCard) -> dict[str, Any]:
    """Return the line for a file that could not be read."""
    return {
        "file": file,
        "status": "error",
        "answer": None,
        "probability": None,
        "reasons": [str(error)],
        "model": card.name,
        "model_sha256": card.sha256,
        "pneumo_version": __version__,
        "disclaimer": DISCLAIMER,
    }


def to_json(record: dict[str, Any], *, indent: int | None = None) -> str:
    """Return a record as JSON, on one line where no indent is given."""
    return json.dumps(record, ensure_ascii=False, indent=indent)


def to_csv(records: Iterable[dict[str, Any]]) -> str:
    """Return records as CSV with a header; reasons are joined by spaces.

    A cell that a spreadsheet would run as a formula is led by an apostrophe: file names come from strangers.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for record in records:
        row = {**record, "reasons": " ".join(record["reasons"])}
        writer.writerow([_inert(row.get(column)) for column in CSV_COLUMNS])
    return text.getvalue()


def _inert(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    lead = "'" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else ""
    # `csv` leaves a bare carriage return unquoted, and a spreadsheet starts a new row at it.
    return lead + cell.replace("\r", " ")
