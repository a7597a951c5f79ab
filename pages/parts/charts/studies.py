"""Charts of what was tried on the way to the models: tables in, charts out."""

import altair as alt
import pandas as pd

from pages.parts.charts.style import FIT, NARROW, PALETTE, RULE, SHAPES, colour, down, legend_below, tips
from pneumo.results.studies import STATES


def trials_plot(trials: pd.DataFrame) -> alt.Chart:
    """Draw each trial of a search by its parameters and its AUROC.

    Args:
        trials: ``number, state, parameters, auroc, size, blocks, kind``.
    """
    colours = dict(zip(STATES.values(), (PALETTE[0], PALETTE[1], RULE), strict=True))
    known = [state for state in colours if state in set(trials["state"])]
    shapes = alt.Scale(domain=known, range=SHAPES[: len(known)])
    return (
        alt.Chart(trials)
        .mark_point(filled=True, size=110, opacity=1)
        .encode(
            x=alt.X("parameters:Q", title="Parameters", axis=alt.Axis(format="~s", tickCount=5)),
            y=alt.Y(
                "auroc:Q", title="AUROC, validation altered", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)
            ),
            color=colour("state", colours, "circle", trials),
            shape=alt.Shape("state:N", title=None, scale=shapes, legend=legend_below("circle")),
            tooltip=tips(
                ("number:Q", "Trial"),
                ("state:N", "State"),
                ("auroc:Q", "AUROC", ".3f"),
                ("parameters:Q", "Parameters", ","),
                ("size:Q", "Input, pixels"),
                ("blocks:Q", "Blocks"),
                ("kind:N", "Kind of block"),
            ),
        )
        .properties(autosize=FIT, height=260, title="Trials of the search")
    )


def ablation_plot(runs: pd.DataFrame) -> alt.LayerChart:
    """Draw how the AUROC differs from the recipe as it is, a dot a seed.

    Args:
        runs: ``ingredient, seed, auroc, difference``, drawn from top to bottom.
    """
    base = alt.Chart(runs).encode(
        y=down("ingredient", runs, f"{NARROW} ? 130 : 280"),
        tooltip=tips(
            ("ingredient:N", "Change"),
            ("seed:Q", "Seed"),
            ("auroc:Q", "AUROC", ".3f"),
            ("difference:Q", "Difference", "+.4f"),
        ),
    )
    zero = (
        alt.Chart(pd.DataFrame({"difference": [0]})).mark_rule(color=RULE, strokeDash=[4, 4]).encode(x="difference:Q")
    )
    dots = base.mark_point(filled=True, size=90, opacity=0.8, color=PALETTE[0]).encode(
        x=alt.X(
            "difference:Q",
            title="Change of the AUROC (log scale)",
            scale=alt.Scale(type="symlog", constant=0.005),
            axis=alt.Axis(values=[-0.5, -0.1, -0.03, -0.01, 0, 0.01]),
        )
    )
    return (zero + dots).properties(autosize=FIT, height=alt.Step(26), title="What each part of the recipe is worth")
