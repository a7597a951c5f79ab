"""All files that a user can keep of one film."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pneumo.errors import ImageError
from pneumo.inference.findings import Finding
from pneumo.language import ENGLISH, Language
from pneumo.reports import dicom, overlay_png, pdf, record
from pneumo.reports.pdf import FilmReport
from pneumo.sentences import say

if TYPE_CHECKING:
    from pneumo.inference.classifier import Assessment

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


def of_film(
    item: FilmReport,
    source: bytes | Path,
    made: datetime,
    assessment: "Assessment | None" = None,
    findings: Sequence[Finding] | None = None,
    language: Language = ENGLISH,
) -> FilmFiles:
    """Make the PDF and the JSON of a film, and for an answer the heat map and what joins the study of a DICOM film.

    Args:
        item: a film that was read.
        source: the bytes or the path of its file.
        made: the date and time that the page bears.
        assessment: the answer; None where the film was refused.
        findings: what the gate found; None where the film was not checked.
        language: of the PDF; all other files are in English, as programs and other clinics read them.

    Raises:
        ValueError: if the film could not be read.
    """
    contents = {
        PDF: pdf.one_page(item, made, language),
        JSON: f"{record.to_json(item.record, indent=2)}\n".encode(errors="backslashreplace"),
    }
    if item.overlay:
        contents[PICTURE] = overlay_png.overlay_png(item.overlay, item.record)
    if assessment is None or assessment.radiograph.format != "DICOM":
        return FilmFiles(contents)
    joined = {}
    try:
        if item.overlay:
            picture = overlay_png.captioned(item.overlay, item.record)
            joined[DICOM_PICTURE] = dicom.secondary_capture(source, picture, assessment)
        joined[DICOM_REPORT] = dicom.structured_report(source, assessment, findings)
    except ImageError as error:
        return FilmFiles(contents, str(error))
    except Exception as error:
        # highdicom refuses odd headers in many ways, and what it says may quote them.
        kind = type(error).__name__
        name = assessment.radiograph.name
        told = say("{name} has a header that no DICOM report can join ({kind}). Keep the PDF.", name=name, kind=kind)
        return FilmFiles(contents, told)
    return FilmFiles(contents | joined)
