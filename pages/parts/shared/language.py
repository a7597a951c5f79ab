"""The language of the pages: the one chosen there, the address's, or the browser's; and what tells in it."""

from typing import Any

import pandas as pd
import streamlit as st

from pages.parts.shared import streamlit_internals
from pages.parts.shared.plain import plain
from pneumo.language import ENGLISH, LANGUAGES, Language, best_match
from pneumo.sentences import say, say_many

# In the address, so that a link opens in the language that it was sent in.
PARAMETER = "lang"
HELD = "shared.language"
# deploy/nginx/pneumo.conf lets it run by its hash.
SCRIPT = "document.documentElement.lang = '{code}'"


def current() -> Language:
    """Return the language of this session."""
    asked = st.query_params.get(PARAMETER)
    if asked in LANGUAGES:
        st.session_state[HELD] = asked
    known = LANGUAGES.get(st.session_state.get(HELD, ""))
    return known or best_match([st.context.locale])


def stay_in_address() -> None:
    """Put the language that was chosen into the address of the page, which a link to it does not carry."""
    held = st.session_state.get(HELD)
    # A step back must not lead forward again.
    if held and st.query_params.get(PARAMETER) != held and not streamlit_internals.went_back():
        st.query_params[PARAMETER] = held


def head(title: str) -> None:
    """Show the title of a page, and beside it the languages, each under its own name."""
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="shared.head"
    ):
        st.title(title)
        codes = list(LANGUAGES)
        st.selectbox(
            _("Language"),
            codes,
            index=codes.index(current().code),
            format_func=lambda code: LANGUAGES[code].name,
            key="shared.language_choice",
            on_change=_chosen,
            label_visibility="collapsed",
            width=130,
        )


def mark_page(language: Language) -> None:
    """Tell browsers and screen readers the language of the page, for which Streamlit has no function."""
    st.html(f"<script>{SCRIPT.format(code=language.code)}</script>", unsafe_allow_javascript=True)


def _chosen() -> None:
    st.session_state[HELD] = st.query_params[PARAMETER] = st.session_state["shared.language_choice"]


def told(text: str) -> str:
    """Tell a sentence in the language of the page; a text that is none stays as it is."""
    return current().tell(text)


def word(text: str) -> str:
    """Tell a text of a table; see `pneumo.language.Language.word`."""
    return current().word(text)


def _(template: str, **values: Any) -> str:
    """Say and tell at once; see `pneumo.sentences.say`."""
    return told(say(template, **values))


def many(one: str, other: str, number: int, **values: Any) -> str:
    """Say and tell at once what depends on a number; see `pneumo.sentences.say_many`."""
    return told(say_many(one, other, number, **values))


def told_values(table: pd.DataFrame) -> pd.DataFrame:
    """Tell the texts of a table; its headings stay, for a chart knows its columns by them."""
    language = current()
    if language is ENGLISH:
        return table
    return table.assign(
        **{
            str(name): column.map(lambda cell: language.word(cell) if isinstance(cell, str) else cell)
            for name, column in table.items()
            if not pd.api.types.is_numeric_dtype(column)
        }
    )


def told_table(table: pd.DataFrame) -> pd.DataFrame:
    """Tell a whole table for reading: its headings, the names of its rows and its texts."""
    shown = told_values(table).rename(columns=current().word)
    return shown if isinstance(table.index, pd.RangeIndex) else shown.rename(index=current().word)


def warn_of(error: object) -> None:
    """Say in small print what is wrong, where the page goes on without it."""
    st.caption(f":material/warning: {plain(told(str(error)))}")
