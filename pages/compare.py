"""Compare two to five models on the same films: a verdict in words, and every curve with its band."""

from pathlib import Path

import pandas as pd
import streamlit as st

import pneumo
from pages.parts.charts import style
from pages.parts.charts.curves import (
    PRECISION_RECALL,
    RISK_COVERAGE,
    ROC,
    Axes,
    band_plot,
    epochs_plot,
    reliability_plot,
    score_plot,
)
from pages.parts.models import measured_models
from pages.parts.shared import address, chart, sections, source
from pages.parts.shared.language import _, head, told, told_table, warn_of
from pages.parts.shared.plain import plain
from pneumo.errors import ModelError
from pneumo.evaluation.intervals import Estimate
from pneumo.labels import split_of
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.results import comparison, leaderboard, model_facts, published
from pneumo.results import curves as model_curves
from pneumo.results.comparison import Comparison
from pneumo.results.curves import ModelCurves
from pneumo.results.model_facts import CURVES
from pneumo.sentences import say

FEWEST, MOST = 2, 5
# In pixels; three small charts fit beside each other on a desktop, two large ones, and one of either on a telephone.
SMALL, LARGE = 330, 540
BAND = say("The shade around a curve is its pointwise 95 % band, from a bootstrap that redraws whole patients.")
# The films that published systems were measured on.
OFFICIAL = "test"
THRESHOLDS = {"own": say("Each model's own"), "shared": say("One for all")}


@st.cache_data(show_spinner=False, max_entries=100)
def drawn(name: str, split: str, label: str, folder: Path, state: str, _card: ModelCard) -> ModelCurves:
    """Keep a model's curves for as long as ``state``, the model, its thresholds and its predictions, is the same."""
    return model_curves.draw(_card, split, label, folder)


@st.cache_data(show_spinner=False, max_entries=100)
def tested(names: tuple[str, ...], split: str, folder: Path, states: tuple[str, ...]) -> list[Comparison]:
    """Keep the paired tests for as long as the models and their predictions are the same."""
    return comparison.all_pairs(names, split, folder)


def verdict(cards: list[ModelCard], split: str, states: dict[str, str]) -> None:
    """Say which model beats which, and by how much."""
    names = tuple(card.name for card in cards)
    try:
        with st.spinner(_("Testing the differences…")):
            pairs = tested(names, split, store.models_folder(), tuple(states[name] for name in names))
    except ModelError as error:
        st.write(plain(told(str(error))))
        return
    if len(pairs) > 1:
        st.table(told_table(comparison.matrix(pairs)), border="horizontal")
        st.caption(
            _(
                "The model of the row against that of the column, in AUROC and accuracy. *Practically "
                "equal*: the whole interval of the difference lies within 0.02, two films in a hundred. "
                "*Unclear*: it may reach further."
            )
        )
    st.markdown("\n".join(f"- {told(str(pair))}" for pair in pairs))
    st.caption(
        _(
            "On {films:,} films of {patients:,} patients, each model at its own decision threshold. "
            "In brackets the 95 % interval of the difference and its p-value: for AUROC after "
            "Obuchowski 1997, for accuracy Tango's interval and an exact test that swaps the models "
            "patient by patient. No p-value allows for the number of pairs: of twenty pairs of equal "
            "models, one looks different by chance.",
            films=pairs[0].films,
            patients=pairs[0].patients,
        )
    )


def beside_published(cards: list[ModelCard], labels: dict[str, str]) -> None:
    """Show the accuracy of the models beside that of published systems that the reader chooses."""
    results = {f"{each.system} ({each.source})": each for each in published.load() if each.accuracy_interval}
    chosen = st.multiselect(
        _("Published systems, for their accuracy"),
        list(results),
        key="systems",
        bind="query-params",
        placeholder=_("Choose what others published"),
    )
    if not chosen:
        return
    measured = measured_models.measure(cards, OFFICIAL, labels)
    st.table(
        told_table(published.beside([results[each] for each in chosen], measured)), border="horizontal", hide_index=True
    )
    st.caption(told(published.HOW_TO_READ))


def discrimination(
    shown: list[ModelCurves], models: list[str], cards: list[ModelCard], labels: dict[str, str], split: str
) -> None:
    """Show how well all models tell the classes apart, at every threshold."""
    row = chart.Row("compare.charts_discrimination", LARGE)
    draw_curve(
        row,
        shown,
        models,
        "roc",
        ROC,
        _(
            "Every trade between pneumonias found (up) and false alarms (right); nearer to the upper left corner is "
            "better, the dotted diagonal is chance."
        ),
    )
    draw_curve(
        row,
        shown,
        models,
        "precision_recall",
        PRECISION_RECALL,
        _(
            "How many of the films called pneumonia show it (up) where so many of the pneumonias are found (right); "
            "it depends on the share of pneumonia in these films."
        ),
    )
    st.caption(_("{band} Diamonds mark the decision threshold of each model.", band=BAND))
    if any(len(each.roc) for each in shown):
        same_specificity(cards, labels, split)


def same_specificity(cards: list[ModelCard], labels: dict[str, str], split: str) -> None:
    """Show what all models find where each raises as few false alarms as the reader chooses."""
    percent = st.slider(
        _("At a specificity of"),
        50,
        99,
        round(100 * model_curves.SPECIFICITY),
        format="%d %%",
        key="specificity",
        bind="query-params",
    )
    try:
        points = model_curves.at_specificity(cards, split, percent / 100, store.models_folder())
    except ModelError as error:
        st.write(plain(told(str(error))))
        return
    bounds = points[["sensitivity", "low", "high"]].itertuples(index=False, name=None)
    st.table(
        pd.DataFrame(
            {
                _("Model"): points["name"].map(labels),
                _("Sensitivity"): [told(str(Estimate(*each))) for each in bounds],
                _("From a probability of"): [
                    _("{threshold:.3f}", threshold=each) if each <= 1 else "–" for each in points["threshold"]
                ],
            }
        ),
        border="horizontal",
        hide_index=True,
    )
    st.caption(
        _(
            "The point of each ROC curve above: how many pneumonias a model finds where it calls at "
            "least so many of the normal films normal, with a 95 % interval from a bootstrap that "
            "redraws whole patients. The probability it takes is read from these very films; on "
            "others the same threshold gives another specificity."
        )
    )


def trust(shown: list[ModelCurves], models: list[str]) -> None:
    """Show whether the probabilities of all models mean what they say, and what leaving out the unsure films gains."""
    row = chart.Row("compare.charts_trust", LARGE)
    place = row.place()
    bins = model_curves.stacked(shown, "reliability")
    chart.draw(reliability_plot(bins, models), place, key="compare.reliability", alt=_("Reliability diagram."))
    place.caption(
        _(
            "Whether a probability means what it says: below the dotted diagonal a model is too sure "
            "of pneumonia, above it not sure enough. Upright lines are Wilson's 95 % intervals; few "
            "films make them long."
        )
    )
    draw_curve(
        row,
        shown,
        models,
        "risk_coverage",
        RISK_COVERAGE,
        _(
            "How many calls are wrong (up) where a model calls only the films it is surest of (right) and leaves the "
            "rest to a doctor; the diamond is what the Predict page does, which answers “cannot say” in between."
        ),
    )
    st.caption(told(BAND))


def draw_curve(
    row: chart.Row, shown: list[ModelCurves], models: list[str], curve: str, axes: Axes, meaning: str
) -> None:
    """Draw one of the curves of all models over each other, and say what it tells."""
    table = model_curves.stacked(shown, curve)
    if table.empty:
        row.place().caption(_("{title}: these films show one class only, so there is no such curve.", title=axes.title))
        return
    points = model_curves.operating_points(shown, curve)
    place = row.place()
    chart.draw(band_plot(table, points, models, axes), place, key=f"compare.{curve}", alt=f"{told(axes.title)}.")
    place.caption(meaning)


def scores(shown: list[ModelCurves]) -> None:
    """Show the histograms of all models' probabilities."""
    row = chart.Row("compare.charts_scores", SMALL)
    for each in shown:
        plot = score_plot(each.scores, each.label)
        chart.draw(plot, row.place(), key=f"compare.scores_{each.label}")
    st.caption(
        _("The probabilities that each model gave to normal films and to films with pneumonia; less overlap is better.")
    )


def calls(cards: list[ModelCard], labels: dict[str, str], split: str) -> None:
    """Show the confusion matrices at a threshold that the reader chooses."""
    chosen = address.choose_one(
        st.segmented_control, _("Threshold"), THRESHOLDS, required=True, key="compare.thresholds"
    )
    shared = None
    if chosen == "shared":
        shared = st.slider(
            _("Called pneumonia from a probability of"), 0.01, 0.99, 0.5, 0.01, key="threshold", bind="query-params"
        )
    row = chart.Row("compare.charts_calls", SMALL)
    for card in cards:
        table = leaderboard.confusion_table(model_curves.calls(card, split, shared))
        threshold = card.as_thresholds().decision if shared is None else shared
        title = _("{model}, from {threshold:.3f}", model=labels[card.name], threshold=threshold)
        chart.draw(style.confusion_plot(table, title), row.place(), key=f"compare.confusion_{card.name}")
    st.caption(_("A row counts the films of one truth by what the model called them; its shares add up to 100 %."))


def training(cards: list[ModelCard], labels: dict[str, str], models: list[str]) -> None:
    """Show the training curves over each other, on the films that the reader chooses."""
    try:
        history = model_curves.training(cards, labels)
    except ModelError as error:
        st.write(plain(told(str(error))))
        return
    if left_out := [labels[card.name] for card in cards if labels[card.name] not in set(history["model"])]:
        st.caption(_("Not trained in epochs, so without curves: {models}.", models=", ".join(left_out)))
    if history.empty:
        return
    present = set(history["films"])
    kinds: dict[str, str] = {films: films for films in model_facts.TRAINED_ON.values() if films in present}
    films = address.choose_one(
        st.segmented_control, _("Measured on"), kinds, list(kinds)[-1], required=True, key="compare.curve_films"
    )
    row = chart.Row("compare.charts_training", SMALL)
    for figure, title in CURVES.items():
        values = history[(history["figure"] == figure) & (history["films"] == films)]
        if not values.empty:
            plot = epochs_plot(values, models, told(title))
            chart.draw(plot, row.place(), key=f"compare.training_{figure}")
    st.caption(
        _(
            "Where a figure is good on training films and bad on validation films, the model learned "
            "its films by heart; a curve that still improves at its end was stopped early."
        )
    )


head(_("Compare"))
st.write(_("Which of two to five models is better on the same films, and whether chance may explain the difference."))
st.caption(told(pneumo.DISCLAIMER))

all_cards = measured_models.measured_cards()
labels = model_facts.labels(all_cards)
split = measured_models.choose_films(all_cards)
st.caption(told(split_of(split).description))
available = measured_models.measured_on(all_cards, split)
chosen = address.choose_many(
    st.multiselect,
    _("Models, the first against the others"),
    {card.name: labels[card.name] for card in available},
    [card.name for card in available[:FEWEST]],
    max_selections=MOST,
    key="shared.models",
    placeholder=_("Choose models"),
)
by_name = {card.name: card for card in available}
cards, shown, states = [], [], {}
folder = store.models_folder()
for name in chosen:
    try:
        states[name] = leaderboard.state(by_name[name], split, folder)
        with st.spinner(_("Drawing the curves…")):
            curves_of_one = drawn(name, split, labels[name], folder, states[name], by_name[name])
        shown.append(curves_of_one)
        cards.append(by_name[name])
    except ModelError as error:
        warn_of(error)
if len(shown) < FEWEST:
    st.write(_("Choose at least two models that were measured on these films."))
    st.stop()

st.subheader(_("Verdict"))
verdict(cards, split, states)

if split == OFFICIAL:
    beside_published(cards, labels)

models = list(labels.values())
sections.show(
    {
        say("ROC and precision–recall"): lambda: discrimination(shown, models, cards, labels, split),
        say("Reliability and risk"): lambda: trust(shown, models),
        say("Scores"): lambda: scores(shown),
        say("Calls"): lambda: calls(cards, labels, split),
        say("Training"): lambda: training(cards, labels, models),
    },
    key="compare.section",
)
source.show("compare")
