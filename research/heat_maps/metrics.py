"""How good a heat map is, measured against what humans drew, against the model itself, and against chance.

Arrays in, numbers out. All maps and masks are (`SQUARE`, `SQUARE`), a film squashed to a square, which leaves shares of
an area as they are.
"""

from collections.abc import Callable

import cv2
import numpy as np
from scipy.stats import spearmanr

from pneumo.evaluation import metrics
from pneumo.evaluation.intervals import BOOTSTRAP_DRAWS, Estimate
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


def energy_inside(heat: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of the heat that lies inside a mask, 0…1 (Wang et al. 2020, the energy-based pointing game).

    NaN for a map without heat.
    """
    total = float(heat.sum())
    return float(heat[truth].sum()) / total if total > 0 else np.nan


def points_inside(heat: np.ndarray, truth: np.ndarray) -> float:
    """Return 1 where the hottest place lies inside a mask, else 0, also for a map without heat (Zhang et al. 2018)."""
    return float(truth.ravel()[heat.argmax()]) if heat.any() else 0.0


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


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Return the rank correlation of two figures over films, −1…1; NaN where one is the same for all."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return np.nan
    return float(spearmanr(first, second).statistic)


def by_patient(
    statistic: Callable[..., float],
    patients: np.ndarray,
    *figures: np.ndarray,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = 0,
) -> Estimate:
    """Return any statistic over films, with a percentile bootstrap interval that draws patients.

    For means `intervals.mean_by_patient` does the same faster.

    Args:
        statistic: of as many arrays as there are figures.
        patients: (films,) the patient of each film.
        figures: (films,) each.
        draws: bootstrap samples.
        seed: of the bootstrap.
    """
    value = statistic(*figures)
    if not np.isfinite(value):
        return Estimate(np.nan, np.nan, np.nan)
    _, cluster = np.unique(patients, return_inverse=True)
    films = [np.flatnonzero(cluster == patient) for patient in range(int(cluster.max()) + 1)]
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(draws):
        chosen = np.concatenate([films[patient] for patient in rng.integers(0, len(films), len(films))])
        drawn.append(statistic(*(figure[chosen] for figure in figures)))
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Estimate(float(value), float(low), float(high))
