"""The turn of this session before the models, which all sessions share: its place is shown, or that pneumo is busy."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.parts.predict.film_list import Film
from pages.parts.shared.language import _, many, told
from pages.parts.shared.streamlit_internals import session_id
from pneumo.errors import BusyError
from pneumo.inference.reading import Models, Reading
from pneumo.serving import queue


@contextmanager
def in_turn(*, admitted: bool = False) -> Iterator[None]:
    """Wait until it is this session's turn, and show meanwhile how many films are before its own.

    Args:
        admitted: see `Queue.enter`.

    Raises:
        BusyError: if the queue is full.
    """
    shown: list[DeltaGenerator] = []

    def show(before: int) -> None:
        if not shown:
            shown.append(st.empty())
        if before:
            words = many("{number} film is before yours.", "{number} films are before yours.", before)
            shown[0].markdown(f":material/hourglass_top: {words}")
        else:
            shown[0].empty()

    with queue.of_process().turn(session_id(), show, admitted=admitted):
        yield


def read(film: Film, models: Models, key: Hashable) -> Reading | None:
    """Read a film in full once it is this session's turn; None where pneumo is busy, which is then said."""
    if film.is_read(key):
        return film.reading
    try:
        with st.spinner(_("Reading the film …")), in_turn():
            return film.read(models, key)
    except BusyError as error:
        show_busy(error)
        return None


def show_busy(error: BusyError) -> None:
    """Say that pneumo is busy; a click on the button runs the page anew, and films that wait are read."""
    st.warning(told(str(error)), icon=":material/hourglass_disabled:")
    st.button(_("Try again"), icon=":material/refresh:", key="predict.try_again")
