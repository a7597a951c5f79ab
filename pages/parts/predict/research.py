"""Beyond the two classes: what is studied, not told as an answer. Shown only where pneumonia is likely."""

import streamlit as st

from pages.parts.predict import loaded_models
from pages.parts.predict.film_list import Film
from pages.parts.shared.language import _, told
from pneumo.explanation import agreement
from pneumo.explanation.heat_findings import ZONE_WORDS, Extent
from pneumo.inference import lungs
from pneumo.inference.pathogen import Leaning
from pneumo.inference.reading import Reading


def show_research(film: Film, reading: Reading, extent: Extent | None, method: str) -> None:
    """Show which way the film leans and how far the heat extends, folded away; nothing unless pneumonia is likely."""
    if reading.assessment is None or reading.assessment.answer != "likely":
        return
    leaning = loaded_models.leaning_of(film, reading)
    if leaning is None and extent is None:
        return
    with st.expander(_("Bacterial or viral? (research)"), icon=":material/science:"):
        if leaning:
            show_leaning(leaning)
        if extent:
            show_extent(extent, reading.models.card.name, method)


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


def show_extent(extent: Extent, name: str, method: str) -> None:
    """Say how much of each lung zone is hot, and what that was measured to be worth."""
    hot = _("{share:.0%} of the lung area is hot on the scale that all films share.", share=extent.share)
    st.markdown(f"**{_('Extent.')}** {hot}")
    st.dataframe(
        {
            _("Zone"): [told(ZONE_WORDS[zone]).capitalize() for zone in lungs.ZONES],
            _("Hot"): [
                _("not on the film") if share is None else _("{share:.0%}", share=share) for share in extent.zones
            ],
        },
        hide_index=True,
        width="content",
    )
    found = agreement.figure(name, "opacities", method, "extent_correlation")
    worth = ""
    if found:
        worth = _(
            "Against opacities that people drew on adults' films its rank correlation is "
            "{value:.3f} ({low:.3f}–{high:.3f}).",
            **{"value": found.value, "low": found.low, "high": found.high},
        )
    st.caption(f"{worth} {_('Heat shows where the score comes from, not how ill the child is.')}".strip())
