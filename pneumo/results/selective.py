"""Selective classification: how many films a model decides on, and how many of those it gets wrong.

A film that is neither “likely” nor “unlikely” is left to the reader (Geifman and El-Yaniv 2017, arXiv:1705.08500).
``python -m pneumo.selective`` prints the table of MODEL_CARD.md.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pneumo.evaluation.calibration import Thresholds
from pneumo.evaluation.metrics import Estimate, wilson
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.model_store.store import SELECTION_SPLIT
from pneumo.results import model_facts

SPLITS = (SELECTION_SPLIT, "test")


@dataclass(frozen=True)
class Decided:
    """What a model does with films.

    Attributes:
        coverage: the share of films that it calls likely or unlikely.
        error: the share of those that it calls wrong; NaN where it decides on none.
    """

    coverage: Estimate
    error: Estimate


def decided(labels: np.ndarray, probability: np.ndarray, thresholds: Thresholds) -> Decided:
    """Measure coverage and error, each with Wilson's 95 % interval.

    Args:
        labels: (films,) 1 for pneumonia, 0 for normal.
        probability: (films,) calibrated, 0…1.
        thresholds: of the model.
    """
    likely, unlikely = probability >= thresholds.high, probability < thresholds.low
    wrong = int(np.sum(likely & (labels == 0)) + np.sum(unlikely & (labels == 1)))
    count = int(np.sum(likely | unlikely))
    return Decided(wilson(count, len(labels)), wilson(wrong, count))


def of_model(card: ModelCard, split: str, folder: Path | None = None) -> Decided:
    """Measure a model's three answers on a split.

    Raises:
        ModelError: if it was not measured on the split.
    """
    films = store.read_predictions(card.name, split, folder)
    labels = (films["label"] == "PNEUMONIA").to_numpy(int)
    return decided(labels, films["probability"].to_numpy(float), card.as_thresholds())


def markdown(folder: Path | None = None) -> str:
    """Return coverage and error of all classifiers as a Markdown table.

    Raises:
        ModelError: if one was not measured on one of `SPLITS`.
    """
    head = ["Model", *(f"{what}, {split}" for split in ("shifted validation", "test") for what in ("Decided", "Wrong"))]
    rows = [head, ["---"] * len(head)]
    cards = store.catalogue(folder).cards
    names = model_facts.labels(cards)
    for card in cards:
        measured = [of_model(card, split, folder) for split in SPLITS]
        rows.append([names[card.name], *(str(each) for one in measured for each in (one.coverage, one.error))])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    print(markdown())
