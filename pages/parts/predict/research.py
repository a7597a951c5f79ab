"""Beyond the two classes: what is studied, not told as an answer. Shown only where pneumonia is not unlikely."""

import streamlit as st

from pages.parts.predict import loaded_models
from pages.parts.predict.film_list import Film
from pages.parts.shared.language import _, told
from pneumo.inference.opacity import Severity
from pneumo.inference.pathogen import Leaning
from pneumo.inference.reading import Reading


def show_research(film: Film, reading: Reading) -> None:
    """Show how much of the lungs is opaque and which way the film leans, folded away, where that is known."""
    if reading.assessment is None or reading.assessment.answer == "unlikely":
        return
    leaning, severity = loaded_models.leaning_of(film, reading), reading.severity
    if leaning is None and severity is None:
        return
    with st.expander(_("Beyond the two classes (research)"), icon=":material/science:"):
        if severity:
            show_severity(severity)
        if leaning:
            show_leaning(leaning)


def show_severity(severity: Severity) -> None:
    """Say how much of each lung is opaque, and how far off that is."""
    st.markdown(f"**{_('Severity.')}** {told(severity.sentence)}")
    worth = told(severity.worth) if severity.worth else ""
    st.caption(f"{worth} {_('It grades the film, not how ill the child is.')}".strip())


def show_leaning(leaning: Leaning) -> None:
    """Say whether the film looks bacterial or viral, and how often that is right."""
    st.markdown(f"**{_('Bacterial or viral?')}** {told(str(leaning))}")
    figures = leaning.card.metrics.get("test")
    measured = ""
    if figures:
        auroc = figures["auroc"]
        measured = _(
            "On the {films} test films with pneumonia it told the two apart with an AUROC of "
            "{value:.3f} ({low:.3f}–{high:.3f}).",
            films=figures["films"],
            **{end: auroc[end] for end in ("value", "low", "high")},
        )
    st.caption(f"{measured} {_('A leaning, not a diagnosis: do not choose a treatment by it.')}".strip())
