"""The lungs of a film, drawn only when the reader asks."""

from pathlib import Path

import streamlit as st

from pages.parts.shared.language import _, warn_of
from pneumo import radiograph
from pneumo.errors import ModelError
from pneumo.inference import gate
from pneumo.inference.lungs import LungMask, Segmenter
from pneumo.model_store import store
from pneumo.preprocessing import network_input


@st.cache_resource(show_spinner=False, max_entries=2)
def _segmenter(key: str) -> Segmenter:
    """Load the network once for all sessions; ``key`` makes one with another card a new one."""
    return gate.open_segmenter()


@st.cache_data(show_spinner=False, max_entries=200)
def _lungs(path: Path, changed: int, key: str) -> LungMask:
    """Keep the lungs of a film until its file changes."""
    return _segmenter(key).segment(network_input.film_square(radiograph.read(path).pixels))


def lungs(path: Path) -> LungMask | None:
    """Return the lungs of a film; None, with a sentence, where the network is missing.

    Raises:
        ImageError: if the film cannot be read.
    """
    try:
        with st.spinner(_("Drawing the lungs…")):
            return _lungs(path, path.stat().st_mtime_ns, store.card_key(gate.LUNGS, gate.holder(gate.LUNGS, None)))
    except ModelError as error:
        warn_of(error)
        return None
