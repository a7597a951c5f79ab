"""Curves and operating points of models on one split, from ``models/<name>/predictions/<split>.csv``."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from pneumo.errors import ModelError
from pneumo.evaluation import calibration, curves, metrics
from pneumo.evaluation.calibration import Thresholds
from pneumo.evaluation.clinic import ClassScores
from pneumo.evaluation.metrics import Confusion
from pneumo.model_store.card import ModelCard
from pneumo.results import comparison, markdown_tables, model_facts

Point = TypeVar("Point")

# What the models of pneumo are compared at: few false alarms, and few missed pneumonias.
SPECIFICITY, SENSITIVITY = 0.94, 0.97


@dataclass(frozen=True, eq=False)
class ModelCurves:
    """A model's curves on a split; ``roc`` and ``precision_recall`` are empty where a class is missing.

    Attributes:
        label: the model's title, told apart from others of the same title.
        roc: as `curves.roc` returns it.
        precision_recall: as `curves.precision_recall` does.
        risk_coverage: as `curves.risk_coverage` does, at the card's decision threshold.
        reliability: as `curves.reliability` does.
        scores: as `curves.score_shares` does.
        points: where the model works on the first three, by their names: ``x, y, threshold`` of one row.
    """

    label: str
    roc: pd.DataFrame
    precision_recall: pd.DataFrame
    risk_coverage: pd.DataFrame
    reliability: pd.DataFrame
    scores: pd.DataFrame
    points: dict[str, pd.DataFrame]


def draw(card: ModelCard, split: str, label: str, folder: Path | None = None) -> ModelCurves:
    """Compute a model's curves; its operating points are those of the thresholds of its card.

    Raises:
        ModelError: if the predictions are missing or damaged.
    """
    labels, probability, patients = arrays(card, split, folder)
    limits = card.as_thresholds()
    cells = metrics.confusion(labels, probability, limits.decision)
    both = 0 < labels.sum() < len(labels)
    points = {"risk_coverage": _answered(labels, probability, limits)}
    if both:
        recall, fallout = cells.sensitivity.value, cells.alarms.value
        points["roc"] = _point(fallout, recall, limits.decision)
        if called := cells.true_positive + cells.false_positive:
            points["precision_recall"] = _point(recall, cells.true_positive / called, limits.decision)
    return ModelCurves(
        label=label,
        roc=curves.roc(labels, probability, patients) if both else pd.DataFrame(),
        precision_recall=curves.precision_recall(labels, probability, patients) if both else pd.DataFrame(),
        risk_coverage=curves.risk_coverage(labels, probability, patients, limits.decision),
        reliability=curves.reliability(labels, probability),
        scores=curves.score_shares(labels, probability),
        points=points,
    )


def stacked(drawn: Iterable[ModelCurves], curve: str) -> pd.DataFrame:
    """Return one of the curves of all models below each other, with the column ``model``; empty where none has it."""
    parts = [getattr(each, curve).assign(model=each.label) for each in drawn]
    return pd.concat([pd.DataFrame(), *(part for part in parts if len(part))], ignore_index=True)


def operating_points(drawn: Iterable[ModelCurves], curve: str) -> pd.DataFrame:
    """Return ``model, x, y, threshold``, where each model works on one of the curves."""
    parts = [each.points[curve].assign(model=each.label) for each in drawn if curve in each.points]
    columns = ["model", "x", "y", "threshold"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def calls(card: ModelCard, split: str, threshold: float | None = None, folder: Path | None = None) -> Confusion:
    """Count a model's calls at a threshold, by default that of its card.

    Raises:
        ModelError: if the predictions are missing or damaged.
    """
    labels, probability, _ = arrays(card, split, folder)
    return metrics.confusion(labels, probability, card.as_thresholds().decision if threshold is None else threshold)


def training(cards: Iterable[ModelCard], labels: dict[str, str], folder: Path | None = None) -> pd.DataFrame:
    """Return ``model, epoch, figure, films, value`` of the models that were trained in two epochs or more.

    Args:
        cards: of the models.
        labels: what to call each, by name.
        folder: the folder of model folders.

    Raises:
        ModelError: if a history is damaged.
    """
    parts = [pd.DataFrame(columns=["model", "epoch", "figure", "films", "value"])]
    for card in cards:
        history = model_facts.read_curves(card, folder)
        if len(set(history["epoch"])) > 1:
            parts.append(history.assign(model=labels[card.name]))
    return pd.concat(parts[1:], ignore_index=True)[parts[0].columns] if len(parts) > 1 else parts[0]


def arrays(card: ModelCard, split: str, folder: Path | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels (1 for pneumonia), probabilities 0…1 and patients of the films that a model was measured on.

    Raises:
        ModelError: if the predictions are missing or damaged.
    """
    table = comparison.predictions(card, split, folder)
    labels = (table["label"] == "PNEUMONIA").to_numpy(int)
    return labels, table["probability"].to_numpy(float), table["patient"].to_numpy(str)


def class_scores(card: ModelCard, split: str, folder: Path | None = None) -> ClassScores:
    """Read a model's probabilities on the films of each class.

    Raises:
        ModelError: if the predictions are missing or damaged.
        ValueError: if the films are all normal or all of pneumonia.
    """
    labels, probability, _ = arrays(card, split, folder)
    return ClassScores.of(labels, probability)


def at_specificity(
    cards: Iterable[ModelCard], split: str, specificity: float = SPECIFICITY, folder: Path | None = None
) -> pd.DataFrame:
    """Return sensitivity at a fixed specificity, one row a model: ``name, sensitivity, low, high, threshold``.

    Raises:
        ModelError: if predictions are missing, damaged or of one class only.
    """
    rows = []
    for card in cards:
        point = _measured(curves.at_specificity, card, split, specificity, folder)
        rows.append((card.name, point.reached.value, point.reached.low, point.reached.high, point.threshold))
    return pd.DataFrame(rows, columns=["name", "sensitivity", "low", "high", "threshold"])


def markdown(split: str, folder: Path | None = None) -> str:
    """Return sensitivity at `SPECIFICITY` and specificity at `SENSITIVITY` of all classifiers, the best first.

    Raises:
        ModelError: if no model was measured on the split.
    """
    points = [
        (
            label,
            _measured(curves.at_specificity, card, split, SPECIFICITY, folder).reached,
            _measured(curves.at_sensitivity, card, split, SENSITIVITY, folder),
        )
        for label, card in model_facts.measured(split, folder).items()
    ]
    head = [
        "Model",
        f"Sensitivity where specificity is {SPECIFICITY}",
        f"Specificity where sensitivity is {SENSITIVITY}",
    ]
    ordered = sorted(points, key=lambda point: -point[1].value)
    return markdown_tables.table(pd.DataFrame(ordered, columns=head))


def _measured(measure: Callable[..., Point], card: ModelCard, split: str, held: float, folder: Path | None) -> Point:
    try:
        return measure(*arrays(card, split, folder), held)
    except ValueError as error:
        raise ModelError(
            "{name} has no such point on {split}: {error}.", name=card.name, split=split, error=error
        ) from error


def _answered(labels: np.ndarray, probability: np.ndarray, limits: Thresholds) -> pd.DataFrame:
    """Return the share of films that get an answer, and the share of the answers that is wrong; no row if none does."""
    decided = calibration.decided(labels, probability, limits)
    if not decided.coverage.value:
        return pd.DataFrame(columns=["x", "y", "threshold"], dtype=float)
    return _point(decided.coverage.value, decided.error.value, np.nan)


def _point(x: float, y: float, threshold: float) -> pd.DataFrame:
    return pd.DataFrame({"x": [x], "y": [y], "threshold": [threshold]})
