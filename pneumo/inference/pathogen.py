"""Bacterial or viral: which way a film with pneumonia leans. A research figure, never a diagnosis.

A second network, asked only where the first calls pneumonia likely.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from pneumo.evaluation.calibration import as_percent
from pneumo.model_store import runtime, store
from pneumo.model_store.card import PATHOGEN, ModelCard
from pneumo.sentences import Sentence, say

if TYPE_CHECKING:
    import keras

    from pneumo.inference.classifier import Assessment

NAME = "pathogen"
BACTERIAL, VIRAL = "bacteria", "virus"
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

    def __init__(self, card: ModelCard, model: "Path | keras.Model") -> None:
        self.card, self._network = card, runtime.open_network(model)
        self._calibration = card.as_calibration()

    @classmethod
    def open(cls, folder: Path | None = None) -> "Differentiator":
        """Load the network.

        Raises:
            ModelError: if it is missing or damaged.
        """
        return cls(*store.find(NAME, folder, PATHOGEN))

    def lean(self, assessment: "Assessment") -> Leaning | None:
        """Say which way a film leans; None where the classifier does not call pneumonia likely."""
        from pneumo.preprocessing import network_input

        if assessment.answer != "likely":
            return None
        square = network_input.film_square(assessment.radiograph.pixels)
        picture = network_input.model_input(square, self.card.input["size"])
        raw = self._network.run(picture[np.newaxis]).results[0][0, 0]
        return leaning(self.card, float(self._calibration.apply(raw)))
