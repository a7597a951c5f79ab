"""What the pages about models share: the catalogue, the choice of films and of models, and the measurements."""

from pathlib import Path

import streamlit as st

from pages.parts.shared import address
from pages.parts.shared.plain import plain
from pneumo.errors import ModelError
from pneumo.labels import SPLITS
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.results import leaderboard, model_facts
from pneumo.results.leaderboard import Measurement


def measured_cards() -> list[ModelCard]:
    """Return the cards of the classifiers, best first; stop the page where none of them was measured."""
    catalogue = store.catalogue()
    for problem in catalogue.problems.values():
        st.caption(f":material/warning: {plain(problem)}")
    if not catalogue.cards:
        st.write(
            "There is no model yet. Train one with `python -m pneumo train mobilenetv2 --data DIR`, "
            "where DIR is a data set in the Kaggle layout; it appears here when it is done."
        )
        st.stop()
    if not leaderboard.splits(catalogue.cards):
        st.write("No model has been measured yet. Run `python -m pneumo evaluate NAME --data DIR`.")
        st.stop()
    return catalogue.cards


def choose_films(cards: list[ModelCard]) -> str:
    """Let the reader choose the films; return the key of the split. The address holds the choice."""
    splits = leaderboard.splits(cards)
    titles = {split: SPLITS[split].title for split in splits}
    return address.choose_one(st.segmented_control, "Films", titles, required=True, key="shared.split")


def measured_on(cards: list[ModelCard], split: str) -> list[ModelCard]:
    """Return the models that were measured on a split, and say which were not."""
    labels = model_facts.labels(cards)
    known = [card for card in cards if split in store.measured_splits(card.name)]
    if missing := [labels[card.name] for card in cards if card not in known]:
        st.caption(f"Not measured on these films: {', '.join(missing)}.")
    return known


def choose_model(cards: list[ModelCard]) -> ModelCard:
    """Let the reader choose one model; the address holds the choice."""
    by_name = {card.name: card for card in cards}
    return by_name[address.choose_one(st.selectbox, "Model", model_facts.labels(cards), key="shared.model")]


def measure(cards: list[ModelCard], split: str, labels: dict[str, str]) -> list[Measurement]:
    """Measure models on a split, each once for all sessions; one that cannot be measured costs a sentence."""
    folder, measurements = store.models_folder(), []
    for card in cards:
        try:
            state = leaderboard.state(card, split, folder)
            measurements.append(_measured(card.name, split, labels[card.name], folder, state, card))
        except ModelError as error:
            st.caption(f":material/warning: {plain(error)}")
    return measurements


@st.cache_data(show_spinner="Measuring the models…", max_entries=200)
def _measured(name: str, split: str, label: str, folder: Path, state: str, _card: ModelCard) -> Measurement:
    """Keep a measurement for as long as ``state``, the model, its thresholds and its predictions, is the same."""
    return leaderboard.measure(_card, split, label, folder)
