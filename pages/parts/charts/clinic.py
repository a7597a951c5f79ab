"""Charts of predictive values, cost and net benefit at a clinic: tables in, charts out."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from pages.parts.charts.style import DASHES, FIT, PALETTE, RULE, colour, dash, tips, words
from pages.parts.shared.language import _, told_values
from pneumo.evaluation import clinic

HEIGHT = 300


def predictive_plot(values: pd.DataFrame, share: float) -> alt.LayerChart | alt.FacetChart:
    """Draw the predictive values over the share of children with pneumonia.

    Args:
        values: ``figure, share, value, low, high``.
        share: that of the clinic, marked by a rule.
    """
    axis = alt.X("share:Q", title=_("Children with pneumonia"), axis=alt.Axis(format="%", tickCount=6))
    title = _("Share of calls that is right")
    tooltip = tips(
        ("figure:N", _("Figure")), ("share:Q", _("Children with pneumonia"), ".0%"), ("value:Q", title, ".1%")
    )
    percent = alt.Axis(format="%", tickCount=5)
    layers = _banded(told_values(values), axis, "figure", words(clinic.PREDICTIVE), title, percent, tooltip)
    return alt.layer(*layers, _rule(share, axis)).properties(autosize=FIT, height=HEIGHT, title=_("Predictive values"))


def cost_plot(costs: pd.DataFrame, own: float, cheapest: float | None) -> alt.LayerChart | alt.FacetChart:
    """Draw the cost of a year over the threshold.

    Args:
        costs: ``threshold, cost, low, high``.
        own: the model's decision threshold, marked by a rule.
        cheapest: the threshold with the lowest cost on other films, likewise, if it is known.
    """
    axis = alt.X("threshold:Q", title=_("Called pneumonia from a probability of"), scale=alt.Scale(domain=[0, 1]))
    tooltip = tips(("threshold:Q", _("Threshold"), ".2f"), ("value:Q", _("Cost a year"), ",.0f"))
    rows = costs.rename(columns={"cost": "value"}).assign(figure=_("Cost"))
    layers = _banded(
        rows, axis, "figure", [_("Cost")], _("Cost a year"), alt.Axis(format=",.0f", tickCount=5), tooltip, False
    )
    marks = pd.DataFrame(
        [(own, _("Model's own threshold")), *([(cheapest, _("Cheapest threshold"))] if cheapest is not None else [])],
        columns=["threshold", "mark"],
    )
    names = list(marks["mark"])
    rules = (
        alt.Chart(marks)
        .mark_rule(strokeWidth=2)
        .encode(
            axis,
            colour("mark", dict(zip(names, (RULE, PALETTE[3]), strict=False)), "stroke"),
            dash("mark", names, DASHES[1:3]),
        )
    )
    plot = alt.layer(alt.layer(*layers), rules).resolve_scale(color="independent", strokeDash="independent")
    return plot.properties(autosize=FIT, height=HEIGHT, title=_("Cost of a year"))


def decision_plot(benefits: pd.DataFrame, policies: Sequence[str], balance: float) -> alt.LayerChart | alt.FacetChart:
    """Draw decision curves.

    Args:
        benefits: ``policy, threshold, benefit, low, high``.
        policies: in the order of the legend.
        balance: the probability at which a miss and a false alarm cost the same at the clinic, marked by a rule.
    """
    axis = alt.X("threshold:Q", title=_("Treated from a probability of"), axis=alt.Axis(format="%", tickCount=6))
    tooltip = tips(
        ("policy:N", _("Policy")), ("threshold:Q", _("Treated from"), ".0%"), ("value:Q", _("Net benefit"), ".2f")
    )
    rows = told_values(benefits.rename(columns={"benefit": "value"}))
    title = _("Net benefit, pneumonias per 100 films")
    layers = _banded(rows, axis, "policy", policies, title, alt.Axis(tickCount=5), tooltip)
    return alt.layer(*layers, _rule(balance, axis)).properties(autosize=FIT, height=HEIGHT, title=_("Decision curves"))


def _banded(
    rows: pd.DataFrame,
    x: alt.X,
    series: str,
    names: Sequence[str],
    title: str,
    axis: alt.Axis,
    tooltip: list[alt.Tooltip],
    legend: bool = True,
) -> list[alt.Chart]:
    colours = dict(zip(names, PALETTE, strict=False))
    base = alt.Chart(rows).encode(x, colour(series, colours, "stroke" if legend else None))
    y = alt.Y("value:Q", title=title, axis=axis)
    band = base.transform_filter("isValid(datum.low)").mark_area(opacity=0.18)
    lines = base.mark_line(strokeWidth=2).encode(y, dash(series, names, DASHES, legend))
    corners = base.mark_point(size=90, opacity=0, filled=True).encode(y, tooltip=tooltip)
    return [band.encode(alt.Y("low:Q", title=title, axis=axis), alt.Y2("high:Q")), lines, corners]


def _rule(place: float, axis: alt.X) -> alt.Chart:
    mark = pd.DataFrame({axis.shorthand.split(":")[0]: [place]})
    return alt.Chart(mark).mark_rule(color=RULE, strokeDash=[4, 4], strokeWidth=2).encode(axis)
