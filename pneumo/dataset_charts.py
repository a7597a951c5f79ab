"""Charts of the data set, as Altair specifications: tables in, charts out; nothing is computed here."""

import altair as alt
import pandas as pd

from pneumo.charts import DASHES, FIT, legend_below

NORMAL, BACTERIAL, VIRAL, UNNAMED = "#0072B2", "#D55E00", "#E69F00", "#8C8C8C"
KINDS = {
    "Normal": NORMAL,
    "Bacterial pneumonia": BACTERIAL,
    "Viral pneumonia": VIRAL,
    "Pneumonia, cause not named": UNNAMED,
}
CLASSES = {"Normal": NORMAL, "Pneumonia": BACTERIAL}


def class_bars(counts: pd.DataFrame, splits: list[str]) -> alt.Chart:
    """Draw the films of each split, stacked by kind.

    Args:
        counts: ``split, kind, films, share``.
        splits: from top to bottom.
    """
    return (
        alt.Chart(counts)
        .mark_bar()
        .encode(
            y=alt.Y("split:N", title=None, sort=splits),
            x=alt.X("films:Q", title="Films", axis=alt.Axis(tickCount=5, format=",d")),
            color=classes(KINDS, counts, "kind"),
            order=alt.Order("place:Q"),
            tooltip=[
                alt.Tooltip("split:N", title="Split"),
                alt.Tooltip("kind:N", title="Kind"),
                alt.Tooltip("films:Q", title="Films", format=","),
                alt.Tooltip("share:Q", title="Share of the split", format=".1%"),
            ],
        )
        .transform_calculate(place=f"indexof({list(KINDS)}, datum.kind)")
        .properties(autosize=FIT, height=alt.Step(48), title="Films by split and kind")
    )


def films_per_patient_bars(shares: pd.DataFrame) -> alt.Chart:
    """Draw how many films patients have.

    Args:
        shares: ``class, films, patients, share``; ``films`` is text, the last one "… or more".
    """
    return (
        alt.Chart(shares)
        .mark_bar()
        .encode(
            x=alt.X("films:N", title="Films of a patient", sort=None, axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("class:N"),
            y=alt.Y("share:Q", title="Share of patients", axis=alt.Axis(format="%")),
            color=classes(CLASSES, shares, "class"),
            tooltip=[
                alt.Tooltip("class:N", title="Class"),
                alt.Tooltip("films:N", title="Films"),
                alt.Tooltip("patients:Q", title="Patients", format=","),
                alt.Tooltip("share:Q", title="Share of patients", format=".1%"),
            ],
        )
        .properties(autosize=FIT, height=280, title="Films per patient")
    )


def size_histogram(shares: pd.DataFrame, title: str) -> alt.Chart:
    """Draw how a size is spread in each class, as overlapping histograms.

    Args:
        shares: ``class, low, high, films, share``, a bin a row.
        title: of the size, with its unit.
    """
    return (
        alt.Chart(shares)
        .mark_bar(opacity=0.55, binSpacing=0)
        .encode(
            x=alt.X("low:Q", title=title, bin="binned", axis=alt.Axis(tickCount=6)),
            x2="high:Q",
            y=alt.Y("share:Q", title="Share of films", stack=None, axis=alt.Axis(format="%")),
            color=classes(CLASSES, shares, "class"),
            tooltip=[
                alt.Tooltip("class:N", title="Class"),
                alt.Tooltip("low:Q", title="From"),
                alt.Tooltip("high:Q", title="Below"),
                alt.Tooltip("films:Q", title="Films", format=","),
                alt.Tooltip("share:Q", title="Share", format=".1%"),
            ],
        )
        .properties(autosize=FIT, height=260, title=title)
    )


def intensity_lines(shares: pd.DataFrame, splits: list[str]) -> alt.Chart:
    """Draw how grey values are spread in each class and split.

    Args:
        shares: ``split, class, low, high, share``, a bin a row.
        splits: the order of the legend.
    """
    return (
        alt.Chart(shares)
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=alt.X("low:Q", title="Grey value, 0 (black) to 255 (white)", scale=alt.Scale(domain=[0, 255])),
            y=alt.Y("share:Q", title="Share of pixels", axis=alt.Axis(format=".1%")),
            color=classes(CLASSES, shares, "class", "stroke"),
            strokeDash=alt.StrokeDash(
                "split:N",
                title=None,
                scale=alt.Scale(domain=splits, range=DASHES[: len(splits)]),
                legend=legend_below("stroke"),
            ),
            tooltip=[
                alt.Tooltip("class:N", title="Class"),
                alt.Tooltip("split:N", title="Split"),
                alt.Tooltip("low:Q", title="From"),
                alt.Tooltip("high:Q", title="To"),
                alt.Tooltip("share:Q", title="Share of pixels", format=".2%"),
            ],
        )
        .properties(autosize=FIT, height=340, title="Grey values by class and split")
    )


def classes(colours: dict[str, str], rows: pd.DataFrame, column: str, symbol: str = "square") -> alt.Color:
    """Return the colours of the kinds or classes that a column of a table names, with their legend."""
    known = set(rows[column])
    shown = {name: colour for name, colour in colours.items() if name in known}
    scale = alt.Scale(domain=list(shown), range=list(shown.values()))
    return alt.Color(f"{column}:N", title=None, scale=scale, legend=legend_below(symbol))
