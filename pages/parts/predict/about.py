"""What stands behind an answer, folded away: how it was counted, the film's privacy, the model."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.parts.predict.answer import show_counting
from pages.parts.shared.language import _, told
from pages.parts.shared.plain import plain, plain_values
from pneumo.model_store.card import ModelCard
from pneumo.sentences import say

if TYPE_CHECKING:
    from pneumo.inference.classifier import Assessment

FIGURES = {
    "auroc": say("AUROC"),
    "accuracy": say("Accuracy"),
    "sensitivity": say("Sensitivity"),
    "specificity": say("Specificity"),
}


@st.fragment
def show_meaning(assessment: "Assessment", *, refused: bool) -> None:
    """Show once it is unfolded how the count was made, why this answer was given, and what the numbers mean."""
    folded = st.expander(
        _("How was this counted?"), icon=":material/percent:", key="predict.counted", on_change="rerun"
    )
    # Drawing a chart that nobody sees takes a browser as long as drawing the answer.
    if not folded.open:
        return
    with folded:
        show_counting(assessment)
        st.markdown(
            "\n".join(
                f"- {said}"
                for said in (
                    *(told(plain_values(reason)) for reason in assessment.reasons),
                    *(() if refused or assessment.site else meanings(assessment.card)),
                )
            )
        )


def meanings(card: ModelCard) -> tuple[str, ...]:
    """Say what the probability and the count mean."""
    return (
        _(
            "**The probability** holds where {held_at:.0%} of the films show pneumonia. How common pneumonia is where "
            "you work is put in its place by Bayes' theorem.",
            held_at=card.calibration["prevalence"],
        ),
        _(
            "**The count** looks up the validation films with the nearest scores and says how many of them showed "
            "pneumonia, but never more or fewer than so many films can prove. The interval is where the true number "
            "lies 95 times in 100, as far as chance goes."
        ),
        _(
            "**Likely and unlikely** are given only beyond limits at which few validation films were on the wrong "
            "side. Between them the model cannot say. Where pneumonia is so rare that most films like this one may "
            "come from children without it, “likely” becomes “cannot say”, too."
        ),
    )


def show_privacy() -> None:
    """Say where a film goes."""
    with st.expander(_("Does my film leave this machine?"), icon=":material/lock:"):
        st.markdown(
            _(
                "It goes to the machine that runs pneumo and no further: your own, if the address of this page starts "
                "with localhost. There it stays in memory while this page is open, and for about two minutes after. "
                "It is not stored, not logged, not sent on and not learned from. What you download is a file on your "
                "own machine; it carries the film's file name."
            )
        )


def show_model(card: ModelCard) -> None:
    """Show the figures of the model that answered."""
    with st.expander(_("About the model: {title}", title=plain(card.title)), icon=":material/model_training:"):
        figures = card.metrics.get("test")
        if figures:
            st.markdown(
                "\n".join(
                    (
                        _(
                            "On the {films} films of the official test split (children of one hospital):",
                            films=figures["films"],
                        ),
                        "",
                        *(
                            _(
                                "- {words}: **{value:.3f}** (95 % interval {low:.3f}–{high:.3f})",
                                words=words,
                                **{end: figures[key][end] for end in ("value", "low", "high")},
                            )
                            for key, words in FIGURES.items()
                        ),
                    )
                )
            )
        st.caption(
            _(
                "`{name}` · SHA-256 `{sha256}` · {parameters:,} weights · from {initial}",
                **{"name": card.name, "sha256": card.sha256},
                **{"parameters": card.parameters, "initial": card.initial_weights},
            )
        )
