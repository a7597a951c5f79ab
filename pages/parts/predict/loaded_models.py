"""The models on the predict page: chosen by the user, loaded once for all sessions, known by their cards."""

from collections.abc import Hashable
from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st

from pages.parts.predict.film_list import Film
from pages.parts.predict.turns import in_turn
from pages.parts.shared.language import _, told
from pages.parts.shared.plain import plain
from pneumo.errors import ExplanationError, ModelError
from pneumo.explanation.cam import METHODS
from pneumo.explanation.explainer import MAPS, HeatMap, explain, explainer_of
from pneumo.inference import conclusion, gate, opacity, pathogen, similar_scores
from pneumo.inference.conclusion import WrongAnswers
from pneumo.inference.gate import Gate
from pneumo.inference.opacity import OpacityNetwork
from pneumo.inference.pathogen import Differentiator, Leaning
from pneumo.inference.reading import Models, Reading
from pneumo.inference.similar_scores import ValidationScores
from pneumo.model_store import site as sites
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.model_store.site import Site
from pneumo.results import elsewhere
from pneumo.sentences import Sentence

if TYPE_CHECKING:
    from pneumo.inference.classifier import Classifier

Keys = tuple[str, ...]


def load_models(name: str, checks: Gate | None, *, at_site: bool = True) -> Models:
    """Load a classifier once for all sessions, and put it beside what checks films.

    Args:
        name: of the classifier.
        checks: as `load_gate` gives it; None where films are not checked.
        at_site: whether it is calibrated for the site of ``PNEUMO_SITE``, if one is set.

    Raises:
        ModelError: if the classifier is missing or damaged, or the site's file is or was made for another model.
    """
    site = sites.configured() if at_site else None
    with st.spinner(_("Loading the model …")):
        return _load_models(name, checks, site)


def load_default() -> Models:
    """Load what Predict answers with unless its user chooses another model, outside of any session.

    Raises:
        ModelError: as of `load_models` and `load_gate`.
    """
    site = sites.configured()
    return _load_models(site.model if site else store.default_name(), _load_gate(_gate_keys()), site)


def default_keys() -> Keys:
    """Return what changes when `load_default` would load anything else.

    Raises:
        ModelError: if a model or the site's file is missing or damaged.
    """
    site = sites.configured()
    name = site.model if site else store.default_name()
    return name, store.card_key(name), *_gate_keys(), site.as_json() if site else ""


def _load_models(name: str, checks: Gate | None, site: Site | None) -> Models:
    gate_keys, site_key = _gate_keys() if checks else (), site.as_json() if site else ""
    return Models(
        _load_classifier(name, store.card_key(name), gate_keys, site_key, checks, site), checks, load_opacity()
    )


@st.cache_resource(show_spinner=False, max_entries=4)
def _load_classifier(
    name: str, key: str, gate_keys: Keys, site_key: str, _gate: Gate | None, _site: Site | None
) -> "Classifier":
    from pneumo.inference.classifier import Classifier

    # The lung network of the gate serves the classifier, too.
    classifier = Classifier.open(name, segmenter=_gate.segmenter if _gate else None, site=_site)
    classifier.warm_up()
    # Why a model draws none is said where the heat map would be.
    with suppress(ExplanationError):
        explainer_of(classifier).warm_up()
    return classifier


def load_opacity() -> OpacityNetwork | None:
    """Load what maps opacities once for all sessions; None where it is missing or damaged: answers do without."""
    try:
        return _load_opacity(store.card_key(opacity.NAME))
    except ModelError:
        return None


@st.cache_resource(show_spinner=False, max_entries=2)
def _load_opacity(key: str) -> OpacityNetwork:
    opened = OpacityNetwork.open()
    opened.warm_up()
    return opened


def load_gate() -> Gate:
    """Load what checks films once for all sessions.

    Raises:
        ModelError: if one of its networks is missing or damaged.
    """
    with st.spinner(_("Loading the film check …")):
        return _load_gate(_gate_keys())


def _gate_keys() -> Keys:
    return tuple(store.card_key(card.name, gate.holder(card.name, None)) for card in gate.network_cards())


@st.cache_resource(show_spinner=False, max_entries=2)
def _load_gate(keys: Keys) -> Gate:
    opened = Gate.open()
    opened.warm_up()
    return opened


@st.cache_resource(show_spinner=False, max_entries=20)
def _load_scores(name: str, key: str) -> ValidationScores:
    return similar_scores.read_scores(store.read_card(name))


def validation_scores(card: ModelCard) -> ValidationScores | None:
    """Return what a model made of its validation films; None where it has no predictions of them."""
    try:
        return _load_scores(card.name, store.card_key(card.name))
    except ModelError:
        return None


@st.cache_resource(show_spinner=False, max_entries=20)
def _count_wrong_answers(name: str, key: str) -> WrongAnswers | None:
    return conclusion.wrong_answers(store.read_card(name))


def wrong_answers(card: ModelCard) -> WrongAnswers | None:
    """Return how often a model was wrong on the official test films; None where it was not measured on them."""
    return _count_wrong_answers(card.name, store.card_key(card.name))


@st.cache_resource(show_spinner=False, max_entries=20)
def _warn_of_elsewhere(name: str, key: str) -> Sentence | None:
    # Damaged predictions are told of on the pages about models.
    with suppress(ModelError):
        return elsewhere.warning(store.read_card(name))
    return None


def warning_of_elsewhere(card: ModelCard) -> Sentence | None:
    """Return a warning where a model does far worse at other hospitals than at its own; None where it does not."""
    return _warn_of_elsewhere(card.name, store.card_key(card.name))


def choose_model() -> tuple[ModelCard, str]:
    """Show the settings, and return the card and the method; stop the page where there is no model."""
    catalogue = store.catalogue()
    if not catalogue.cards:
        st.warning(_("There is no model yet. Train one: `python -m pneumo train cnn --data DIR`."))
        st.stop()
    first = _model_of_site()
    cards = sorted(catalogue.cards, key=lambda card: card.name != first)
    by_name = {card.name: card for card in cards}
    titles = {name: card.title for name, card in by_name.items()}
    recommended = cards[0]
    titles[recommended.name] = _("{title} (recommended)", title=recommended.title)
    with st.popover(_("Settings"), icon=":material/tune:"):
        name = st.selectbox(
            _("Model"),
            list(titles),
            format_func=titles.__getitem__,
            key="predict.model",
            persist_state="session",
        )
        maps = MAPS if OpacityNetwork.is_there() else METHODS
        method = st.selectbox(
            _("Heat map"),
            [*maps],
            format_func=lambda method: told(maps[method]),
            key="predict.method",
            persist_state="session",
        )
        for problem in catalogue.problems.values():
            st.caption(f":material/warning: {plain(told(problem))}")
    if name != recommended.name:
        st.caption(_("Not the recommended model: {title}", title=plain(by_name[name].title)))
    return by_name[name], method


def _model_of_site() -> str:
    """Return the model that is calibrated for the site of ``PNEUMO_SITE``; `load_models` tells what is wrong."""
    with suppress(ModelError):
        site = sites.configured()
        return site.model if site else ""
    return ""


def heat_of(film: Film, reading: Reading, method: str, shape: tuple[int, int]) -> HeatMap | None:
    """Draw a heat map once for each film, model and method; None where the model can draw none.

    Args:
        film: of the session, which keeps the map while it is open.
        reading: of the film, by any model.
        method: key of `MAPS`.
        shape: (height, width) of the map.
    """
    asked: Hashable = "heat", reading.models.classifier, method, shape
    if asked not in film.drawn:
        try:
            with in_turn(admitted=True):
                film.drawn[asked] = explain(reading, method, shape)
        except ExplanationError:
            film.drawn[asked] = None
    return film.drawn[asked]


def no_heat_map(reading: Reading, method: str) -> str:
    """Say why a model can draw no heat map by a method of `METHODS`; empty where it can."""
    try:
        explainer = explainer_of(reading.models.classifier)
        if method in METHODS:
            explainer.needs_keras(method)
    except ExplanationError as error:
        return str(error)
    return ""


@st.cache_resource(show_spinner=False, max_entries=2)
def _load_differentiator(key: str) -> Differentiator:
    return Differentiator.open()


def leaning_of(film: Film, reading: Reading) -> Leaning | None:
    """Say whether a film with pneumonia looks bacterial or viral; None where that is not asked or cannot be told."""
    try:
        differentiator = _load_differentiator(store.card_key(pathogen.NAME))
    except ModelError:
        return None
    asked: Hashable = "leaning", reading.assessment
    if asked not in film.drawn:
        with in_turn(admitted=True):
            film.drawn[asked] = reading.assessment and differentiator.lean(reading.assessment)
    return film.drawn[asked]
