"""What a user can keep of an answer; all but the JSON is made when it is asked for, and not before."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import streamlit as st

from pages.parts.shared.language import _, current, told
from pneumo.explanation.cam import METHODS
from pneumo.inference.findings import Finding
from pneumo.language import ENGLISH, Language
from pneumo.preprocessing.network_input import fit_within
from pneumo.reports import files, overlay_png
from pneumo.reports.files import DICOM_PICTURE, DICOM_REPORT, PDF, PICTURE, FilmFiles
from pneumo.reports.pdf import FilmReport
from pneumo.reports.record import to_json

if TYPE_CHECKING:
    from pneumo.inference.classifier import Assessment


class Kept(NamedTuple):
    """One film as it can be kept: its file and its pixels, what was said of it, and its heat map where there is one."""

    source: bytes
    film: np.ndarray
    record: dict[str, Any]
    assessment: "Assessment | None" = None
    findings: tuple[Finding, ...] | None = None
    heat: np.ndarray | None = None
    method: str = ""


def keep_answer(kept: Kept) -> None:
    """Offer what the user may want to keep of a film."""
    st.markdown(f"### {_('Keep this answer')}")
    # A field of its own for each film: a name must not be left standing over the next child's film.
    label = st.text_input(
        _("Name or number to print on the report, if you want one"),
        key=f"label_{kept.record['image_sha256']}",
        max_chars=60,
        help=_("It stands on the PDF alone, and is not stored."),
    )
    stem = f"{Path(kept.record['file']).stem}-pneumo"
    with st.container(horizontal=True, key="keep"):
        offer(
            _("PDF report"),
            partial(content, kept, label, PDF, current()),
            f"{stem}.pdf",
            "application/pdf",
            "picture_as_pdf",
        )
        if kept.heat is not None:
            offer(
                _("Overlay as PNG"),
                partial(content, kept, label, PICTURE, current()),
                f"{stem}.png",
                "image/png",
                "image",
            )
        offer("JSON", to_json(kept.record, indent=2), f"{stem}.json", "application/json", "data_object")
        if kept.assessment and kept.assessment.radiograph.format == "DICOM":
            offer_dicom(kept, stem)
    if current() is not ENGLISH:
        st.caption(_("The PDF is in the language of this page, all other files are in English."))


def offer_dicom(kept: Kept, stem: str) -> None:
    """Offer the objects that join the study of a DICOM film, or say why there are none."""
    if not st.toggle(_("DICOM objects"), key=f"dicom_{kept.record['image_sha256']}"):
        return
    made = files_of(kept, "", current())
    if made.problem:
        st.caption(told(made.problem))
    for ending, words in ((DICOM_PICTURE, _("Overlay as DICOM")), (DICOM_REPORT, _("Structured report"))):
        if ending in made.contents:
            offer(words, made.contents[ending], f"{stem}{ending}", "application/dicom", "clinical_notes")


def files_of(kept: Kept, label: str, language: Language) -> FilmFiles:
    """Make all files of a film."""
    drawn = None
    if kept.assessment and kept.heat is not None:
        shown = fit_within(kept.film, max(kept.heat.shape))
        drawn = overlay_png.overlay(shown, kept.heat, METHODS[kept.method], kept.assessment.answer)
    item = FilmReport(kept.record, kept.film, drawn, label)
    now = datetime.now().astimezone()
    return files.of_film(item, kept.source, now, kept.assessment, kept.findings, language)


def content(kept: Kept, label: str, ending: str, language: Language) -> bytes:
    """Make one file of a film."""
    return files_of(kept, label, language).contents[ending]


def offer(words: str, data: str | bytes | Callable[[], bytes], file: str, mime: str, icon: str) -> None:
    """Offer a file for download."""
    st.download_button(
        words, data, file_name=file, mime=mime, icon=f":material/{icon}:", on_click="ignore", key=f"keep_{words}"
    )
