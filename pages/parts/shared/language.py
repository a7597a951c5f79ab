"""The language of the predict page: the one chosen there, the address's, or the browser's; and what tells in it."""

from typing import Any

import streamlit as st

from pneumo.language import LANGUAGES, Language, best_match
from pneumo.sentences import say, say_many

# In the address, so that a link opens in the language that it was sent in.
PARAMETER = "lang"


def current() -> Language:
    """Return the language of this session."""
    asked = st.query_params.get(PARAMETER)
    if asked in LANGUAGES:
        st.session_state["shared.language"] = asked
    known = LANGUAGES.get(st.session_state.get("shared.language", ""))
    return known or best_match([st.context.locale])


def choose_language() -> Language:
    """Show the languages, each under its own name, and return the one that is chosen."""
    language = current()
    codes = list(LANGUAGES)
    st.selectbox(
        told(say("Language")),
        codes,
        index=codes.index(language.code),
        format_func=lambda code: LANGUAGES[code].name,
        key="shared.language_choice",
        on_change=_chosen,
        label_visibility="collapsed",
        width=130,
    )
    return language


def mark_page(language: Language) -> None:
    """Tell browsers and screen readers the language of the page, for which Streamlit has no function."""
    st.html(f"<script>document.documentElement.lang = '{language.code}'</script>", unsafe_allow_javascript=True)


def _chosen() -> None:
    st.session_state["shared.language"] = st.query_params[PARAMETER] = st.session_state["shared.language_choice"]


def told(text: str) -> str:
    """Tell a sentence in the language of the page; a text that is none stays as it is."""
    return current().tell(text)


def _(template: str, **values: Any) -> str:
    """Say and tell at once; see `pneumo.sentences.say`."""
    return told(say(template, **values))


def many(one: str, other: str, number: int, **values: Any) -> str:
    """Say and tell at once what depends on a number; see `pneumo.sentences.say_many`."""
    return told(say_many(one, other, number, **values))
