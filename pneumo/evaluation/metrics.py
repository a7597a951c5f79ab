"""Metrics with 95 % intervals, of a binary classifier and of a drawn mask: arrays in, dataclasses out.

Proportions of films get Wilson's score interval; everything else gets a percentile bootstrap of patients.
"""

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from pneumo.evaluation import intervals
from pneumo.evaluation.intervals import BOOTSTRAP_DRAWS, Estimate, bootstrap, percentile_interval, wilson

ECE_BINS = 15
# The figures of `Metrics` whose interval is a bootstrap's.
BOOTSTRAPPED = ("auroc", "auprc", "f1", "brier", "ece")


@dataclass(frozen=True)
class Confusion:
    """Films by truth and call, pneumonia being positive."""

    true_positive: int
    false_negative: int
    true_negative: int
    false_positive: int

    def __add__(self, other: "Confusion") -> "Confusion":
        """Return the counts of the films of both."""
        return Confusion(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    @property
    def sick(self) -> int:
        """Films with pneumonia."""
        return self.true_positive + self.false_negative

    @property
    def well(self) -> int:
        """Normal films."""
        return self.true_negative + self.false_positive

    @property
    def prevalence(self) -> float:
        """Share of films with pneumonia, the accuracy of calling every film pneumonia."""
        return self.sick / (self.sick + self.well)

    @property
    def accuracy(self) -> Estimate:
        """Share of films called right."""
        return wilson(self.true_positive + self.true_negative, self.sick + self.well)

    @property
    def sensitivity(self) -> Estimate:
        """Share of films with pneumonia that are called pneumonia."""
        return wilson(self.true_positive, self.sick)

    @property
    def specificity(self) -> Estimate:
        """Share of normal films that are called normal."""
        return wilson(self.true_negative, self.well)

    @property
    def missed(self) -> Estimate:
        """Share of films with pneumonia that are called normal."""
        return wilson(self.false_negative, self.sick)

    @property
    def alarms(self) -> Estimate:
        """Share of normal films that are called pneumonia."""
        return wilson(self.false_positive, self.well)

    @property
    def balanced_accuracy(self) -> Estimate:
        """Mean of sensitivity and specificity, with its interval by MOVER; one half is chance."""
        halves = (intervals.scaled(each.limits, 0.5) for each in (self.sensitivity, self.specificity))
        return intervals.estimate(intervals.total(*halves))


@dataclass(frozen=True)
class Metrics:
    """Discrimination, calibration and calls of a classifier on films; see `evaluate`."""

    auroc: Estimate
    auprc: Estimate
    accuracy: Estimate
    sensitivity: Estimate
    specificity: Estimate
    precision: Estimate
    f1: Estimate
    brier: Estimate
    ece: Estimate
    confusion: Confusion
    threshold: float
    films: int
    patients: int

    def estimates(self) -> dict[str, Estimate]:
        """Return the figures that carry an interval, by name."""
        return {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if isinstance(getattr(self, item.name), Estimate)
        }


def confusion(labels: np.ndarray, probability: np.ndarray, threshold: float) -> Confusion:
    """Count films by truth and call.

    Args:
        labels: (films,) 0 or 1.
        probability: (films,) 0…1.
        threshold: a film is called pneumonia at or above it.
    """
    positive, called = np.asarray(labels) == 1, np.asarray(probability) >= threshold
    return Confusion(
        true_positive=int(np.sum(positive & called)),
        false_negative=int(np.sum(positive & ~called)),
        true_negative=int(np.sum(~positive & ~called)),
        false_positive=int(np.sum(~positive & called)),
    )


def evaluate(
    labels: np.ndarray,
    probability: np.ndarray,
    patients: np.ndarray,
    threshold: float,
    *,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = 0,
) -> Metrics:
    """Evaluate probabilities of pneumonia against the labels.

    ``auroc`` is the area under the ROC curve, ``auprc`` average precision, ``brier`` the mean squared error of
    the probability, ``ece`` the expected calibration error over `ECE_BINS` bins of equal width (Guo et al. 2017);
    resampling adds noise to the bins, so its interval lies high and may lie above the figure itself.
    ``accuracy``, ``sensitivity``, ``specificity``, ``precision`` and ``f1`` are at the threshold.

    Args:
        labels: (films,) 1 for pneumonia, 0 for normal.
        probability: (films,) 0…1.
        patients: (films,) the patient of each film.
        threshold: a film is called pneumonia at or above it.
        draws: bootstrap samples.
        seed: of the bootstrap.

    Raises:
        ValueError: if the arrays differ in length or are empty, or a label or probability is out of range.
    """
    labels, probability = np.asarray(labels), np.asarray(probability, np.float64)
    _check(labels, probability, np.asarray(patients))
    cells = confusion(labels, probability, threshold)
    samples = bootstrap(
        lambda weights: np.column_stack(_weighted_statistics(labels, probability, threshold, weights)),
        patients,
        draws,
        seed,
    )
    bootstrapped = dict(zip(BOOTSTRAPPED, map(percentile_interval, samples.T), strict=True))
    return Metrics(
        accuracy=cells.accuracy,
        sensitivity=cells.sensitivity,
        specificity=cells.specificity,
        precision=wilson(cells.true_positive, cells.true_positive + cells.false_positive),
        confusion=cells,
        threshold=float(threshold),
        films=len(labels),
        patients=len(np.unique(patients)),
        **bootstrapped,
    )


def evaluate_table(predictions: pd.DataFrame, threshold: float) -> Metrics:
    """`evaluate` a ``predictions/<split>.csv`` (columns ``patient, label, probability``, among others)."""
    return evaluate(
        (predictions["label"] == "PNEUMONIA").to_numpy(int),
        predictions["probability"].to_numpy(float),
        predictions["patient"].to_numpy(str),
        threshold,
    )


def _check(labels: np.ndarray, probability: np.ndarray, patients: np.ndarray) -> None:
    if not len(labels) == len(probability) == len(patients) or len(labels) == 0:
        raise ValueError("labels, probability and patients must be of one length, and not empty")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be 0 (normal) or 1 (pneumonia)")
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError("probabilities must lie in 0…1")


def _weighted_statistics(
    labels: np.ndarray, probability: np.ndarray, threshold: float, weights: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Compute `BOOTSTRAPPED` for all rows of ``weights`` (samples, films) at once; NaN where a class is missing."""
    called, gaps = probability >= threshold, probability - labels
    in_bin = np.eye(ECE_BINS)[np.minimum((probability * ECE_BINS).astype(int), ECE_BINS - 1)]
    films, positives = weights.sum(axis=1), weights @ labels
    with np.errstate(divide="ignore", invalid="ignore"):
        f1 = 2 * (weights @ (labels * called)) / (weights @ called + positives)
        auroc, auprc = _areas(labels, probability, weights)
    brier = weights @ gaps**2 / films
    ece = np.abs(weights @ (in_bin * gaps[:, np.newaxis])).sum(axis=1) / films
    return auroc, auprc, f1, brier, ece


def _areas(labels: np.ndarray, probability: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the AUROC and the average precision of each row of ``weights``; NaN where a class is missing."""
    order = np.argsort(-probability, kind="stable")
    sick, normal = order[labels[order] == 1], order[labels[order] != 1]
    of_sick, of_normal = weights[:, sick], weights[:, normal]
    found, alarms = _running_sums(of_sick), _running_sums(of_normal)
    positives, negatives = found[:, -1], alarms[:, -1]
    # A pneumonia above a normal film counts once, beside it by half; films with equal probabilities stand side by side.
    above, with_equals = (np.searchsorted(-probability[sick], -probability[normal], side) for side in ("left", "right"))
    ahead = (found[:, above] + found[:, with_equals]) / 2
    auroc = np.einsum("ij,ij->i", of_normal, ahead) / (positives * negatives)
    true, false = (
        sums[:, np.searchsorted(-probability[films], -probability[sick], "right")]
        for sums, films in ((found, sick), (alarms, normal))
    )
    # A film that was not drawn, and none above it, has no precision and no part in the mean.
    precision = true / np.maximum(true + false, 1)
    return auroc, np.einsum("ij,ij->i", of_sick, precision) / positives


def _running_sums(values: np.ndarray) -> np.ndarray:
    """Return the sums along each row, from none of its values to all of them."""
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def dice(drawn: np.ndarray, truth: np.ndarray) -> float:
    """Return the Dice coefficient of two masks, 0…1; 1 where both are empty (Dice 1945).

    Args:
        drawn: (height, width) bool.
        truth: (height, width) bool.
    """
    total = int(drawn.sum()) + int(truth.sum())
    return 2 * float((drawn & truth).sum()) / total if total else 1.0


def iou(drawn: np.ndarray, truth: np.ndarray) -> float:
    """Return the intersection over union of two masks, 0…1; 1 where both are empty (Jaccard 1912)."""
    union = float((drawn | truth).sum())
    return float((drawn & truth).sum()) / union if union else 1.0


def energy_inside(heat: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of the heat that lies inside a mask, 0…1 (Wang et al. 2020, the energy-based pointing game).

    NaN for a map without heat.
    """
    total = float(heat.sum())
    return float(heat[truth].sum()) / total if total > 0 else np.nan


def points_inside(heat: np.ndarray, truth: np.ndarray) -> float:
    """Return 1 where the hottest place lies inside a mask, else 0, also for a map without heat (Zhang et al. 2018)."""
    return float(truth.ravel()[heat.argmax()]) if heat.any() else 0.0


def boundary_distance(drawn: np.ndarray, truth: np.ndarray) -> float:
    """Return the average symmetric surface distance in pixels: how far the two outlines lie apart.

    The mean over all pixels of both outlines of the distance to the nearest pixel of the other (Heimann et al. 2009).
    NaN where one of the masks has no outline: it is empty or fills the picture.
    """
    from scipy import ndimage

    outlines = [outline(drawn), outline(truth)]
    if not all(line.any() for line in outlines):
        return np.nan
    to_first, to_second = (ndimage.distance_transform_edt(~line) for line in outlines)
    return float(np.concatenate([to_second[outlines[0]], to_first[outlines[1]]]).mean())


def outline(mask: np.ndarray) -> np.ndarray:
    """Return the pixels of a mask that touch what lies outside it, (height, width) bool; the frame counts as inside."""
    from scipy import ndimage

    return mask & ~ndimage.binary_erosion(mask, border_value=1)


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Return the rank correlation of two figures over films, −1…1; NaN where one is the same for all."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return np.nan
    return float(np.corrcoef(ranks(first), ranks(second))[0, 1])


def ranks(figures: np.ndarray) -> np.ndarray:
    """Return the rank of each figure, 1 for the lowest, (n,) float64; equal ones share the mean of their ranks."""
    return pd.Series(figures).rank().to_numpy()
