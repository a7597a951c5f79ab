"""Choices that stand in the address of a page: what a link opens first, and what the address says afterwards.

Streamlit can bind a widget to the address by itself (``bind="query-params"``). Its key is then the name in the address,
and the words on the screen are the value. That serves a name that one page has. Here are the names that several pages
have, whose keys in the session must differ, and models, which an address knows by their folders.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from pages.parts.shared import streamlit_internals
from pages.parts.shared.language import current, told

PAGE = "shared.page"
READ = "shared.read"
CHOICES = "shared.choices"


def arrive(page: str) -> None:
    """Note which page is shown: its address counts whenever the reader comes to it, or changes its language.

    A browser keeps the words of a choice: told in another language, the choice has to be made anew.
    """
    place = page, current().code
    if st.session_state.get(PAGE) != place:
        st.session_state[PAGE], st.session_state[READ] = place, set()


def is_new(key: str) -> bool:
    """Return whether a part of the address is read for the first time since the reader came to the page."""
    read = st.session_state.setdefault(READ, set())
    is_first = key not in read
    read.add(key)
    return is_first


def choose_one(
    draw: Callable[..., str],
    label: str,
    titles: Mapping[str, str],
    default: str | None = None,
    *,
    key: str,
    **options: Any,
) -> str:
    """Let the reader choose one option; the default, unless the address or she herself named another.

    Args:
        draw: the widget, such as `streamlit.selectbox`.
        label: of the widget.
        titles: by option, told here.
        default: an option; the first where it is None.
        key: of the widget; what follows its dot is the name in the address.
        **options: of the widget.
    """
    first = list(titles)[:1] if default is None else [default]
    restore(key, titles, first, many=False)
    words = {option: told(title) for option, title in titles.items()}
    chosen = draw(label, list(titles), format_func=words.__getitem__, key=key, **options)
    write(key, [chosen], first)
    return chosen


def choose_many(
    draw: Callable[..., list[str]],
    label: str,
    titles: Mapping[str, str],
    default: Sequence[str] = (),
    *,
    key: str,
    **options: Any,
) -> list[str]:
    """Let the reader choose several options; as `choose_one`."""
    restore(key, titles, default, many=True)
    words = {option: told(title) for option, title in titles.items()}
    chosen = draw(label, list(titles), format_func=words.__getitem__, key=key, **options)
    write(key, chosen, default)
    return chosen


def restore_one(key: str, default: str | int) -> None:
    """Put into the session a text or a number that the address names, or that was given on an earlier visit."""
    state = st.session_state
    back = streamlit_internals.went_back()
    if not is_new(key) and key in state and not back:
        return
    given = st.query_params.get(_name(key))
    if given is None and not back:
        given = next(iter(state.get(CHOICES, {}).get(key, ())), None)
    try:
        state[key] = default if given is None else type(default)(given)
    except ValueError:
        state[key] = default


def restore(key: str, titles: Mapping[str, str], default: Sequence[str], *, many: bool) -> None:
    """Put into the session what the address names, by option or by title, or what was chosen on an earlier visit."""
    state = st.session_state
    read, back = state.setdefault(READ, set()), streamlit_internals.went_back()
    if key in read and state.get(key) is not None and not back:
        return
    read.add(key)
    by_title = {name: option for option, title in titles.items() for name in (title, told(title))}
    named = [by_title.get(each, each) for each in st.query_params.get_all(_name(key))]
    chosen = [each for each in dict.fromkeys(named) if each in titles]
    if not chosen and not back:
        held = [by_title.get(each, each) for each in state.get(CHOICES, {}).get(key, ())]
        chosen = [each for each in held if each in titles]
    chosen = chosen or list(default)
    state[key] = chosen if many else next(iter(chosen), None)


def write(key: str, chosen: Sequence[str], default: Sequence[str]) -> None:
    """Put a choice into the address, and keep it for the next visit to the page; the default is not worth a word."""
    st.session_state.setdefault(CHOICES, {})[key] = list(chosen)
    name = _name(key)
    if list(chosen) == list(default):
        st.query_params.pop(name, None)
    elif st.query_params.get_all(name) != list(chosen):
        st.query_params[name] = list(chosen)


def _name(key: str) -> str:
    return key.rpartition(".")[2]
