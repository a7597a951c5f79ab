"""Drift: what the audit log says of the films that are read here, for who runs the server."""

from pathlib import Path

import pandas as pd
import streamlit as st

from pages.parts.charts.drift import answers_plot, course_plot, tenths_plot
from pages.parts.shared import chart_with_table
from pages.parts.shared.plain import plain
from pneumo.errors import ModelError
from pneumo.model_store import site as sites
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.serving import audit, drift
from pneumo.serving.drift import BASELINE, FEWEST, WINDOW, Reference

OWN, VALIDATION = f"The first {BASELINE} films here", "The model's validation films"


@st.cache_data(show_spinner="Reading the audit log…", max_entries=2)
def logged(files: tuple[Path, ...], sizes: tuple[int, ...]) -> pd.DataFrame:
    """Keep the films of a log until it grows."""
    return drift.films_of(audit.entries(files))


def choose_model(films: pd.DataFrame) -> ModelCard:
    """Return the card of the model whose films are shown; stop the page where there is none."""
    known = {card.name: card for card in store.catalogue().cards if (films["model_sha256"] == card.sha256).any()}
    if not known:
        st.info("No film in the audit log was read by a model as it is now.", icon=":material/info:")
        st.stop()
    name = st.selectbox("Model", list(known), format_func=lambda name: known[name].title, key="drift.model", width=320)
    return known[name]


def choose_reference(card: ModelCard, films: pd.DataFrame) -> tuple[Reference, pd.DataFrame]:
    """Return what films are compared with, and the films that are."""
    enough = len(films) >= BASELINE + FEWEST
    chosen = st.segmented_control(
        "Compare with",
        [OWN, VALIDATION] if enough else [VALIDATION],
        default=OWN if enough else VALIDATION,
        required=True,
        key="drift.reference",
    )
    if chosen == OWN:
        st.caption("Make sure that the machine was set right while these films were made.")
        return drift.first_films(films), films.iloc[BASELINE:].reset_index(drop=True)
    st.caption(
        "Where pneumonia is rarer or more common than among the validation films, or the machine is another one, films "
        f"differ from them from the first day on. From {BASELINE + FEWEST} films on they are compared with your own."
    )
    return drift.validation_films(card), films


def show_state(course: pd.DataFrame) -> None:
    """Say whether there is an alarm, and since when."""
    since = drift.first_alarm(course)
    if since is None:
        st.success(f"The last {WINDOW} films are like the reference.", icon=":material/check_circle:")
        return
    st.error(
        f"**The films have changed since number {since['number']}** ({since['time']:%Y-%m-%d %H:%M} UTC): "
        f"{since['figure'].lower() if since['figure'] not in (drift.PSI, drift.KS) else since['figure']}. Ask whether "
        "a machine, its settings, the export or the patients are others, and let a radiologist check some answers "
        "before you trust new ones.",
        icon=":material/notifications_active:",
    )


def show_checks(found: pd.DataFrame) -> None:
    """Show each figure of the last films beside the reference."""
    shown = found.assign(alarm=found["alarm"].map({True: "▲ Alarm", False: "–"}))
    heads = {"figure": "Figure", "reference": "Reference", "films": f"Last {WINDOW} films", "alarm": "Alarm"}
    st.dataframe(
        shown.rename(columns={**heads, "value": "Value", "limit": "Limit"}),
        hide_index=True,
        key="drift.checks",
        column_config={
            "Value": st.column_config.NumberColumn(format="%.3f"),
            "Limit": st.column_config.NumberColumn(format="%.3f"),
        },
    )
    st.caption(
        "PSI: population stability index. KS, and the values of brightness, contrast and sharpness: the distance of "
        "Kolmogorov and Smirnov. The value of a share of films is minus the logarithm of Fisher's p. Chance alone "
        f"passes a limit once in {1 / drift.P_VALUE:,.0f} comparisons."
    )


st.title("Have the films changed?")
file = audit.configured()
if file is None:
    st.info("There is no audit log. Set PNEUMO_AUDIT to a file, and start the server again.", icon=":material/info:")
    st.stop()
log = audit.AuditLog(file).files
films = logged(tuple(log), tuple(path.stat().st_size for path in log))
if films.empty:
    st.info("The audit log holds no film yet.", icon=":material/info:")
    st.stop()
card = choose_model(films)
site = sites.configured()
films = drift.of_model(films, card, audit.site_key(site) if site and site.model == card.name else None)
st.caption(f"{len(films):,} films that {plain(card.title)} read, each once, from the audit log.")
answers = drift.answers(films)
if len(films) < FEWEST:
    st.info(f"Films are compared from {FEWEST} films on.", icon=":material/info:")
else:
    try:
        reference, later = choose_reference(card, films)
    except ModelError as error:
        st.error(plain(str(error)))
        st.stop()
    course = drift.course(reference, later)
    show_state(course)
    show_checks(drift.checks(reference, later.iloc[-WINDOW:]))
    chart_with_table.show(
        course_plot(course), course, key="drift.course", alt_text="Each figure over its limit, film by film."
    )
    tenths = drift.tenths(reference, later.iloc[-WINDOW:])
    chart_with_table.show(
        tenths_plot(tenths), tenths, key="drift.tenths", alt_text="Films in each tenth of the reference's scores."
    )
chart_with_table.show(
    answers_plot(answers), answers, key="drift.answers", alt_text="Answers and refusals, in blocks of films."
)
