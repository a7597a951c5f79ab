"""The answer, fit for one glance: in words, a sign and a colour, with its probability as a count of films."""

from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from pages.parts.charts.probability_scale import probability_scale, scale_in_words
from pages.parts.predict import loaded_models
from pages.parts.shared import chart
from pages.parts.shared.language import _, current, many, told
from pneumo import DISCLAIMER
from pneumo.evaluation.calibration import Answer, as_percent, at_prevalence
from pneumo.inference.similar_scores import SimilarFilms, similar_films
from pneumo.labels import ANSWER_WORDS
from pneumo.sentences import Sentence

if TYPE_CHECKING:
    from pneumo.inference.classifier import Assessment

LOWEST, HIGHEST = 1, 60


class Look(NamedTuple):
    """How an answer looks: words and the sign before them differ without colour, and so does the edge of its box."""

    words: Sentence
    sign: str
    colour: str
    edge: str


# Vermilion, grey and blue of Okabe and Ito's palette. A refusal has a red sign and a box of its own.
LOOKS: dict[Answer, Look] = {
    "likely": Look(ANSWER_WORDS["likely"], ":material/report:", "#D55E00", "solid"),
    "uncertain": Look(ANSWER_WORDS["uncertain"], ":material/help:", "#8C8C8C", "dashed"),
    "unlikely": Look(ANSWER_WORDS["unlikely"], ":material/check_circle:", "#0072B2", "double"),
}


def style_page() -> None:
    """Give the box of each answer its edge, and its sign its colour."""
    st.html(
        "<style>"
        + "".join(
            f"[class*='answer_{answer}'] {{ border-left: 10px {look.edge} {look.colour}; "
            f"background: color-mix(in srgb, {look.colour} 9%, transparent); }}"
            f"[class*='answer_{answer}'] h2 [role='img'] {{ color: {look.colour}; }}"
            for answer, look in LOOKS.items()
        )
        + "</style>"
    )


@st.fragment
def show_answer(assessment: "Assessment", *, refused: bool = False) -> None:
    """Show the answer and how sure it is; the share at the user's clinic runs this function alone.

    Args:
        assessment: what the model says.
        refused: whether the gate refused the film: it is then compared with no film that the model was measured on.
    """
    look, card = LOOKS[assessment.answer], assessment.card
    scores = None if refused else loaded_models.validation_scores(card)
    held_at = float(card.calibration["prevalence"])
    with st.container(border=True, key=f"predict.answer_{assessment.answer}"):
        said, drawn = st.columns(2, vertical_alignment="center")
        with said:
            st.markdown(f"## {look.sign} {told(look.words)}")
            st.markdown(
                f"**{_('Probability of pneumonia: {probability}', probability=as_percent(assessment.probability))}**"
            )
            if scores:
                similar = similar_films(scores, assessment.probability, held_at)
                st.markdown(told(str(similar)))
                st.caption(counted_on(similar))
            elif refused:
                st.caption(_("The film was refused, so it is compared with no film that the model was measured on."))
            else:
                st.caption(_("This model has no validation films to compare the film with."))
            asked = held_at if refused else ask_clinic(held_at)
        if scores:
            limits = card.as_thresholds()
            chart.draw(
                probability_scale(
                    assessment.probability,
                    limits,
                    scores,
                    dark=st.context.theme.type == "dark",
                    language=current(),
                ),
                drawn,
                alt=told(scale_in_words(assessment.probability, limits)),
            )
            drawn.caption(
                _("The upright line is this film; the bars are validation films (height by the root of the share).")
            )
        if asked != held_at:
            there = similar_films(scores, assessment.probability, asked) if scores else None
            show_clinic(at_prevalence(assessment.probability, held_at, asked), there, asked, held_at)
        st.caption(f":material/info: {told(DISCLAIMER)}")


def counted_on(similar: SimilarFilms) -> str:
    """Say which films a count rests on."""
    return many(
        "Counted on the {films} validation films with the nearest scores ({number} child), weighted so that "
        "{prevalence:.0%} of all films show pneumonia.",
        "Counted on the {films} validation films with the nearest scores ({number} children), weighted so that "
        "{prevalence:.0%} of all films show pneumonia.",
        similar.patients,
        films=similar.films,
        prevalence=similar.prevalence,
    )


def ask_clinic(held_at: float) -> float:
    """Ask for the share of pneumonia at the user's clinic, folded away, and return it, 0…1."""
    with st.popover(_("At your clinic"), icon=":material/location_on:"):
        percent = st.number_input(
            _("Share of children with pneumonia at your clinic, in %"),
            min_value=LOWEST,
            max_value=HIGHEST,
            value=round(100 * held_at),
            key="predict.prevalence",
            persist_state="session",
            help=_("Of the children whose chests are filmed there."),
        )
        st.caption(
            _(
                "The probability holds where {held_at:.0%} of the filmed children have pneumonia. With another share "
                "here it is restated for your clinic.",
                held_at=held_at,
            )
        )
    return percent / 100


def show_clinic(probability: float, similar: SimilarFilms | None, asked: float, held_at: float) -> None:
    """Show the probability as restated for the user's clinic."""
    with st.container(border=True, key="predict.clinic"):
        restated = _(
            "At your clinic, where {asked:.0%} of the children have pneumonia: {probability}.",
            asked=asked,
            probability=as_percent(probability),
        )
        st.markdown(f":material/location_on: **{restated}** {told(str(similar)) if similar else ''}")
        st.caption(
            _(
                "Restated by Bayes' theorem. The answer above does not change: it keeps the model's own limits, which "
                "were chosen where {held_at:.0%} have pneumonia.",
                held_at=held_at,
            )
        )
