"""The files that a user can keep of one film, each made only when it is asked for."""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from pneumo.errors import ImageError
from pneumo.explanation import heat_findings
from pneumo.explanation.cam import METHODS
from pneumo.explanation.explainer import OPACITY, HeatMap
from pneumo.inference.reading import Reading
from pneumo.language import ENGLISH, Language
from pneumo.preprocessing.network_input import fit_within
from pneumo.reports import overlay_png, pdf
from pneumo.reports.overlay_png import Overlay
from pneumo.reports.pdf import FilmReport
from pneumo.reports.records import Record, record, to_json
from pneumo.sentences import say

PDF, JSON, PICTURE, DICOM_PICTURE, DICOM_REPORT = ".pdf", ".json", "-overlay.png", "-overlay.dcm", "-sr.dcm"
ENDINGS = (PDF, JSON, PICTURE, DICOM_PICTURE, DICOM_REPORT)


@dataclass(frozen=True)
class FilmFiles:
    """What there is to keep of a film.

    Attributes:
        contents: ending of the file's name, one of `ENDINGS`, to its bytes.
        problem: why there are no DICOM objects although the film is one; empty where nothing is missing.
    """

    contents: dict[str, bytes]
    problem: str = ""


def files(
    reading: Reading,
    heat: HeatMap | None,
    kinds: Collection[str] = ENDINGS,
    *,
    made: datetime,
    label: str = "",
    language: Language = ENGLISH,
    prevalence: float | None = None,
) -> FilmFiles:
    """Make files of a film: PDF and JSON, for an answer the overlay, and what joins the study of a DICOM film.

    Args:
        reading: of a film; one that could not be read has JSON and a structured report alone.
        heat: its heat map, in the film's size or smaller; None where there is none.
        kinds: which of `ENDINGS` to make; those that the film cannot have are left out.
        made: the date and time that the PDF bears.
        label: what the user typed to know the film by; it stands on the PDF alone.
        language: of the PDF; all other files are in English, as programs and other clinics read them.
        prevalence: share of the children who have pneumonia where the film was made, 0…1; the model's own where None.
            The DICOM report keeps the model's own, as other programs compare it.

    Raises:
        ValueError: if the film could not be read and a PDF is asked for.
    """
    contents: dict[str, bytes] = {}
    of_film, drawn = record(reading, prevalence), None
    if {PDF, PICTURE, DICOM_PICTURE} & set(kinds):
        drawn = overlay_of(reading, heat, prevalence)
    if PDF in kinds:
        contents[PDF] = pdf.one_page(film_report(reading, drawn, label, prevalence=prevalence), made, language)
    if JSON in kinds:
        contents[JSON] = f"{to_json(of_film, indent=2)}\n".encode(errors="backslashreplace")
    if drawn and PICTURE in kinds:
        contents[PICTURE] = overlay_png.overlay_png(drawn, of_film)
    if reading.radiograph and reading.radiograph.format != "DICOM":
        return FilmFiles(contents)
    # A heat map can look in several ways, and pictures that differ are no one instance.
    chosen = f"{heat.method}, prevalence {prevalence}" if heat else ""
    joined, problem = _dicom_objects(reading, of_film, drawn, kinds, chosen)
    return FilmFiles(contents | joined, problem)


def film_report(
    reading: Reading,
    drawn: Overlay | None,
    label: str = "",
    longest: int | None = None,
    prevalence: float | None = None,
) -> FilmReport:
    """Return what a page of a PDF tells of one film.

    Args:
        reading: of the film.
        drawn: as `overlay_of` gives it.
        label: see `files`.
        longest: side that the film is shrunk to, in pixels, where many pages must fit into memory.
        prevalence: see `files`.
    """
    pixels = reading.radiograph.pixels if reading.radiograph else None
    if pixels is not None and longest:
        pixels = fit_within(pixels, longest)
    return FilmReport(record(reading, prevalence), pixels, drawn, label)


def overlay_of(reading: Reading, heat: HeatMap | None, prevalence: float | None = None) -> Overlay | None:
    """Lay a heat map over its film; None where there is no answer or no heat map; `prevalence` as in `files`."""
    if reading.radiograph is None or reading.assessment is None or heat is None:
        return None
    film = fit_within(reading.radiograph.pixels, max(heat.values.shape))
    answer = record(reading, prevalence).answer or ""
    if heat.method == OPACITY:
        warnings = heat_findings.warnings_of(reading, film) if answer == "likely" else ()
        return overlay_png.opacity_overlay(film, heat.values, warnings)
    return overlay_png.overlay(film, heat.values, METHODS[heat.method], answer, reading.lungs)


def _dicom_objects(
    reading: Reading, of_film: Record, drawn: Overlay | None, kinds: Collection[str], chosen: str
) -> tuple[dict[str, bytes], str]:
    # highdicom takes a second to import, and only those pay for it who ask for such an object.
    from pneumo.reports import dicom

    joined = {}
    try:
        if drawn and DICOM_PICTURE in kinds:
            picture = overlay_png.captioned(drawn, of_film)
            joined[DICOM_PICTURE] = dicom.secondary_capture(reading, picture, chosen)
        if DICOM_REPORT in kinds:
            joined[DICOM_REPORT] = dicom.structured_report(reading)
    except ImageError as error:
        return {}, str(error)
    except Exception as error:
        # highdicom refuses odd headers in many ways, and what it says may quote them: the log names the place alone.
        kind, name = type(error).__name__, reading.radiograph.name if reading.radiograph else reading.name
        logging.getLogger(__name__).warning("no DICOM object could be made: %s", kind)
        told = say("{name} has a header that no DICOM report can join ({kind}). Keep the PDF.", name=name, kind=kind)
        return {}, told
    return joined, ""
