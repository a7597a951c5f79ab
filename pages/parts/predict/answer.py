"""The answer, fit for one glance: in words, a sign and a colour, with one count of children and what to do next."""

from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from pages.parts.charts.probability_scale import probability_scale, scale_in_words
from pages.parts.predict import loaded_models
from pages.parts.shared import chart
from pages.parts.shared.language import _, current, many, told
from pages.parts.shared.plain import plain_values
from pneumo import DISCLAIMER
from pneumo.evaluation.calibration import Answer
from pneumo.inference import conclusion
from pneumo.inference.classifier import calibrated_for
from pneumo.inference.conclusion import SHARES
from pneumo.inference.similar_scores import SimilarFilms
from pneumo.labels import ANSWER_WORDS
from pneumo.sentences import Sentence

if TYPE_CHECKING:
    from pneumo.inference.classifier import Assessment

PREVALENCE = "predict.prevalence"


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
# Title and answer are smaller than Streamlit's, so that film, heat map and answer are seen at once.
STYLE = """
[data-testid='stMain'] h1 { font-size: clamp(1.2rem, 3.5vw, 1.75rem); padding: 0; }
[class*='answer_'] h2 { font-size: 1.5rem; padding: 0; }
[class*='predict-prevalence'] button { padding-inline: 0.5rem; }
[class*='predict-uploader'] { flex-wrap: nowrap; }
[class*='predict-uploader'] [data-testid='stFileUploader']:has([data-testid='stFileChips']) > label { display: none; }
[class*='predict-uploader'] [data-testid='stFileUploaderDropzone']:has([data-testid='stFileChips']) {
  background: none; border: none; min-height: 0; padding: 0; overflow-x: auto; }
[class*='predict-uploader'] [data-testid='stFileUploaderDropzone'] > :has([data-testid='stFileChips']),
[class*='predict-uploader'] [data-testid='stFileChips'] {
  flex-direction: row; flex-wrap: nowrap; max-height: none; align-items: center; }
/* The sign that adds films stays in sight however many they are. */
[class*='predict-uploader'] button[aria-label='Add files'] {
  order: -1; align-self: flex-start; position: sticky; top: 0; }
@media (max-width: 640px) {
  [data-testid='stMainBlockContainer'] > [data-testid='stVerticalBlock'] { gap: 0.5rem; }
  [data-testid='stMain'] button, [data-testid='stMain'] summary { min-height: 2.75rem; }
  [class*='predict-uploader'] [data-testid='stFileUploaderDropzone'] > :has([data-testid='stFileChips']) {
    max-height: 3.5rem; overflow-y: auto; }
}
"""


def style_page() -> None:
    """Give the box of each answer its edge, and its sign its colour; see `STYLE`."""
    st.html(
        "<style>"
        + STYLE
        + "".join(
            f":is([class*='answer_{answer}'], [class*='opinion_{answer}']) {{ "
            f"border-left: 10px {look.edge} {look.colour}; "
            f"background: color-mix(in srgb, {look.colour} 9%, transparent); }}"
            f"[class*='answer_{answer}'] h2 [role='img'] {{ color: {look.colour}; }}"
            for answer, look in LOOKS.items()
        )
        + "</style>"
    )


def prevalence() -> float:
    """Return how common pneumonia is where the user works, as far as she said."""
    return st.session_state.get(PREVALENCE) or max(SHARES)


def show_answer(assessment: "Assessment", *, zone: Sentence | None = None, refused: bool = False) -> None:
    """Show the answer where the user works, one count of children, and what to do next.

    Args:
        assessment: what the model says.
        zone: what the zone of the lungs is called that the heat map points to, if it points to one.
        refused: whether the gate refused the film: it is then compared with no film that the model was measured on.
    """
    found = conclusion.conclude(assessment.answer, assessment.similar, prevalence())
    look = LOOKS[found.answer]
    with st.container(border=True, key=f"predict.answer_{found.answer}", gap="small"):
        st.markdown(f"## {look.sign} {told(look.words)}")
        st.markdown(f"**{told(found.statement)}**")
        if assessment.foreign:
            st.markdown(told(plain_values(assessment.reasons[0])))
        if assessment.similar:
            ask_prevalence()
        elif assessment.site:
            st.caption(told(plain_values(calibrated_for(assessment.site))))
        elif refused:
            st.caption(_("The film was refused, so it is compared with no film that the model was measured on."))
        elif not assessment.foreign:
            st.caption(_("This model has no validation films to compare the film with."))
        if not refused:
            # They were counted at the model's own limits, not at those of a site.
            wrong = None if assessment.site else loaded_models.wrong_answers(assessment.card)
            steps = conclusion.next_steps(found.answer, wrong, zone)
            st.markdown("\n".join(f"- {told(step)}" for step in steps))
        st.caption(told(conclusion.limits(assessment.card)))
        st.caption(f":material/info: {told(DISCLAIMER)}")
    if warning := loaded_models.warning_of_elsewhere(assessment.card):
        st.warning(told(plain_values(warning)), icon=":material/public:")


def ask_prevalence() -> None:
    """Ask how common pneumonia is; the answer is remembered for the session."""
    st.segmented_control(
        _("How common is pneumonia among the children you X-ray?"),
        list(SHARES),
        default=max(SHARES),
        required=True,
        format_func=lambda share: told(SHARES[share]),
        key=PREVALENCE,
        persist_state="session",
    )


def show_counting(assessment: "Assessment") -> None:
    """Show how the count was made: the validation films, their interval, and where the film lies among them."""
    found = conclusion.conclude(assessment.answer, assessment.similar, prevalence())
    scores = loaded_models.validation_scores(assessment.card)
    if found.similar is None or scores is None:
        return
    st.markdown(told(str(found.similar)))
    st.caption(counted_on(found.similar))
    limits = assessment.card.as_thresholds()
    chart.draw(
        probability_scale(
            assessment.probability,
            assessment.percent,
            limits,
            scores,
            dark=st.context.theme.type == "dark",
            language=current(),
        ),
        alt=told(scale_in_words(assessment.percent, limits)),
    )
    st.caption(_("The upright line is this film; the bars are validation films (height by the root of the share)."))


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
