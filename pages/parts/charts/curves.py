"""Charts that lay the curves of several models over each other: tables in, charts out; nothing is computed here.

A model keeps its colour and its dashes whichever models are drawn beside it; see `pages.parts.charts.style` for the
palette.
"""

from dataclasses import dataclass

import altair as alt
import pandas as pd

from pages.parts.charts.style import CLASSES, DASHES, FIT, PALETTE, RULE, colour, dash, epoch_lines, tips
from pages.parts.shared.language import _, told, told_values
from pneumo.sentences import say


@dataclass(frozen=True)
class Axes:
    """What a chart of curves is called and how its axes read.

    Attributes:
        title: of the chart.
        x: title of the horizontal axis.
        y: title of the vertical axis.
        diagonal: whether to draw the line from (0, 0) to (1, 1).
        whole: whether both axes show 0 to 1 whatever the curves cover.
    """

    title: str
    x: str
    y: str
    diagonal: bool = False
    whole: bool = True


ROC = Axes(say("ROC curves"), say("1 − specificity"), say("Sensitivity"), diagonal=True)
PRECISION_RECALL = Axes(say("Precision–recall curves"), say("Recall (sensitivity)"), say("Precision"), whole=False)
RISK_COVERAGE = Axes(
    say("Risk–coverage curves"), say("Share of films called"), say("Share of these calls that is wrong"), whole=False
)
RELIABILITY = Axes(say("Reliability"), say("Probability of pneumonia"), say("Share that has pneumonia"), diagonal=True)


def band_plot(
    curves: pd.DataFrame, points: pd.DataFrame, models: list[str], axes: Axes
) -> alt.LayerChart | alt.FacetChart:
    """Draw curves with their 95 % bands, and the point where each model works.

    Args:
        curves: ``model, x, y, low, high``, and ``threshold`` where there is one, point after point.
        points: ``model, x, y, threshold``, at most one row a model.
        models: every model there is, so that each keeps its colour and dashes whichever are drawn.
        axes: titles and extent.
    """
    x, y = _x(axes), _y(axes, "y")
    colours, dashes = _series(curves, models)
    tooltip = tips(("model:N", _("Model")), ("x:Q", told(axes.x), ".3f"), ("y:Q", told(axes.y), ".3f"))
    interval = [
        alt.Tooltip("low:Q", title=_("Band from"), format=".3f"),
        alt.Tooltip("high:Q", title=_("Band to"), format=".3f"),
    ]
    threshold = [alt.Tooltip("threshold:Q", title=_("Threshold"), format=".3f")]
    known = threshold if "threshold" in curves else []
    base = alt.Chart(curves.assign(place=range(len(curves)))).encode(x, colours)
    # An area that is given an order is not drawn.
    band = base.mark_area(opacity=0.18, line=False).encode(_y(axes, "low"), alt.Y2("high:Q"))
    lines = base.mark_line(strokeWidth=2).encode(y, alt.Order("place:Q"), strokeDash=dashes)
    # A line answers only at its middle; invisible corners answer along all of it.
    corners = base.mark_point(size=90, opacity=0, filled=True).encode(y, tooltip=[*tooltip, *interval, *known])
    chosen = alt.Chart(points).mark_point(filled=True, size=130, opacity=1, shape="diamond")
    chosen = chosen.encode(x, y, colours, tooltip=[*tooltip, *(threshold if points["threshold"].notna().any() else [])])
    layers = [_diagonal(x, y)] if axes.diagonal else []
    return alt.layer(*layers, band, lines, corners, chosen).properties(autosize=FIT, height=340, title=told(axes.title))


def reliability_plot(bins: pd.DataFrame, models: list[str]) -> alt.LayerChart | alt.FacetChart:
    """Draw how often pneumonia came true at each probability, with 95 % intervals.

    Args:
        bins: ``model, x, y, low, high, films``.
        models: every model there is.
    """
    x, y = _x(RELIABILITY), _y(RELIABILITY, "y")
    colours, dashes = _series(bins, models)
    tooltip = tips(
        ("model:N", _("Model")),
        ("x:Q", _("Mean probability"), ".3f"),
        ("y:Q", _("Has pneumonia"), ".3f"),
        ("low:Q", _("Interval from"), ".3f"),
        ("high:Q", _("Interval to"), ".3f"),
        ("films:Q", _("Films"), ","),
    )
    base = alt.Chart(bins).encode(x, colours)
    rules = base.mark_rule(opacity=0.6).encode(_y(RELIABILITY, "low"), alt.Y2("high:Q"))
    lines = base.mark_line(strokeWidth=1.5).encode(y, strokeDash=dashes)
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(y, tooltip=tooltip)
    return alt.layer(_diagonal(x, y), rules, lines, dots).properties(
        autosize=FIT, height=340, title=told(RELIABILITY.title)
    )


def score_plot(shares: pd.DataFrame, title: str) -> alt.Chart:
    """Draw how a model's probabilities are spread in each class, as overlapping histograms.

    Args:
        shares: ``class, low, high, films, share``.
        title: the model's.
    """
    return (
        alt.Chart(told_values(shares))
        .mark_bar(opacity=0.6, binSpacing=0)
        .encode(
            x=alt.X(
                "low:Q", bin="binned", title=_("Probability of pneumonia"), axis=alt.Axis(tickCount=5, format=".1f")
            ),
            x2="high:Q",
            y=alt.Y("share:Q", stack=None, title=_("Share of the class"), axis=alt.Axis(tickCount=4, format="%")),
            color=colour("class", CLASSES),
            tooltip=tips(
                ("class:N", _("Class")),
                ("low:Q", _("From"), ".2f"),
                ("high:Q", _("Below"), ".2f"),
                ("films:Q", _("Films"), ","),
                ("share:Q", _("Share"), ".1%"),
            ),
        )
        .properties(autosize=FIT, height=170, title=title)
    )


def epochs_plot(values: pd.DataFrame, models: list[str], title: str) -> alt.Chart:
    """Draw a figure of several models over their epochs.

    Args:
        values: ``model, epoch, value``.
        models: every model there is.
        title: of the figure, as it is told.
    """
    lines = epoch_lines(values, title, ("model:N", _("Model"))).encode(*_series(values, models))
    return lines.properties(autosize=FIT, height=240, title=_("{figure} by epoch", figure=title))


def _series(rows: pd.DataFrame, models: list[str]) -> tuple[alt.Color, alt.StrokeDash]:
    drawn = set(rows["model"])
    places = {model: place for place, model in enumerate(models) if model in drawn}
    count = len(PALETTE)
    colours = {model: PALETTE[place % count] for model, place in places.items()}
    # The ninth model has the first one's colour, and so must not have its dashes.
    dashes = [DASHES[(place + place // count) % len(DASHES)] for place in places.values()]
    return colour("model", colours, "stroke"), dash("model", list(places), dashes)


def _x(axes: Axes) -> alt.X:
    return alt.X("x:Q", title=told(axes.x), scale=_scale(axes), axis=alt.Axis(tickCount=5))


def _y(axes: Axes, column: str) -> alt.Y:
    return alt.Y(f"{column}:Q", title=told(axes.y), scale=_scale(axes), axis=alt.Axis(tickCount=5))


def _scale(axes: Axes) -> alt.Scale:
    return alt.Scale(domain=[0, 1]) if axes.whole else alt.Scale(zero=False, nice=False)


def _diagonal(x: alt.X, y: alt.Y) -> alt.Chart:
    ends = pd.DataFrame({"x": [0, 1], "y": [0, 1]})
    return alt.Chart(ends).mark_line(color=RULE, strokeDash=[3, 3], strokeWidth=1).encode(x, y)
