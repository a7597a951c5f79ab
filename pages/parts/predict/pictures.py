"""The film and its heat map, and how far the heat map can be read."""

from typing import NamedTuple

import numpy as np
import streamlit as st

from pages.parts.predict.viewer import OPACITY_SCALES, SCALES, show_film
from pages.parts.shared.language import _, told
from pneumo.explanation.explainer import MAPS, OPACITY, OPACITY_MEANING
from pneumo.explanation.heat_findings import HeatFindings
from pneumo.inference.lungs import LungMask
from pneumo.labels import ANSWER_WORDS
from pneumo.sentences import Sentence, say

EMPTY = say("Nothing on this film raises the model's score, so the map is empty.")


class Pictures(NamedTuple):
    """What the pictures are drawn from: all is ready, and the arrays are of one size.

    `absolute` is the heat on a scale that all films share, where the model has one; `worth` says what maps like this
    one were measured to be worth, and `is_off` whether that is too little to show it unasked; `key` tells the viewers
    of a page apart.
    """

    film: np.ndarray
    heat: np.ndarray
    lungs: LungMask | None
    findings: HeatFindings
    caption: str
    method: str
    answer: str
    absolute: np.ndarray | None = None
    worth: Sentence | None = None
    is_off: bool = False
    key: str = "predict.viewer"


def show_pictures(ready: Pictures) -> None:
    """Show above the pictures what the map tells and what it does not, and the viewer below."""
    of_model = ready.method != OPACITY
    if of_model and not ready.heat.any():
        st.caption(told(EMPTY))
    else:
        warnings = ready.findings.warnings if ready.answer == "likely" else ()
        for warning in warnings:
            st.warning(told(warning), icon=":material/warning:")
        meant = ready.findings.meaning(ready.answer) if of_model else (OPACITY_MEANING, *warnings)
        said = [sentence for sentence in meant if sentence not in warnings]
        if ready.worth is not None:
            said.append(ready.worth)
        st.caption(" ".join(map(told, said)))
    show_film(
        ready.film,
        ready.heat,
        absolute=ready.absolute if of_model else None,
        lungs=ready.lungs,
        findings=ready.findings,
        captions=(ready.caption, told(MAPS[ready.method])),
        words=(_("The film alone."), in_words(ready)),
        # Beside an empty map the film would stand twice.
        is_off=ready.is_off or not ready.heat.any(),
        key=ready.key,
        scales=SCALES if of_model else OPACITY_SCALES,
    )


def in_words(ready: Pictures) -> str:
    """Say what the overlay shows to who cannot see it."""
    answer = ANSWER_WORDS[ready.answer]
    if not ready.heat.any():
        heat = told(EMPTY)
    elif ready.findings.inside:
        heat = told(str(ready.findings.inside))
    else:
        heat = _("The lungs of this film were not found, so the place of the heat cannot be named.")
    if ready.method == OPACITY:
        return _("The film under its opacity map. Answer: {answer}.", answer=answer)
    return _(
        "The film under its {method} heat map. Answer: {answer}. {heat}",
        method=MAPS[ready.method],
        answer=answer,
        heat=heat,
    )
