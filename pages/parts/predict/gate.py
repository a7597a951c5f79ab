"""The gate on the predict page: what it found in a film, and what the user asked for in spite of it."""

from functools import partial

import streamlit as st

from pages.parts.predict import loaded_models
from pages.parts.predict.film_list import Film
from pages.parts.shared.language import _, told
from pages.parts.shared.plain import plain, plain_values
from pneumo import DISCLAIMER
from pneumo.errors import ModelError
from pneumo.inference.findings import TURNS, Correction
from pneumo.inference.gate import Gate, correction_note
from pneumo.inference.reading import Reading
from pneumo.preprocessing import network_input

REFUSED_SIDE = 320
# A film inside a picture is shown so large, cut out of the picture at that size.
CROP_SIDE, CROPPED_FROM_SIDE = 128, 1024


def open_gate() -> Gate | None:
    """Return what checks films; None where the user wants them assessed unchecked.

    Where the networks of the check are missing or damaged, the page says so and stops, unless the user switches the
    check off.
    """
    try:
        return loaded_models.load_gate()
    except ModelError as error:
        st.error(
            f"**{_('The film check is missing, so no film is assessed.')}** {plain(told(str(error)))}",
            icon=":material/block:",
        )
    if not st.toggle(_("Assess films without the check"), key="predict.unchecked", persist_state="session"):
        st.caption(f":material/info: {told(DISCLAIMER)}")
        st.stop()
    st.warning(
        _(
            "Films are not checked, because the networks for that are missing: whether a picture is a frontal chest "
            "film is yours to judge."
        )
    )
    return None


def show_refusal(film: Film, reading: Reading, facts: str) -> None:
    """Show why a film was not assessed, and what can be done."""
    corrections = reading.gate.corrections if reading.gate else ()
    with st.container(border=True, key="predict.refusal"):
        st.markdown(f"## :red[:material/block: {_('Not assessed')}]")
        reasons, shown = st.columns([2, 1])
        if reading.radiograph:
            shown.image(
                network_input.fit_within(reading.radiograph.pixels, REFUSED_SIDE),
                alt=_("The film that was not assessed"),
                clamp=True,
                output_format="JPEG",
            )
        # Plain text: a file's name comes from a stranger.
        shown.text(facts)
        with reasons:
            for finding in reading.findings or ():
                show = st.error if finding.severity == "refuse" else st.warning
                show(told(plain_values(finding.message)))
            for number, correction in enumerate(corrections):
                if correction.crop:
                    show_crop(film, correction, number)
            with st.container(horizontal=True):
                if corrections and not corrections[0].crop:
                    corrects = partial(film.ask, correct=corrections[0], force=False)
                    st.button(in_words(corrections[0]), type="primary", key="predict.correct", on_click=corrects)
                forces = partial(film.ask, correct=film.correct, force=True)
                st.button(_("Assess anyway"), type="tertiary", key="predict.force", on_click=forces)
        st.caption(f":material/info: {told(DISCLAIMER)}")


def show_crop(film: Film, correction: Correction, number: int) -> None:
    """Show a film inside the picture, small, beside the button that has it read."""
    assert film.reading is not None and film.reading.radiograph is not None
    picture = network_input.fit_within(film.reading.radiograph.pixels, CROPPED_FROM_SIDE)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.image(
            network_input.fit_within(correction.apply(picture), CROP_SIDE),
            alt=_("The film"),
            clamp=True,
            output_format="JPEG",
        )
        corrects = partial(film.ask, correct=correction, force=False)
        st.button(in_words(correction), type="primary", key=f"predict.crop_{number}", on_click=corrects)


def in_words(correction: Correction) -> str:
    """Say on a button what is done at a click on it."""
    if correction.quarter_turns and correction.invert:
        words = _("{turn}, invert and assess", turn=TURNS[correction.quarter_turns])
    else:
        words = _("{correction} and assess", correction=str(correction))
    return words.capitalize()


def show_findings(film: Film, reading: Reading) -> None:
    """Show above the answer what speaks against it, and what the user asked for."""
    if reading.forced:
        st.warning(
            _("**Assessed at your request, although pneumo refuses this film.** The answer below may mean nothing."),
            icon=":material/block:",
        )
        withdraws = partial(film.ask, correct=film.correct, force=False)
        st.button(_("Let the refusal stand"), icon=":material/undo:", key="predict.withdraw", on_click=withdraws)
    for finding in reading.findings or ():
        st.warning(told(plain_values(finding.message)), icon=":material/warning:")


def show_correction(film: Film, reading: Reading) -> None:
    """Say that a film was corrected, and offer to undo it."""
    if reading.correction:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.info(told(correction_note(reading.correction)), icon=":material/rotate_right:")
            undoes = partial(film.ask, correct=None, force=False)
            st.button(_("Undo the correction"), icon=":material/undo:", key="predict.undo", on_click=undoes)
