"""A chart, and under it its figures as a folded table and as a file."""

import altair as alt
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.parts.shared import chart, spreadsheet
from pages.parts.shared.language import _, told_table
from pneumo.sentences import say

# Of the columns that charts draw.
HEADINGS = {
    "split": say("Split"),
    "kind": say("Kind"),
    "films": say("Films"),
    "patients": say("Patients"),
    "share": say("Share"),
    "low": say("From"),
    "high": say("To"),
    "part": say("Films of"),
    "mean": say("Mean"),
    "sd": say("Standard deviation"),
    "q1": say("A quarter lie below"),
    "median": say("Half lie below"),
    "q3": say("Three quarters lie below"),
    "trait": say("Trait"),
    "shift": say("Standard deviations"),
    "name": say("Sees"),
    "sees": say("That is"),
    "value": say("Value"),
    "text": say("AUROC"),
    "x": say("First component"),
    "y": say("Second component"),
    "system": say("System"),
    "figures": say("Figure"),
    "accuracy": say("Accuracy"),
    "truth": say("Truth"),
    "call": say("Called"),
    "number": say("Trial"),
    "state": say("State"),
    "parameters": say("Parameters"),
    "auroc": say("AUROC"),
    "size": say("Input, pixels"),
    "blocks": say("Blocks"),
    "ingredient": say("Change"),
    "seed": say("Seed"),
    "difference": say("Difference"),
    "from": say("From number"),
    "to": say("To number"),
    "outcome": say("Answer"),
    "time": say("Time"),
    "limit": say("Limit"),
    "alarm": say("Alarm"),
    "of_limit": say("Of its limit (1: alarm)"),
    "tenth": say("Tenth"),
    "expected": say("Reference"),
    "class": say("Class"),
    "width": say("Width (pixels)"),
    "height": say("Height (pixels)"),
    "figure": say("Figure"),
    "reference": say("Reference"),
    "line": say("Number in the log"),
}


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
        figures: shown under `HEADINGS`, and offered as CSV as they stand.
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
    folded = st.expander(_("Figures of this chart"), icon=":material/table:", key=f"{key}_figures", on_change="rerun")
    if not folded.open:
        return
    with folded:
        st.dataframe(told_table(figures.rename(columns=HEADINGS)), hide_index=True, key=f"{key}_table")
        st.download_button(
            _("Download (CSV)"),
            spreadsheet.as_csv(figures),
            file_name=f"{key.rpartition('.')[2]}.csv",
            mime="text/csv",
            icon=":material/download:",
            key=f"{key}_csv",
            on_click="ignore",
        )
