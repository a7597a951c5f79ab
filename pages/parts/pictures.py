"""The film beside its heat map, and how far the heat map can be read."""

from typing import NamedTuple

import numpy as np
import streamlit as st

from pneumo import drawing
from pneumo.explanation import METHODS, HeatInLungs
from pneumo.lungs import LungMask


class Pictures(NamedTuple):
    """What the pictures are drawn from: all is ready, and the arrays are of one size."""

    film: np.ndarray
    heat: np.ndarray
    lungs: LungMask | None
    inside: HeatInLungs | None
    caption: str
    method: str
    answer: str


@st.fragment
def show_pictures(ready: Pictures) -> None:
    """Show the film beside its overlay; the slider and the toggle run this function alone."""
    opacity = st.slider("Opacity of the heat map", 0, 100, 60, format="%d %%", key="opacity")
    film = drawing.film_picture(ready.film)
    overlay = drawing.overlay(ready.film, ready.heat, opacity / 100)
    if ready.lungs and st.toggle("Show the outline of the lungs", key="outline"):
        film, overlay = (drawing.outlined(picture, ready.lungs) for picture in (film, overlay))
    left, right = st.columns(2)
    # JPEG, because encoding PNG would take most of the time that the slider needs.
    left.image(film, caption=ready.caption, width="stretch", output_format="JPEG")
    # Within the page, because a slider that moves fast would let Streamlit drop a file before the browser asks for it.
    caption = f"{METHODS[ready.method]}: bright is where the evidence lies"
    right.image(drawing.data_url(overlay), caption=caption, width="stretch")
    if not ready.heat.any():
        st.caption("Nothing on this film raises the model's score, so the map is empty.")
        return
    if ready.inside:
        st.caption(f"{ready.inside} Right and left are the child's.")
        if ready.inside.mostly_outside and ready.answer == "likely":
            st.warning(
                "Most of the heat lies outside the lungs: the answer may rest on something else than the lungs.",
                icon=":material/warning:",
            )
    if ready.answer != "likely":
        st.caption(
            "Colours are relative to this film's own hottest place: where the answer is not “likely”, a bright spot "
            "is no sign of disease."
        )
