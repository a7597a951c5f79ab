"""Charts on a page."""

from typing import Any

import altair as alt
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.parts.shared import streamlit_internals
from pages.parts.shared.language import current

# Streamlit's grey of axes has a contrast of 3.7 to 1 on a light page; these have 6.4 and more.
INK = alt.ExprRef("luminance(background) > 0.5 ? '#5a5f6d' : '#e6e6e6'")


class Row:
    """Charts side by side that share the width of the page, and go below each other where each would be too narrow.

    Args:
        key: of the row; its name begins with ``charts_``, which the style of all pages knows.
        width: of one chart at the least, in pixels.
    """

    def __init__(self, key: str, width: int) -> None:
        self._row, self._width = st.container(horizontal=True, key=key), width

    def place(self) -> DeltaGenerator:
        """Return the place of the next chart and of what is said of it."""
        return self._row.container(width=self._width)


def numbers() -> alt.NumberLocale:
    """Return how a chart writes numbers: as sentences do, a share as 95 % with a space that does not break."""
    decimal, thousands, percent = current().marks
    percent = percent.replace(" ", "\u00a0")
    return alt.NumberLocale(decimal=decimal, thousands=thousands, grouping=[3], currency=["$", ""], percent=percent)


def draw(chart: alt.TopLevelMixin, place: DeltaGenerator | None = None, **options: Any) -> None:
    """Draw a chart of which a test says that it is valid.

    Args:
        chart: of `pages.parts.charts`.
        place: where to put it.
        **options: as of `streamlit.altair_chart`.
    """
    # A chart with a background of its own has its own ink.
    if getattr(chart, "config", alt.Undefined) is alt.Undefined:
        chart = chart.configure(locale=alt.Locale(number=numbers()))
        chart = chart.configure_axis(labelColor=INK, titleColor=INK).configure_legend(labelColor=INK)
    (place or st).altair_chart(streamlit_internals.checked(chart), **options)
