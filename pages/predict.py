"""Predict: films in; the answer first, then where the model looked, the reasons, and what to keep."""

from collections.abc import Hashable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.parts.data import data_folder
from pages.parts.predict import (
    about,
    agreement,
    gate,
    loaded_models,
    research,
    second_opinion,
    similar_cases,
    turns,
    upload_list,
)
from pages.parts.predict.answer import prevalence, show_answer, style_page
from pages.parts.predict.film_list import Film, FilmList
from pages.parts.predict.keep import keep_answer
from pages.parts.predict.pictures import Pictures, show_pictures
from pages.parts.shared import address, source
from pages.parts.shared.language import _, head, told
from pages.parts.shared.plain import plain
from pneumo import DISCLAIMER
from pneumo.datasets.samples import FOLDER, Sample, load_samples
from pneumo.errors import DatasetError, ModelError
from pneumo.explanation import agreement as measured
from pneumo.explanation import heat_findings
from pneumo.explanation.explainer import OPACITY
from pneumo.inference.conclusion import conclude
from pneumo.inference.reading import Models, Reading
from pneumo.labels import KINDS
from pneumo.model_store import store
from pneumo.preprocessing import network_input
from pneumo.sentences import say

SCREEN_SIDE = 800
UPLOAD, SAMPLE = "Upload films", "Try a sample"
SOURCES = {UPLOAD: say("Upload films"), SAMPLE: say("Try a sample")}
# What a visitor with no film at hand is offered, by pathogen, and how wide.
OFFERED_KINDS, OFFERED_SIDE = ("bacteria", "", "virus"), 160


def choose_sample() -> tuple[Film, str] | None:
    """Return the sample that the user chose, and a caption."""
    try:
        samples = {sample.path.name: sample for sample in load_samples()}
    except DatasetError as error:
        st.warning(plain(told(str(error))))
        return None
    chosen = st.selectbox(
        _("Sample: a composite of many children's films, so that no child is shown"),
        list(samples),
        format_func=lambda file: sample_title(samples[file]),
        key="predict.sample",
        persist_state="session",
    )
    sample = samples[chosen]
    if sample.label == "PNEUMONIA":
        caption = _("Composite of {films} films of different patients, labelled pneumonia.", films=sample.composite_of)
    else:
        caption = _("Composite of {films} films of different patients, labelled normal.", films=sample.composite_of)
    film: Film | None = st.session_state.get("predict.sample_film")
    if film is None or film.identity != chosen:
        # The sample before it goes with all that was worked out of it.
        st.session_state["predict.sample_film"] = film = Film(chosen, sample.path.name, sample.path.read_bytes())
    return film, caption


def sample_title(sample: Sample) -> str:
    """Name a sample in the list."""
    kind, number = KINDS[sample.label, sample.pathogen], sample.title.removesuffix(" (DICOM)").split()[-1]
    return f"{told(kind)} {number}{' (DICOM)' if sample.path.suffix == '.dcm' else ''}"


def show_film(film: Film, reading: Reading, method: str, caption: str) -> None:
    """Show a film: the answer, or why there is none, and all that belongs to it."""
    radiograph, assessment = reading.radiograph, reading.assessment
    if radiograph is None:
        why = plain(told(str(reading.error)))
        st.error(f"**{_('This file was not assessed.')}** {why}", icon=":material/block:")
        return
    size = f"{radiograph.width} × {radiograph.height} px"
    facts = " · ".join(filter(None, (radiograph.name, radiograph.format, size, caption)))
    gate.show_correction(film, reading)
    if assessment is None:
        gate.show_refusal(film, reading, facts)
        keep_answer(reading, None)
        return
    gate.show_findings(film, reading)
    share = prevalence()
    answer = conclude(assessment.answer, assessment.similar, share).answer
    shown = network_input.fit_within(radiograph.pixels, SCREEN_SIDE)
    heat, found = loaded_models.heat_of(film, reading, method, (shown.shape[0], shown.shape[1])), None
    left, right = st.columns([5, 3], gap="medium")
    with left:
        if heat:
            lungs = reading.lungs
            if method == OPACITY:
                found = heat_findings.examine_opacity(reading, shown, heat.values, likely=answer == "likely")
            else:
                zones = lungs.zones(*heat.values.shape) if lungs else None
                found = heat_findings.examine(shown, heat.values, zones, heat.absolute)
            worth = measured.worth(assessment.card.name, method)
            pictures = Pictures(shown, heat.values, lungs, found, facts, method, answer, heat.absolute)
            show_pictures(pictures._replace(worth=worth.words, is_off=worth.is_none))
        else:
            st.image(shown, alt=_("The film"), clamp=True, output_format="JPEG")
            # Plain text: a file's name comes from a stranger.
            st.text(facts)
            st.caption(plain(told(loaded_models.no_heat_map(reading, method))))
    with right:
        zone = found.inside.points_to if found and found.inside else None
        show_answer(assessment, zone=zone, refused=reading.forced)
    keep_answer(reading, heat, share)
    about.show_meaning(assessment, refused=reading.forced)
    about.show_privacy()
    researchers = st.expander(
        _("For researchers"), icon=":material/science:", key="predict.research", on_change="rerun"
    )
    if researchers.open:
        with researchers:
            research.show_research(film, reading)
            agreement.show_agreement(film, reading, shown, method)
            second_opinion.show_second_opinion(film, reading, shown, method)
            similar_cases.show_similar(reading)
            about.show_model(assessment.card)


def show_films(films: FilmList, models: Models, key: Hashable, method: str) -> None:
    """Read the films of the session, show the list where there are several, and the open one in full."""
    listed = st.container()
    upload_list.read_waiting(films, models, key, listed)
    film, reading = films.opened_film, None
    if film and film.data is not None:
        reading = turns.read(film, models, key)
    upload_list.let_go_of_excess(films)
    if len(films.films) > 1:
        with listed:
            upload_list.show_list(films, models, method)
            if film:
                # Plain text: a file's name comes from a stranger.
                st.text(_("Open: {name}", name=film.name))
    if film is None:
        st.caption(f":material/info: {told(DISCLAIMER)}")
    elif reading:
        show_film(film, reading, method, "")
    elif film.data is None:
        upload_list.show_let_go()


def introduce(place: DeltaGenerator, *, is_checked: bool) -> None:
    """Say what the page asks for and what it does, where there is no film yet."""
    asked = _(
        "Give pneumo children's frontal chest radiographs. It says of each whether pneumonia is likely, how many of "
        "100 such children have it, and shows where it looked."
    )
    first = _("First it checks whether the picture is one that it may judge, and refuses what is not.")
    place.markdown(f"{asked} {first if is_checked else ''}")
    st.caption(f":material/info: {told(DISCLAIMER)}")


def offer_samples() -> None:
    """Offer a sample of each kind to a visitor with no film at hand."""
    try:
        samples = load_samples()
    except DatasetError:
        # "Try a sample" says what is missing.
        return
    first_of_kind = {sample.pathogen: sample for sample in reversed(samples)}
    st.caption(_("Sample: a composite of many children's films, so that no child is shown"))
    with st.container(horizontal=True):
        for pathogen in OFFERED_KINDS:
            if pathogen in first_of_kind:
                offer_sample(first_of_kind[pathogen])


def offer_sample(sample: Sample) -> None:
    """Offer one sample: its picture above the button that has it read."""
    with st.container(width=OFFERED_SIDE):
        st.image(sample.path, alt=sample_title(sample))
        st.button(
            sample_title(sample),
            key=f"predict.offer_{sample.pathogen}",
            on_click=try_sample,
            args=(sample.path.name,),
            width="stretch",
        )


def try_sample(file: str) -> None:
    """Go to a sample."""
    st.session_state["predict.source"] = SAMPLE
    st.session_state["predict.sample"] = file


def open_linked() -> None:
    """Open the film that the address names, by the model that it names, once for each visit to the page."""
    file = st.query_params.get("open")
    if not address.is_new("predict.open") or not file:
        return
    path = data_folder.film(file)
    if path is None:
        where = _(
            "The film {file} is not on this machine. Name the folder of its dataset on the page Gallery.", file=file
        )
        st.warning(plain(where), icon=":material/warning:")
        return
    if path.parent == FOLDER:
        try_sample(path.name)
    else:
        upload_list.films_of_session().put(str(path), path.name, path.read_bytes())
        st.session_state["predict.source"] = UPLOAD
    if st.query_params.get("model") in {card.name for card in store.catalogue().cards}:
        st.session_state["predict.model"] = st.query_params["model"]


style_page()
open_linked()
head(_("Is there pneumonia on this film?"))
introduction = st.container()
with st.container(horizontal=True, vertical_alignment="center"):
    where = st.segmented_control(
        _("Film"),
        list(SOURCES),
        default=UPLOAD,
        required=True,
        format_func=lambda source: told(SOURCES[source]),
        key="predict.source",
        persist_state="session",
        label_visibility="collapsed",
        width="content",
    )
    card, method = loaded_models.choose_model()
films = upload_list.take_uploads() if where == UPLOAD else None
if films is None:
    chosen = choose_sample()
else:
    chosen = None
    st.session_state.pop("predict.sample_film", None)
checks = gate.open_gate()
try:
    models = loaded_models.load_models(card.name, checks)
except ModelError as error:
    st.error(plain(told(str(error))))
    st.stop()
site = models.classifier.site
# A card that was rewritten, a film check that was switched off, and another site make other readings.
models_key: Hashable = (card.name, store.card_key(card.name), checks, site.as_json() if site else None)

# The script always comes to its end: where it is stopped, Streamlit keeps the files of an uploader that is gone.
if chosen:
    if reading := turns.read(chosen[0], models, models_key):
        show_film(chosen[0], reading, method, chosen[1])
elif films and films.films:
    show_films(films, models, models_key, method)
else:
    introduce(introduction, is_checked=checks is not None)
    offer_samples()
source.show("predict")
