"""Predict: a film in; the answer, its probability, a heat map and the reasons out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import streamlit as st

from pages.parts import film_check
from pages.parts.film_check import FilmCheck
from pages.parts.pictures import Pictures, show_pictures
from pneumo import DISCLAIMER, explanation, model_store, preprocessing, report
from pneumo.calibration import as_percent
from pneumo.errors import DatasetError, ExplanationError, ImageError, ModelError
from pneumo.explanation import METHODS, Explainer
from pneumo.model_store import ModelCard
from pneumo.probability_scale import probability_scale
from pneumo.samples import Sample, load_samples

if TYPE_CHECKING:
    from pneumo.classifier import Assessment, Classifier

SCREEN_SIDE = 800
ANSWERS = {
    "likely": ("orange", ":material/error:", "Pneumonia likely"),
    "uncertain": ("gray", ":material/help:", "Cannot say"),
    "unlikely": ("blue", ":material/check_circle:", "Pneumonia unlikely"),
}


class Reader(NamedTuple):
    """A model, and what draws its heat maps (or the sentence that says why nothing can)."""

    classifier: "Classifier"
    explainer: Explainer | None
    no_heat_map: str


@st.cache_resource(show_spinner="Loading the model …", max_entries=4)
def load_reader(name: str, sha256: str) -> Reader:
    """Load a model once for all sessions; `sha256` makes a retrained model a new one."""
    import keras

    from pneumo.classifier import Classifier

    # Streamlit calls this after each run of each page. It would throw away the compiled kernels of the models that all
    # sessions share, and the next film would wait half a second for them.
    keras.backend.clear_session = lambda free_memory=True: None
    classifier = Classifier.open(name)
    classifier.warm_up()
    try:
        explainer = Explainer(classifier)
        explainer.warm_up()
    except ExplanationError as error:
        return Reader(classifier, None, str(error))
    return Reader(classifier, explainer, "")


def choose_model() -> tuple[ModelCard, str]:
    """Show the settings; stop the page where there is no model."""
    catalogue = model_store.catalogue()
    if not catalogue.cards:
        st.warning("There is no model yet. Train one: `python -m pneumo train cnn --data DIR`.")
        st.stop()
    by_name = {card.name: card for card in catalogue.cards}
    with st.popover("Model and heat map", icon=":material/tune:"):
        name = st.selectbox(
            "Model",
            list(by_name),
            format_func=lambda name: by_name[name].title,
            key="model",
            help="The first is the best on validation films.",
        )
        method = st.selectbox("Heat map", [*METHODS], format_func=METHODS.__getitem__, key="method")
        for problem in catalogue.problems.values():
            st.caption(f":material/warning: {problem}")
    return by_name[name], method


def choose_film(source: str) -> tuple[str, bytes | Path, str, str] | None:
    """Return the film's identity for this session, its bytes or path, its name and a caption."""
    if source == "Upload a film":
        upload = st.file_uploader(
            "Frontal chest radiograph: JPEG, PNG, TIFF, BMP, WebP or DICOM, up to 50 MB",
            key="upload",
            help="The film stays in the memory of the machine that runs pneumo. It is not stored, logged or sent.",
        )
        return (upload.file_id, upload.getvalue(), upload.name, "") if upload else None
    try:
        samples = {sample.path.name: sample for sample in load_samples()}
    except DatasetError as error:
        st.warning(str(error))
        return None
    chosen = st.selectbox(
        "Sample: a composite of many children's films, so that no child is shown",
        list(samples),
        format_func=lambda file: sample_title(samples[file]),
        key="sample",
    )
    sample = samples[chosen]
    caption = f"Composite of {sample.composite_of} films of different patients, labelled {sample.label.lower()}."
    return chosen, sample.path, sample.path.name, caption


def sample_title(sample: Sample) -> str:
    """Name a sample in the list."""
    return f"{sample.title}{' (DICOM)' if sample.path.suffix == '.dcm' else ''}"


def assess(checked: FilmCheck, reader: Reader) -> "Assessment":
    """Assess a film once for each model; the result lives in this session only."""
    known: Assessment | None = st.session_state.get("assessment")
    if known is None or known.radiograph is not checked.film or known.card is not reader.classifier.card:
        st.session_state.assessment = known = reader.classifier.assess(checked.film, checked.lungs)
    return known


def heat_of(assessment: "Assessment", explainer: Explainer, method: str, shape: tuple[int, int]) -> np.ndarray:
    """Draw the heat map once for each film, model and method."""
    known = st.session_state.get("explained")
    if known is None or known[0] is not assessment or known[1] != method:
        known = assessment, method, explainer.heat_map(assessment, method, shape).values
        st.session_state.explained = known
    return known[2]


def show_answer(assessment: "Assessment") -> None:
    """Show the answer, its probability and why."""
    colour, icon, words = ANSWERS[assessment.answer]
    with st.container(border=True, key="answer"):
        told, drawn = st.columns(2, vertical_alignment="center")
        told.markdown(f"## :{colour}[{icon} {words}]")
        told.markdown(f"**Probability of pneumonia: {as_percent(assessment.probability)}**")
        drawn.altair_chart(probability_scale(assessment.probability, assessment.card.as_thresholds()))
        for reason in assessment.reasons:
            st.markdown(f"- {reason}")
        st.caption(f":material/info: {DISCLAIMER}")


def offer_record(record: dict[str, Any], name: str) -> None:
    """Offer a film's record for download."""
    st.download_button(
        "Download as JSON",
        report.to_json(record, indent=2),
        file_name=f"{Path(name).stem}-pneumo.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
        key="download",
    )


def show_model(card: ModelCard) -> None:
    """Show the figures of the model that answered."""
    with st.expander(f"About the model: {card.title}", icon=":material/model_training:"):
        figures = card.metrics.get("test")
        if figures:
            st.markdown(
                f"On the {figures['films']} films of the official test split (children of one hospital):\n\n"
                + "\n".join(
                    f"- {words}: **{figure['value']:.3f}** (95 % interval {figure['low']:.3f}–{figure['high']:.3f})"
                    for words, figure in (
                        ("AUROC", figures["auroc"]),
                        ("Accuracy", figures["accuracy"]),
                        ("Sensitivity", figures["sensitivity"]),
                        ("Specificity", figures["specificity"]),
                    )
                )
            )
        st.markdown(
            f"The probability holds where {card.calibration['prevalence']:.0%} of the films show pneumonia; at a "
            "clinic with fewer it is too high. The models saw children of one to five years from one hospital; other "
            "ages, machines and diseases are unknown to them."
        )
        st.caption(
            f"`{card.name}` · SHA-256 `{card.sha256}` · {card.parameters:,} weights · from {card.initial_weights}"
        )


st.title("Read a chest film")
st.markdown(
    "Give pneumo a child's frontal chest radiograph. It says whether pneumonia is likely, with a probability and a "
    "picture of where it looked."
)
about_the_check = st.empty()
with st.container(horizontal=True, vertical_alignment="center"):
    where = st.segmented_control(
        "Film",
        ["Upload a film", "Try a sample"],
        default="Upload a film",
        required=True,
        key="source",
        label_visibility="collapsed",
        width="content",
    )
    card, method = choose_model()
film = choose_film(where)
try:
    reader = load_reader(card.name, card.sha256)
except ModelError as error:
    st.error(str(error))
    st.stop()
screener = film_check.load_screener()
if screener:
    about_the_check.markdown("First it checks whether the picture is one that it may judge, and refuses what is not.")
else:
    about_the_check.warning(
        "Films are not checked, because the networks for that are missing: whether a picture is a frontal chest film "
        "is yours to judge."
    )
if film is None:
    st.caption(f":material/info: {DISCLAIMER}")
    st.stop()
identity, source, name, caption = film
try:
    with st.spinner("Reading the film …"):
        checked = film_check.check(identity, source, name, screener)
except ImageError as error:
    st.error(f"**This file was not assessed.** {error}", icon=":material/block:")
    st.stop()

radiograph = checked.film
film_size = f"{radiograph.width} × {radiograph.height} px"
facts = " · ".join(filter(None, (name, radiograph.format, film_size, caption)))
film_check.show_correction(checked)
if checked.refused and not checked.forced:
    film_check.show_refusal(checked, facts)
    offer_record(report.refused_record(radiograph, checked.findings or (), card), name)
    st.stop()

with st.spinner("Reading the film …"):
    assessment = assess(checked, reader)
film_check.show_findings(checked)
show_answer(assessment)
shown = preprocessing.fit_within(radiograph.pixels, SCREEN_SIDE)
if reader.explainer:
    heat = heat_of(assessment, reader.explainer, method, shown.shape)
    lungs = checked.lungs
    inside = explanation.heat_in_lungs(heat, lungs.zones(*heat.shape)) if lungs else None
    show_pictures(Pictures(shown, heat, lungs, inside, facts, method, assessment.answer))
else:
    st.image(shown, caption=facts, clamp=True, output_format="JPEG")
    st.caption(reader.no_heat_map)
offer_record(report.assessment_record(assessment, findings=checked.findings, forced=checked.refused), name)
show_model(card)
