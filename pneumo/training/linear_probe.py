"""Fit the last unit of a pretrained network and leave the rest as it is: a linear probe (Alain and Bengio 2016).

It takes minutes where fine-tuning takes hours, and its mistakes are others than those of a fine-tuned network.
"""

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pneumo.preprocessing import augmentation
from pneumo.preprocessing.augmentation import Augmentation
from pneumo.training import loop
from pneumo.training.films import Films, Report, Stage, silent

_BATCH = 32


@dataclass(frozen=True)
class Probe:
    """How a probe is fitted.

    Attributes:
        views: random views of each training film, besides the film itself.
        strengths: of the regression's L2 penalty, inverse (scikit-learn's C); the best on shifted films is kept.
        seed: of the random views.
        augmentation: the random views.
    """

    views: int = 2
    strengths: tuple[float, ...] = (1e-4, 1e-3, 1e-2)
    seed: int = 0
    augmentation: Augmentation = field(default_factory=lambda: Augmentation(min_area=0.4))

    def facts(self) -> dict[str, Any]:
        """Return the recipe as cards tell it."""
        return dataclasses.asdict(self)


def fit(
    model: keras.Model,
    train: Films,
    validation: Films,
    probe: Probe,
    progress: Report = silent,
) -> list[dict[str, float]]:
    """Fit the last unit of a model by logistic regression on what the layer below gives; both classes weigh the same.

    Args:
        model: as `pneumo.networks.classifiers.build` returns it.
        train: films to learn from.
        validation: films to choose the penalty by, of other patients.
        probe: how to fit.
        progress: called as the network looks at the views.

    Returns:
        One row, with the columns that `pneumo.training.loop.fit` gives and ``strength``.
    """
    started = time.perf_counter()
    body = keras.Model(model.input, model.layers[-1].input)
    size, count = model.input_shape[1], len(train.files) * (1 + probe.views)

    def features(pictures: Iterator[np.ndarray], report: Report = silent) -> np.ndarray:
        found = []
        for some in loop.batched(pictures, _BATCH):
            found.append(body.predict_on_batch(np.stack(some)))
            report(Stage("looking at films", min(len(found) * _BATCH, count), count))
        return np.concatenate(found)

    learned = features(_views(train, size, probe), progress)
    of_validation = [features(loop.pictures(validation, size, shifted=shifted)) for shifted in (False, True)]
    labels = np.tile(train.labels, 1 + probe.views)
    scaler = StandardScaler().fit(learned)

    rows = []
    for strength in probe.strengths:
        regression = LogisticRegression(C=strength, class_weight="balanced", max_iter=500)
        regression.fit(scaler.transform(learned), labels)
        of_val, of_shifted = (regression.predict_proba(scaler.transform(each))[:, 1] for each in of_validation)
        row = {
            **loop.figures("", labels, regression.predict_proba(scaler.transform(learned))[:, 1]),
            **loop.figures("val_", validation.labels, of_val),
            **loop.figures("shifted_", validation.labels, of_shifted),
        }
        rows.append((regression, row | {"strength": strength}))
    regression, row = max(rows, key=lambda each: each[1][loop.MONITOR])
    kernel = regression.coef_[0] / scaler.scale_
    bias = regression.intercept_[0] - kernel @ scaler.mean_
    model.layers[-1].set_weights([kernel[:, np.newaxis].astype(np.float32), np.array([bias], np.float32)])
    return [{"epoch": 1, **row, "seconds": round(time.perf_counter() - started, 1)}]


def _views(films: Films, size: int, probe: Probe) -> Iterator[np.ndarray]:
    yield from loop.pictures(films, size)
    rng = np.random.default_rng(probe.seed)
    for _ in range(probe.views):
        for square in films.squares:
            yield augmentation.augmented_input(square / np.float32(255), size, probe.augmentation, rng)
