"""Calibrate a model at the reader's hospital: films of it in, thresholds with their intervals and a site file out."""

from pathlib import Path

import streamlit as st

from pages.parts.data.own_films import progress_bar
from pages.parts.shared.plain import plain
from pneumo.errors import DatasetError, ModelError
from pneumo.evaluation.site_calibration import FEWEST_NORMAL, FEWEST_PNEUMONIA
from pneumo.inference import site_films
from pneumo.inference.site_films import LocalFilm
from pneumo.model_store import store
from pneumo.model_store.site import LONGEST_NAME, Site, checked_name
from pneumo.results import model_facts

MADE = "own_data.site_made"


def show() -> None:
    """Ask for the films of a hospital, calibrate a model on them, and offer what was made."""
    st.subheader("Calibrate at your hospital")
    st.write(
        "Models call too many normal films of another hospital pneumonia, or too few pneumonias. Films of your own "
        f"hospital set the thresholds right: {FEWEST_NORMAL} or more that a radiologist called normal, each of "
        f"another child, in a folder NORMAL. {FEWEST_PNEUMONIA} or more with pneumonia, in a folder PNEUMONIA beside "
        "it, tell besides how many pneumonias are then found. The films stay on this machine."
    )
    cards = store.catalogue().cards
    if not cards:
        st.caption("There is no model yet. Train one with `python -m pneumo train mobilenetv2 --data DIR`.")
        return
    labels = model_facts.labels(cards)
    folder = st.text_input(
        "Folder with the films of your hospital",
        key="own_data.site_folder",
        persist_state="session",
        max_chars=1000,
        placeholder="/path/to/my_hospital",
        help="A folder that holds NORMAL, and PNEUMONIA if there are such films; or a table labels.csv.",
    )
    with st.container(horizontal=True):
        name = st.text_input(
            "Name of your hospital",
            key="own_data.site_name",
            persist_state="session",
            max_chars=LONGEST_NAME,
            width=420,
            help="Every answer names it.",
        )
        model = st.selectbox(
            "Model to calibrate", list(labels), format_func=labels.__getitem__, key="own_data.site_model", width=420
        )
    if st.button("Calibrate", icon=":material/tune:", type="primary", key="own_data.calibrate"):
        _calibrate(folder.strip(), name, model)
    key, site, films = st.session_state.get(MADE, (None, None, ()))
    if films and key == store.card_key(model):
        _show_films(films)
    if site and key == store.card_key(model):
        _show_site(site, films)
    else:
        st.caption("`python -m pneumo calibrate FOLDER --out site.json` does the same on the command line.")


def _calibrate(folder: str, name: str, model: str) -> None:
    """Calibrate, and keep for this session what was made, or only the films where they do not do."""
    st.session_state.pop(MADE, None)
    if not folder or not name.strip():
        st.warning("Type the folder with the films and the name of your hospital first.", icon=":material/edit:")
        return
    bar, tell = progress_bar("Assessing the films…")
    try:
        # They take long to import, and are needed only now.
        from pages.parts.predict import loaded_models

        models = loaded_models.load_models(model, loaded_models.load_gate(), at_site=False)
        films = site_films.read_local_films(Path(folder).expanduser(), models, progress=tell)
        key = store.card_key(model)
        st.session_state[MADE] = (key, None, films)
        st.session_state[MADE] = (key, site_films.calibrated_site(models.card, checked_name(name), films), films)
    except (DatasetError, ModelError, OSError, RuntimeError, ValueError) as error:
        st.error(plain(error), icon=":material/error:")
    bar.empty()


def _show_films(films: list[LocalFilm]) -> None:
    """Say which films do not count, and why."""
    if any(film.left_out for film in films):
        with st.expander(f"Films that do not count ({sum(bool(film.left_out) for film in films)})"):
            st.dataframe(site_films.left_out(films), hide_index=True, key="own_data.site_left_out")


def _show_site(site: Site, films: list[LocalFilm]) -> None:
    """Show the thresholds with what they rest on, what the films could not show, and how to use the file."""
    st.success(
        f"{plain(site.name)} is calibrated on {site.normal_films} normal films and {site.pneumonia_films} with "
        "pneumonia.",
        icon=":material/check_circle:",
    )
    st.table(site_films.readable(site), border="horizontal", hide_index=True)
    st.caption(
        "In brackets the 95 % interval. “Here” is the probability that the page then shows; at one half a film counts "
        "as pneumonia in the figures. The share of pneumonia that it holds for is that of the model."
    )
    for sentence in filter(None, (site_films.foreign_films(films), *site_films.limits(site))):
        st.markdown(f":material/info: {sentence}")
    st.download_button(
        "Download the site file",
        site.as_json(),
        file_name="site.json",
        mime="application/json",
        icon=":material/download:",
        key="own_data.site_file",
        on_click="ignore",
    )
    st.markdown(
        "To use it, start pneumo with `PNEUMO_SITE=site.json`: the Predict page and `pneumo predict` then answer by "
        f"these thresholds with the model `{site.model}`, and name {plain(site.name)} in every answer and report."
    )
