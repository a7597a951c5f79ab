"""Describe the films of the hospitals that a classifier learned from, so that films unlike them are told."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from sklearn.covariance import LedoitWolf

from pneumo.datasets import hospitals, kaggle
from pneumo.errors import DatasetError, ModelError
from pneumo.inference import foreign
from pneumo.inference.foreign import KEPT, KnownHospitals
from pneumo.model_store import store
from pneumo.model_store.card import CLASSIFICATION, ModelCard, require_same_split
from pneumo.training import films, loop
from pneumo.training.films import Films, Report, Stage, silent

# Of MobileNetV2. `python -m research.foreign_films` compares it with others.
LAYER = "block_6_expand_relu"
CHOSEN_ON = f"{KEPT:.0%} of the films on val lie nearer"
# How much the shifted view of a film counts beside the film. Without it a film of a known hospital that is framed or
# exposed otherwise is foreign; the more it counts, the more films of other hospitals are not.
SHIFTED_WEIGHT = 0.1
# So many films of a hospital describe it.
MOST_FILMS = 1500
BATCH = 64


def supports(model: keras.Model) -> bool:
    """Tell whether a classifier has the layer in which films of different hospitals lie apart."""
    return any(layer.name == LAYER for layer in model.layers)


def describe(
    model: keras.Model, learned: Films, validation: Films, progress: Report = silent, layer: str = ""
) -> KnownHospitals:
    """Describe the films that a classifier learned from, and choose the limit on validation films.

    Args:
        model: the classifier as it was stored; it must be one of `supports`.
        learned: with `Films.hospitals`.
        validation: none of them was learned from.
        progress: called as the work goes on.
        layer: in place of `LAYER`.
    """
    assert learned.hospitals is not None
    network = features_network(model, layer or LAYER)
    chosen = np.concatenate(
        [_evenly(np.flatnonzero(learned.hospitals == name)) for name in np.unique(learned.hospitals)]
    )
    some = Films(learned.squares[chosen], learned.labels[chosen], tuple(learned.files[film] for film in chosen))
    plain, shifted = (features_of(network, some, shifted, progress) for shifted in (False, True))
    known = fit(plain, shifted, learned.hospitals[chosen], layer or LAYER)
    distances = known.distance(features_of(network, validation, False, progress))
    return dataclasses.replace(known, limit=round(float(np.quantile(distances, KEPT)), 4))


def _evenly(films_of_hospital: np.ndarray) -> np.ndarray:
    """Return at most `MOST_FILMS` of the films, evenly spaced."""
    count = min(MOST_FILMS, len(films_of_hospital))
    return films_of_hospital[np.linspace(0, len(films_of_hospital) - 1, count).astype(int)]


def fit(plain: np.ndarray, shifted: np.ndarray, of: np.ndarray, layer: str) -> KnownHospitals:
    """Fit the means of hospitals and the covariance that they share, shrunk as Ledoit and Wolf do (2004).

    Args:
        plain: (films, features) of the films as they are.
        shifted: (films, features) of the same films as another hospital might have taken them; they count
            `SHIFTED_WEIGHT` times as much.
        of: (films,) str, the hospital of each film.
        layer: that the features are of.

    Returns:
        The hospitals, without a limit.
    """
    names = sorted(set(of.tolist()))
    means = np.stack([plain[of == name].mean(axis=0, dtype=np.float64) for name in names])
    own = means[np.searchsorted(names, of)]
    centred = np.concatenate([plain - own, np.sqrt(SHIFTED_WEIGHT) * (shifted - own)])
    covariance = LedoitWolf(assume_centered=True).fit(centred).covariance_
    # A feature map that is always empty has no variance.
    floor = 1e-9 * max(float(np.trace(covariance)) / len(covariance), float(np.finfo(np.float32).tiny))
    # Exact zeros below the diagonal halve the file.
    whitening = np.triu(np.linalg.inv(np.linalg.cholesky(covariance + floor * np.eye(len(covariance)))).T)
    return KnownHospitals(layer, tuple(names), means.astype(np.float32), whitening.astype(np.float32), np.inf)


def features_network(model: keras.Model, layer: str) -> keras.Model:
    """Return what gives the `foreign.features` of films."""
    maps = model.get_layer(layer).output
    moments = [keras.ops.mean(maps, axis=(1, 2)), keras.ops.std(maps, axis=(1, 2))]
    return keras.Model(model.inputs, keras.ops.concatenate(moments, axis=1))


def features_of(network: keras.Model, some: Films, shifted: bool, progress: Report = silent) -> np.ndarray:
    """Return the features of films, (films, features) float32, as they are or shifted."""
    found: list[np.ndarray] = []
    for batch in loop.batched(loop.pictures(some, network.input_shape[1], shifted=shifted), BATCH):
        found.append(np.asarray(network.predict_on_batch(np.stack(batch)), np.float32))
        progress(Stage("comparing hospitals", sum(map(len, found)), len(some.files)))
    return np.concatenate(found)


def add(
    name: str, data: Path, folders: Sequence[Path], folder: Path | None = None, progress: Report = silent
) -> ModelCard:
    """Describe the hospitals of a classifier that is shipped already, and write that into its folder and card.

    Args:
        name: of the model folder.
        data: the data set that it was trained on.
        folders: of the hospitals that it learned from, see `hospitals.read`.
        folder: the folder of model folders.
        progress: called as the work goes on.

    Raises:
        ModelError: if the model cannot be loaded, learned from one hospital alone, or lacks the layer.
        DatasetError: if the films are not those that it learned from.
        ImageError: if a film cannot be read.
    """
    out = folder or store.models_folder()
    card, model = store.load(name, out, CLASSIFICATION)
    if card.tells_foreign_films:
        raise ModelError(f"{name} tells foreign films by one of its members. Train that and then {name} again.")
    learned_from = card.training.get("hospitals")
    if not learned_from:
        raise ModelError(
            f"{name} learned from one hospital alone, so there is nothing to compare. Train it with --hospitals."
        )
    if not supports(model):
        raise ModelError(f"{name} has no layer {LAYER}, in which films of different hospitals lie apart.")
    root = kaggle.find_root(data)
    table = kaggle.scan(root)
    fold = card.training["fold"]
    parts = kaggle.development_split(table, fold)
    require_same_split(card, parts, fold)
    away = hospitals.read(folders, table).to_learn_from(learned_from["left_out"])
    if hospitals.fingerprint(away) != learned_from["fingerprint"]:
        raise DatasetError(
            f"The films of {', '.join(map(str, folders))} are not those that {name} learned from. Point to the folders "
            "that it was trained with."
        )
    crop_names = card.input["views"]
    shown = (progress, crop_names, films.segmenter_for(crop_names, out))
    home = parts.train.assign(hospital=hospitals.HOME)
    learned = pd.concat([home, away], ignore_index=True)
    known = describe(
        model,
        dataclasses.replace(films.load_films(root, learned, *shown), hospitals=learned["hospital"].to_numpy(str)),
        films.load_films(root, parts.validation, *shown, shifted=True),
        progress,
    )
    card = dataclasses.replace(card, foreign=record(known, name, out))
    store.write_card(card, out)
    return card


def record(known: KnownHospitals, name: str, out: Path) -> dict[str, Any]:
    """Write the file into a model's folder if there is one, and return what its card says of it."""
    return {**foreign.write(known, name, out), "chosen_on": CHOSEN_ON}
