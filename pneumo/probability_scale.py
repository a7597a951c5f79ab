"""A picture of one answer: where a film's probability lies between "unlikely" and "likely"."""

import altair as alt
import pandas as pd

from pneumo.calibration import Thresholds

# Blue, grey and vermilion of Okabe and Ito's palette: told apart with any colour vision.
COLOURS = {"unlikely": "#0072B2", "cannot say": "#8a8a8a", "likely": "#D55E00"}


def probability_scale(probability: float, thresholds: Thresholds) -> alt.LayerChart | alt.FacetChart:
    """Draw the three answers as bands from 0 to 100 % and the film as a mark on them.

    Args:
        probability: calibrated, 0…1.
        thresholds: of the model that gave it.
    """
    bands = pd.DataFrame(
        {
            "answer": list(COLOURS),
            "from": [0.0, thresholds.low, thresholds.high],
            "to": [thresholds.low, thresholds.high, 1.0],
        }
    )
    percent = alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], grid=False)
    scale = alt.Scale(domain=[0, 1], nice=False)
    band = (
        alt.Chart(bands)
        .mark_bar(height=14, opacity=0.75)
        .encode(
            x=alt.X("from:Q", scale=scale, axis=percent, title="Probability of pneumonia"),
            x2="to:Q",
            color=alt.Color(
                "answer:N",
                scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())),
                legend=alt.Legend(orient="top", title=None),
            ),
            tooltip=["answer", alt.Tooltip("from", format=".1%"), alt.Tooltip("to", format=".1%")],
        )
    )
    film = pd.DataFrame({"probability": [probability]})
    mark = (
        alt.Chart(film)
        .mark_point(shape="triangle-down", filled=True, size=220, yOffset=-16, opacity=1)
        .encode(
            x=alt.X("probability:Q", scale=scale),
            color=alt.value("#D9A400"),
            tooltip=[alt.Tooltip("probability", title="this film", format=".1%")],
        )
    )
    return alt.layer(band, mark).properties(height=105)
