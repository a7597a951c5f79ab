"""How good a heat map is, measured against what humans drew, against the model itself, and against chance.

Arrays in, numbers out. All maps and masks are (`SQUARE`, `SQUARE`), a film squashed to a square, which leaves shares of
an area as they are.
"""

import cv2
import numpy as np

from pneumo.evaluation import metrics
from pneumo.explanation.regions import HOT
from pneumo.preprocessing.network_input import SQUARE

# What a map must beat to be worth looking at: neither has seen the film.
BASELINES = {"random": "Random map", "centre": "Centre of the film"}
# As coarse as the feature maps of the shipped models at the most: noise pixel by pixel would harm a film in other ways.
_RANDOM_CELLS = 5
_CENTRE_WIDTH = 0.25
# How much of a network is randomised, from the top: its last unit, then shares of its layers with weights.
LEVELS = {"top": 0.0, "half": 0.5, "all": 1.0}
# Shares of the film at which the model is asked while a film is taken away or put together: 0, 0.1, … 1.
STEPS = 10


def baseline(name: str, film: int) -> np.ndarray:
    """Return a map that knows nothing of the film, (`SQUARE`, `SQUARE`) float32 in 0…1.

    Args:
        name: key of `BASELINES`.
        film: number of the film, which the random map is drawn from.
    """
    if name == "random":
        cells = np.random.default_rng(film).random((_RANDOM_CELLS, _RANDOM_CELLS), np.float32)
        heat = cv2.resize(cells, (SQUARE, SQUARE), interpolation=cv2.INTER_CUBIC)
        return np.asarray((heat - heat.min()) / np.ptp(heat), np.float32)
    offset = (np.arange(SQUARE) + 0.5) / SQUARE - 0.5
    line = np.exp(-(offset**2) / (2 * _CENTRE_WIDTH**2))
    return np.asarray(np.outer(line, line) / line.max() ** 2, np.float32)


def hot_iou(heat: np.ndarray, truth: np.ndarray) -> float:
    """Return the intersection over union of what is at least `HOT` and a mask, 0…1."""
    return metrics.iou(heat >= HOT, truth)


def taken_away(square: np.ndarray, heat: np.ndarray, instead: np.ndarray, film: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a film that loses its hottest places first, and one that is put together from them.

    Deletion and insertion of Petsiuk et al. 2018 (arXiv:1806.07421). They put black or a blur in place of what is
    missing; the shipped models call any such picture pneumonia, so another film stands there.

    Args:
        square: (`SQUARE`, `SQUARE`) float32, a `network_input.film_square`.
        heat: of the film.
        instead: (`SQUARE`, `SQUARE`) float32, a film that the model calls healthy.
        film: its number: equally hot places go in the order of its random map.

    Returns:
        Twice (`STEPS` + 1, `SQUARE`, `SQUARE`) float32.
    """
    order = np.lexsort((-baseline("random", film).ravel(), -heat.ravel()))
    place = np.empty(order.size)
    place[order] = np.arange(order.size) / order.size
    gone = place.reshape(square.shape) < np.linspace(0, 1, STEPS + 1)[:, np.newaxis, np.newaxis]
    return np.where(gone, instead, square), np.where(gone, square, instead)


def area_under(probability: np.ndarray) -> float:
    """Return the area under a curve of (`STEPS` + 1,) probabilities, 0…1."""
    return float(np.trapezoid(probability, dx=1 / STEPS))
