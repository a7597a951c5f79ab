"""The card of one model: what it is and is for, how it was made, how well it does, what a report should tell."""

import streamlit as st

import pneumo
from pages.parts.charts import style
from pages.parts.models import measured_models
from pages.parts.shared import chart
from pages.parts.shared.plain import plain
from pneumo.errors import ModelError
from pneumo.labels import in_groups
from pneumo.model_store import store
from pneumo.model_store.card import CLASSIFICATION, ModelCard
from pneumo.results import markdown_tables, model_card, model_facts
from pneumo.results.leaderboard import Measurement
from pneumo.results.model_card import Item


def every_card() -> list[ModelCard]:
    """Return the cards of all models: the classifiers, best first, then those that look at a film before them."""
    catalogue = store.catalogue()
    for problem in catalogue.problems.values():
        st.caption(f":material/warning: {plain(problem)}")
    known = {card.name for card in catalogue.cards}
    others = [store.read_card(name) for name in store.names() if name not in known]
    return [*catalogue.cards, *others]


def measurements_of(card: ModelCard) -> dict[str, Measurement]:
    """Measure a classifier on all splits that it has predictions for."""
    if card.task != CLASSIFICATION:
        return {}
    labels = {card.name: card.title}
    found = {}
    for split in in_groups(store.measured_splits(card.name)):
        for measurement in measured_models.measure([card], split, labels):
            found[split] = measurement
    return found


def training(card: ModelCard) -> None:
    """Show how the model's figures went over its epochs."""
    history = model_facts.read_curves(card)
    shown = {key: title for key, title in model_facts.CURVES.items() if (history["figure"] == key).any()}
    if len(set(history["epoch"])) < 2 or not shown:
        st.caption("This model has no curves over epochs.")
        return
    for place, (key, title) in zip(st.columns(len(shown)), shown.items(), strict=True):
        plot = style.training_plot(history[history["figure"] == key], title, card.training.get("epoch_kept"))
        chart.draw(plot, place, key=f"model_card.training_{key}")
    st.caption(
        "Where training improves and validation does not, the model learns its films by heart; the dashed upright line "
        "marks the epoch that was kept."
    )


@st.fragment
def show_items(guideline: str, items: list[Item]) -> None:
    """Show what a guideline asks for, once the reader unfolds it."""
    folded = st.expander(
        f"{guideline}: {model_card.checklist_summary(items)}",
        icon=":material/checklist:",
        key=f"model_card.items_{guideline}",
        on_change="rerun",
    )
    if folded.open:
        folded.table(model_card.readable_checklist(items).set_index("Item"), border="horizontal")


st.title("Model card")
st.write("What a model is and is for, how it was made, how well it does, and what a report on it should tell.")
st.caption(pneumo.DISCLAIMER)

cards = every_card()
if not cards:
    st.write("There is no model yet. Train one with `python -m pneumo train mobilenetv2 --data DIR`.")
    st.stop()
card = measured_models.choose_model(cards)
try:
    parts = model_card.sections(card, measurements_of(card))
    items = model_card.checklist(card)
except ModelError as error:
    st.write(plain(error))
    st.stop()
st.download_button(
    "Download the card (Markdown)",
    model_card.markdown(card, parts, items),
    file_name=f"{card.name}.md",
    mime="text/markdown",
    icon=":material/download:",
    key="model_card.download",
    on_click="ignore",
)
for title, text in parts.items():
    st.subheader(title)
    st.markdown(markdown_tables.unbroken(text))
    if title == "Training":
        try:
            training(card)
        except ModelError as error:
            st.write(plain(error))

st.subheader("Reporting guidelines")
st.caption("What CLAIM 2024 and TRIPOD+AI ask for, in our words, and where it is told, or why it is not.")
for guideline in dict.fromkeys(item.guideline for item in items):
    listed = [item for item in items if item.guideline == guideline]
    show_items(guideline, listed)
