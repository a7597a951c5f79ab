"""What a user can keep of an answer; all but the JSON is made when it is asked for, and not before."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

import streamlit as st

from pages.parts.shared.language import _, current, told
from pages.parts.shared.plain import plain
from pneumo.explanation.explainer import HeatMap
from pneumo.inference.reading import Reading
from pneumo.language import ENGLISH, Language
from pneumo.reports import film_files, records
from pneumo.reports.film_files import DICOM_PICTURE, DICOM_REPORT, PDF, PICTURE
from pneumo.sentences import visible


def keep_answer(reading: Reading, heat: HeatMap | None, prevalence: float | None = None) -> None:
    """Offer what the user may want to keep of a film that was read; `prevalence` as in `film_files.files`."""
    film = reading.radiograph
    if film is None:
        return
    st.markdown(f"### {_('Save or print')}")
    # A field of its own for each film: a name must not be left standing over the next child's film.
    label = st.text_input(
        _("Name or number to print on the report, if you want one"),
        key=f"predict.label_{film.sha256}",
        max_chars=60,
        help=_("It stands on the PDF alone, and is not stored."),
    )
    stem = f"{visible(Path(reading.name).stem)}-pneumo"
    with st.container(horizontal=True, key="predict.keep"):
        makes = partial(content, reading, heat, PDF, label, current(), prevalence)
        offer(_("PDF report"), makes, f"{stem}.pdf", "application/pdf", "picture_as_pdf")
        if heat is not None:
            makes = partial(content, reading, heat, PICTURE, label, current(), prevalence)
            offer(_("Overlay as PNG"), makes, f"{stem}.png", "image/png", "image")
        kept = records.to_json(records.record(reading, prevalence), indent=2)
        offer("JSON", kept, f"{stem}.json", "application/json", "data_object")
        if reading.assessment and film.format == "DICOM":
            offer_dicom(reading, heat, stem, prevalence)
    if current() is not ENGLISH:
        st.caption(_("The PDF is in the language of this page, all other files are in English."))


def offer_dicom(reading: Reading, heat: HeatMap | None, stem: str, prevalence: float | None) -> None:
    """Offer the objects that join the study of a DICOM film, or say why there are none."""
    assert reading.radiograph is not None
    if not st.toggle(_("For PACS"), key=f"predict.dicom_{reading.radiograph.sha256}"):
        return
    now = datetime.now().astimezone()
    made = film_files.files(reading, heat, (DICOM_PICTURE, DICOM_REPORT), made=now, prevalence=prevalence)
    if made.problem:
        st.caption(plain(told(made.problem)))
    for ending, words in ((DICOM_PICTURE, _("Overlay as DICOM")), (DICOM_REPORT, _("Structured report"))):
        if ending in made.contents:
            offer(words, made.contents[ending], f"{stem}{ending}", "application/dicom", "clinical_notes")


def content(
    reading: Reading, heat: HeatMap | None, ending: str, label: str, language: Language, prevalence: float | None
) -> bytes:
    """Make one file of a film, and no other."""
    now = datetime.now().astimezone()
    made = film_files.files(reading, heat, (ending,), made=now, label=label, language=language, prevalence=prevalence)
    return made.contents[ending]


def offer(words: str, data: str | bytes | Callable[[], bytes], file: str, mime: str, icon: str) -> None:
    """Offer a file for download."""
    key = f"predict.keep_{words}"
    st.download_button(words, data, file_name=file, mime=mime, icon=f":material/{icon}:", on_click="ignore", key=key)
