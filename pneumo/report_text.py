"""What the pages of a report say, as text: about one film, and about each of several in a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pneumo.calibration import as_percent
from pneumo.report import film_name, outcome, tally, validity
from pneumo.report_picture import Overlay

LONGEST_MESSAGE, LONGEST_NAME, LONGEST_NOTE = 400, 120, 160
COLUMNS = ("", "Film", "Answer", "Probability", "What the check found")
# Millimetres.
_SECTION = 2.0


@dataclass(frozen=True, eq=False)
class FilmReport:
    """What a page tells of one film.

    Attributes:
        record: of an assessed, a refused or an unreadable film, as `pneumo.report` makes it.
        film: (height, width) float32 in 0…1; None where the file could not be read.
        overlay: None where there is no heat map.
        label: what the user typed to know the film by, such as a name; nothing else on the page names the patient but
            what the file itself may be called.
    """

    record: dict[str, Any]
    film: np.ndarray | None
    overlay: Overlay | None = None
    label: str = ""


class Line(NamedTuple):
    """A paragraph: its text, whether it is bold, and the space above it in millimetres."""

    text: str
    bold: bool = False
    above: float = 0.0


def shortened(text: str, longest: int) -> str:
    """Return a text without line breaks, cut at a number of letters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= longest else f"{flat[: longest - 1]}…"


def title(item: FilmReport, place: str) -> str:
    """Return what a film's page is headed with: where it stands among others, and what the user calls it."""
    return " · ".join(shortened(text, LONGEST_NAME) for text in (place, item.label) if text)


def probability(record: dict[str, Any]) -> str:
    """Return the line below the answer."""
    if record["status"] == "ok":
        return f"Probability of pneumonia: {as_percent(record['probability'])}"
    return "The model was not asked. This says nothing about the child's lungs."


def below_pictures(item: FilmReport, messages: int) -> list[Line]:
    """Return what stands below the pictures of a film.

    Args:
        item: a film that was read.
        messages: how many of the record's reasons are told; of the others, how many there are.
    """
    record = item.record
    found = len(record["findings"] or ())
    told = [Line(f"– {shortened(text, LONGEST_MESSAGE)}") for text in record["reasons"][:messages]]
    left_out = len(record["reasons"]) - messages
    lines = [Line(item.overlay.meaning)] if item.overlay else []
    lines += [_heading(_about_the_check(record)), *told[:found]]
    if told[found:]:
        lines += [_heading("Why this answer" if record["status"] == "ok" else "What was done"), *told[found:]]
    if left_out:
        lines.append(Line(f"– and {left_out} more, which the JSON record holds"))
    if record["status"] == "ok":
        lines += [_heading("What it holds for"), Line(validity(record["prevalence"]))]
    image, name = record["image"], shortened(film_name(record), LONGEST_NAME)
    return [
        *lines,
        _heading("Film and model"),
        Line(f"Film: {name} ({image['format']}, {image['width']} × {image['height']} pixels)"),
        Line(f"SHA-256 of the film's file: {record['image_sha256']}"),
        Line(f"Model: {record['model_title']} ({record['model']}), pneumo {record['pneumo_version']}"),
        Line(f"SHA-256 of the model's file: {record['model_sha256']}"),
    ]


def _heading(text: str) -> Line:
    return Line(text, bold=True, above=_SECTION)


def _about_the_check(record: dict[str, Any]) -> str:
    if record["findings"] is None:
        return "Whether this is a frontal chest film was not checked"
    if not record["findings"]:
        return "The check found nothing against this film"
    if record["status"] == "refused":
        return "Why the film was refused"
    if record["forced"]:
        return "The check refused this film; it was assessed because the user asked for that"
    return "What the check warns of"


def counts(items: Sequence[FilmReport]) -> str:
    """Return how many films there are and what became of them, as in ``3 films: pneumonia likely 2, refused 1``."""
    parts = [f"{words.lower()} {count}" for words, count in tally(item.record for item in items).items()]
    return f"{len(items)} {'film' if len(items) == 1 else 'films'}: {', '.join(parts)}"


def row(item: FilmReport, number: int) -> tuple[str, ...]:
    """Return a film's cells in the table of all films, as many as `COLUMNS`."""
    record = item.record
    found = [finding["message"] for finding in record["findings"] or ()]
    if record["status"] == "error":
        found = record["reasons"]
    elif record["findings"] is None:
        found = ["Not checked"]
    return (
        str(number),
        shortened(" · ".join(filter(None, (item.label, film_name(record)))), LONGEST_NAME),
        f"{outcome(record)}{', although refused' if record['forced'] else ''}",
        as_percent(record["probability"]) if record["status"] == "ok" else "–",
        shortened(" ".join(found) or "Nothing", LONGEST_NOTE),
    )
