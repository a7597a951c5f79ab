"""The film and its heat map, and how far the heat map can be read."""

from typing import NamedTuple

import numpy as np
import streamlit as st

from pages.parts.predict.viewer import show_film
from pages.parts.shared.language import _, told
from pneumo.explanation.cam import METHODS
from pneumo.explanation.heat_findings import HeatFindings
from pneumo.inference.lungs import LungMask
from pneumo.labels import ANSWER_WORDS
from pneumo.sentences import say

EMPTY = say("Nothing on this film raises the model's score, so the map is empty.")
SIDES = say("Right and left are the child's.")


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
    key: str = "predict.viewer"


def show_pictures(ready: Pictures) -> None:
    """Show the film and its heat map in the viewer, and below it what the map does not tell."""
    show_film(
        ready.film,
        ready.heat,
        absolute=ready.absolute,
        lungs=ready.lungs,
        findings=ready.findings,
        captions=(ready.caption, _("{method}: bright is where the evidence lies", method=METHODS[ready.method])),
        words=(_("The film alone."), in_words(ready)),
        key=ready.key,
    )
    if not ready.heat.any():
        st.caption(told(EMPTY))
        return
    if ready.findings.inside:
        st.caption(f"{told(str(ready.findings.inside))} {told(SIDES)}")
    if ready.answer == "likely":
        for warning in ready.findings.warnings:
            st.warning(told(warning), icon=":material/warning:")
    if ready.answer != "likely":
        if ready.absolute is None:
            relative = _("Colours are relative to this film's own hottest place:")
        else:
            relative = _("On the scale “This film”, colours are relative to this film's own hottest place:")
        st.caption(f"{relative} {_('where the answer is not “likely”, a bright spot is no sign of disease.')}")


def in_words(ready: Pictures) -> str:
    """Say what the overlay shows to who cannot see it."""
    answer = ANSWER_WORDS[ready.answer]
    if not ready.heat.any():
        heat = told(EMPTY)
    elif ready.findings.inside:
        heat = f"{told(str(ready.findings.inside))} {told(SIDES)}"
    else:
        heat = _("The lungs of this film were not found, so the place of the heat cannot be named.")
    return _(
        "The film under its {method} heat map. Answer: {answer}. {heat}",
        method=METHODS[ready.method],
        answer=answer,
        heat=heat,
    )
