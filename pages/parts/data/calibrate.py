"""Calibrate a model at the reader's hospital: films of it in, thresholds with their intervals and a site file out."""

from pathlib import Path

import streamlit as st

from pages.parts.data.own_films import progress_bar
from pages.parts.models import measured_models
from pages.parts.shared.language import _, told, told_table
from pages.parts.shared.plain import plain
from pneumo.errors import DatasetError, ModelError, PackageError
from pneumo.evaluation.site_calibration import FEWEST_NORMAL, FEWEST_PNEUMONIA
from pneumo.inference import site_films
from pneumo.inference.site_films import LocalFilm
from pneumo.model_store import store
from pneumo.model_store.site import LONGEST_NAME, Site, checked_name

MADE = "own_data.site_made"


def show() -> None:
    """Ask for the films of a hospital, calibrate a model on them, and offer what was made."""
    st.subheader(_("Calibrate at your hospital"))
    st.write(
        _(
            "Models call too many normal films of another hospital pneumonia, or too few pneumonias. "
            "Films of your own hospital set the thresholds right: {normal} or more that a "
            "radiologist called normal, each of another child, in a folder NORMAL. "
            "{pneumonia} or more with pneumonia, in a folder PNEUMONIA beside it, tell "
            "besides how many pneumonias are then found. The films stay on this machine.",
            normal=FEWEST_NORMAL,
            pneumonia=FEWEST_PNEUMONIA,
        )
    )
    cards = store.catalogue().cards
    if not cards:
        st.caption(_("There is no model yet. Train one with `python -m pneumo train mobilenetv2 --data DIR`."))
        return
    labels = measured_models.titles(cards)
    folder = st.text_input(
        _("Folder with the films of your hospital"),
        key="own_data.site_folder",
        persist_state="session",
        max_chars=1000,
        placeholder="/path/to/my_hospital",
        help=_("A folder that holds NORMAL, and PNEUMONIA if there are such films; or a table labels.csv."),
    )
    with st.container(horizontal=True):
        name = st.text_input(
            _("Name of your hospital"),
            key="own_data.site_name",
            persist_state="session",
            max_chars=LONGEST_NAME,
            width=420,
            help=_("Every answer names it."),
        )
        model = st.selectbox(
            _("Model to calibrate"), list(labels), format_func=labels.__getitem__, key="own_data.site_model", width=420
        )
    if st.button(_("Calibrate"), icon=":material/tune:", type="primary", key="own_data.calibrate"):
        _calibrate(folder.strip(), name, model)
    key, site, films = st.session_state.get(MADE, (None, None, ()))
    if films and key == store.card_key(model):
        _show_films(films)
    if site and key == store.card_key(model):
        _show_site(site, films)
    else:
        st.caption(_("`python -m pneumo calibrate FOLDER --out site.json` does the same on the command line."))


def _calibrate(folder: str, name: str, model: str) -> None:
    """Calibrate, and keep for this session what was made, or only the films where they do not do."""
    st.session_state.pop(MADE, None)
    if not folder or not name.strip():
        st.warning(_("Type the folder with the films and the name of your hospital first."), icon=":material/edit:")
        return
    bar, tell = progress_bar(_("Assessing the films…"))
    try:
        # They take long to import, and are needed only now.
        from pages.parts.predict import loaded_models

        models = loaded_models.load_models(model, loaded_models.load_gate(), at_site=False)
        films = site_films.read_local_films(Path(folder).expanduser(), models, progress=tell)
        key = store.card_key(model)
        st.session_state[MADE] = (key, None, films)
        st.session_state[MADE] = (key, site_films.calibrated_site(models.card, checked_name(name), films), films)
    except (DatasetError, ModelError, PackageError, OSError, RuntimeError, ValueError) as error:
        st.error(plain(told(str(error))), icon=":material/error:")
    bar.empty()


def _show_films(films: list[LocalFilm]) -> None:
    """Say which films do not count, and why."""
    if any(film.left_out for film in films):
        with st.expander(_("Films that do not count ({films})", films=sum(bool(film.left_out) for film in films))):
            st.dataframe(told_table(site_films.left_out(films)), hide_index=True, key="own_data.site_left_out")


def _show_site(site: Site, films: list[LocalFilm]) -> None:
    """Show the thresholds with what they rest on, what the films could not show, and how to use the file."""
    st.success(
        _(
            "{name} is calibrated on {normal_films} normal films and {pneumonia_films} with pneumonia.",
            name=plain(site.name),
            normal_films=site.normal_films,
            pneumonia_films=site.pneumonia_films,
        ),
        icon=":material/check_circle:",
    )
    st.table(told_table(site_films.readable(site)), border="horizontal", hide_index=True)
    st.caption(
        _(
            "In brackets the 95 % interval. “Here” is the probability that the page then shows; at "
            "one half a film counts as pneumonia in the figures. The share of pneumonia that it "
            "holds for is that of the model."
        )
    )
    for sentence in filter(None, (site_films.foreign_films(films), *site_films.limits(site))):
        st.markdown(f":material/info: {told(sentence)}")
    st.download_button(
        _("Download the site file"),
        site.as_json(),
        file_name="site.json",
        mime="application/json",
        icon=":material/download:",
        key="own_data.site_file",
        on_click="ignore",
    )
    st.markdown(
        _(
            "To use it, start pneumo with `PNEUMO_SITE=site.json`: the Predict page and `pneumo "
            "predict` then answer by these thresholds with the model `{model}`, and name {name} in "
            "every answer and report.",
            model=site.model,
            name=plain(site.name),
        )
    )
