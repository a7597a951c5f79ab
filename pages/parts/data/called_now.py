"""What a model calls films that it was not measured on, read here and now."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from pages.parts.shared.language import _
from pneumo import radiograph
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.results import failures

if TYPE_CHECKING:
    from pneumo.inference.classifier import Classifier


def load(name: str) -> "Classifier":
    """Load a classifier, as it was trained, once for all sessions.

    Raises:
        ModelError: if it is missing or damaged.
    """
    # It takes long to import, and is needed only now.
    from pages.parts.predict import loaded_models

    return loaded_models.load_models(name, None, at_site=False).classifier


def called(films: pd.DataFrame, root: Path, card: ModelCard) -> pd.DataFrame:
    """Let a model read films, each once for all sessions; returns them with `failures.called`.

    Args:
        films: ``file, label`` and more.
        root: the folder that ``file`` is relative to.
        card: of the model.

    Raises:
        ModelError: if the model is missing or damaged.
        ImageError: if a film cannot be read.
        OSError: likewise.
    """
    classifier, key = load(card.name), store.card_key(card.name)
    with st.spinner(_("Reading the films …")):
        paths = [root / file for file in films["file"]]
        found = [_probability(path, path.stat().st_mtime_ns, card.name, key, classifier) for path in paths]
    return failures.called(films.assign(probability=found), card.as_thresholds().decision)


@st.cache_data(show_spinner=False, max_entries=6000)
def _probability(path: Path, changed: int, name: str, key: str, _classifier: "Classifier") -> float:
    """Keep the probability of a film for as long as its file and the model are the same."""
    return _classifier.assess(radiograph.read(path)).probability
