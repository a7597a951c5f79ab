"""What a model finds where it may raise so many false alarms, and the other way round: points of its ROC curve.

The threshold that gives such a point is read from the films that it is measured on, so it says what the ranking of the
films allows and not what a model does at the threshold that it was shipped with.
``python -m pneumo.operating_point SPLIT`` prints the table of MODEL_CARD.md.
"""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from pneumo.errors import ModelError
from pneumo.evaluation import metrics
from pneumo.evaluation.curves import by_threshold
from pneumo.evaluation.metrics import BOOTSTRAP_DRAWS, Estimate
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.results import leaderboard, model_facts
from pneumo.results.curves import arrays

Point = TypeVar("Point")

# What the models of pneumo are held to: most pneumonias found with few false alarms.
SPECIFICITY, SENSITIVITY = 0.94, 0.97
# Shares of films are compared with this tolerance: 0.94 of 50 films are 47.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class OperatingPoint:
    """The point of a ROC curve where one of its two figures is held.

    Attributes:
        reached: the other figure, at its best.
        threshold: a film is called pneumonia at or above it; infinite where no film may be.
    """

    reached: Estimate
    threshold: float


def at_specificity(
    labels: np.ndarray,
    probability: np.ndarray,
    patients: np.ndarray,
    specificity: float = SPECIFICITY,
    *,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = 0,
) -> OperatingPoint:
    """Return the best sensitivity at which specificity is still what it should be, or higher.

    Args:
        labels: (films,) 1 for pneumonia, 0 for normal; both must occur.
        probability: (films,) 0…1.
        patients: (films,) the patient of each film.
        specificity: 0…1.
        draws: bootstrap samples of the interval; each draws patients and finds its own threshold.
        seed: of the bootstrap.

    Raises:
        ValueError: if a class is missing.
    """
    labels = np.asarray(labels)
    if not 0 < labels.sum() < len(labels):
        raise ValueError("these films show one class only")
    weights = metrics.bootstrap_weights(patients, draws, seed)
    threshold, hits, alarms = by_threshold(labels, probability, weights)
    # A draw without films of a class is no curve.
    usable = (hits[:, -1] > 0) & (alarms[:, -1] > 0)
    hits, alarms = (part[usable] / part[usable, -1:] for part in (hits, alarms))
    # How many of the thresholds, from the highest on, raise few enough alarms.
    allowed = np.sum(alarms <= 1 - specificity + _ROUNDING, axis=1)
    found = np.hstack([np.zeros((len(hits), 1)), hits])[np.arange(len(hits)), allowed]
    low, high = np.percentile(found[1:], [2.5, 97.5])
    reached = Estimate(float(found[0]), float(low), float(high))
    # Of the thresholds that find as much, the highest: it raises the fewest alarms.
    return OperatingPoint(reached, float(threshold[np.argmax(hits[0] == found[0])]) if found[0] else np.inf)


def at_sensitivity(
    labels: np.ndarray,
    probability: np.ndarray,
    patients: np.ndarray,
    sensitivity: float = SENSITIVITY,
    *,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = 0,
) -> Estimate:
    """Return the best specificity at which sensitivity is still what it should be; see `at_specificity`."""
    mirrored = at_specificity(
        1 - np.asarray(labels), 1 - np.asarray(probability, np.float64), patients, sensitivity, draws=draws, seed=seed
    )
    return mirrored.reached


def table(
    cards: Iterable[ModelCard], split: str, specificity: float = SPECIFICITY, folder: Path | None = None
) -> pd.DataFrame:
    """Return ``name, sensitivity, low, high, threshold`` `at_specificity`, one row a model.

    Raises:
        ModelError: if predictions are missing, damaged or of one class only.
    """
    rows = []
    for card in cards:
        point = _measured(at_specificity, card, split, specificity, folder)
        rows.append((card.name, point.reached.value, point.reached.low, point.reached.high, point.threshold))
    return pd.DataFrame(rows, columns=["name", "sensitivity", "low", "high", "threshold"])


def markdown(split: str, folder: Path | None = None) -> str:
    """Return both points of all classifiers that were measured on a split as a Markdown table, the best first.

    Raises:
        ModelError: if no model was measured on the split.
    """
    cards = store.catalogue(folder).cards
    names = model_facts.labels(cards)
    measured = [card for card in cards if split in store.measured_splits(card.name, folder)]
    if not measured:
        raise ModelError(f"No model was measured on {split}. Run `python -m pneumo evaluate NAME --split {split}`.")
    points = [
        (
            names[card.name],
            _measured(at_specificity, card, split, SPECIFICITY, folder).reached,
            _measured(at_sensitivity, card, split, SENSITIVITY, folder),
        )
        for card in measured
    ]
    head = [
        "Model",
        f"Sensitivity where specificity is {SPECIFICITY}",
        f"Specificity where sensitivity is {SENSITIVITY}",
    ]
    ordered = sorted(points, key=lambda point: -point[1].value)
    return leaderboard.markdown_table(pd.DataFrame(ordered, columns=head))


def _measured(measure: Callable[..., Point], card: ModelCard, split: str, held: float, folder: Path | None) -> Point:
    try:
        return measure(*arrays(card, split, folder), held)
    except ValueError as error:
        raise ModelError(f"{card.name} has no such point on {split}: {error}.") from error


if __name__ == "__main__":
    print(markdown(sys.argv[1]))
