"""Charts of what leaks, as Altair specifications: tables in, charts out; nothing is computed here."""

import altair as alt
import pandas as pd

from pages.parts.charts.dataset import CLASSES, KINDS, classes
from pages.parts.charts.style import FIT, NARROW, PALETTE, RULE, legend_below

SHAPES = ["circle", "square", "triangle-up", "diamond"]


def floor_plot(floors: pd.DataFrame) -> alt.LayerChart:
    """Draw the AUROC of each set of traits with its 95 % interval, from chance to certainty.

    Args:
        floors: ``name, sees, value, low, high, text``, drawn from top to bottom.
    """
    base = alt.Chart(floors).encode(
        y=alt.Y(
            "name:N",
            title=None,
            sort=floors["name"].to_list(),
            axis=alt.Axis(labelLimit=alt.ExprRef(f"{NARROW} ? 130 : 300")),
        ),
        tooltip=[
            alt.Tooltip("name:N", title="Sees"),
            alt.Tooltip("sees:N", title="That is"),
            alt.Tooltip("text:N", title="AUROC"),
        ],
    )
    axis = alt.X(
        "low:Q",
        title="AUROC on validation (0.5: chance)",
        scale=alt.Scale(domain=[0.5, 1]),
        axis=alt.Axis(tickCount=6),
    )
    bars = base.mark_rule(strokeWidth=3, opacity=0.6, color=PALETTE[0]).encode(x=axis, x2="high:Q")
    dots = base.mark_point(filled=True, size=110, opacity=1, color=PALETTE[0]).encode(x="value:Q")
    return (bars + dots).properties(autosize=FIT, height=alt.Step(30), title="What answers without the lungs reach")


def trait_plot(rows: pd.DataFrame, title: str) -> alt.LayerChart:
    """Draw a trait of each class in each part: the middle half of the films, and their mean.

    Args:
        rows: ``part, class, films, mean, q1, median, q3``, the parts from top to bottom.
        title: of the trait, with its unit.
    """
    tooltip = [
        alt.Tooltip("part:N", title="Films of"),
        alt.Tooltip("class:N", title="Class"),
        alt.Tooltip("films:Q", title="Films", format=","),
        alt.Tooltip("mean:Q", title="Mean", format=",.3~f"),
        alt.Tooltip("q1:Q", title="A quarter lie below", format=",.3~f"),
        alt.Tooltip("median:Q", title="Half lie below", format=",.3~f"),
        alt.Tooltip("q3:Q", title="Three quarters lie below", format=",.3~f"),
    ]
    base = alt.Chart(rows).encode(
        y=alt.Y(
            "part:N",
            title=None,
            sort=rows["part"].drop_duplicates().to_list(),
            axis=alt.Axis(labelLimit=alt.ExprRef(f"{NARROW} ? 130 : 240")),
        ),
        yOffset=alt.YOffset("class:N", sort=list(CLASSES)),
        color=classes(CLASSES, rows, "class"),
        tooltip=tooltip,
    )
    axis = alt.X("q1:Q", title=title, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=6))
    bars = base.mark_rule(strokeWidth=7, opacity=0.5).encode(x=axis, x2="q3:Q")
    means = base.mark_point(filled=True, size=90, opacity=1).encode(
        x="mean:Q", shape=alt.Shape("class:N", scale=alt.Scale(domain=list(CLASSES), range=SHAPES[:2]), legend=None)
    )
    return (bars + means).properties(autosize=FIT, height=alt.Step(24), title=title)


def shift_plot(rows: pd.DataFrame) -> alt.LayerChart:
    """Draw how far the test films lie from the training films in each trait.

    Args:
        rows: ``trait, class, shift``, drawn from top to bottom.
    """
    base = alt.Chart(rows).encode(
        y=alt.Y(
            "trait:N",
            title=None,
            sort=rows["trait"].drop_duplicates().to_list(),
            axis=alt.Axis(labelLimit=260),
        ),
        tooltip=[
            alt.Tooltip("trait:N", title="Trait"),
            alt.Tooltip("class:N", title="Class"),
            alt.Tooltip("shift:Q", title="Standard deviations", format="+.2f"),
        ],
    )
    zero = alt.Chart(pd.DataFrame({"shift": [0]})).mark_rule(color=RULE, strokeDash=[4, 4]).encode(x="shift:Q")
    dots = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=alt.X("shift:Q", title="Shift (standard deviations)"),
        color=classes(CLASSES, rows, "class", "circle"),
        shape=alt.Shape("class:N", scale=alt.Scale(domain=list(CLASSES), range=SHAPES[:2]), legend=None),
    )
    return (zero + dots).properties(
        autosize=FIT, height=alt.Step(26), title="The test films are not the training films"
    )


def embedding_plot(points: pd.DataFrame, by: str, groups: list[str]) -> alt.Chart:
    """Draw films as points; a click on the legend shows one group alone, the wheel zooms.

    Args:
        points: ``part, kind, x, y``.
        by: ``part`` or ``kind``: what colours and shapes tell.
        groups: values of that column, in the order of the legend.
    """
    known = set(points[by])
    shown = [group for group in groups if group in known]
    colours = [KINDS[group] for group in shown] if by == "kind" else PALETTE[: len(shown)]
    chosen = alt.selection_point(fields=[by], bind="legend")
    legend = legend_below("circle")
    return (
        alt.Chart(points)
        .mark_point(filled=True, size=28)
        .encode(
            x=alt.X("x:Q", title="First component", axis=alt.Axis(tickCount=5)),
            y=alt.Y("y:Q", title="Second component", axis=alt.Axis(tickCount=5)),
            color=alt.Color(f"{by}:N", title=None, scale=alt.Scale(domain=shown, range=colours), legend=legend),
            shape=alt.Shape(
                f"{by}:N", title=None, scale=alt.Scale(domain=shown, range=SHAPES[: len(shown)]), legend=legend
            ),
            opacity=alt.when(chosen).then(alt.value(0.55)).otherwise(alt.value(0.03)),
            tooltip=[alt.Tooltip("part:N", title="Films of"), alt.Tooltip("kind:N", title="Kind")],
        )
        .add_params(chosen)
        .interactive()
        .properties(autosize=FIT, height=430, title="Films that look alike lie near each other")
    )
