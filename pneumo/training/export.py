"""From a trained network to a model folder: stored, calibrated, its thresholds chosen, measured on validation films."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from pneumo.datasets import kaggle
from pneumo.evaluation import calibration
from pneumo.evaluation.metrics import Metrics, evaluate_table
from pneumo.model_store import provenance, weights
from pneumo.model_store.card import ModelCard
from pneumo.model_store.store import (
    EVENED_SPLIT,
    SELECTION_SPLIT,
    read_predictions,
    start_anew,
    write_card,
    write_history,
    write_predictions,
)
from pneumo.preprocessing import crops, network_input
from pneumo.training import loop
from pneumo.training.loop import Films

VALIDATION_SPLITS = ("val", SELECTION_SPLIT)


@dataclass(frozen=True)
class Origin:
    """What a card says of where a model comes from; the attributes are those of `ModelCard`.

    Attributes:
        views: keys of `crops.CROPS`, one a channel of the input.
    """

    title: str
    family: str
    seed_system: str | None
    architecture: str
    initial_weights: str
    views: Sequence[str]
    cam_layer: str | None
    training: dict[str, Any]
    members: list[dict[str, Any]] = field(default_factory=list)


def ship(
    name: str,
    model: keras.Model,
    origin: Origin,
    judged: Films,
    table: pd.DataFrame,
    out: Path,
    history: Sequence[dict[str, float]] = (),
    evened: Sequence[Films] = (),
) -> ModelCard:
    """Write ``<out>/<name>/``: everything but the test split's predictions.

    The weights are stored first, and what is calibrated and measured is what a user will load.

    Args:
        name: of the folder.
        model: from (size, size, views) to one probability.
        origin: where it comes from.
        judged: the validation films.
        table: the same as `kaggle.scan` lists them.
        out: the folder of model folders.
        history: one row an epoch.
        evened: the films of `EVENED_SPLIT`, once a draw: what the model is calibrated on in place of `SELECTION_SPLIT`.
    """
    shipped, stored = store(name, model, out)
    raw = {split: loop.predict(shipped, judged, shifted=split == SELECTION_SPLIT) for split in VALIDATION_SPLITS}
    fitted_on = EVENED_SPLIT if evened else SELECTION_SPLIT
    if evened:
        draws = [loop.predict(shipped, films) for films in evened]
        raw[EVENED_SPLIT] = draws[0]
        fitted = calibration.fit(np.concatenate([films.labels for films in evened]), np.concatenate(draws))
    else:
        fitted = calibration.fit(judged.labels, raw[SELECTION_SPLIT])
    shifted = fitted.apply(raw[SELECTION_SPLIT])
    limits = calibration.choose_thresholds(judged.labels, shifted)
    card = ModelCard(
        name=name,
        title=origin.title,
        family=origin.family,
        seed_system=origin.seed_system,
        architecture=origin.architecture,
        initial_weights=origin.initial_weights,
        input=input_facts(shipped, origin.views),
        cam_layer=origin.cam_layer,
        labels=list(kaggle.LABELS),
        training=origin.training,
        calibration={**dataclasses.asdict(fitted), "fitted_on": fitted_on},
        thresholds={
            **dataclasses.asdict(limits),
            "chosen_on": {
                "decision": f"one half of the probability calibrated on {fitted_on}",
                "low": f"sensitivity {calibration.RULE_OUT_SENSITIVITY:g} or more on {SELECTION_SPLIT} (interval)",
                "high": f"specificity {calibration.RULE_IN_SPECIFICITY:g} or more on {SELECTION_SPLIT} (interval)",
            },
            "evidence": calibration.threshold_evidence(judged.labels, shifted, limits),
        },
        members=origin.members,
        **stored,
    )
    for split in raw:
        card = record(card, table, raw[split], split, out)
    if history:
        write_history(history, name, out)
    return card


def store(name: str, model: keras.Model, out: Path) -> tuple[keras.Model, dict[str, Any]]:
    """Write ``<out>/<name>/model.keras`` and load it again; what older weights predicted is dropped.

    Returns:
        The model as a user will load it, and what its card says of the file: ``parameters``, ``size_bytes``,
        ``sha256``, and the ``test_openings`` of its predecessors.
    """
    openings = start_anew(name, out)
    file = out / name / "model.keras"
    weights.save(model, file)
    shipped = weights.load(file)
    return shipped, {
        "parameters": shipped.count_params(),
        "size_bytes": file.stat().st_size,
        "sha256": weights.sha256(file),
        "test_openings": openings,
    }


def input_facts(model: keras.Model, seen: Sequence[str] = (crops.FILM,)) -> dict[str, Any]:
    """Return what a card says of a model's input: ``size``, ``channels``, ``views``, ``crop``, ``scaling``."""
    return {
        "size": model.input_shape[1],
        "channels": model.input_shape[3],
        "views": list(seen),
        "crop": "; ".join(crops.CROPS[view] for view in seen),
        "scaling": "percentiles {:g} and {:g} to 0 and 1".format(*network_input.WINDOW),
    }


def record(card: ModelCard, table: pd.DataFrame, raw: np.ndarray, split: str, out: Path) -> ModelCard:
    """Write a split's predictions, and the card with the metrics that those give.

    Args:
        card: of the model.
        table: the films of the split.
        raw: (films,) the model's scores.
        split: whose films they are.
        out: the folder of model folders.
    """
    predictions = table.assign(probability=card.as_calibration().apply(raw))
    write_predictions(predictions, card.name, split, out)
    metrics = evaluate_table(read_predictions(card.name, split, out), card.thresholds["decision"])
    card = dataclasses.replace(card, metrics={**card.metrics, split: metrics_record(metrics)})
    write_card(card, out)
    return card


def metrics_record(metrics: Metrics) -> dict[str, Any]:
    """Return metrics as they stand in a card: six decimals, None for what the films cannot tell."""
    return provenance.tidy(dataclasses.asdict(metrics))
