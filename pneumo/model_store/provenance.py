"""What a card says of how a model came to be; the same words for every kind of model."""

import dataclasses
import datetime
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pneumo.datasets import kaggle
from pneumo.errors import ModelError
from pneumo.model_store.card import ModelCard
from pneumo.model_store.weights import sha256

_SOFTWARE = ("keras", "tensorflow", "tensorflow-cpu", "numpy", "opencv-python-headless", "pneumo")

SPLIT_RULE = (
    "patients grouped by file name and identical images; of each stratum (the two series of normal films, bacteria, "
    f"virus) two of {kaggle.BLOCKS} contiguous blocks of patient ids are held out for validation"
)


def initial_weights(weights: str | Path | None) -> str:
    """Name what training started from: a file with its hash.

    Raises:
        ValueError: if there is no such file.
    """
    if weights is None:
        return "random"
    if weights == "imagenet":
        return "ImageNet (keras.applications)"
    path = Path(weights)
    if not path.is_file():
        raise ValueError(f"There is no weights file {weights}. Give a path, `imagenet` or `none`.")
    return f"{path.name} (sha256 {sha256(path)})"


def training_facts(
    parts: kaggle.Development,
    fold: int,
    recipe: dict[str, Any],
    history: list[dict[str, float]],
    judged_by: str,
    kept_by: str,
) -> dict[str, Any]:
    """Return the facts of a run on the films of a `kaggle.development_split`.

    Args:
        parts: the films that were trained and validated on.
        fold: of the split.
        recipe: how it was trained.
        history: one row an epoch, each with ``seconds``.
        judged_by: the figure of a row that decided on the epoch to keep; of equal ones the latest.
        kept_by: that figure, in words.
    """
    best = max(range(len(history)), key=lambda row: (history[row][judged_by], row))
    return {
        **split_facts(parts, fold),
        "epochs_run": len(history),
        "epoch_kept": best + 1,
        "kept_by": kept_by,
        "recipe": recipe,
        "seconds": round(sum(row["seconds"] for row in history), 1),
        **machine(),
    }


def split_facts(parts: kaggle.Development, fold: int) -> dict[str, Any]:
    """Return the facts of the films of a `kaggle.development_split`."""
    return {
        "data_fingerprint": kaggle.fingerprint(pd.concat(parts)),
        "split_rule": SPLIT_RULE,
        "fold": fold,
        "films": {"train": len(parts.train), "validation": len(parts.validation)},
    }


def require_same_split(card: ModelCard, parts: kaggle.Development, fold: int) -> None:
    """Refuse to build on a model that learned from films that validate here.

    Raises:
        ModelError: if the model was trained on another split of the films.
    """
    fingerprint = kaggle.fingerprint(pd.concat(parts))
    if (card.training["fold"], card.training["data_fingerprint"]) != (fold, fingerprint):
        raise ModelError(f"{card.name} was trained on another split of the films. Train it again on this one.")


def machine() -> dict[str, Any]:
    """Return the ``hardware`` and ``software`` that the program runs on."""
    software = {}
    for package in _SOFTWARE:
        try:
            software[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "hardware": f"{os.cpu_count()} CPU cores ({platform.machine()})",
        "software": {"python": platform.python_version(), **software},
    }


def with_test_opened(card: ModelCard) -> ModelCard:
    """Return the card with one more opening of the official test split, by its weights and today."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return dataclasses.replace(card, test_openings=[*card.test_openings, {"date": today, "sha256": card.sha256}])


def tidy(value: Any) -> Any:
    """Return figures as they stand in a card: six decimals, None for what the films cannot tell."""
    if isinstance(value, dict):
        return {key: tidy(item) for key, item in value.items()}
    if isinstance(value, float):
        return round(value, 6) if np.isfinite(value) else None
    return value
