"""The film and its heat map, and how far the heat map can be read."""

from typing import NamedTuple

import numpy as np
import streamlit as st

from pages.parts.film_viewer import show_film
from pneumo.heat_findings import HeatFindings
from pneumo.heat_methods import METHODS
from pneumo.lungs import LungMask

EMPTY = "Nothing on this film raises the model's score, so the map is empty."


class Pictures(NamedTuple):
    """What the pictures are drawn from: all is ready, and the arrays are of one size.

    `absolute` is the heat on a scale that all films share, where the model has one; `key` tells the viewers of a page
    apart.
    """

    film: np.ndarray
    heat: np.ndarray
    lungs: LungMask | None
    findings: HeatFindings
    caption: str
    method: str
    answer: str
    absolute: np.ndarray | None = None
    key: str = "viewer"


def show_pictures(ready: Pictures) -> None:
    """Show the film and its heat map in the viewer, and below it what the map does not tell."""
    show_film(
        ready.film,
        ready.heat,
        absolute=ready.absolute,
        lungs=ready.lungs,
        findings=ready.findings,
        captions=(ready.caption, f"{METHODS[ready.method]}: bright is where the evidence lies"),
        words=("The film alone.", in_words(ready)),
        key=ready.key,
    )
    if not ready.heat.any():
        st.caption(EMPTY)
        return
    if ready.findings.inside:
        st.caption(f"{ready.findings.inside} Right and left are the child's.")
    if ready.answer == "likely":
        for warning in ready.findings.warnings:
            st.warning(warning, icon=":material/warning:")
    if ready.answer != "likely":
        colours = "Colours are" if ready.absolute is None else "On the scale “This film”, colours are"
        st.caption(
            f"{colours} relative to this film's own hottest place: where the answer is not “likely”, a bright spot "
            "is no sign of disease."
        )


def in_words(ready: Pictures) -> str:
    """Say what the overlay shows to who cannot see it."""
    answer = {"likely": "Pneumonia likely", "unlikely": "Pneumonia unlikely"}.get(ready.answer, "Cannot say")
    if not ready.heat.any():
        heat = EMPTY
    elif ready.findings.inside:
        heat = f"{ready.findings.inside} Right and left are the child's."
    else:
        heat = "The lungs of this film were not found, so the place of the heat cannot be named."
    return f"The film under its {METHODS[ready.method]} heat map. Answer: {answer}. {heat}"
