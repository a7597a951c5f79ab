"""A chart, and under it its figures as a folded table and as a file."""

import altair as alt
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator


def show(
    chart: alt.Chart | alt.LayerChart,
    figures: pd.DataFrame,
    key: str,
    alt_text: str,
    place: DeltaGenerator | None = None,
) -> None:
    """Show a chart with the figures that it draws.

    Args:
        chart: of the figures.
        figures: shown as they stand, and offered as CSV.
        key: of the chart, of the table (``<key>_table``), of the button (``<key>_csv``) and the file's name.
        alt_text: says what the chart shows to who cannot see it.
        place: where to put it.
    """
    with place or st.container():
        st.altair_chart(chart, key=key, alt=alt_text)
        with st.expander("Figures of this chart", icon=":material/table:"):
            st.dataframe(figures, hide_index=True, key=f"{key}_table")
            st.download_button(
                "Download (CSV)",
                figures.to_csv(index=False),
                file_name=f"{key}.csv",
                mime="text/csv",
                icon=":material/download:",
                key=f"{key}_csv",
                on_click="ignore",
            )
