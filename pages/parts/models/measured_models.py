"""What the pages about models share: the catalogue, the choice of films and of models, and the measurements."""

from collections.abc import Iterable
from pathlib import Path

import streamlit as st

from pages.parts.shared import address
from pages.parts.shared.language import _, told, told_table, warn_of
from pages.parts.shared.plain import plain, plain_values
from pneumo.errors import ModelError
from pneumo.labels import split_of
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.results import elsewhere, leaderboard, model_facts, recommendation
from pneumo.results.elsewhere import Calls
from pneumo.results.leaderboard import Measurement
from pneumo.results.recommendation import Recommendation

# In pixels; a telephone held upright has 358.
FILMS_WIDTH = 340


def measured_cards() -> list[ModelCard]:
    """Return the cards of the classifiers, best first; stop the page where none of them was measured."""
    catalogue = store.catalogue()
    for problem in catalogue.problems.values():
        warn_of(problem)
    if not catalogue.cards:
        st.write(
            _(
                "There is no model yet. Train one with `python -m pneumo train mobilenetv2 --data DIR`, "
                "where DIR is a dataset in the Kaggle layout; it appears here when it is done."
            )
        )
        st.stop()
    if not leaderboard.splits(catalogue.cards):
        st.write(_("No model has been measured yet. Run `python -m pneumo evaluate NAME --data DIR`."))
        st.stop()
    return catalogue.cards


def choose_films(cards: list[ModelCard]) -> str:
    """Let the reader choose a group of films and the films in it; return their split. The address holds the choice."""
    splits = leaderboard.splits(cards)
    by_group: dict[str, list[str]] = {}
    for split in splits:
        by_group.setdefault(split_of(split).group, []).append(split)
    titles = {split: split_of(split).title for split in splits}
    address.restore("shared.split", titles, splits[:1], many=False)
    state = st.session_state
    state["shared.films"] = group = split_of(state["shared.split"]).group
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            _("Films"),
            list(by_group),
            format_func={each: told(each) for each in by_group}.__getitem__,
            required=True,
            key="shared.films",
            width="content",
            on_change=lambda: state.update({"shared.split": by_group[state["shared.films"]][0]}),
        )
        st.selectbox(
            _("{group}: which films", group=group),
            by_group[group],
            format_func={each: told(title) for each, title in titles.items()}.__getitem__,
            key="shared.split",
            label_visibility="collapsed",
            width=FILMS_WIDTH,
        )
    address.write("shared.split", [state["shared.split"]], splits[:1])
    return str(state["shared.split"])


def measured_on(cards: list[ModelCard], split: str) -> list[ModelCard]:
    """Return the models that were measured on a split, and say which were not."""
    labels = model_facts.labels(cards)
    known = [card for card in cards if split in store.measured_splits(card.name)]
    if missing := [labels[card.name] for card in cards if card not in known]:
        st.caption(_("Not measured on these films: {models}.", models=", ".join(missing)))
    return known


def titles(cards: Iterable[ModelCard]) -> dict[str, str]:
    """Return models' titles by name, for a list to choose from: the recommended one is marked."""
    found = model_facts.labels(cards)
    for best in store.catalogue().cards[:1]:
        if best.name in found:
            found[best.name] = _("{title} (recommended)", title=found[best.name])
    return found


def choose_model(cards: list[ModelCard]) -> ModelCard:
    """Let the reader choose one model; the address holds the choice."""
    by_name = {card.name: card for card in cards}
    return by_name[address.choose_one(st.selectbox, _("Model"), titles(cards), key="shared.model")]


def recommend(cards: list[ModelCard]) -> None:
    """Say which model to use, what it finds at its own hospital and at others, and whether another one is better."""
    try:
        with st.spinner(_("Comparing the models…")):
            found = _recommended(store.models_folder(), tuple(map(_evidence, cards)), cards)
    except ModelError as error:
        warn_of(error)
        return
    if found is None:
        return
    st.markdown(_("#### Use {title}", title=plain(found.title)))
    st.markdown(f"{told(found.at_home)} {plain(told(found.against))}")
    if not warn(cards[0]):
        st.markdown(plain(told(found.at_others)))
    folded = st.expander(
        _("Where this comes from"), icon=":material/fact_check:", key="shared.sources", on_change="rerun"
    )
    if folded.open:
        folded.table(told_table(recommendation.sources(found)), border="horizontal", hide_index=True)
        folded.caption(told(recommendation.HOW_IT_IS_CHOSEN))


def warn(card: ModelCard) -> bool:
    """Warn of a model that does far worse at other hospitals than at its own, and return whether it does."""
    try:
        warning = elsewhere.warning(card)
    except ModelError as error:
        warn_of(error)
        return False
    if warning:
        st.warning(told(plain_values(warning)), icon=":material/warning:")
    return warning is not None


def calls_elsewhere(cards: list[ModelCard]) -> dict[str, Calls]:
    """Return what models call films of other hospitals, by name; those that were not measured there are left out."""
    found = {}
    for card in cards:
        try:
            calls = _elsewhere(card.name, store.models_folder(), _evidence(card), card)
        except ModelError:
            # The measurement of the same films says what is damaged.
            continue
        if calls:
            found[card.name] = calls
    return found


def measure(cards: list[ModelCard], split: str, labels: dict[str, str]) -> list[Measurement]:
    """Measure models on a split, each once for all sessions; one that cannot be measured costs a sentence."""
    folder, measurements = store.models_folder(), []
    for card in cards:
        try:
            state = leaderboard.state(card, split, folder)
            with st.spinner(_("Measuring the models…")):
                measurements.append(_measured(card.name, split, labels[card.name], folder, state, card))
        except ModelError as error:
            warn_of(error)
    return measurements


@st.cache_data(show_spinner=False, max_entries=200)
def _measured(name: str, split: str, label: str, folder: Path, state: str, _card: ModelCard) -> Measurement:
    """Keep a measurement for as long as ``state``, the model, its thresholds and its predictions, is the same."""
    return leaderboard.measure(_card, split, label, folder)


def _evidence(card: ModelCard) -> str:
    """Return a text that changes with the model and with any of its predictions, which are too many to hash."""
    files = sorted((store.models_folder() / card.name / "predictions").glob("*.csv"))
    return " ".join([store.card_key(card.name), *(f"{file.name} {file.stat().st_mtime_ns}" for file in files)])


@st.cache_data(show_spinner=False, max_entries=100)
def _elsewhere(name: str, folder: Path, state: str, _card: ModelCard) -> Calls | None:
    """Keep what a model calls elsewhere for as long as ``state``, the model and its predictions, is the same."""
    return elsewhere.at_others(_card, folder)


@st.cache_data(show_spinner=False, max_entries=20)
def _recommended(folder: Path, states: tuple[str, ...], _cards: list[ModelCard]) -> Recommendation | None:
    """Keep the recommendation for as long as the models and their predictions are the same."""
    return recommendation.recommend(_cards, folder)
