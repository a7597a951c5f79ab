"""The same film by every way to draw a heat map, and how far they agree; drawn only when the user opens it."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.parts.predict import loaded_models
from pages.parts.predict.film_list import Film
from pages.parts.shared.language import _, told
from pages.parts.shared.plain import plain
from pneumo.explanation import agreement, drawing
from pneumo.explanation.cam import METHODS
from pneumo.explanation.explainer import DEFAULT_METHOD
from pneumo.inference.reading import Reading
from pneumo.preprocessing import network_input
from pneumo.sentences import say

if TYPE_CHECKING:
    from pneumo.model_store.card import ModelCard

OPACITY = 0.6
SIDE = 240
MEANING = say(
    "A rank correlation of 1 says that two maps put all places of the film in the same order, 0 that one tells nothing "
    "about the other. The overlap is what the hottest tenths of both maps share, of what either has. Agreement means "
    "that the picture depends little on how it is drawn. It is no proof: all methods ask the same model, and where it "
    "is wrong they are wrong together. Where they differ, do not lean on the details of any one map."
)


def show_agreement(session_film: Film, reading: Reading, shown: np.ndarray, method: str) -> None:
    """Offer the maps of all methods beside each other; nothing where the model can draw none.

    Args:
        session_film: which keeps the maps while it is open.
        reading: of the film, with an answer.
        shown: (height, width) float32 in 0…1, the film as it is shown.
        method: key of `MAPS`, that of the map above; where that is not of the model, the default one is compared.
    """
    if loaded_models.no_heat_map(reading, DEFAULT_METHOD):
        return
    folded = st.expander(
        _("Do the methods agree?"), icon=":material/join_inner:", key="predict.agreement", on_change="rerun"
    )
    if not folded.open:
        return
    with folded:
        if missing := next(filter(None, (loaded_models.no_heat_map(reading, each) for each in METHODS)), ""):
            st.caption(plain(told(missing)))
            return
        film = network_input.fit_within(shown, SIDE)
        with st.spinner(_("Drawing the heat map by every method …")):
            heats = heats_of(session_film, reading, film.shape)
        with st.container(horizontal=True, key="predict.all_methods"):
            for each, heat in heats.items():
                st.image(
                    drawing.overlay(film, heat, OPACITY),
                    caption=_("{method}, as above", method=METHODS[each]) if each == method else METHODS[each],
                    alt=_("The film with its {method} heat map over it", method=METHODS[each]),
                    width=150,
                    output_format="JPEG",
                )
        show_words(heats, method if method in METHODS else DEFAULT_METHOD, reading.models.card)


def heats_of(film: Film, reading: Reading, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """Draw a film's heat map by every method, each once."""
    maps = {method: loaded_models.heat_of(film, reading, method, shape) for method in METHODS}
    return {method: heat.values for method, heat in maps.items() if heat}


def show_words(heats: dict[str, np.ndarray], method: str, card: "ModelCard") -> None:
    """Say how far each other method agrees with the chosen one."""
    if not heats[method].any():
        st.markdown(
            _("The map of {method} is empty on this film, so there is nothing to compare.", method=METHODS[method])
        )
        return
    lines, measured = [], False
    for other in heats:
        if other == method:
            continue
        found = agreement.compare(heats[method], heats[other])
        usual = agreement.usual(card, method, other)
        measured |= usual is not None
        words = agreement.in_words(found, usual) if found else say("its map is empty on this film.")
        lines.append(f"- **{METHODS[other]}**: {told(words)}")
    st.markdown("\n".join([_("How far each agrees with {method}:", method=METHODS[method]), *lines]))
    if measured:
        st.caption(
            _(
                "Usually: the mean over {films} validation films that this model answers “likely”, less those on which "
                "a map is empty, with its 95 % interval.",
                films=card.heat["films"],
            )
        )
    st.caption(told(MEANING))
