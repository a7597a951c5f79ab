"""Charts of what was tried on the way to the models: tables in, charts out."""

import altair as alt
import pandas as pd

from pages.parts.charts.style import FIT, NARROW, PALETTE, RULE, SHAPES, colour, down, legend_below, tips, words
from pages.parts.shared.language import _, told_values
from pneumo.results.studies import STATES


def trials_plot(trials: pd.DataFrame) -> alt.Chart:
    """Draw each trial of a search by its parameters and its AUROC.

    Args:
        trials: ``number, state, parameters, auroc, size, blocks, kind``.
    """
    colours = dict(zip(STATES.values(), (PALETTE[0], PALETTE[1], RULE), strict=True))
    known = [state for state in colours if state in set(trials["state"])]
    shapes = alt.Scale(domain=words(known), range=SHAPES[: len(known)])
    trials = told_values(trials)
    return (
        alt.Chart(trials)
        .mark_point(filled=True, size=110, opacity=1)
        .encode(
            x=alt.X("parameters:Q", title=_("Parameters"), axis=alt.Axis(format="~s", tickCount=5)),
            y=alt.Y(
                "auroc:Q", title=_("AUROC, validation altered"), scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)
            ),
            color=colour("state", colours, "circle", trials),
            shape=alt.Shape("state:N", title=None, scale=shapes, legend=legend_below("circle")),
            tooltip=tips(
                ("number:Q", _("Trial")),
                ("state:N", _("State")),
                ("auroc:Q", _("AUROC"), ".3f"),
                ("parameters:Q", _("Parameters"), ","),
                ("size:Q", _("Input, pixels")),
                ("blocks:Q", _("Blocks")),
                ("kind:N", _("Kind of block")),
            ),
        )
        .properties(autosize=FIT, height=260, title=_("Trials of the search"))
    )


def ablation_plot(runs: pd.DataFrame) -> alt.LayerChart:
    """Draw how the AUROC differs from the recipe as it is, a dot a seed.

    Args:
        runs: ``ingredient, seed, auroc, difference``, drawn from top to bottom.
    """
    runs = told_values(runs)
    base = alt.Chart(runs).encode(
        y=down("ingredient", runs, f"{NARROW} ? 130 : 280"),
        tooltip=tips(
            ("ingredient:N", _("Change")),
            ("seed:Q", _("Seed")),
            ("auroc:Q", _("AUROC"), ".3f"),
            ("difference:Q", _("Difference"), "+.4f"),
        ),
    )
    zero = (
        alt.Chart(pd.DataFrame({"difference": [0]})).mark_rule(color=RULE, strokeDash=[4, 4]).encode(x="difference:Q")
    )
    dots = base.mark_point(filled=True, size=90, opacity=0.8, color=PALETTE[0]).encode(
        x=alt.X(
            "difference:Q",
            title=_("Change of the AUROC (log scale)"),
            scale=alt.Scale(type="symlog", constant=0.005),
            axis=alt.Axis(values=[-0.5, -0.1, -0.03, -0.01, 0, 0.01]),
        )
    )
    return (zero + dots).properties(autosize=FIT, height=alt.Step(26), title=_("What each part of the recipe is worth"))
