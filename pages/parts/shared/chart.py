"""Charts on a page."""

from typing import Any

import altair as alt
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.parts.shared import streamlit_internals


def draw(chart: alt.TopLevelMixin, place: DeltaGenerator | None = None, **options: Any) -> None:
    """Draw a chart of which a test says that it is valid.

    Args:
        chart: of `pages.parts.charts`.
        place: where to put it.
        **options: as of `streamlit.altair_chart`.
    """
    (place or st).altair_chart(streamlit_internals.checked(chart), **options)
