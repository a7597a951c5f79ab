"""What can be done with a dataset that was looked through: write a MedMNIST file as films, and measure a model."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.parts.models import measured_models
from pages.parts.shared import spreadsheet
from pages.parts.shared.language import _, told, told_table
from pages.parts.shared.plain import plain
from pneumo.datasets import checks, medmnist
from pneumo.datasets.checks import Check
from pneumo.errors import DatasetError, ModelError
from pneumo.evaluation.metrics import Metrics
from pneumo.model_store import store
from pneumo.results import leaderboard, own_films
from pneumo.results.own_films import OwnMeasurement

MEASURED = "own_data.measured"


def leaf_through(root: Path) -> None:
    """Offer the other pages for the films of a folder."""
    if st.button(
        _("Leaf through these films in the gallery"), icon=":material/photo_library:", key="own_data.to_gallery"
    ):
        st.session_state["shared.data_folder"] = str(root)
        st.switch_page("pages/gallery.py")
    st.caption(_("Dataset, Shortcuts in the data and Augmentation then show the same folder."))


def unpack(path: Path) -> None:
    """Offer to write a MedMNIST file as a folder of films, which all pages and commands can read."""
    st.write(_("Written as films, its pictures can be counted, leafed through and trained on like any dataset."))
    out = st.text_input(_("Write the films into"), "data", key="own_data.unpack_out", max_chars=1000, width=420)
    if st.button(_("Write as films"), icon=":material/folder_open:", key="own_data.unpack"):
        bar, tell = progress_bar(_("Writing the films…"))
        try:
            root = medmnist.unpack(path, Path(out.strip() or "data").expanduser(), tell)
            st.session_state["own_data.unpacked"] = (path, root)
        except (DatasetError, RuntimeError) as error:
            st.error(plain(told(str(error))), icon=":material/error:")
        bar.empty()
    source, root = st.session_state.get("own_data.unpacked", (None, None))
    if source == path and root:
        st.success(_("The films are in {root}.", root=plain(root)), icon=":material/check_circle:")
        leaf_through(root)


def measure(found: Check) -> None:
    """Offer to measure a model on the test films, and show the figures."""
    st.subheader(_("Measure a model on these test films"))
    st.write(told(own_films.origin(found.counts)))
    cards = store.catalogue().cards
    if not cards:
        st.caption(_("There is no model yet. Train one with `python -m pneumo train mobilenetv2 --data DIR`."))
        return
    by_name, labels = {card.name: card for card in cards}, measured_models.titles(cards)
    name = st.selectbox(_("Model"), list(by_name), format_func=labels.__getitem__, key="own_data.model", width=420)
    card = by_name[name]
    if st.button(_("Measure"), icon=":material/speed:", key="own_data.measure"):
        bar, tell = progress_bar(_("Assessing the films…"))
        try:
            # It takes long to import, and is needed only now.
            from pages.parts.predict import loaded_models

            classifier = loaded_models.load_models(card.name, None, at_site=False).classifier
            measured = own_films.measure(classifier, found.root, tell)
            st.session_state[MEASURED] = (found.root, store.card_key(card.name), measured)
        except (DatasetError, ModelError, OSError) as error:
            st.session_state.pop(MEASURED, None)
            st.error(plain(told(str(error))), icon=":material/error:")
        bar.empty()
    root, key, measured = st.session_state.get(MEASURED, (None, None, None))
    if measured and (root, key) == (found.root, store.card_key(card.name)):
        _show(measured, card.name, _official(card.name))
    else:
        st.caption(_("Each test film is assessed as on the Predict page, without the gate."))


def progress_bar(words: str) -> tuple[DeltaGenerator, Callable[[int, int], None]]:
    """Show a bar, and return it with what moves it on."""
    bar = st.progress(0.0, words)

    def tell(done: int, total: int) -> None:
        bar.progress(checks.share_read(done, total), words)

    return bar, tell


def _official(name: str) -> Metrics | None:
    """Return a model's figures on the official test films; None where it was not measured on them."""
    try:
        return leaderboard.measure(store.read_card(name), "test").metrics
    except ModelError:
        return None


def _show(measured: OwnMeasurement, name: str, official: Metrics | None) -> None:
    """Show the figures of a measurement, and offer the calls behind them."""
    metrics = measured.metrics
    st.write(
        _(
            "{films:,} films were measured; a film is called pneumonia from a probability of {threshold:.3f} on.",
            films=metrics.films,
            threshold=metrics.threshold,
        )
    )
    if measured.unreadable:
        st.warning(
            _("Left out, for they cannot be read: {films:,} films.", films=len(measured.unreadable)),
            icon=":material/warning:",
        )
    st.table(told_table(own_films.readable(metrics, official)), border="horizontal", hide_index=True)
    st.caption(
        _(
            "In brackets the 95 % interval: Wilson's for shares of films, a bootstrap over patients "
            "for the rest. Where names tell no patient each film counts as a patient, and the "
            "intervals are too narrow."
        )
    )
    st.download_button(
        _("Download the probabilities (CSV)"),
        spreadsheet.as_csv(measured.predictions),
        file_name=f"{name}_own_films.csv",
        mime="text/csv",
        icon=":material/download:",
        key="own_data.csv",
        on_click="ignore",
    )
