"""The card of one model: what it is and is for, how it was made, how well it does, what a report should tell."""

import streamlit as st

import pneumo
from pages.parts.charts import style
from pages.parts.charts.curves import ROC, band_plot
from pages.parts.charts.studies import ablation_plot, trials_plot
from pages.parts.models import measured_models
from pages.parts.shared import chart, chart_with_table, source
from pages.parts.shared.language import _, head, told, told_table, warn_of, word
from pages.parts.shared.plain import plain
from pneumo.errors import ModelError
from pneumo.labels import in_groups, split_of
from pneumo.model_store import store
from pneumo.model_store.card import CLASSIFICATION, ModelCard
from pneumo.results import curves, leaderboard, markdown_tables, model_card, model_facts, studies
from pneumo.results.leaderboard import Measurement
from pneumo.results.model_card import Item
from pneumo.sentences import say

# In pixels; two charts fit beside each other on a desktop, one on a telephone.
CHART = 540


def every_card() -> list[ModelCard]:
    """Return the cards of all models: the classifiers, best first, then those that look at a film before them."""
    catalogue = store.catalogue()
    for problem in catalogue.problems.values():
        warn_of(problem)
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
        st.caption(_("This model has no curves over epochs."))
        return
    for place, (key, title) in zip(st.columns(len(shown)), shown.items(), strict=True):
        plot = style.training_plot(history[history["figure"] == key], told(title), card.training.get("epoch_kept"))
        chart.draw(plot, place, key=f"model_card.training_{key}")
    st.caption(
        _(
            "Where training improves and validation does not, the model learns its films by heart; "
            "the dashed upright line marks the epoch that was kept."
        )
    )


def show_calls(card: ModelCard, measurements: dict[str, Measurement]) -> None:
    """Show on the films that count most how often the model is right: its ROC curve and its calls, in words."""
    split = next((each for each in measurements if class_counts(measurements[each])), None)
    if split is None:
        return
    cells = measurements[split].metrics.confusion
    drawn = curves.draw(card, split, card.title)
    st.markdown(f"**{told(split_of(split).title)}.** {told(model_card.matrix_text(cells))}")
    st.caption(told(model_card.rates_text(cells)))
    row = chart.Row("model_card.charts_calls", CHART)
    roc = row.place()
    plot = band_plot(curves.stacked([drawn], "roc"), curves.operating_points([drawn], "roc"), [card.title], ROC)
    chart.draw(plot, roc, key="model_card.roc", alt=_("ROC curve."))
    roc.caption(
        _(
            "AUROC {auroc}: how often a film with pneumonia gets a higher probability than a normal "
            "one. The diamond is the decision threshold.",
            auroc=str(measurements[split].metrics.auroc),
        )
    )
    matrix = row.place()
    plot = style.confusion_plot(leaderboard.confusion_table(cells), _("Films by truth and call"))
    chart.draw(plot, matrix, key="model_card.confusion", alt=_("Confusion matrix; the sentence above has its counts."))
    matrix.caption(_("A row counts the films of one truth by what the model called them; its shares add up to 100 %."))


def class_counts(measurement: Measurement) -> bool:
    """Return whether films of both classes were measured."""
    cells = measurement.metrics.confusion
    return bool(cells.sick and cells.well)


@st.fragment
def show_layers(card: ModelCard) -> None:
    """Show what the network is made of, once the reader unfolds it."""
    folded = st.expander(
        _("Layers and parameters: {parameters:,} weights", parameters=card.parameters),
        icon=":material/layers:",
        key="model_card.layers",
        on_change="rerun",
    )
    if folded.open:
        try:
            layers = model_facts.layer_kinds(card)
        except ModelError as error:
            folded.write(plain(told(str(error))))
            return
        heads = {"kind": say("Kind of layer"), "layers": say("Layers"), "parameters": say("Parameters")}
        folded.table(told_table(layers.rename(columns=heads)), border="horizontal", hide_index=True)


@st.fragment
def show_commands(card: ModelCard) -> None:
    """Show the commands with a button to copy each, once the reader unfolds them."""
    folded = st.expander(
        _("Commands to copy"), icon=":material/content_copy:", key="model_card.commands", on_change="rerun"
    )
    if folded.open:
        for title, command in model_card.commands(card).items():
            folded.caption(told(title))
            folded.code(command, language=None)


def show_studies(card: ModelCard) -> None:
    """Show what was tried before this model: the trials of its search, and what its recipe is worth without a part."""
    trials, runs = studies.trials(card), studies.ablation(card)
    if not trials.empty:
        chart_with_table.show(
            trials_plot(trials),
            trials,
            key="model_card.trials",
            alt_text=_("Trials of the search by parameters and AUROC; the table has the figures."),
        )
        st.caption(
            _(
                "Each mark is a small CNN that was tried; the best one on the validation films, cropped "
                "and exposed anew, was trained again in full and is this model."
            )
        )
    if not runs.empty:
        chart_with_table.show(
            ablation_plot(runs),
            runs,
            key="model_card.ablation",
            alt_text=_("Change of the AUROC for each part of the recipe; the table has the figures."),
        )
        st.caption(
            _(
                "Measured on smaller and shorter trainings of this recipe, a dot a seed: left of the "
                "line the recipe is better as it is."
            )
        )


def show_guidelines(items: list[Item]) -> None:
    """Show what the reporting guidelines ask for, each folded."""
    st.subheader(_("Reporting guidelines"))
    st.caption(_("What CLAIM 2024 and TRIPOD+AI ask for, in our words, and where it is told, or why it is not."))
    for guideline in dict.fromkeys(item.guideline for item in items):
        show_items(guideline, [item for item in items if item.guideline == guideline])


@st.fragment
def show_items(guideline: str, items: list[Item]) -> None:
    """Show what a guideline asks for, once the reader unfolds it."""
    folded = st.expander(
        _("{guideline}: {summary}", guideline=guideline, summary=model_card.checklist_summary(items)),
        icon=":material/checklist:",
        key=f"model_card.items_{guideline}",
        on_change="rerun",
    )
    if folded.open:
        folded.table(told_table(model_card.readable_checklist(items)).set_index(word("Item")), border="horizontal")


head(_("Model card"))
st.write(_("What a model is and is for, how it was made, how well it does, and what a report on it should tell."))
st.caption(told(pneumo.DISCLAIMER))

cards = every_card()
if not cards:
    st.write(_("There is no model yet. Train one with `python -m pneumo train mobilenetv2 --data DIR`."))
    st.stop()
card = measured_models.choose_model(cards)
try:
    measurements = measurements_of(card)
    parts = model_card.sections(card, measurements)
    items = model_card.checklist(card)
except ModelError as error:
    st.write(plain(told(str(error))))
    st.stop()
st.download_button(
    _("Download the card (Markdown)"),
    model_card.markdown(card, parts, items),
    file_name=f"{card.name}.md",
    mime="text/markdown",
    icon=":material/download:",
    key="model_card.download",
    on_click="ignore",
)
for title, text in parts.items():
    if title == "Hashes":
        show_guidelines(items)
    st.subheader(told(title))
    if title == "Evaluation" and measurements:
        # Unlike one in Markdown, it moves in its place where a window is narrow.
        st.table(told_table(model_card.evaluation_table(measurements)), border="horizontal", hide_index=True)
        st.markdown(told(model_card.evaluation_notes(measurements)))
    elif title != "How to start":
        st.markdown(markdown_tables.unbroken(told(text)))
    try:
        if title == "At a glance":
            show_calls(card, measurements)
        elif title == "Model details":
            show_layers(card)
        elif title == "How to start":
            show_commands(card)
        elif title == "Training":
            training(card)
            show_studies(card)
    except ModelError as error:
        st.write(plain(told(str(error))))
source.show("model_card")
