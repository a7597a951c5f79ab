"""What the pages of a report say, as text: about one film, and about each of several in a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pneumo.calibration import as_percent
from pneumo.language import ENGLISH, Language
from pneumo.report import film_name, outcome, tally, validity
from pneumo.report_picture import Overlay
from pneumo.sentences import Sentence, say, say_many

LONGEST_MESSAGE, LONGEST_NAME, LONGEST_NOTE = 400, 120, 160
COLUMNS = ("", say("Film"), say("Answer"), say("Probability"), say("What the check found"))
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


def probability(record: dict[str, Any]) -> Sentence:
    """Return the line below the answer."""
    if record["status"] == "ok":
        return say("Probability of pneumonia: {probability}", probability=as_percent(record["probability"]))
    return say("The model was not asked. This says nothing about the child's lungs.")


def below_pictures(item: FilmReport, messages: int, language: Language = ENGLISH) -> list[Line]:
    """Return what stands below the pictures of a film.

    Args:
        item: a film that was read.
        messages: how many of the record's reasons are told; of the others, how many there are.
        language: that they are told in.
    """
    record, tell = item.record, language.tell
    found = len(record["findings"] or ())
    told = [Line(f"– {shortened(tell(text), LONGEST_MESSAGE)}") for text in record["reasons"][:messages]]
    left_out = len(record["reasons"]) - messages
    lines = [Line(tell(item.overlay.meaning))] if item.overlay else []
    lines += [_heading(tell(_about_the_check(record))), *told[:found]]
    if told[found:]:
        why = say("Why this answer") if record["status"] == "ok" else say("What was done")
        lines += [_heading(tell(why)), *told[found:]]
    if left_out:
        more = say_many(
            "and {number} more, which the JSON record holds", "and {number} more, which the JSON record holds", left_out
        )
        lines.append(Line(f"– {tell(more)}"))
    if record["status"] == "ok":
        lines += [_heading(tell(say("What it holds for"))), Line(tell(validity(record["prevalence"])))]
    image, name = record["image"], shortened(film_name(record), LONGEST_NAME)
    origin = (
        say("Film: {name} ({format}, {width} × {height} pixels)", name=name, **image),
        say("SHA-256 of the film's file: {sha256}", sha256=record["image_sha256"]),
        say(
            "Model: {title} ({model}), pneumo {version}",
            **{"title": record["model_title"], "model": record["model"], "version": record["pneumo_version"]},
        ),
        say("SHA-256 of the model's file: {sha256}", sha256=record["model_sha256"]),
    )
    return [*lines, _heading(tell(say("Film and model"))), *(Line(tell(each)) for each in origin)]


def _heading(text: str) -> Line:
    return Line(text, bold=True, above=_SECTION)


def _about_the_check(record: dict[str, Any]) -> Sentence:
    if record["findings"] is None:
        return say("Whether this is a frontal chest film was not checked")
    if not record["findings"]:
        return say("The check found nothing against this film")
    if record["status"] == "refused":
        return say("Why the film was refused")
    if record["forced"]:
        return say("The check refused this film; it was assessed because the user asked for that")
    return say("What the check warns of")


def counts(items: Sequence[FilmReport], language: Language = ENGLISH) -> str:
    """Return how many films there are and what became of them, as in ``3 films: pneumonia likely 2, refused 1``."""
    tell = language.tell
    parts = [f"{tell(words).lower()} {count}" for words, count in tally(item.record for item in items).items()]
    return tell(say_many("{number} film: {parts}", "{number} films: {parts}", len(items), parts=", ".join(parts)))


def row(item: FilmReport, number: int, language: Language = ENGLISH) -> tuple[str, ...]:
    """Return a film's cells in the table of all films, as many as `COLUMNS`."""
    record, tell = item.record, language.tell
    found = [finding["message"] for finding in record["findings"] or ()]
    if record["status"] == "error":
        found = record["reasons"]
    elif record["findings"] is None:
        found = [say("Not checked")]
    return (
        str(number),
        shortened(" · ".join(filter(None, (item.label, film_name(record)))), LONGEST_NAME),
        tell(say("{answer}, although refused", answer=outcome(record)) if record["forced"] else outcome(record)),
        tell(as_percent(record["probability"])) if record["status"] == "ok" else "–",
        shortened(" ".join(map(tell, found or [say("Nothing")])), LONGEST_NOTE),
    )
