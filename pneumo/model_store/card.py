"""``card.json``, the card of a model, as a value; and what it says of how the model came to be."""

import dataclasses
import datetime
import importlib.metadata
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pneumo.datasets import kaggle
from pneumo.errors import ModelError
from pneumo.evaluation.calibration import Calibration, Thresholds
from pneumo.model_store.weights import sha256

CLASSIFICATION = "classification"
SEGMENTATION = "segmentation"
SCREENING = "screening"
PATHOGEN = "pathogen"
OPACITY = "opacity"


@dataclass(frozen=True)
class ModelCard:
    """``card.json``: what a model is, how it came to be, and how well it does.

    Attributes:
        name: name of the folder.
        title: for people.
        family: ``dense``, ``cnn``, ``transfer`` or ``ensemble``.
        seed_system: the published system that it stands for, or None.
        architecture: key of `pneumo.networks.classifiers.REGISTRY`, ``ensemble``, or ``cnn_search``
            (`pneumo.training.search`).
        initial_weights: what training started from.
        input: ``size``, ``channels``, ``views`` (keys of `crops.CROPS`, one a channel), ``crop``,
            ``scaling``.
        cam_layer: the layer that heat maps are drawn from, or None.
        labels: meaning of 0 and 1.
        training: data fingerprint, split rule, recipe, seconds, hardware, software versions.
        calibration: ``slope``, ``intercept``, ``prevalence``, ``fitted_on``.
        thresholds: ``decision``, ``low``, ``high``, ``chosen_on``, ``evidence`` (counts of validation films).
        metrics: per split, each figure with its 95 % interval.
        test_openings: when, and with which weights, the official test split was opened.
        parameters: number of weights.
        size_bytes: size of ``model.keras``.
        sha256: of ``model.keras``.
        members: of a network that joins several ``name``, ``title``, ``view``, ``cam_layer``, ``weight`` (of its logit)
            and ``sha256`` of each; and ``weight_elsewhere``, of its logit on a foreign film, where others answer those.
            Empty else.
        task: `CLASSIFICATION`, or for the networks that look at a film before it is classified `SEGMENTATION` (the
            lungs) and `SCREENING` (the gate), which have no calibration and figures of their own; or `PATHOGEN` and
            `OPACITY`, for those that look at it afterwards.
        heat: what heat maps are measured against: ``references``, by method the density of the hottest place on a film
            answered “likely” (`explainer.HeatMap`), the median over ``films`` films of ``measured_on``; and
            ``agreement`` of pairs of methods on them (`agreement.usual`). Empty where it was not measured.
        latency: milliseconds from a film's pixels to the answer: ``p50``, ``p95``, over how many ``films``, on which
            ``hardware``; empty where it was not measured.
        foreign: what tells films unlike those of the hospitals that it learned from (`inference.foreign`): ``layer``,
            ``hospitals``, ``limit``, ``chosen_on``, and the ``sha256`` of the file; the ``hospitals`` alone where the
            network tells them itself; empty where every film gets an answer.
        runtime: how nearly ONNX Runtime agrees with Keras on the network of the ``sha256``: ``largest_difference`` in
            any output on ``films`` films of ``measured_on``, and the ``software``; empty where it was not compared.
    """

    name: str
    title: str
    family: str
    seed_system: str | None
    architecture: str
    initial_weights: str
    input: dict[str, Any]
    cam_layer: str | None
    labels: list[str]
    training: dict[str, Any]
    calibration: dict[str, Any]
    thresholds: dict[str, Any]
    parameters: int
    size_bytes: int
    sha256: str
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    test_openings: list[dict[str, str]] = field(default_factory=list)
    members: list[dict[str, Any]] = field(default_factory=list)
    task: str = CLASSIFICATION
    heat: dict[str, Any] = field(default_factory=dict)
    latency: dict[str, Any] = field(default_factory=dict)
    foreign: dict[str, Any] = field(default_factory=dict)
    runtime: dict[str, Any] = field(default_factory=dict)

    @property
    def heat_references(self) -> dict[str, float]:
        """The references of `heat`, by method; empty where none was measured."""
        return {method: float(density) for method, density in self.heat.get("references", {}).items()}

    @property
    def tells_foreign_films(self) -> bool:
        """Whether the network says itself how foreign a film is, and gives foreign ones to other members."""
        return any("weight_elsewhere" in member for member in self.members)

    def as_calibration(self) -> Calibration:
        """Return the calibration as a value that can be applied."""
        return Calibration(*(self.calibration[key] for key in ("slope", "intercept", "prevalence")))

    def as_thresholds(self) -> Thresholds:
        """Return the thresholds as a value that can be applied."""
        return Thresholds(*(self.thresholds[key] for key in ("decision", "low", "high")))


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
