"""Predict: films in; the answer first, then where the model looked, the reasons, and what to keep."""

from typing import TYPE_CHECKING, Any, NamedTuple

import streamlit as st

from pages.parts.models import comparison
from pages.parts.predict import about, agreement, gate, loaded_models, research, similar_cases, upload_list
from pages.parts.predict.answer import show_answer, style_page
from pages.parts.predict.gate import FilmCheck
from pages.parts.predict.keep import Kept, keep_answer
from pages.parts.predict.loaded_models import Reader
from pages.parts.predict.pictures import Pictures, show_pictures
from pages.parts.shared.language import _, choose_language, told
from pneumo import DISCLAIMER
from pneumo.datasets.samples import Sample, load_samples
from pneumo.errors import DatasetError, ImageError, ModelError
from pneumo.explanation import heat_findings
from pneumo.inference import batch
from pneumo.inference.batch import Entry
from pneumo.inference.gate import Gate
from pneumo.preprocessing import network_input
from pneumo.reports.record import error_record
from pneumo.sentences import say

if TYPE_CHECKING:
    from pneumo.inference.classifier import Assessment

SCREEN_SIDE = 800
UPLOAD = "Upload films"
SOURCES = {UPLOAD: say("Upload films"), "Try a sample": say("Try a sample")}
# Of the samples, by their pathogen.
KINDS = {"": say("Normal"), "bacteria": say("Bacterial pneumonia"), "virus": say("Viral pneumonia")}


class View(NamedTuple):
    """One film as the page shows it: all is worked out, nothing is on the screen yet."""

    checked: FilmCheck | None
    record: dict[str, Any]
    assessment: "Assessment | None"
    source: bytes


def choose_sample() -> tuple[Entry, str] | None:
    """Return the sample that the user chose, and a caption."""
    try:
        samples = {sample.path.name: sample for sample in load_samples()}
    except DatasetError as error:
        st.warning(told(str(error)))
        return None
    chosen = st.selectbox(
        _("Sample: a composite of many children's films, so that no child is shown"),
        list(samples),
        format_func=lambda file: sample_title(samples[file]),
        key="sample",
        persist_state="session",
    )
    sample = samples[chosen]
    if sample.label == "PNEUMONIA":
        caption = _("Composite of {films} films of different patients, labelled pneumonia.", films=sample.composite_of)
    else:
        caption = _("Composite of {films} films of different patients, labelled normal.", films=sample.composite_of)
    return Entry(chosen, sample.path.name, sample.path.read_bytes()), caption


def sample_title(sample: Sample) -> str:
    """Name a sample in the list."""
    kind, number = KINDS[sample.pathogen], sample.title.removesuffix(" (DICOM)").split()[-1]
    return f"{told(kind)} {number}{' (DICOM)' if sample.path.suffix == '.dcm' else ''}"


def look_at(entry: Entry, screener: Gate | None, reader: Reader) -> View:
    """Read, check and assess a film once; the result lives in this session only."""
    source = entry.data or b""
    try:
        checked = gate.check(entry, screener)
    except ImageError as error:
        return View(None, error_record(entry.name, error, reader.classifier.card), None, source)
    asked = checked.film, reader.classifier.card, checked.forced
    known = st.session_state.get("judged")
    if known is None or any(was is not now for was, now in zip(known[0], asked, strict=True)):
        answered = batch.judged(checked.film, checked.verdict, reader.classifier, forced=checked.forced)
        st.session_state.judged = known = asked, answered
    record, assessment = known[1]
    return View(checked, record, assessment, source)


def show_film(view: View, reader: Reader, method: str, caption: str) -> None:
    """Show a film: the answer, or why there is none, and all that belongs to it."""
    checked, record, assessment, source = view
    if checked is None:
        st.error(f"**{_('This file was not assessed.')}** {told(record['reasons'][0])}", icon=":material/block:")
        return
    film = checked.film
    size = f"{film.width} × {film.height} px"
    facts = " · ".join(filter(None, (film.name, film.format, size, caption)))
    gate.show_correction(checked)
    shown = network_input.fit_within(film.pixels, SCREEN_SIDE)
    if assessment is None:
        gate.show_refusal(checked, facts)
        keep_answer(Kept(source, shown, record))
        return
    gate.show_findings(checked)
    show_answer(assessment)
    heat, extent = None, None
    if reader.explainer:
        drawn = loaded_models.heat_of(assessment, reader.explainer, method, shown.shape, "first")
        heat, absolute, lungs = drawn.values, drawn.absolute, checked.lungs
        found = heat_findings.examine(heat, lungs.zones(*heat.shape) if lungs else None, absolute)
        extent = found.extent
        show_pictures(Pictures(shown, heat, lungs, found, facts, method, assessment.answer, absolute))
    else:
        st.image(shown, caption=facts, alt=_("The film"), clamp=True, output_format="JPEG")
        st.caption(told(reader.no_heat_map))
    keep_answer(Kept(source, shown, record, assessment, checked.findings, heat, method))
    agreement.show_agreement(assessment, reader, shown, method)
    comparison.show_comparison(assessment, reader, shown, method, checked.lungs)
    similar_cases.show_similar(assessment, reader)
    research.show_research(assessment, extent, method)
    about.show_reasons(assessment)
    about.show_meaning(assessment.card)
    about.show_privacy()
    about.show_model(assessment.card)


style_page()
with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title(_("Read a chest film"), width="content")
    choose_language()
introduction = st.container()
with st.container(horizontal=True, vertical_alignment="center"):
    where = st.segmented_control(
        _("Film"),
        list(SOURCES),
        default=UPLOAD,
        required=True,
        format_func=lambda source: told(SOURCES[source]),
        key="source",
        persist_state="session",
        label_visibility="collapsed",
        width="content",
    )
    card, method = loaded_models.choose_model()
films = upload_list.take_uploads() if where == UPLOAD else None
chosen = choose_sample() if films is None else None
try:
    reader = loaded_models.load_reader(card.name, card.sha256)
except ModelError as error:
    st.error(told(str(error)))
    st.stop()
screener = gate.load_screener()
if screener is None:
    introduction.warning(
        _(
            "Films are not checked, because the networks for that are missing: whether a picture is a frontal chest "
            "film is yours to judge."
        )
    )
if chosen is None and not (films and films.entries):
    asked = _(
        "Give pneumo children's frontal chest radiographs. It says of each whether pneumonia is likely, with a "
        "probability and a picture of where it looked."
    )
    first = _("First it checks whether the picture is one that it may judge, and refuses what is not.")
    introduction.markdown(f"{asked} {first if screener else ''}")
    st.caption(f":material/info: {told(DISCLAIMER)}")
    st.stop()

listed = st.container()
entry, caption = chosen or (None, "")
if films:
    upload_list.read_waiting(films, screener, reader.classifier, listed)
    entry = films.entries.get(films.opened or "")
if entry is not None and entry.data is not None:
    with st.spinner(_("Reading the film …")):
        view = look_at(entry, screener, reader)
    if films:
        films.record(entry, view.record)
if films and len(films.entries) > 1:
    with listed:
        upload_list.show_list(films, screener, reader, method)
        if entry:
            # Plain text: a file's name comes from a stranger.
            st.text(_("Open: {name}", name=entry.name))
if entry is None:
    st.caption(f":material/info: {told(DISCLAIMER)}")
elif entry.data is None:
    upload_list.show_let_go()
else:
    show_film(view, reader, method, caption)
