"""Another model's opinion of the same film, asked for only when the user opens it."""

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.parts.predict import loaded_models
from pages.parts.predict.answer import LOOKS, prevalence
from pages.parts.predict.film_list import Film
from pages.parts.predict.turns import in_turn
from pages.parts.shared.language import _, told
from pages.parts.shared.plain import plain
from pneumo.errors import ModelError
from pneumo.explanation import drawing
from pneumo.explanation.cam import METHODS
from pneumo.explanation.explainer import DEFAULT_METHOD
from pneumo.inference.conclusion import conclude
from pneumo.inference.reading import Models, Reading, reassess
from pneumo.model_store import store
from pneumo.serving.audit import noted

if TYPE_CHECKING:
    from pneumo.inference.classifier import Assessment

OPACITY = 0.6


def show_second_opinion(film: Film, first: Reading, shown: np.ndarray, method: str) -> None:
    """Offer a second opinion.

    Args:
        film: of the session, which keeps the opinion while it is open.
        first: the reading by the chosen model, with an answer.
        shown: (height, width) float32 in 0…1, the film as it is shown.
        method: key of `MAPS`; where it does not ask a model, the models are compared by the default one.
    """
    others = {card.name: card for card in store.catalogue().cards if card.name != first.models.card.name}
    if not others:
        return
    folded = st.expander(
        _("Compare with another model"), icon=":material/compare_arrows:", key="predict.compare", on_change="rerun"
    )
    if not folded.open:
        return
    with folded:
        name = st.selectbox(
            _("Other model"), list(others), format_func=lambda each: others[each].title, key="predict.other"
        )
        try:
            other = loaded_models.load_models(name, first.models.gate)
        except ModelError as error:
            st.error(plain(told(str(error))))
            return
        with st.spinner(_("Asking the other model …")):
            second = ask(film, first, other)
        if first.assessment and second.assessment:
            st.markdown(in_words(first.assessment, second.assessment))
        for column, reading in zip(st.columns(2), (first, second), strict=True):
            with column:
                if reading.assessment:
                    show_opinion(reading.assessment)
                    show_heat(film, reading, shown, method)
                else:
                    st.error(plain(told(str(reading.error))))


def ask(film: Film, first: Reading, other: Models) -> Reading:
    """Ask another model about a film that was assessed, once."""
    asked: Hashable = "opinion", first, other.classifier
    if asked not in film.drawn:
        with in_turn(admitted=True):
            film.drawn[asked] = noted(reassess(first, other), "page")
    return film.drawn[asked]


def in_words(first: "Assessment", second: "Assessment") -> str:
    """Say whether two models agree."""
    answers = [conclude(each.answer, each.similar, prevalence()).answer for each in (first, second)]
    words = [told(LOOKS[answer].words).lower() for answer in answers]
    if answers[0] == answers[1]:
        agreed = _("Both models say: **{answer}**. They were trained on the same films.", answer=words[0])
        return f":material/handshake: {agreed}"
    differ = _(
        "**The models differ**: {first} and {second}. Neither is right because the other disagrees; look at the film.",
        first=words[0],
        second=words[1],
    )
    return f":material/call_split: {differ}"


def show_opinion(assessment: "Assessment") -> None:
    """Show what one model says."""
    found, card = conclude(assessment.answer, assessment.similar, prevalence()), assessment.card
    look = LOOKS[found.answer]
    with st.container(border=True, key=f"predict.opinion_{found.answer}_{card.name}"):
        st.markdown(f"**{plain(card.title)}**")
        st.markdown(f"{look.sign} **{told(look.words)}**")
        st.caption(told(found.statement))


def show_heat(film: Film, reading: Reading, shown: np.ndarray, method: str) -> None:
    """Show where one model looked."""
    title, method = reading.models.card.title, method if method in METHODS else DEFAULT_METHOD
    heat = loaded_models.heat_of(film, reading, method, (shown.shape[0], shown.shape[1]))
    if heat is None:
        st.caption(plain(told(loaded_models.no_heat_map(reading, method))))
        return
    st.image(
        drawing.overlay(shown, heat.values, OPACITY),
        caption=_("{method} of {title}", method=METHODS[method], title=title),
        alt=_("The film with the heat map of {title} over it", title=title),
        width="stretch",
        output_format="JPEG",
    )
