"""The dataset that the reader names, kept while the tab is open, and what is read of it once for all sessions."""

from contextlib import suppress
from pathlib import Path

import streamlit as st

from pages.parts.data import catalogue, fetch_films
from pages.parts.data.catalogue import Catalogue
from pages.parts.shared import public
from pages.parts.shared.language import _, told, warn_of
from pneumo.datasets import kaggle, samples, summary
from pneumo.datasets.summary import Summary
from pneumo.errors import DatasetError, ImageError
from pneumo.sentences import say


# `cache_data` hands each session a copy of its own, so that none can change another's tables.
@st.cache_data(show_spinner=False, max_entries=4)
def _listed(root: Path, state: str) -> Catalogue:
    """Keep the list of a dataset until films are added or removed, which changes ``state``."""
    return catalogue.of_data_set(root)


@st.cache_data(show_spinner=False, max_entries=2)
def _summary(root: Path, state: str, _data: Catalogue, _shipped: Summary | None) -> Summary:
    """Keep the figures of a dataset for as long as its list."""
    return catalogue.summary(_data, _shipped)


@st.cache_data(show_spinner=False, max_entries=6000)
def thumbnail_url(path: Path, changed: int) -> str:
    """Keep the small picture of a film until its file changes; 6,000 of them take about 50 MB."""
    return catalogue.thumbnail_url(path)


KEY = "shared.data_folder"
HELP = say("The folder that holds train, val and test. Its films stay on this machine. `PNEUMO_DATA` presets it.")


def locate(words: str = say("Dataset folder"), help_text: str = HELP) -> Path | None:
    """Ask for the folder of a dataset and return its root; None, with a sentence, where there is none.

    Visitors of a public server are not asked: they get the folder that ``PNEUMO_DATA`` names, if any.
    """
    folder = str(kaggle.default_folder() or "") if public.is_public() else _typed(words, help_text)
    if not folder.strip():
        return None
    try:
        return catalogue.locate(folder)
    except DatasetError as error:
        warn_of(error)
        return None


def film(file: str) -> Path | None:
    """Return the path of a film that an address names; None where there is no such film.

    Args:
        file: below the root of the dataset that was named in this session, or the name of a composite.
    """
    with suppress(DatasetError):
        if file in {sample.path.name for sample in samples.load_samples(samples.FOLDER)}:
            return samples.FOLDER / file
    preset = str(kaggle.default_folder() or "")
    folder = preset if public.is_public() else st.session_state.get(KEY, preset)
    split, label, name = (*Path(file).parts, "", "", "")[:3]
    if not (split in kaggle.SPLITS and label in kaggle.LABELS and Path(name).suffix.lower() in kaggle.SUFFIXES):
        return None
    with suppress(DatasetError):
        path = catalogue.locate(folder) / split / label / name
        return path if path.is_file() else None
    return None


def invitation(words: str) -> str:
    """Return what asks the reader to name a folder; nothing where she cannot."""
    return "" if public.is_public() else words


def _typed(words: str, help_text: str) -> str:
    if folder := fetch_films.taken():
        st.session_state[KEY] = folder
    return st.text_input(
        told(words),
        str(kaggle.default_folder() or ""),
        key=KEY,
        persist_state="session",
        max_chars=1000,
        placeholder="/path/to/chest_xray",
        help=told(help_text),
    )


def ask() -> Catalogue | None:
    """Ask for the folder of a dataset and list it; None, with a sentence, where there is none to be shown."""
    root = locate()
    if root is None and not public.is_public():
        fetch_films.offer()
    try:
        with st.spinner(_("Listing the films…")):
            return _listed(root, catalogue.state(root)) if root else None
    except DatasetError as error:
        warn_of(error)
        return None


def shipped() -> Summary | None:
    """Return the figures that come with pneumo; None, with a sentence, where they are missing."""
    try:
        return summary.load(samples.FOLDER)
    except DatasetError as error:
        warn_of(error)
        return None


def figures(data: Catalogue | None) -> Summary | None:
    """Return the figures of a dataset, or those that come with pneumo where there is none or it cannot be read."""
    with_pneumo = shipped()
    if data is None:
        return with_pneumo
    try:
        with st.spinner(_("Reading every film once; full-size films take a minute or two…")):
            return _summary(data.root, catalogue.state(data.root), data, with_pneumo)
    except (DatasetError, ImageError) as error:
        warn_of(error)
        return None


def composites() -> Catalogue | None:
    """Return the composites that come with pneumo; None, with a sentence, where they are missing."""
    try:
        return catalogue.of_samples(samples.load_samples(samples.FOLDER), samples.FOLDER)
    except DatasetError as error:
        warn_of(error)
        return None
