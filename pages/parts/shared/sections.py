"""The sections of a page as tabs, of which only the one in sight is drawn."""

from collections.abc import Callable, Mapping

import streamlit as st

from pages.parts.shared import address
from pages.parts.shared.language import told


@st.fragment
def show(contents: Mapping[str, Callable[[], None]], *, key: str) -> None:
    """Show sections as tabs; the address holds which is open.

    A browser takes a tenth of a second for every chart, in sight or not, so what is not in sight is not drawn.

    Args:
        contents: the titles of the sections, as sentences, and what draws each.
        key: of the tabs; what follows its dot is their name in the address.
    """
    titles = {told(title): title for title in contents}
    # The session holds the words on the tab, which may be those of another language.
    if st.session_state.get(key) not in titles:
        st.session_state.pop(key, None)
    address.restore(key, titles, list(titles)[:1], many=False)
    tabs = dict(zip(contents, st.tabs(list(titles), key=key, on_change="rerun"), strict=True))
    opened = [title for title, tab in tabs.items() if tab.open]
    address.write(key, opened, list(contents)[:1])
    for title in opened:
        with tabs[title]:
            contents[title]()
