"""The whole path from a `Radiograph` to an `Assessment`."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from pneumo import model_store, preprocessing
from pneumo.calibration import Answer, as_percent
from pneumo.model_store import CLASSIFICATION, ModelCard
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
            ModelError: if there is no such model, it is damaged, or it is no classifier.
        """
        return cls(*model_store.load(name or model_store.default_name(folder), folder, CLASSIFICATION))

    def warm_up(self) -> None:
        """Run the model once on a black picture, so that the first film does not wait for its graph."""
        self._score(np.zeros(self.model.input_shape[1:], np.float32))

    def assess(self, radiograph: Radiograph) -> Assessment:
        """Assess one film."""
        square = preprocessing.film_square(radiograph.pixels)
        model_input = preprocessing.model_input(square, self.card.input["size"])
        probability = float(self._calibration.apply(self._score(model_input)))
        answer = self._thresholds.answer(probability)
        reasons = (*self._reasons(answer, probability), *radiograph.notes)
        return Assessment(radiograph, answer, probability, reasons, self.card, model_input)

    def _score(self, model_input: np.ndarray) -> np.ndarray:
        # Keras builds the prediction function on the first call and does not guard that.
        with self._lock:
            return np.asarray(self.model.predict_on_batch(model_input[np.newaxis])[0, 0])

    def _reasons(self, answer: Answer, probability: float) -> tuple[str, ...]:
        low, high = as_percent(self._thresholds.low), as_percent(self._thresholds.high)
        found = f"The model's probability of pneumonia is {as_percent(probability)}"
        seen = self.card.thresholds["evidence"]
        if answer == "likely":
            return (
                f"{found}, at or above its limit of {high} for “likely”: of {seen['normal_films']} normal validation "
                f"films {seen['normal_at_or_above_high']} came that high.",
            )
        if answer == "unlikely":
            return (
                f"{found}, below its limit of {low} for “unlikely”: of {seen['pneumonia_films']} validation films with "
                f"pneumonia {seen['pneumonia_below_low']} came that low.",
            )
        return (
            f"{found}, between its limits of {low} for “unlikely” and {high} for “likely”: validation films with and "
            "without pneumonia come out like this.",
        )
