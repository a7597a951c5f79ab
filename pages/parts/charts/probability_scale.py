"""A picture of one answer: where a film's score lies among those of the validation films."""

import altair as alt
import numpy as np
import pandas as pd

from pages.parts.charts.style import FIT, legend_below
from pneumo.evaluation.calibration import Thresholds, as_percent
from pneumo.inference.similar_scores import SCALE_ENDS, ValidationScores, distribution, place_on_scale
from pneumo.language import ENGLISH, Language
from pneumo.sentences import Sentence, say

# Vermilion, blue and purple of Okabe and Ito's palette, which differ with any colour vision; kinds of films also lie on
# two sides of the line.
KINDS = {"With pneumonia": (say("With pneumonia"), "#D55E00"), "Normal": (say("Normal"), "#0072B2")}
FILM = "#CC79A7"
LIMIT = "#8C8C8C"
# The grey that Streamlit writes charts in is too faint to be read by all.
INK = {"light": "#31333F", "dark": "#E0E0E0"}
TICKS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
HEIGHT = 110
# In logits; a narrower band has no room for its name on a telephone.
NARROWEST_NAMED = 2.0


def probability_scale(
    probability: float,
    percent: Sentence,
    thresholds: Thresholds,
    scores: ValidationScores,
    *,
    dark: bool = False,
    language: Language = ENGLISH,
) -> alt.LayerChart | alt.FacetChart:
    """Draw the validation films above and below a line, the limits of the three answers, and the film as a mark.

    The scale is even in the logit, so that 90 % and 99 % do not fall together.

    Args:
        probability: calibrated, 0…1.
        percent: the same for people.
        thresholds: of the model that gave it.
        scores: of that model.
        dark: whether the page is, so that its text is light.
        language: of its words and numbers.
    """
    tell, table = language.tell, distribution(scores)
    table["text"] = [tell(say("{share:.1%}", share=share)) for share in table["share"]]
    table["kind"] = [tell(KINDS[films][0]) for films in table["films"]]
    table["side"] = table["share"].where(table["films"] == "With pneumonia", -table["share"])
    low, high, *ticks = (float(place) for place in place_on_scale(np.array([thresholds.low, thresholds.high, *TICKS])))
    ends = [float(end) for end in place_on_scale(np.array(SCALE_ENDS))]
    scale = alt.Scale(domain=ends, nice=False)
    marks = alt.Axis(
        values=ticks,
        labelExpr=_labels([(_tick(value, language), place) for value, place in zip(TICKS, ticks, strict=True)]),
        grid=False,
        labelOverlap=True,
    )
    bars = (
        alt.Chart(table)
        .mark_bar()
        .encode(
            x=alt.X("low:Q", scale=scale, axis=marks, title=tell(say("Probability of pneumonia"))),
            x2="high:Q",
            # By the root, or the many films at the ends would leave nothing to be seen of those between.
            y=alt.Y("side:Q", axis=None, title=None, scale=alt.Scale(type="sqrt")),
            y2=alt.Y2Datum(0),
            color=alt.Color(
                "kind:N",
                scale=alt.Scale(
                    domain=[tell(words) for words, _ in KINDS.values()], range=[colour for _, colour in KINDS.values()]
                ),
                legend=legend_below(),
                title=None,
            ),
            tooltip=[
                alt.Tooltip("kind", title=tell(say("Validation films"))),
                alt.Tooltip("text", title=tell(say("Share of them"))),
            ],
        )
    )
    names = [
        (tell(name), (left + right) / 2)
        for name, left, right in (
            (say("unlikely"), ends[0], low),
            (say("cannot say"), low, high),
            (say("likely"), high, ends[1]),
        )
        if right - left >= NARROWEST_NAMED
    ]
    limits = (
        alt.Chart(pd.DataFrame({"limit": [low, high]}))
        .mark_rule(color=LIMIT, strokeDash=[4, 3], strokeWidth=1.5)
        .encode(x=alt.X("limit:Q", scale=scale, title=None, axis=_names_on_top(names)))
    )
    ink = INK["dark" if dark else "light"]
    film = alt.Chart(pd.DataFrame({"film": place_on_scale(np.array([probability]))}))
    tip = alt.Tooltip("text:N", title=tell(say("This film")))
    at = film.transform_calculate(text=alt.expr.toString(tell(percent))).encode(
        x=alt.X("film:Q", scale=scale, axis=None), tooltip=tip
    )
    mark = at.mark_rule(color=FILM, strokeWidth=3)
    head = at.mark_point(shape="triangle-down", filled=True, size=160, opacity=1, color=FILM).encode(y=alt.value(2))
    return (
        alt.layer(bars, limits, mark, head)
        .resolve_axis(x="independent")
        .properties(height=HEIGHT, autosize=FIT, padding={"left": 8, "right": 8, "top": 4, "bottom": 0})
        .configure(background="transparent")
        .configure_axis(labelColor=ink, titleColor=ink)
        .configure_legend(labelColor=ink)
    )


def scale_in_words(percent: Sentence, thresholds: Thresholds) -> Sentence:
    """Say what `probability_scale` shows, for those who cannot see it."""
    return say(
        "This film at {probability} on a scale of the probability of pneumonia, with the validation films with "
        "pneumonia above the line and the normal ones below it. Under {low} the answer is unlikely, from {high} on it "
        "is likely, and between them the model cannot say.",
        probability=percent,
        low=as_percent(thresholds.low),
        high=as_percent(thresholds.high),
    )


def _names_on_top(names: list[tuple[str, float]]) -> alt.Axis:
    """Write the names of the answers as labels of an axis."""
    return alt.Axis(
        orient="top",
        values=[place for _, place in names],
        labelExpr=_labels(names),
        ticks=False,
        domain=False,
        grid=False,
        labelOverlap=False,
    )


def _labels(labels: list[tuple[str, float]]) -> str:
    """Return the expression that gives each place of an axis its label."""
    expression = "''"
    for label, place in labels:
        quoted = "'{}'".format(label.replace("'", "\\'"))
        expression = f"abs(datum.value - {place}) < 1e-6 ? {quoted} : {expression}"
    return expression


def _tick(probability: float, language: Language) -> str:
    if 0.01 <= probability <= 0.99:
        return language.tell(say("{share:.0%}", share=probability))
    return language.tell(say("{share:.1%}", share=probability))
