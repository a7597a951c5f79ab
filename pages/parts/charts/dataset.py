"""Charts of the dataset: tables in, charts out."""

from typing import Any

import altair as alt
import pandas as pd

from pages.parts.charts.style import CLASSES, DASHES, FIT, KINDS, SHAPES, colour, dash, tips, words
from pages.parts.shared.language import _, told, told_values
from pneumo.sentences import say

# What the films of each split are counted by, and the titles of the chart.
QUANTITIES = {"films": say("Films"), "patients": say("Patients")}
COUNTED = {"films": say("Films by split and kind"), "patients": say("Patients by split and kind")}


def class_bars(counts: pd.DataFrame, splits: list[str], quantity: str = "films") -> alt.Chart:
    """Draw the films or the patients of each split, stacked by kind; a click on the legend shows one kind alone.

    Args:
        counts: ``split, kind, films, patients, share``.
        splits: from top to bottom.
        quantity: ``films`` or ``patients``.
    """
    chosen = alt.selection_point(fields=["kind"], bind="legend")
    counts, axis, title = told_values(counts), told(QUANTITIES[quantity]), told(COUNTED[quantity])
    return (
        alt.Chart(counts)
        .mark_bar()
        .encode(
            y=alt.Y("split:N", title=None, sort=words(splits)),
            x=alt.X(f"{quantity}:Q", title=axis, axis=alt.Axis(tickCount=5, format=",d")),
            color=colour("kind", KINDS, among=counts),
            opacity=_dimmed(chosen),
            order=alt.Order("place:Q"),
            tooltip=tips(
                ("split:N", _("Split")),
                ("kind:N", _("Kind")),
                ("films:Q", _("Films"), ","),
                ("patients:Q", _("Patients"), ","),
                ("share:Q", _("Share of the split's films"), ".1%"),
            ),
        )
        .add_params(chosen)
        .transform_calculate(place=f"indexof({words(KINDS)}, datum.kind)")
        .properties(autosize=FIT, height=alt.Step(48), title=title)
    )


def frame_scatter(points: pd.DataFrame) -> alt.Chart:
    """Draw films by width and height; a click on the legend shows one class alone.

    Args:
        points: ``class, width, height``, a film a row.
    """
    chosen, points = alt.selection_point(fields=["class"], bind="legend"), told_values(points)
    axis = alt.Axis(tickCount=5, format=",d")
    sides = (
        alt.X("width:Q", title=_("Width (pixels)"), axis=axis),
        alt.Y("height:Q", title=_("Height (pixels)"), axis=axis),
    )
    shapes = alt.Scale(domain=words(CLASSES), range=SHAPES[:2])
    return (
        alt.Chart(points)
        .mark_point(filled=True, size=22)
        .encode(
            *sides,
            color=colour("class", CLASSES, "circle", points),
            shape=alt.Shape("class:N", scale=shapes, legend=None),
            opacity=alt.when(chosen).then(alt.value(0.5)).otherwise(alt.value(0.04)),
            tooltip=tips(
                ("class:N", _("Class")), ("width:Q", _("Width (pixels)"), ","), ("height:Q", _("Height (pixels)"), ",")
            ),
        )
        .add_params(chosen)
        .properties(autosize=FIT, height=300, title=_("Width and height of the films"))
    )


def films_per_patient_bars(shares: pd.DataFrame) -> alt.Chart:
    """Draw how many films patients have; a click on the legend shows one class alone.

    Args:
        shares: ``class, films, patients, share``; ``films`` is text, the last one "… or more".
    """
    chosen, shares = alt.selection_point(fields=["class"], bind="legend"), told_values(shares)
    return (
        alt.Chart(shares)
        .mark_bar()
        .encode(
            x=alt.X("films:N", title=_("Films of a patient"), sort=None, axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("class:N"),
            y=alt.Y("share:Q", title=_("Share of patients"), axis=alt.Axis(format="%")),
            color=colour("class", CLASSES, among=shares),
            opacity=_dimmed(chosen),
            tooltip=tips(
                ("class:N", _("Class")),
                ("films:N", _("Films")),
                ("patients:Q", _("Patients"), ","),
                ("share:Q", _("Share of patients"), ".1%"),
            ),
        )
        .add_params(chosen)
        .properties(autosize=FIT, height=280, title=_("Films per patient"))
    )


def size_histogram(shares: pd.DataFrame, title: str) -> alt.Chart:
    """Draw how a size is spread in each class, as overlapping histograms.

    Args:
        shares: ``class, low, high, films, share``, a bin a row.
        title: of the size, with its unit, as it is told.
    """
    shares = told_values(shares)
    return (
        alt.Chart(shares)
        .mark_bar(opacity=0.55, binSpacing=0)
        .encode(
            x=alt.X("low:Q", title=title, bin="binned", axis=alt.Axis(tickCount=6)),
            x2="high:Q",
            y=alt.Y("share:Q", title=_("Share of films"), stack=None, axis=alt.Axis(format="%")),
            color=colour("class", CLASSES, among=shares),
            tooltip=tips(
                ("class:N", _("Class")),
                ("low:Q", _("From")),
                ("high:Q", _("Below")),
                ("films:Q", _("Films"), ","),
                ("share:Q", _("Share"), ".1%"),
            ),
        )
        .properties(autosize=FIT, height=260, title=title)
    )


def intensity_lines(shares: pd.DataFrame, splits: list[str]) -> alt.Chart:
    """Draw how grey values are spread in each class and split; a click on the legend shows one class alone.

    Args:
        shares: ``split, class, low, high, share``, a bin a row.
        splits: the order of the legend.
    """
    chosen, shares = alt.selection_point(fields=["class"], bind="legend"), told_values(shares)
    return (
        alt.Chart(shares)
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=alt.X("low:Q", title=_("Grey value, 0 (black) to 255 (white)"), scale=alt.Scale(domain=[0, 255])),
            y=alt.Y("share:Q", title=_("Share of pixels"), axis=alt.Axis(format=".1%")),
            color=colour("class", CLASSES, "stroke", shares),
            opacity=_dimmed(chosen),
            strokeDash=dash("split", splits, DASHES),
            tooltip=tips(
                ("class:N", _("Class")),
                ("split:N", _("Split")),
                ("low:Q", _("From")),
                ("high:Q", _("To")),
                ("share:Q", _("Share of pixels"), ".2%"),
            ),
        )
        .add_params(chosen)
        .properties(autosize=FIT, height=340, title=_("Grey values by class and split"))
    )


def _dimmed(chosen: alt.Parameter) -> Any:
    return alt.when(chosen).then(alt.value(1.0)).otherwise(alt.value(0.12))
