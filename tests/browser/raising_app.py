"""An app whose page raises, with what the real one does about it: ``streamlit run tests/browser/raising_app.py``."""

import streamlit as st

from pages.parts.shared import faults, streamlit_internals

streamlit_internals.keep_errors_out_of_the_log()
app = st.App(__file__, on_script_error=faults.tell)

if __name__ == "__main__":
    raise ValueError("Planted^Name has no rows")
