"""Charts of shortcuts, the image properties that predict the label: tables in, charts out."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from pages.parts.charts.style import (
    CLASSES,
    FIT,
    KINDS,
    NARROW,
    PALETTE,
    RULE,
    SHAPES,
    colour,
    down,
    interval_plot,
    legend_below,
    tips,
    words,
)
from pages.parts.shared.language import _, told_values


def baseline_plot(baselines: pd.DataFrame) -> alt.LayerChart:
    """Draw the AUROC of each set of traits with its 95 % interval, from chance to certainty.

    Args:
        baselines: ``name, sees, value, low, high, text``, drawn from top to bottom.
    """
    baselines = told_values(baselines)
    base = alt.Chart(baselines).encode(
        y=down("name", baselines, f"{NARROW} ? 130 : 300"),
        tooltip=tips(("name:N", _("Sees")), ("sees:N", _("That is")), ("text:N", _("AUROC"))),
    )
    axis = alt.X(
        "low:Q",
        title=_("AUROC on validation (0.5: chance)"),
        scale=alt.Scale(domain=[0.5, 1]),
        axis=alt.Axis(tickCount=6),
    )
    return interval_plot(base, "value", axis).properties(
        autosize=FIT, height=alt.Step(30), title=_("What answers without the lungs reach")
    )


def trait_plot(rows: pd.DataFrame, title: str) -> alt.LayerChart:
    """Draw a trait of each class in each part: the middle half of the films, and their mean.

    Args:
        rows: ``part, class, films, mean, q1, median, q3``, the parts from top to bottom.
        title: of the trait, with its unit, as it is told.
    """
    rows = told_values(rows)
    tooltip = tips(
        ("part:N", _("Films of")),
        ("class:N", _("Class")),
        ("films:Q", _("Films"), ","),
        ("mean:Q", _("Mean"), ",.3~f"),
        ("q1:Q", _("A quarter lie below"), ",.3~f"),
        ("median:Q", _("Half lie below"), ",.3~f"),
        ("q3:Q", _("Three quarters lie below"), ",.3~f"),
    )
    base = alt.Chart(rows).encode(
        y=down("part", rows, f"{NARROW} ? 130 : 240"),
        yOffset=alt.YOffset("class:N", sort=words(CLASSES)),
        color=colour("class", CLASSES, among=rows),
        tooltip=tooltip,
    )
    axis = alt.X("q1:Q", title=title, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=6))
    bars = base.mark_rule(strokeWidth=7, opacity=0.5).encode(x=axis, x2="q3:Q")
    means = base.mark_point(filled=True, size=90, opacity=1).encode(
        x="mean:Q", shape=alt.Shape("class:N", scale=alt.Scale(domain=words(CLASSES), range=SHAPES[:2]), legend=None)
    )
    return (bars + means).properties(autosize=FIT, height=alt.Step(24), title=title)


def shift_plot(rows: pd.DataFrame) -> alt.LayerChart:
    """Draw how far the test films lie from the training films in each trait.

    Args:
        rows: ``trait, class, shift``, drawn from top to bottom.
    """
    rows = told_values(rows)
    base = alt.Chart(rows).encode(
        y=down("trait", rows, 260),
        tooltip=tips(("trait:N", _("Trait")), ("class:N", _("Class")), ("shift:Q", _("Standard deviations"), "+.2f")),
    )
    zero = alt.Chart(pd.DataFrame({"shift": [0]})).mark_rule(color=RULE, strokeDash=[4, 4]).encode(x="shift:Q")
    dots = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=alt.X("shift:Q", title=_("Shift (standard deviations)")),
        color=colour("class", CLASSES, "circle", rows),
        shape=alt.Shape("class:N", scale=alt.Scale(domain=words(CLASSES), range=SHAPES[:2]), legend=None),
    )
    return (zero + dots).properties(
        autosize=FIT, height=alt.Step(26), title=_("The test films are not the training films")
    )


def embedding_plot(points: pd.DataFrame, by: str, groups: Sequence[str]) -> alt.Chart:
    """Draw films as points; a click on the legend shows one group alone, the wheel zooms with the control key.

    Args:
        points: ``part, kind, x, y``.
        by: ``part`` or ``kind``: what colours and shapes tell.
        groups: values of that column, in the order of the legend.
    """
    known = set(points[by])
    shown = [group for group in groups if group in known]
    colours = KINDS if by == "kind" else dict(zip(shown, PALETTE, strict=False))
    chosen = alt.selection_point(fields=[by], bind="legend")
    legend = legend_below("circle")
    return (
        alt.Chart(told_values(points))
        .mark_point(filled=True, size=28)
        .encode(
            x=alt.X("x:Q", title=_("First component"), axis=alt.Axis(tickCount=5)),
            y=alt.Y("y:Q", title=_("Second component"), axis=alt.Axis(tickCount=5)),
            color=colour(by, {group: colours[group] for group in shown}, "circle"),
            shape=alt.Shape(
                f"{by}:N", title=None, scale=alt.Scale(domain=words(shown), range=SHAPES[: len(shown)]), legend=legend
            ),
            opacity=alt.when(chosen).then(alt.value(0.55)).otherwise(alt.value(0.03)),
            tooltip=tips(("part:N", _("Films of")), ("kind:N", _("Kind"))),
        )
        .add_params(chosen)
        .add_params(alt.selection_interval(bind="scales", zoom="wheel![event.ctrlKey]"))
        .properties(autosize=FIT, height=430, title=_("Films that look alike lie near each other"))
    )
