"""What all charts share: colours, tooltips, legends and marks; and the charts of a model's calls and of its training.

The colours are Okabe and Ito's (2008), which colour-blind readers can tell apart; their black and their yellow would
vanish on a dark or a light page, so a grey and a darker yellow stand in for them. Text, axes and background are left to
the theme of the page, light or dark. Series differ in colour and in dashes or shape. Tables in, charts out: nothing is
computed here.
"""

from collections.abc import Iterable, Mapping, Sequence

import altair as alt
import pandas as pd

from pages.parts.shared.language import _, current, told_values
from pneumo import labels
from pneumo.results import model_facts

PALETTE = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8C8C8C", "#9A8700"]
DASHES = [[1, 0], [7, 3], [2, 2], [9, 2, 2, 2], [12, 4], [4, 4], [6, 2, 2, 2, 2, 2], [3, 1]]
SHAPES = ["circle", "square", "triangle-up", "diamond"]
RULE = "#8C8C8C"
# Blue, vermilion, orange and grey.
KINDS: dict[str, str] = dict(zip(labels.KINDS.values(), (PALETTE[0], PALETTE[3], PALETTE[1], RULE), strict=True))
CLASSES: dict[str, str] = dict(zip(labels.CLASSES.values(), (PALETTE[0], PALETTE[3]), strict=True))
FILMS: dict[str, str] = dict(zip(model_facts.TRAINED_ON.values(), PALETTE, strict=False))
# A telephone held upright leaves a chart about 330 pixels.
NARROW = "width < 420"
# Two of these stand beside each other on a desktop.
HALF = "width < 640"
# The height is that of the axes alone: legends and titles come on top of it.
FIT = alt.AutoSizeParams(type="fit-x", contains="padding")


def words(names: Iterable[str]) -> list[str]:
    """Tell names of a table's values, as `told_values` tells the table."""
    return [current().word(name) for name in names]


def tips(*columns: tuple[str, str] | tuple[str, str, str]) -> list[alt.Tooltip]:
    """Return a tooltip of columns, each with its type as in ``films:Q``, its title, and its format where it has one."""
    return [
        alt.Tooltip(column, title=title, format=form[0] if form else alt.Undefined) for column, title, *form in columns
    ]


def colour(
    column: str, colours: Mapping[str, str], symbol: str | None = "square", among: pd.DataFrame | None = None
) -> alt.Color:
    """Return the colour of each value of a column, with its legend.

    Args:
        column: of texts that are told.
        colours: by value in English, in the order of the legend.
        symbol: of the legend; None shows none.
        among: a table that is told; values that it does not have are left out of the legend.
    """
    told = dict(zip(words(colours), colours.values(), strict=True))
    known = told if among is None else set(among[column])
    shown = {name: each for name, each in told.items() if name in known}
    scale = alt.Scale(domain=list(shown), range=list(shown.values()))
    return alt.Color(f"{column}:N", title=None, scale=scale, legend=legend_below(symbol) if symbol else None)


def dash(column: str, names: Sequence[str], dashes: Sequence[list[int]], legend: bool = True) -> alt.StrokeDash:
    """Return the dashes of each value of a column, with the legend that the colour of the same lines has."""
    scale = alt.Scale(domain=words(names), range=list(dashes[: len(names)]))
    return alt.StrokeDash(f"{column}:N", title=None, scale=scale, legend=legend_below("stroke") if legend else None)


def down(column: str, rows: pd.DataFrame, limit: float | str) -> alt.Y:
    """Return an axis with the values of a column from top to bottom.

    Args:
        column: of texts.
        rows: the table, in the order to draw.
        limit: of the width of a label: pixels, or an expression of Vega.
    """
    width = alt.ExprRef(limit) if isinstance(limit, str) else limit
    names = rows[column].drop_duplicates().to_list()
    return alt.Y(f"{column}:N", title=None, sort=names, axis=alt.Axis(labelLimit=width))


def interval_plot(base: alt.Chart, value: str, x: alt.X) -> alt.LayerChart:
    """Draw a figure as a dot on the bar of its 95 % interval.

    Args:
        base: the table with its vertical axis and tooltip; its columns ``low`` and ``high`` are the limits.
        value: the column of the figure.
        x: the axis, of ``low``.
    """
    bars = base.mark_rule(strokeWidth=3, opacity=0.6, color=PALETTE[0]).encode(x=x, x2="high:Q")
    dots = base.mark_point(filled=True, size=110, opacity=1, color=PALETTE[0]).encode(x=f"{value}:Q")
    return bars + dots


def rate_plot(rates: pd.DataFrame, title: str) -> alt.LayerChart:
    """Draw the error rate in each group of films, with its 95 % interval.

    Args:
        rates: ``group, films, errors, share, low, high``, drawn from top to bottom.
        title: what the films are grouped by, as it is told.
    """
    rates = told_values(rates)
    base = alt.Chart(rates).encode(
        y=down("group", rates, 150),
        tooltip=tips(
            ("group:N", _("Group")),
            ("films:Q", _("Films"), ","),
            ("errors:Q", _("Called wrong"), ","),
            ("share:Q", _("Share"), ".1%"),
        ),
    )
    axis = alt.X("low:Q", title=_("Share called wrong, 95 % interval"), axis=alt.Axis(tickCount=5, format="%"))
    return interval_plot(base, "share", axis).properties(autosize=FIT, height=alt.Step(32), title=title)


def confusion_plot(cells: pd.DataFrame, title: str) -> alt.LayerChart:
    """Draw a confusion matrix: the number of films in each cell, and its share of the films of that truth.

    Args:
        cells: ``truth, call, films, share``, in the order of rows and columns.
        title: the model's.
    """
    base = alt.Chart(told_values(cells)).encode(
        x=alt.X(
            "call:N", title=_("Called"), sort=None, axis=alt.Axis(labelAngle=0, orient="top", domain=False, ticks=False)
        ),
        y=alt.Y(
            "truth:N",
            title=_("Truth"),
            sort=None,
            axis=alt.Axis(labelAngle=-90, labelAlign="center", domain=False, ticks=False),
        ),
        tooltip=tips(
            ("truth:N", _("Truth")),
            ("call:N", _("Called")),
            ("films:Q", _("Films"), ","),
            ("share:Q", _("Share of the row"), ".1%"),
        ),
    )
    shade = alt.Color("share:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=["#DCE9F3", "#0B4F7D"]))
    ink = alt.when(alt.datum.share > 0.5).then(alt.value("#FFFFFF")).otherwise(alt.value("#10202C"))
    squares = base.mark_rect().encode(color=shade)
    films = base.mark_text(fontSize=20, fontWeight="bold", dy=-8).encode(
        text=alt.Text("films:Q", format=","), color=ink
    )
    shares = base.mark_text(fontSize=13, dy=13).encode(text=alt.Text("share:Q", format=".1%"), color=ink)
    return (squares + films + shares).properties(autosize=FIT, height=alt.Step(75), title=title)


def training_plot(curves: pd.DataFrame, title: str, kept: int | None = None) -> alt.LayerChart:
    """Draw a figure over the epochs, on training and validation films.

    Args:
        curves: ``epoch, films, value``.
        title: of the figure, as it is told.
        kept: the epoch whose weights were kept, marked by a rule.
    """
    known = set(curves["films"])
    names = [films for films in FILMS if films in known]
    curves = told_values(curves)
    dashes = [DASHES[list(FILMS).index(films)] for films in names]
    lines = epoch_lines(curves, title, ("films:N", _("Films"))).encode(
        colour("films", FILMS, "stroke", curves), dash("films", names, dashes)
    )
    marks = pd.DataFrame({"epoch": [] if kept is None else [kept]}, dtype=float)
    rule = alt.Chart(marks).mark_rule(color=RULE, strokeDash=[4, 4]).encode(x="epoch:Q")
    return (rule + lines).properties(autosize=FIT, height=200, title=_("{figure} by epoch", figure=title))


def epoch_lines(curves: pd.DataFrame, title: str, series: tuple[str, str]) -> alt.Chart:
    """Draw a figure over the epochs, a line a series: ``epoch, value`` and the column of the series."""
    return (
        alt.Chart(curves)
        .mark_line(point=alt.OverlayMarkDef(size=30), strokeWidth=2)
        .encode(
            alt.X("epoch:Q", title=_("Epoch"), axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(nice=False)),
            alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
            tooltip=tips(series, ("epoch:Q", _("Epoch")), ("value:Q", title, ".4f")),
        )
    )


def legend_below(symbol: str = "square") -> alt.Legend:
    """Return a legend that stays inside a narrow chart."""
    return alt.Legend(
        orient="bottom",
        columns=alt.ExprRef(f"{NARROW} ? 1 : {HALF} ? 2 : 3"),
        labelLimit=240,
        symbolType=symbol,
        symbolSize=160,
        symbolOpacity=1,
    )
