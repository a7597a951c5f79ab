"""Curves of one model's probabilities, each with a pointwise 95 % band: arrays in, tables out.

The bands are percentiles of a bootstrap that draws patients, as in `pneumo.evaluation.metrics`.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from pneumo.evaluation import metrics

# On the six models of November 2026, 95 % of the limits lie within 0.018 of those of 3,000 draws, half within 0.003.
BAND_DRAWS = 300
RELIABILITY_BINS = 10
SCORE_BINS = 20
# The error among the few most confident films is too noisy to be drawn.
LEAST_COVERAGE = 0.05
MOST_POINTS = 200


def roc(
    labels: np.ndarray, probability: np.ndarray, patients: np.ndarray, *, draws: int = BAND_DRAWS, seed: int = 0
) -> pd.DataFrame:
    """Return the ROC curve.

    Args:
        labels: (films,) 1 for pneumonia, 0 for normal; both must occur.
        probability: (films,) 0…1.
        patients: (films,) the patient of each film.
        draws: bootstrap samples of the band.
        seed: of the bootstrap.

    Returns:
        ``threshold, x, y, low, high``: x is 1 − specificity, y sensitivity with its band at that x; from (0, 0),
        whose threshold is given as 1 as no probability lies above it, to (1, 1).
    """
    threshold, hits, alarms = by_threshold(labels, probability, metrics.bootstrap_weights(patients, draws, seed))
    with np.errstate(invalid="ignore"):
        x, y = (np.hstack([np.zeros((len(part), 1)), part / part[:, -1:]]) for part in (alarms, hits))
    corner = _corners(x[0], y[0])
    place = x[0][corner]
    # A draw without films of a class is no curve. Where a curve rises at one x, np.interp takes its upper end.
    band = _band(lambda draw: np.interp(place, x[draw], y[draw]), np.isfinite(x + y).all(axis=1))
    threshold = np.append(1.0, threshold)[corner]
    return pd.DataFrame({"threshold": threshold, "x": place, "y": y[0][corner], **band})


def precision_recall(
    labels: np.ndarray, probability: np.ndarray, patients: np.ndarray, *, draws: int = BAND_DRAWS, seed: int = 0
) -> pd.DataFrame:
    """Return the precision–recall curve; the arguments are those of `roc`.

    Returns:
        ``threshold, x, y, low, high``: x is recall (sensitivity), y the best precision of a threshold that is just
        low enough for it; one row a recall above 0.
    """
    threshold, hits, alarms = by_threshold(labels, probability, metrics.bootstrap_weights(patients, draws, seed))
    with np.errstate(invalid="ignore"):
        x, y = hits / hits[:, -1:], hits / (hits + alarms)
    first = np.flatnonzero(np.diff(x[0], prepend=0) > 0)
    place = x[0][first]

    def precision_at(draw: int) -> np.ndarray:
        reached = np.searchsorted(x[draw], place - 1e-12)
        return y[draw][np.minimum(reached, x.shape[1] - 1)]

    band = _band(precision_at, np.isfinite(x).all(axis=1))
    return pd.DataFrame({"threshold": threshold[first], "x": place, "y": y[0][first], **band})


def risk_coverage(
    labels: np.ndarray,
    probability: np.ndarray,
    patients: np.ndarray,
    threshold: float,
    *,
    draws: int = BAND_DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how often calls are wrong where a model leaves its least confident films to somebody else.

    El-Yaniv and Wiener 2010, JMLR 11:1605. Confidence is the distance of the probability's logit from that of the
    threshold.

    Args:
        labels: (films,) 1 for pneumonia, 0 for normal.
        probability: (films,) 0…1.
        patients: (films,) the patient of each film.
        threshold: a film is called pneumonia at or above it.
        draws: bootstrap samples of the band.
        seed: of the bootstrap.

    Returns:
        ``x, y, low, high``: x is the share of films that are called, from `LEAST_COVERAGE` to 1; y the share of
        these calls that is wrong.
    """
    labels, probability = np.asarray(labels), np.asarray(probability, np.float64)
    weights = metrics.bootstrap_weights(patients, draws, seed)
    wrong = (probability >= threshold) != (labels == 1)
    _, errors, sound = by_threshold(wrong, confidence(probability, threshold), weights)
    x, y = (errors + sound) / weights.sum(axis=1)[:, None], errors / np.maximum(errors + sound, 1)
    shown = np.flatnonzero(x[0] >= LEAST_COVERAGE)
    shown = shown[np.unique(np.linspace(0, len(shown) - 1, MOST_POINTS).round().astype(int))]
    place = x[0][shown]
    band = _band(lambda draw: np.interp(place, x[draw], y[draw]), np.ones(len(x), bool))
    return pd.DataFrame({"x": place, "y": y[0][shown], **band})


def confidence(probability: np.ndarray, threshold: float) -> np.ndarray:
    """Return how far each probability's logit lies from the threshold's, 0 or more."""
    return np.abs(_logit(probability) - _logit(np.float64(threshold)))


def reliability(labels: np.ndarray, probability: np.ndarray) -> pd.DataFrame:
    """Return how often pneumonia came true in each of `RELIABILITY_BINS` bins of equal width.

    Returns:
        ``x, y, low, high, films`` of the bins that hold films: x the mean probability, y the share with pneumonia
        with Wilson's 95 % interval.
    """
    labels, probability = np.asarray(labels), np.asarray(probability, np.float64)
    place = np.minimum((probability * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
    rows = []
    for each in np.unique(place):
        inside = place == each
        share = metrics.wilson(int(labels[inside].sum()), int(inside.sum()))
        rows.append((probability[inside].mean(), share.value, share.low, share.high, int(inside.sum())))
    return pd.DataFrame(rows, columns=["x", "y", "low", "high", "films"])


def score_shares(labels: np.ndarray, probability: np.ndarray) -> pd.DataFrame:
    """Return how the probabilities of each class are spread over `SCORE_BINS` bins.

    Returns:
        ``class, low, high, films, share``: ``class`` is Normal or Pneumonia, ``share`` is of the class's films.
    """
    parts = []
    for label, title in enumerate(("Normal", "Pneumonia")):
        films, edges = np.histogram(np.asarray(probability)[np.asarray(labels) == label], SCORE_BINS, (0, 1))
        if films.sum():
            bins = {"class": title, "low": edges[:-1], "high": edges[1:], "films": films, "share": films / films.sum()}
            parts.append(pd.DataFrame(bins))
    return pd.concat(parts, ignore_index=True)


def _logit(probability: np.ndarray | np.float64) -> np.ndarray:
    clipped = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.log(clipped / (1 - clipped))


def by_threshold(
    positive: np.ndarray, score: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct scores, highest first, and the weight of positive and of other films at or above each.

    Args:
        positive: (films,) whether a film counts as one to be found.
        score: (films,) any numbers.
        weights: (draws, films), as `metrics.bootstrap_weights` returns them.

    Returns:
        (scores,) float64, and (draws, scores) float64 twice.
    """
    score, positive = np.asarray(score, np.float64), np.asarray(positive).astype(np.float64)
    order = np.argsort(-score, kind="stable")
    score, positive, weights = score[order], positive[order], weights[:, order]
    last = np.flatnonzero(np.append(np.diff(score) != 0, True))
    above = np.cumsum(weights * positive, axis=1)[:, last]
    return score[last], above, np.cumsum(weights, axis=1)[:, last] - above


def _band(curve: Callable[[int], np.ndarray], usable: np.ndarray) -> dict[str, np.ndarray]:
    """Return the percentiles of the curves of all draws but the first, which are the films themselves."""
    drawn = np.array([curve(draw) for draw in range(1, len(usable)) if usable[draw]])
    with np.errstate(invalid="ignore"):
        low, high = np.nanpercentile(drawn, [2.5, 97.5], axis=0)
    return {"low": low, "high": high}


def _corners(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return where a curve changes its direction, its ends included."""
    rise, run = np.diff(y), np.diff(x)
    turns = np.abs(rise[1:] * run[:-1] - rise[:-1] * run[1:]) > 1e-15
    return np.flatnonzero(np.concatenate([[True], turns, [True]]))
