"""Another model's opinion of the same film, asked for only when the user opens it."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.parts.predict import loaded_models
from pages.parts.predict.answer import LOOKS
from pages.parts.predict.loaded_models import Reader
from pages.parts.shared.language import _, told
from pneumo.errors import ModelError
from pneumo.evaluation.calibration import as_percent
from pneumo.explanation import drawing
from pneumo.explanation.cam import METHODS
from pneumo.inference.lungs import LungMask
from pneumo.inference.similar_scores import similar_films
from pneumo.model_store import store

if TYPE_CHECKING:
    from pneumo.inference.classifier import Assessment

OPACITY = 0.6


def show_comparison(
    first: "Assessment", reader: Reader, shown: np.ndarray, method: str, lungs: LungMask | None
) -> None:
    """Offer a second opinion.

    Args:
        first: what the chosen model said.
        reader: of the chosen model.
        shown: (height, width) float32 in 0…1, the film as it is shown.
        method: key of `METHODS`.
        lungs: of the film, where they are known.
    """
    others = {card.name: card for card in store.catalogue().cards if card.name != first.card.name}
    if not others:
        return
    folded = st.expander(
        _("Compare with another model"), icon=":material/compare_arrows:", key="compare", on_change="rerun"
    )
    if not folded.open:
        return
    with folded:
        name = st.selectbox(_("Other model"), list(others), format_func=lambda each: others[each].title, key="other")
        try:
            other = loaded_models.load_reader(name, others[name].sha256)
        except ModelError as error:
            st.error(told(str(error)))
            return
        with st.spinner(_("Asking the other model …")):
            second = ask(first, other, lungs)
        st.markdown(in_words(first, second))
        for column, assessment, each, place in zip(
            st.columns(2), (first, second), (reader, other), ("first", "second"), strict=True
        ):
            with column:
                show_opinion(assessment)
                show_heat(assessment, each, shown, method, place)


def ask(first: "Assessment", other: Reader, lungs: LungMask | None) -> "Assessment":
    """Ask another model about the film of an assessment, once."""
    known: Assessment | None = st.session_state.get("second")
    if known is None or known.radiograph is not first.radiograph or known.card is not other.classifier.card:
        st.session_state.second = known = other.classifier.assess(first.radiograph, lungs)
    return known


def in_words(first: "Assessment", second: "Assessment") -> str:
    """Say whether two models agree."""
    words = [told(LOOKS[each.answer].words).lower() for each in (first, second)]
    if first.answer == second.answer:
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
    look, card = LOOKS[assessment.answer], assessment.card
    with st.container(border=True, key=f"answer_{assessment.answer}_{card.name}"):
        st.markdown(f"**{card.title}**")
        st.markdown(f"{look.sign} **{told(look.words)}**, {told(as_percent(assessment.probability))}")
        if scores := loaded_models.validation_scores(card):
            st.caption(told(str(similar_films(scores, assessment.probability, card.calibration["prevalence"]))))


def show_heat(assessment: "Assessment", reader: Reader, shown: np.ndarray, method: str, place: str) -> None:
    """Show where one model looked."""
    if reader.explainer is None:
        st.caption(told(reader.no_heat_map))
        return
    heat = loaded_models.heat_of(assessment, reader.explainer, method, shown.shape, place)
    st.image(
        drawing.overlay(shown, heat.values, OPACITY),
        caption=_("{method} of {title}", method=METHODS[method], title=assessment.card.title),
        alt=_("The film with the heat map of {title} over it", title=assessment.card.title),
        width="stretch",
        output_format="JPEG",
    )
