"""What a page does when it is the first that a fresh server is asked for."""

from pathlib import Path

import streamlit as st


def ensure_navigation(page: Path) -> None:
    """Give a page its place among the others.

    The first visit to a fresh server may be a link to a page: Streamlit then runs it without streamlit_app.py, as a
    page of the old kind, until it meets st.navigation.
    """
    if "navigated" not in st.session_state:
        st.session_state.navigated = True
        st.navigation([st.Page(page.with_name("predict.py"), default=True), st.Page(page)])
        st.rerun()
