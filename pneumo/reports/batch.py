"""One PDF of all films of a list: what was found is drawn anew from the files that the list still holds."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from pneumo.explanation.cam import METHODS
from pneumo.inference import batch
from pneumo.inference.batch import Entry
from pneumo.inference.gate import Gate
from pneumo.language import ENGLISH, Language
from pneumo.preprocessing.network_input import fit_within
from pneumo.reports import overlay_png
from pneumo.reports.pdf import FilmReport, many

if TYPE_CHECKING:
    from pneumo.explanation.explainer import Explainer
    from pneumo.inference.classifier import Classifier

# Two pictures of a film share a page: more pixels would not be seen, and fifty films must fit into memory.
SIDE = 900


def pdf(
    entries: Iterable[Entry],
    screener: Gate | None,
    classifier: "Classifier",
    explainer: "Explainer | None",
    method: str,
    made: datetime,
    language: Language = ENGLISH,
) -> bytes:
    """Return a table of all films that were read, and a page for each.

    A film whose file was let go, or cannot be read, stands in the table alone.

    Args:
        entries: of the list.
        screener: the gate; None where films are not checked.
        classifier: the model that was asked.
        explainer: of that model; None where it has no heat maps.
        method: key of `cam.METHODS`.
        made: the date and time that the pages bear.
        language: that they are written in.

    Raises:
        ValueError: if no film was read.
    """
    pages = [_page(entry, screener, classifier, explainer, method) for entry in entries if entry.record]
    if not pages:
        raise ValueError("No film was read yet. Wait until the list is done.")
    return many(pages, made, language)


def _page(
    entry: Entry, screener: Gate | None, classifier: "Classifier", explainer: "Explainer | None", method: str
) -> FilmReport:
    record = entry.record or {}
    if entry.data is None or record["status"] == "error":
        return FilmReport(record, None)
    film, verdict = batch.checked(entry, screener)
    record, assessment = batch.judged(film, verdict, classifier, forced=entry.forced)
    shown = fit_within(film.pixels, SIDE)
    if assessment is None or explainer is None:
        return FilmReport(record, shown)
    height, width = shown.shape
    heat = explainer.heat_map(assessment, method, (height, width)).values
    return FilmReport(record, shown, overlay_png.overlay(shown, heat, METHODS[method], assessment.answer))
