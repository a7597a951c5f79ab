"""The gate on the predict page: what it found in a film, and what the user asked for in spite of it."""

import streamlit as st

from pages.parts.shared.language import _, told
from pneumo import DISCLAIMER, radiograph
from pneumo.errors import ModelError
from pneumo.inference import gate
from pneumo.inference.batch import Entry
from pneumo.inference.findings import TURNS, Correction, Finding
from pneumo.inference.gate import Gate, GateResult
from pneumo.inference.lungs import LungMask
from pneumo.preprocessing import network_input
from pneumo.radiograph import Radiograph

REFUSED_SIDE = 320


class FilmCheck:
    """One film of a session: as it was given, as it is now, and what the gate makes of it.

    Attributes:
        identity: of the film in this session.
        film: as it is to be assessed: as given, or corrected at the user's request.
        verdict: on `film`; None where films are not checked.
        forced: whether the user asked for an answer in spite of a refusal.
    """

    def __init__(self, identity: str, film: Radiograph, screener: Gate | None) -> None:
        self.identity, self.film, self.screener = identity, film, screener
        self.verdict = screener.check(film) if screener else None
        self.forced = False
        self._given: tuple[Radiograph, GateResult | None] = self.film, self.verdict

    @property
    def findings(self) -> tuple[Finding, ...] | None:
        """What the gate found, refusals first; None where films are not checked."""
        return self.verdict.findings if self.verdict else None

    @property
    def lungs(self) -> LungMask | None:
        """The lungs of the film as it is now; None where it is refused or films are not checked."""
        return self.verdict.lungs if self.verdict else None

    @property
    def refused(self) -> bool:
        """Whether the gate refuses the film as it is now."""
        return self.verdict is not None and not self.verdict.accepted

    @property
    def is_corrected(self) -> bool:
        """Whether the film is not as it was given."""
        return self.film is not self._given[0]

    def correct(self) -> None:
        """Apply the correction that the gate offers, and check the film again."""
        if self.screener and self.verdict and self.verdict.correction:
            self.film = gate.corrected(self.film, self.verdict.correction)
            self.verdict = self.screener.check(self.film)
            self.forced = False

    def undo(self) -> None:
        """Go back to the film as it was given."""
        (self.film, self.verdict), self.forced = self._given, False

    def force(self) -> None:
        """Have the film assessed in spite of the refusal."""
        self.forced = True

    def withdraw(self) -> None:
        """Let the refusal stand after all."""
        self.forced = False


@st.cache_resource(show_spinner=False, max_entries=2)
def _load_screener(sha256s: tuple[str, ...]) -> Gate:
    """Load both networks once for all sessions; `sha256s` make retrained networks new ones."""
    screener = Gate.open()
    screener.warm_up()
    return screener


def load_screener() -> Gate | None:
    """Return what checks films; None where its networks are missing or damaged."""
    try:
        with st.spinner(_("Loading the film check …")):
            return _load_screener(tuple(card.sha256 for card in gate.network_cards()))
    except ModelError:
        return None


def check(entry: Entry, screener: Gate | None) -> FilmCheck:
    """Read and check a film once; what the user asked for stays with the film.

    Raises:
        ImageError: if it cannot be read.
    """
    known: FilmCheck | None = st.session_state.get("film_check")
    if known is None or known.identity != entry.identity or known.screener is not screener:
        # What cannot be read leaves no trace of the film before it.
        st.session_state.film_check = None
        film = radiograph.read(entry.data or b"", entry.name)
        st.session_state.film_check = known = FilmCheck(entry.identity, film, screener)
        if entry.corrected:
            known.correct()
        known.forced = entry.forced
    entry.corrected, entry.forced = known.is_corrected, known.forced
    return known


def show_refusal(checked: FilmCheck, facts: str) -> None:
    """Show why a film was not assessed, and what can be done."""
    findings, correction = checked.findings or (), checked.verdict and checked.verdict.correction
    with st.container(border=True, key="refusal"):
        st.markdown(f"## :red[:material/block: {_('Not assessed')}]")
        reasons, shown = st.columns([2, 1])
        shown.image(
            network_input.fit_within(checked.film.pixels, REFUSED_SIDE),
            caption=facts,
            alt=_("The film that was not assessed"),
            clamp=True,
            output_format="JPEG",
        )
        with reasons:
            for finding in findings:
                show = st.error if finding.severity == "refuse" else st.warning
                show(told(finding.message))
            with st.container(horizontal=True):
                if correction:
                    st.button(in_words(correction), type="primary", key="correct", on_click=checked.correct)
                st.button(_("Assess anyway"), key="force", on_click=checked.force)
        st.caption(f":material/info: {told(DISCLAIMER)}")


def in_words(correction: Correction) -> str:
    """Say on a button what is done at a click on it."""
    if correction.quarter_turns and correction.invert:
        words = _("{turn}, invert and assess", turn=TURNS[correction.quarter_turns])
    else:
        words = _("{correction} and assess", correction=str(correction))
    return words.capitalize()


def show_findings(checked: FilmCheck) -> None:
    """Show above the answer what speaks against it, and what the user asked for."""
    if checked.refused:
        st.warning(
            _("**Assessed at your request, although pneumo refuses this film.** The answer below may mean nothing."),
            icon=":material/block:",
        )
        st.button(_("Let the refusal stand"), icon=":material/undo:", key="withdraw", on_click=checked.withdraw)
    for finding in checked.findings or ():
        st.warning(told(finding.message), icon=":material/warning:")


def show_correction(checked: FilmCheck) -> None:
    """Say that a film was corrected, and offer to undo it."""
    if checked.is_corrected:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.info(told(checked.film.notes[-1]), icon=":material/rotate_right:")
            st.button(_("Undo the correction"), icon=":material/undo:", key="undo", on_click=checked.undo)
