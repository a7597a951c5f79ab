"""Bacterial or viral: which way a film with pneumonia leans. A research figure, never a diagnosis.

A second network, asked only where the first calls pneumonia likely. Together they tell three classes apart: normal,
bacterial pneumonia, viral pneumonia. ``python -m pneumo.pathogen NAME SPLIT`` prints how well.
"""

import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from pneumo.errors import ModelError
from pneumo.evaluation import intervals
from pneumo.evaluation.calibration import as_percent
from pneumo.evaluation.intervals import Estimate
from pneumo.model_store import store
from pneumo.model_store.card import PATHOGEN, ModelCard
from pneumo.sentences import Sentence, say

if TYPE_CHECKING:
    import keras

    from pneumo.inference.classifier import Assessment

NAME = "pathogen"
BACTERIAL, VIRAL = "bacteria", "virus"
CLASSES = ("Normal", "Bacterial pneumonia", "Viral pneumonia")
Kind = Literal["bacterial", "viral", "unclear"]
# Stated, not fitted: a calibrated probability this high is told as a leaning, everything between the two as unclear.
LEANING = 0.8


@dataclass(frozen=True)
class Leaning:
    """Which way a film with pneumonia leans.

    Attributes:
        kind: ``bacterial`` or ``viral`` from `LEANING` on, else ``unclear``.
        bacterial: calibrated probability that a pneumonia on this film is bacterial, 0…1, where both are as frequent.
        card: of the network that says so.
    """

    kind: Kind
    bacterial: float
    card: ModelCard

    def __str__(self) -> Sentence:
        """Say it in a sentence."""
        if self.kind == "unclear":
            share = as_percent(self.bacterial)
            return say("Neither bacterial nor viral is favoured (bacterial {share}).", share=share)
        if self.kind == "bacterial":
            share = as_percent(self.bacterial)
            return say("The film looks more like bacterial pneumonia ({share}, were both as frequent).", share=share)
        share = as_percent(1 - self.bacterial)
        return say("The film looks more like viral pneumonia ({share}, were both as frequent).", share=share)


def leaning(card: ModelCard, bacterial: float) -> Leaning:
    """Put a calibrated probability of bacterial pneumonia, 0…1, into words."""
    kind: Kind = "unclear"
    if bacterial >= LEANING:
        kind = "bacterial"
    elif 1 - bacterial >= LEANING:
        kind = "viral"
    return Leaning(kind, bacterial, card)


class Differentiator:
    """The loaded network; one object may serve many threads.

    Attributes:
        card: its card.
    """

    def __init__(self, card: ModelCard, model: "keras.Model") -> None:
        self.card, self._model = card, model
        self._calibration = card.as_calibration()
        self._lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path | None = None) -> "Differentiator":
        """Load the network.

        Raises:
            ModelError: if it is missing or damaged.
        """
        return cls(*store.load(NAME, folder, PATHOGEN))

    def lean(self, assessment: "Assessment") -> Leaning | None:
        """Say which way a film leans; None where the classifier does not call pneumonia likely."""
        from pneumo.preprocessing import network_input

        if assessment.answer != "likely":
            return None
        square = network_input.film_square(assessment.radiograph.pixels)
        picture = network_input.model_input(square, self.card.input["size"])
        with self._lock:
            raw = np.asarray(self._model.predict_on_batch(picture[np.newaxis])[0, 0])
        return leaning(self.card, float(self._calibration.apply(raw)))


def classes(card: ModelCard, split: str, folder: Path | None = None) -> pd.DataFrame:
    """Tell the three classes of a split apart with a classifier and the network for pathogens.

    Args:
        card: of the classifier; it calls a film pneumonia at its decision threshold.
        split: that both were measured on.
        folder: the folder of model folders.

    Returns:
        ``file, patient, truth, call``, the last two of `CLASSES`; films whose pathogen no file name tells are left out.

    Raises:
        ModelError: if one of the two was not measured on the split.
    """
    films = store.read_predictions(card.name, split, folder)
    told = store.read_predictions(NAME, split, folder).set_index("file")["probability"]
    if missing := set(films["file"]) - set(told.index):
        raise ModelError(f"{NAME} was not measured on {len(missing)} films of {split}; measure it again.")
    bacterial = films["file"].map(told) >= store.read_card(NAME, folder).thresholds["decision"]
    called = films["probability"] >= card.thresholds["decision"]
    truth = films["pathogen"].map({BACTERIAL: CLASSES[1], VIRAL: CLASSES[2]})
    films["truth"] = truth.where(films["label"] == "PNEUMONIA", CLASSES[0])
    films["call"] = np.where(~called, CLASSES[0], np.where(bacterial, CLASSES[1], CLASSES[2]))
    return films.dropna(subset=["truth"])[["file", "patient", "truth", "call"]].reset_index(drop=True)


def matrix(told: pd.DataFrame) -> pd.DataFrame:
    """Count `classes`: one row a truth, one column a call, both in the order of `CLASSES`."""
    return pd.crosstab(told["truth"], told["call"]).reindex(index=CLASSES, columns=CLASSES, fill_value=0)


def accuracy(told: pd.DataFrame) -> Estimate:
    """Return the share of films of `classes` that are called right, with Wilson's 95 % interval."""
    return intervals.wilson(int((told["truth"] == told["call"]).sum()), len(told))


def markdown(name: str, split: str, folder: Path | None = None) -> str:
    """Return the matrix of a classifier on a split as a Markdown table, with its accuracy, as in MODEL_CARD.md.

    Raises:
        ModelError: see `classes`.
    """
    told = classes(store.read_card(name, folder), split, folder)
    counted = matrix(told)
    lines = [["Films", *(f"Called {each[0].lower()}{each[1:]}" for each in CLASSES)], ["---"] * 4]
    lines += [[truth, *map(str, row)] for truth, row in zip(counted.index, counted.to_numpy(), strict=True)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\nOf {len(told)} films the share called right is {accuracy(told)}."


if __name__ == "__main__":
    print(markdown(sys.argv[1], sys.argv[2]))
