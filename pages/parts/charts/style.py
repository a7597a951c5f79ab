"""The colours of all that is drawn to compare: Okabe and Ito's (2008), which colour-blind readers can tell apart.

Their black and their yellow would vanish on a dark or a light page; a grey and a darker yellow stand in for them.

Charts of the leaderboard, as Altair specifications: tables in, charts out; nothing is computed here.

Text, axes and background are left to the theme of the page, light or dark. Series differ in colour and in dashes or
shape.
"""

import altair as alt
import pandas as pd

PALETTE = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8C8C8C", "#9A8700"]


DASHES = [[1, 0], [7, 3], [2, 2], [9, 2, 2, 2], [12, 4], [4, 4], [6, 2, 2, 2, 2, 2], [3, 1]]
FILMS = {"Training": "#0072B2", "Validation": "#E69F00", "Validation, shifted": "#009E73"}
RULE = "#8C8C8C"
# A telephone held upright leaves a chart about 330 pixels.
NARROW = "width < 420"
# Two of these stand beside each other on a desktop.
HALF = "width < 640"
# The height is that of the axes alone: legends and titles come on top of it.
FIT = alt.AutoSizeParams(type="fit-x", contains="padding")


def rate_plot(rates: pd.DataFrame, title: str) -> alt.LayerChart:
    """Draw the share of films called wrong in each group, with its 95 % interval.

    Args:
        rates: ``group, films, errors, share, low, high``, drawn from top to bottom.
        title: what the films are grouped by.
    """
    base = alt.Chart(rates).encode(
        y=alt.Y("group:N", title=None, sort=rates["group"].to_list(), axis=alt.Axis(labelLimit=150)),
        tooltip=[
            alt.Tooltip("group:N", title="Group"),
            alt.Tooltip("films:Q", title="Films", format=","),
            alt.Tooltip("errors:Q", title="Called wrong", format=","),
            alt.Tooltip("share:Q", title="Share", format=".1%"),
        ],
    )
    axis = alt.X("low:Q", title="Share called wrong, 95 % interval", axis=alt.Axis(tickCount=5, format="%"))
    bars = base.mark_rule(strokeWidth=3, opacity=0.6, color=PALETTE[0]).encode(x=axis, x2="high:Q")
    dots = base.mark_point(filled=True, size=110, opacity=1, color=PALETTE[0]).encode(x="share:Q")
    return (bars + dots).properties(autosize=FIT, height=alt.Step(32), title=title)


def confusion_plot(cells: pd.DataFrame, title: str) -> alt.LayerChart:
    """Draw a confusion matrix: the number of films in each cell, and its share of the films of that truth.

    Args:
        cells: ``truth, call, films, share``, in the order of rows and columns.
        title: the model's.
    """
    base = alt.Chart(cells).encode(
        x=alt.X(
            "call:N", title="Called", sort=None, axis=alt.Axis(labelAngle=0, orient="top", domain=False, ticks=False)
        ),
        y=alt.Y(
            "truth:N",
            title="Truth",
            sort=None,
            axis=alt.Axis(labelAngle=-90, labelAlign="center", domain=False, ticks=False),
        ),
        tooltip=[
            alt.Tooltip("truth:N", title="Truth"),
            alt.Tooltip("call:N", title="Called"),
            alt.Tooltip("films:Q", title="Films", format=","),
            alt.Tooltip("share:Q", title="Share of the row", format=".1%"),
        ],
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
        title: of the figure.
        kept: the epoch whose weights were kept, marked by a rule.
    """
    known = set(curves["films"])
    shown = {films: colour for films, colour in FILMS.items() if films in known}
    places = [list(FILMS).index(films) for films in shown]
    domain, legend = list(shown), legend_below("stroke")
    lines = (
        alt.Chart(curves)
        .mark_line(point=alt.OverlayMarkDef(size=30), strokeWidth=2)
        .encode(
            x=alt.X("epoch:Q", title="Epoch", axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(nice=False)),
            y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
            color=alt.Color(
                "films:N", title=None, scale=alt.Scale(domain=domain, range=list(shown.values())), legend=legend
            ),
            strokeDash=alt.StrokeDash(
                "films:N",
                title=None,
                scale=alt.Scale(domain=domain, range=[DASHES[place] for place in places]),
                legend=legend,
            ),
            tooltip=[
                alt.Tooltip("films:N", title="Films"),
                alt.Tooltip("epoch:Q", title="Epoch"),
                alt.Tooltip("value:Q", title=title, format=".4f"),
            ],
        )
    )
    marks = pd.DataFrame({"epoch": [] if kept is None else [kept]}, dtype=float)
    rule = alt.Chart(marks).mark_rule(color=RULE, strokeDash=[4, 4]).encode(x="epoch:Q")
    return (rule + lines).properties(autosize=FIT, height=200, title=f"{title} by epoch")


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
