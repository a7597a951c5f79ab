"""The sections of a page as tabs, of which only the one in sight is drawn."""

from collections.abc import Callable, Mapping

import streamlit as st


@st.fragment
def show(contents: Mapping[str, Callable[[], None]], key: str = "section") -> None:
    """Show sections as tabs; the address holds which is open.

    A browser takes a tenth of a second for every chart, in sight or not, so what is not in sight is not drawn.

    Args:
        contents: the titles of the sections, and what draws each.
        key: of the tabs, in the address too.
    """
    for tab, draw in zip(
        st.tabs(list(contents), key=key, on_change="rerun", bind="query-params"), contents.values(), strict=True
    ):
        if tab.open:
            with tab:
                draw()
