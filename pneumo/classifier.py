"""The whole path from a `Radiograph` to an `Assessment`."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from pneumo import model_store, preprocessing
from pneumo.calibration import Answer
from pneumo.model_store import ModelCard
from pneumo.radiograph import Radiograph


@dataclass(frozen=True, eq=False)
class Assessment:
    """What a model says of one film.

    Attributes:
        radiograph: the film.
        answer: ``likely``, ``uncertain`` or ``unlikely``.
        probability: calibrated probability of pneumonia, 0…1.
        reasons: why this answer, in plain sentences.
        card: the model that gave it.
        model_input: (size, size, 1) float32, what the model saw; heat maps are drawn from it.
    """

    radiograph: Radiograph
    answer: Answer
    probability: float
    reasons: tuple[str, ...]
    card: ModelCard
    model_input: np.ndarray = field(repr=False)


class Classifier:
    """A loaded model; one object may serve many threads.

    Attributes:
        card: the model's card.
        model: the Keras model; shared, so never change it.
    """

    def __init__(self, card: ModelCard, model: keras.Model) -> None:
        self.card, self.model = card, model
        self._calibration, self._thresholds = card.as_calibration(), card.as_thresholds()
        self._lock = threading.Lock()

    @classmethod
    def open(cls, name: str | None = None, folder: Path | None = None) -> "Classifier":
        """Load a model by name; the best on validation where none is given.

        Raises:
            ModelError: if there is no such model or it is damaged.
        """
        return cls(*model_store.load(name or model_store.default_name(folder), folder))

    def assess(self, radiograph: Radiograph) -> Assessment:
        """Assess one film."""
        square = preprocessing.film_square(radiograph.pixels)
        model_input = preprocessing.model_input(square, self.card.input["size"])
        # Keras builds the prediction function on the first call and does not guard that.
        with self._lock:
            raw = self.model.predict_on_batch(model_input[np.newaxis])[0, 0]
        probability = float(self._calibration.apply(np.asarray(raw)))
        answer = self._thresholds.answer(probability)
        reasons = (*self._reasons(answer, probability), *radiograph.notes)
        return Assessment(radiograph, answer, probability, reasons, self.card, model_input)

    def _reasons(self, answer: Answer, probability: float) -> tuple[str, ...]:
        low, high = self._thresholds.low, self._thresholds.high
        shown = _percent(probability)
        if answer == "likely":
            return (
                f"The model's probability of pneumonia is {shown}, at or above its limit of {_percent(high)} "
                "for “likely”, which at most 2 in 100 normal validation films reach.",
            )
        if answer == "unlikely":
            return (
                f"The model's probability of pneumonia is {shown}, below its limit of {_percent(low)} for "
                "“unlikely”, which at most 2 in 100 validation films with pneumonia fall under.",
            )
        return (
            f"The model's probability of pneumonia is {shown}, between its limits of {_percent(low)} and "
            f"{_percent(high)}: validation films with and without pneumonia score like this.",
        )


def _percent(probability: float) -> str:
    return f"{100 * probability:.1f} %"
