"""Charts on a page."""

from typing import Any, cast

import altair as alt
import streamlit as st
from streamlit.delta_generator import DeltaGenerator


class _Checked:
    """A chart that is not held against the Vega-Lite schema again, which takes half the time of a page of charts."""

    def __init__(self, chart: alt.TopLevelMixin) -> None:
        self._chart = chart

    def to_dict(self) -> dict[str, Any]:
        return self._chart.to_dict(validate=False)


def draw(chart: alt.TopLevelMixin, place: DeltaGenerator | None = None, **options: Any) -> None:
    """Draw a chart of which a test says that it is valid.

    Args:
        chart: of `pneumo`'s modules of charts.
        place: where to put it.
        **options: as of `streamlit.altair_chart`.
    """
    (place or st).altair_chart(cast(alt.Chart, _Checked(chart)), **options)
