"""Drift: what the audit log says of the films that are read here, for who runs the server."""

from pathlib import Path

import pandas as pd
import streamlit as st

from pages.parts.charts.drift import answers_plot, course_plot, tenths_plot
from pages.parts.shared import chart_with_table, source
from pages.parts.shared.language import _, current, head, told, told_table, word
from pages.parts.shared.plain import plain
from pneumo.errors import ModelError, PackageError
from pneumo.model_store import site as sites
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.sentences import say
from pneumo.serving import audit, drift
from pneumo.serving.drift import BASELINE, FEWEST, WINDOW, Reference

REFERENCES = {
    "own": say("The first {films} films here", films=BASELINE),
    "validation": say("The model's validation films"),
}


@st.cache_data(show_spinner=False, max_entries=2)
def logged(files: tuple[Path, ...], sizes: tuple[int, ...]) -> pd.DataFrame:
    """Keep the films of a log until it grows."""
    return drift.films_of(audit.entries(files))


def choose_model(films: pd.DataFrame) -> ModelCard:
    """Return the card of the model whose films are shown; stop the page where there is none."""
    known = {card.name: card for card in store.catalogue().cards if (films["model_sha256"] == card.sha256).any()}
    if not known:
        st.info(_("No film in the audit log was read by a model as it is now."), icon=":material/info:")
        st.stop()
    name = st.selectbox(
        _("Model"), list(known), format_func=lambda name: known[name].title, key="drift.model", width=320
    )
    return known[name]


def choose_reference(card: ModelCard, films: pd.DataFrame) -> tuple[Reference, pd.DataFrame]:
    """Return what films are compared with, and the films that are."""
    enough = len(films) >= BASELINE + FEWEST
    chosen = st.segmented_control(
        _("Compare with"),
        list(REFERENCES) if enough else ["validation"],
        default="own" if enough else "validation",
        format_func={name: told(words) for name, words in REFERENCES.items()}.__getitem__,
        required=True,
        key="drift.reference",
    )
    if chosen == "own":
        st.caption(_("Make sure that the machine was set right while these films were made."))
        return drift.first_films(films), films.iloc[BASELINE:].reset_index(drop=True)
    st.caption(
        _(
            "Where pneumonia is rarer or more common than among the validation films, or the machine "
            "is another one, films differ from them from the first day on. From {films} films on "
            "they are compared with your own.",
            films=BASELINE + FEWEST,
        )
    )
    return drift.validation_films(card), films


def show_state(course: pd.DataFrame) -> None:
    """Say whether there is an alarm, and since when."""
    since = drift.first_alarm(course)
    if since is None:
        st.success(_("The last {films} films are like the reference.", films=WINDOW), icon=":material/check_circle:")
        return
    st.error(
        _(
            "**The films have changed since number {number}** ({time}): {figure}. "
            "Ask whether a machine, its settings, the export or the patients are others, and let a "
            "radiologist check some answers before you trust new ones.",
            number=int(since["line"]),
            time=current().moment(since["time"]),
            figure=word(since["figure"]),
        ),
        icon=":material/notifications_active:",
    )


def show_checks(found: pd.DataFrame) -> None:
    """Show each figure of the last films beside the reference."""
    alarm = _("Alarm")
    heads = {
        "figure": _("Figure"),
        "reference": _("Reference"),
        "films": _("Last {films} films", films=WINDOW),
        "value": _("Value"),
        "limit": _("Limit"),
        "alarm": alarm,
    }
    st.dataframe(
        told_table(found.assign(alarm=found["alarm"].map({True: f"▲ {alarm}", False: "–"}))).rename(columns=heads),
        hide_index=True,
        key="drift.checks",
        column_config={heads[key]: st.column_config.NumberColumn(format="%.3f") for key in ("value", "limit")},
    )
    st.caption(
        _(
            "PSI: population stability index. KS, and the values of brightness, contrast and "
            "sharpness: the distance of Kolmogorov and Smirnov. The value of a share of films is "
            "minus the logarithm of Fisher's p. Chance alone passes a limit once in {comparisons:,.0f} "
            "comparisons.",
            comparisons=1 / drift.P_VALUE,
        )
    )


head(_("Have the films changed?"))
file = audit.configured()
if file is None:
    st.info(_("There is no audit log. Set PNEUMO_AUDIT to a file, and start the server again."), icon=":material/info:")
    st.stop()
log = audit.AuditLog(file).files
with st.spinner(_("Reading the audit log…")):
    films = logged(tuple(log), tuple(path.stat().st_size for path in log))
if films.empty:
    st.info(_("The audit log holds no film yet."), icon=":material/info:")
    st.stop()
card = choose_model(films)
site = sites.configured()
films = drift.of_model(films, card, audit.site_key(site) if site and site.model == card.name else None)
st.caption(
    _("{films:,} films that {title} read, each once, from the audit log.", films=len(films), title=plain(card.title))
)
answers = drift.answers(films)
if len(films) < FEWEST:
    st.info(_("Films are compared from {films} films on.", films=FEWEST), icon=":material/info:")
else:
    try:
        reference, later = choose_reference(card, films)
        course = drift.course(reference, later)
    except (ModelError, PackageError) as error:
        st.error(plain(told(str(error))))
        st.stop()
    show_state(course)
    show_checks(drift.checks(reference, later.iloc[-WINDOW:]))
    chart_with_table.show(
        course_plot(course), course, key="drift.course", alt_text=_("Each figure over its limit, film by film.")
    )
    tenths = drift.tenths(reference, later.iloc[-WINDOW:])
    chart_with_table.show(
        tenths_plot(tenths), tenths, key="drift.tenths", alt_text=_("Films in each tenth of the reference's scores.")
    )
chart_with_table.show(
    answers_plot(answers), answers, key="drift.answers", alt_text=_("Answers and refusals, in blocks of films.")
)
source.show("drift")
