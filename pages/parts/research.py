"""Beyond the two classes: what is studied, not told as an answer. Shown only where pneumonia is likely."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.parts import readers
from pneumo import explain_table, lungs
from pneumo.heat_findings import Extent
from pneumo.pathogen import Leaning

if TYPE_CHECKING:
    from pneumo.classifier import Assessment


def show_research(assessment: "Assessment", extent: Extent | None, method: str) -> None:
    """Show which way the film leans and how far the heat extends, folded away; nothing unless pneumonia is likely."""
    if assessment.answer != "likely":
        return
    leaning = readers.leaning_of(assessment)
    if leaning is None and extent is None:
        return
    with st.expander("Beyond the two classes (research)", icon=":material/science:"):
        if leaning:
            show_leaning(leaning)
        if extent:
            show_extent(extent, assessment.card.name, method)


def show_leaning(leaning: Leaning) -> None:
    """Say whether the film looks bacterial or viral, and how often that is right."""
    st.markdown(f"**Bacterial or viral?** {leaning}")
    figures = leaning.card.metrics.get("test")
    measured = ""
    if figures:
        auroc = figures["auroc"]
        measured = (
            f"On the {figures['films']} test films with pneumonia it told the two apart with an AUROC of "
            f"{auroc['value']:.3f} ({auroc['low']:.3f}–{auroc['high']:.3f}). "
        )
    st.caption(f"{measured}A leaning, not a diagnosis: do not choose a treatment by it.")


def show_extent(extent: Extent, name: str, method: str) -> None:
    """Say how much of each lung zone is hot, and what that was measured to be worth."""
    st.markdown(f"**Extent.** {extent.share:.0%} of the lung area is hot on the scale that all films share.")
    st.dataframe(
        {
            "Zone": [zone.capitalize() for zone in lungs.ZONES],
            "Hot": ["not on the film" if share is None else f"{share:.0%}" for share in extent.zones],
        },
        hide_index=True,
        width="content",
    )
    found = explain_table.figure(name, "opacities", method, "extent_correlation")
    worth = f"Against opacities that people drew on adults' films its rank correlation is {found}. " if found else ""
    st.caption(f"{worth}Heat shows where the score comes from, not how ill the child is.")
