"""The models on the predict page: chosen by the user, loaded once, asked once about each film."""

from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from pages.parts.shared.language import _, told
from pneumo.errors import ExplanationError, ModelError
from pneumo.explanation.cam import METHODS
from pneumo.explanation.explainer import Explainer, HeatMap
from pneumo.inference import pathogen, similar_scores
from pneumo.inference.pathogen import Differentiator, Leaning
from pneumo.inference.similar_scores import ValidationScores
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard

if TYPE_CHECKING:
    from pneumo.inference.classifier import Assessment, Classifier


class Reader(NamedTuple):
    """A model, and what draws its heat maps (or the sentence that says why nothing can)."""

    classifier: "Classifier"
    explainer: Explainer | None
    no_heat_map: str


def load_reader(name: str, sha256: str) -> Reader:
    """Load a model once for all sessions; `sha256` makes a retrained model a new one.

    Raises:
        ModelError: if it is missing or damaged.
    """
    with st.spinner(_("Loading the model …")):
        return _load_reader(name, sha256)


@st.cache_resource(show_spinner=False, max_entries=4)
def _load_reader(name: str, sha256: str) -> Reader:
    import keras

    from pneumo.inference.classifier import Classifier

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


@st.cache_resource(show_spinner=False, max_entries=20)
def _load_scores(name: str, sha256: str) -> ValidationScores:
    return similar_scores.read_scores(store.read_card(name))


def validation_scores(card: ModelCard) -> ValidationScores | None:
    """Return what a model made of its validation films; None where it has no predictions of them."""
    try:
        return _load_scores(card.name, card.sha256)
    except ModelError:
        return None


def choose_model() -> tuple[ModelCard, str]:
    """Show the settings, and return the card and the method; stop the page where there is no model."""
    catalogue = store.catalogue()
    if not catalogue.cards:
        st.warning(_("There is no model yet. Train one: `python -m pneumo train cnn --data DIR`."))
        st.stop()
    by_name = {card.name: card for card in catalogue.cards}
    with st.popover(_("Model and heat map"), icon=":material/tune:"):
        name = st.selectbox(
            _("Model"),
            list(by_name),
            format_func=lambda name: by_name[name].title,
            key="model",
            persist_state="session",
            help=_("The first is the best single network on validation films."),
        )
        method = st.selectbox(
            _("Heat map"), [*METHODS], format_func=METHODS.__getitem__, key="method", persist_state="session"
        )
        for problem in catalogue.problems.values():
            st.caption(f":material/warning: {told(problem)}")
    return by_name[name], method


def heat_of(assessment: "Assessment", explainer: Explainer, method: str, shape: tuple[int, int], place: str) -> HeatMap:
    """Draw the heat map once for each film, model and method; `place` is where the page shows it."""
    known = st.session_state.get(f"heat_{place}")
    if known is None or known[0] is not assessment or known[1] != method:
        known = assessment, method, explainer.heat_map(assessment, method, shape)
        st.session_state[f"heat_{place}"] = known
    return known[2]


@st.cache_resource(show_spinner=False, max_entries=2)
def _load_differentiator(sha256: str) -> Differentiator:
    return Differentiator.open()


def leaning_of(assessment: "Assessment") -> Leaning | None:
    """Say whether a film with pneumonia looks bacterial or viral; None where that is not asked or cannot be told."""
    try:
        differentiator = _load_differentiator(store.read_card(pathogen.NAME).sha256)
    except ModelError:
        return None
    known = st.session_state.get("leaning")
    if known is None or known[0] is not assessment:
        st.session_state.leaning = known = assessment, differentiator.lean(assessment)
    return known[1]
