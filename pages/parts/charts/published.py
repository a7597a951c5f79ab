"""The chart of published systems beside those that pneumo rebuilt: a table in, a chart out."""

import altair as alt
import pandas as pd

from pages.parts.charts.style import FIT, NARROW, PALETTE, RULE, down, legend_below, tips, words
from pages.parts.shared.language import _, told_values
from pneumo.results.published import PUBLISHED, REBUILT
from pneumo.sentences import say

TEST, OTHER = say("Published, on test films"), say("Published, on other films")
# Shape, inside and outline.
STYLES = {
    TEST: ("circle", PALETTE[3], PALETTE[3]),
    OTHER: ("circle", "transparent", PALETTE[3]),
    REBUILT: ("diamond", PALETTE[0], PALETTE[0]),
}


def rebuilt_plot(rows: pd.DataFrame, every: float) -> alt.LayerChart:
    """Draw the accuracies of each system, published and rebuilt, on one line; hollow where the films are no test films.

    Args:
        rows: ``system, figures, films, accuracy, low, high``, drawn from top to bottom.
        every: the accuracy of calling every film pneumonia, marked by a rule.
    """
    rows = rows.assign(
        mark=rows["films"].map({"Test": TEST}).fillna(OTHER).where(rows["figures"] == PUBLISHED, REBUILT),
        is_rebuilt=rows["figures"] == REBUILT,
    )
    known = [each for each in STYLES if each in set(rows["mark"])]
    rows = told_values(rows)
    base = alt.Chart(rows).encode(
        y=down("system", rows, f"{NARROW} ? 110 : 200"),
        tooltip=tips(
            ("system:N", _("System")),
            ("mark:N", _("Figure")),
            ("films:N", _("Films")),
            ("accuracy:Q", _("Accuracy"), ".1%"),
        ),
    )
    shapes, fills, strokes = (
        alt.Scale(domain=words(known), range=[STYLES[each][part] for each in known]) for part in range(3)
    )
    dots = base.mark_point(size=150, opacity=1, strokeWidth=2).encode(
        x=_x("accuracy"),
        shape=alt.Shape("mark:N", title=None, scale=shapes, legend=legend_below()),
        fill=alt.Fill("mark:N", title=None, scale=fills),
        stroke=alt.Stroke("mark:N", title=None, scale=strokes),
    )
    lines = base.mark_rule(strokeWidth=2, opacity=0.5, color=RULE).encode(
        x=_x("min(accuracy)"), x2="max(accuracy):Q", tooltip=[]
    )
    bars = (
        base.transform_filter(alt.datum.is_rebuilt)
        .mark_rule(strokeWidth=6, opacity=0.35, color=PALETTE[0])
        .encode(x=_x("low"), x2="high:Q")
    )
    mark_of_all = alt.Chart(pd.DataFrame({"accuracy": [every]}))
    rule = mark_of_all.mark_rule(color=RULE, strokeDash=[4, 4], strokeWidth=2).encode(x=_x("accuracy"))
    return (rule + lines + bars + dots).properties(
        autosize=FIT, height=alt.Step(34), title=_("Accuracy, published and rebuilt")
    )


def _x(column: str) -> alt.X:
    # The lowest published accuracy is 0.56.
    scale = alt.Scale(domain=[0.5, 1], zero=False)
    return alt.X(f"{column}:Q", title=_("Accuracy"), scale=scale, axis=alt.Axis(format="%", tickCount=6))
