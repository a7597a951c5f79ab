"""Charts of the films in an audit log and of how they drift: tables in, charts out."""

import altair as alt
import pandas as pd

from pages.parts.charts.style import DASHES, FIT, PALETTE, RULE, colour, dash, tips
from pages.parts.shared.language import _, told_values
from pneumo.labels import ANSWER_WORDS, STATUS_WORDS

OUTCOMES = dict(
    zip(
        map(str, (*ANSWER_WORDS.values(), STATUS_WORDS["refused"])),
        (PALETTE[3], PALETTE[1], PALETTE[0], RULE),
        strict=True,
    )
)


def answers_plot(answers: pd.DataFrame) -> alt.Chart:
    """Draw what became of films, block by block.

    Args:
        answers: ``from, to, outcome, films, share``.
    """
    answers = told_values(answers)
    return (
        alt.Chart(answers)
        .mark_bar()
        .encode(
            alt.X(
                "from:O", title=_("Number in the log, in blocks"), axis=alt.Axis(labelAngle=0, labelOverlap="greedy")
            ),
            alt.Y("share:Q", title=_("Share of films"), axis=alt.Axis(format="%", tickCount=5), stack="normalize"),
            colour("outcome", OUTCOMES, among=answers),
            order=alt.Order("outcome:N"),
            tooltip=tips(
                ("from:Q", _("From number"), "d"),
                ("to:Q", _("To number"), "d"),
                ("outcome:N", _("Answer")),
                ("films:Q", _("Films"), ","),
                ("share:Q", _("Share"), ".0%"),
            ),
        )
        .properties(autosize=FIT, height=220, title=_("Answers and refusals"))
    )


def course_plot(course: pd.DataFrame) -> alt.LayerChart:
    """Draw how far films are from the reference, as a multiple of each figure's limit.

    Args:
        course: ``line, figure, value, limit, of_limit``.
    """
    names = list(dict.fromkeys(course["figure"]))
    lines = (
        alt.Chart(told_values(course))
        .mark_line(strokeWidth=2)
        .encode(
            alt.X(
                "line:Q",
                title=_("Number in the log"),
                axis=alt.Axis(tickCount=6, format="d"),
                scale=alt.Scale(nice=False, zero=False),
            ),
            alt.Y("of_limit:Q", title=_("Of its limit (1: alarm)")),
            colour("figure", dict(zip(names, PALETTE, strict=False)), "stroke"),
            dash("figure", names, DASHES),
            tooltip=tips(
                ("line:Q", _("Number"), "d"),
                ("figure:N", _("Figure")),
                ("value:Q", _("Value"), ".3f"),
                ("limit:Q", _("Limit"), ".3f"),
            ),
        )
    )
    one = alt.Chart(pd.DataFrame({"of_limit": [1.0]})).mark_rule(color=RULE, strokeDash=[4, 4]).encode(y="of_limit:Q")
    return (one + lines).properties(autosize=FIT, height=260, title=_("Distance from the reference"))


def tenths_plot(tenths: pd.DataFrame) -> alt.LayerChart:
    """Draw the share of films in each tenth of the reference's scores.

    Args:
        tenths: ``tenth, share, expected``.
    """
    base = alt.Chart(tenths).encode(
        alt.X("tenth:O", title=_("Tenth of the reference's scores, lowest first"), axis=alt.Axis(labelAngle=0)),
        tooltip=tips(
            ("tenth:O", _("Tenth")), ("share:Q", _("Share of films"), ".1%"), ("expected:Q", _("Reference"), ".1%")
        ),
    )
    bars = base.mark_bar(color=PALETTE[0]).encode(
        alt.Y("share:Q", title=_("Share of films"), axis=alt.Axis(format="%", tickCount=5))
    )
    ticks = base.mark_tick(color=PALETTE[1], thickness=3).encode(y="expected:Q")
    return (bars + ticks).properties(autosize=FIT, height=220, title=_("Scores of the last films"))
