"""A chart, and under it its figures as a folded table and as a file."""

import altair as alt
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.parts.shared import chart, spreadsheet


def show(
    drawing: alt.TopLevelMixin,
    figures: pd.DataFrame,
    *,
    key: str,
    alt_text: str,
    place: DeltaGenerator | None = None,
) -> None:
    """Show a chart with the figures that it draws.

    Args:
        drawing: of the figures.
        figures: shown as they stand, and offered as CSV.
        key: of the chart, of the table (``<key>_table``) and of the button (``<key>_csv``); what follows its dot is
            the file's name.
        alt_text: says what the chart shows to who cannot see it.
        place: where to put it.
    """
    with place or st.container():
        chart.draw(drawing, key=key, alt=alt_text)
        _show_figures(figures, key=key)


@st.fragment
def _show_figures(figures: pd.DataFrame, *, key: str) -> None:
    """Show the table and the file once the reader asks for them: a table folded away costs as much as one in sight."""
    folded = st.expander("Figures of this chart", icon=":material/table:", key=f"{key}_figures", on_change="rerun")
    if not folded.open:
        return
    with folded:
        st.dataframe(figures, hide_index=True, key=f"{key}_table")
        st.download_button(
            "Download (CSV)",
            spreadsheet.as_csv(figures),
            file_name=f"{key.rpartition('.')[2]}.csv",
            mime="text/csv",
            icon=":material/download:",
            key=f"{key}_csv",
            on_click="ignore",
        )
