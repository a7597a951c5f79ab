"""Paired comparison of two models on the same films: DeLong's and McNemar's tests, also for films of one patient.

Arrays in, dataclasses out. A difference is the first model's figure less the second's. Films of one patient resemble
each other, so each function takes the patient of each film; without, every film counts as a patient of its own, and
the function is the textbook's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np

from pneumo.evaluation.intervals import LEVEL, Estimate, Z
from pneumo.evaluation.metrics import ranks
from pneumo.sentences import Sentence, say

# Standard errors below it are rounding: the smallest that 10,000 films of each class can have is 5e-9.
_ROUNDING = 1e-12
# Two films in a hundred, or as much of an AUROC.
EQUAL = 0.02


@dataclass(frozen=True)
class Difference(Estimate):
    """The first model's figure less the second's, −1…1, with its 95 % interval; see `delong` and `mcnemar`.

    The limits are NaN where there are too few patients to tell them.

    Attributes:
        p_value: two-sided, of a difference as large or larger between models that are equally good; NaN if unknown.
    """

    p_value: float

    @property
    def known(self) -> bool:
        """Whether there are patients enough to tell the interval and the p-value."""
        return bool(np.isfinite([self.low, self.high, self.p_value]).all())

    @property
    def told_apart(self) -> bool:
        """Whether both the interval leaves out 0 and the test rejects that the models are equally good."""
        return self.known and self.p_value < 1 - LEVEL and not self.low <= 0 <= self.high

    @property
    def practically_equal(self) -> bool:
        """Whether the whole interval lies within `EQUAL` of 0: if there is a difference, it is too small to matter."""
        return self.known and self.low > -EQUAL and self.high < EQUAL

    def __str__(self) -> str:
        """Return the figure with three decimals and its p-value, as in ``0.012 (−0.004–0.028, p = 0.134)``."""
        if not self.known:
            return interval(self)
        parts = {"value": self.value, "low": self.low, "high": self.high}
        return say(
            "{value} ({low}–{high}, {p_value})",
            **{name: _signed(part) for name, part in parts.items()},
            p_value=p_text(self.p_value),
        )

    def __neg__(self) -> "Difference":
        """Return the second model's figure less the first's."""
        return Difference(-self.value, -self.high, -self.low, self.p_value)


@dataclass(frozen=True)
class McNemar:
    """Films that one of two models calls right and the other wrong, and the difference in accuracy; see `mcnemar`."""

    only_first_right: int
    only_second_right: int
    accuracy: Difference


def delong(labels: np.ndarray, first: np.ndarray, second: np.ndarray, patients: np.ndarray | None = None) -> Difference:
    """Compare the areas under two ROC curves of the same films.

    Without patients: DeLong et al. 1988, by midranks (Sun and Xu 2014). It takes films for independent of each other,
    so it is too sure of itself where patients have several. With patients: Obuchowski 1997, the same sum of each film's
    share, but films of a patient may depend on each other in any way, across the classes too; only patients are taken
    for independent. With one film a patient the two are equal. Both take the difference for normally distributed,
    which needs some dozen patients of each class.

    Models that order the films alike differ by 0 (0–0), p = 1.

    Args:
        labels: (films,) 1 for pneumonia, 0 for normal.
        first: (films,) scores of the first model, finite; the higher, the likelier pneumonia.
        second: (films,) those of the second, on any scale.
        patients: (films,) the patient of each film.

    Raises:
        ValueError: if the arrays differ in length or are empty, a label or score is out of range, or a class is
            missing.
    """
    labels, first, second = (np.asarray(values) for values in (labels, first, second))
    cluster = _clusters(labels, first, second, patients)
    if not np.isfinite(first).all() or not np.isfinite(second).all():
        raise ValueError("scores must be finite numbers")
    sick = labels == 1
    if sick.all() or not sick.any():
        raise ValueError("an AUROC needs films of both classes, normal and pneumonia")
    share = _placements(sick, first) - _placements(sick, second)
    if not share.any():
        return Difference(0.0, 0.0, 0.0, 1.0)
    value = float(share[sick].mean())
    error = np.sqrt(_clustered_variance(share - value, sick, cluster))
    if not error > _ROUNDING:
        return Difference(value, np.nan, np.nan, np.nan)
    low, high = np.clip([value - Z * error, value + Z * error], -1, 1)
    return Difference(value, float(low), float(high), erfc(abs(value) / error / sqrt(2)))


def mcnemar(
    labels: np.ndarray, first_calls: np.ndarray, second_calls: np.ndarray, patients: np.ndarray | None = None
) -> McNemar:
    """Compare the accuracies of two models' calls on the same films.

    Without patients, p is McNemar's exact binomial one, and the interval Tango's (1998); both take films for
    independent of each other. With patients, p is the exact chance of so large a difference if a coin decided for each
    patient which model made which of the two sets of calls on all its films; with one film a patient that is
    McNemar's. The interval is Tango's of the counts divided by the design effect (Rao and Scott 1992): how many times
    larger the difference's variance is among patients (Obuchowski 1998) than among films, at least 1. Only patients are
    taken for independent.

    Args:
        labels: (films,) 1 for pneumonia, 0 for normal.
        first_calls: (films,) what the first model calls each film, 1 or True for pneumonia.
        second_calls: (films,) what the second calls it.
        patients: (films,) the patient of each film.

    Raises:
        ValueError: if the arrays differ in length or are empty, or a label or call is not 0 or 1.
    """
    labels, first_calls, second_calls = (np.asarray(values) for values in (labels, first_calls, second_calls))
    cluster = _clusters(labels, first_calls, second_calls, patients)
    if not np.isin([first_calls, second_calls], (0, 1)).all():
        raise ValueError("calls must be 0 (normal) or 1 (pneumonia)")
    gain = (first_calls == labels).astype(int) - (second_calls == labels)
    ahead, behind = int(np.sum(gain == 1)), int(np.sum(gain == -1))
    p_value = _coin_toss_p(np.bincount(cluster, gain).astype(int))
    if patients is not None and cluster.max() == 0:
        return McNemar(ahead, behind, Difference(float(gain.mean()), np.nan, np.nan, np.nan))
    effect = _design_effect(gain, cluster)
    estimate = tango(ahead / effect, behind / effect, len(gain) / effect)
    return McNemar(ahead, behind, Difference(estimate.value, estimate.low, estimate.high, p_value))


def tango(only_first: float, only_second: float, trials: float) -> Estimate:
    """Return the difference of two paired proportions with Tango's 95 % score interval.

    Tango 1998, Statistics in Medicine 17:891: the limits are the differences that the score test just rejects. Without
    any discordant pair the interval still has a width, unlike Wald's.

    Args:
        only_first: pairs where only the first succeeds; need not be whole.
        only_second: pairs where only the second does.
        trials: all pairs, more than 0.
    """
    value = (only_first - only_second) / trials

    def excess(difference: float) -> float:
        """The squared deviation less what the score test allows: negative within the interval."""
        slope = (2 * trials - only_first + only_second) * difference - only_first - only_second
        root = slope**2 + 8 * trials * only_second * difference * (1 - difference)
        # The likeliest share of pairs where only the second succeeds, given the difference.
        second = (np.sqrt(max(root, 0)) - slope) / (4 * trials)
        allowed = Z**2 * trials * (2 * second + difference * (1 - difference))
        return (only_first - only_second - trials * difference) ** 2 - allowed

    # Without discordant pairs the difference itself is a root too, though no limit.
    aside = 1e-9
    low = -1.0 if value <= -1 else _crossing(excess, value - aside, -1)
    high = 1.0 if value >= 1 else _crossing(excess, value + aside, 1)
    return Estimate(float(value), low, high)


def _crossing(function: Callable[[float], float], inside: float, outside: float) -> float:
    """Return where a function that is negative `inside` ceases to be, by bisection to the last digit."""
    while (middle := (inside + outside) / 2) not in (inside, outside):
        if function(middle) < 0:
            inside = middle
        else:
            outside = middle
    return outside


def interval(figure: Estimate) -> Sentence:
    """Return a difference with three decimals and a true minus sign, as in ``0.012 (−0.004–0.028)``."""
    if np.isnan(figure.low):
        return say("{value} (too few patients for an interval)", value=_signed(figure.value))
    parts = {"value": figure.value, "low": figure.low, "high": figure.high}
    return say("{value} ({low}–{high})", **{name: _signed(part) for name, part in parts.items()})


def p_text(p_value: float) -> Sentence:
    """Return a p-value with three decimals, as in ``p = 0.134`` or ``p < 0.001``."""
    return say("p < {limit:.3f}", limit=0.001) if p_value < 0.001 else say("p = {p_value:.3f}", p_value=p_value)


def _signed(value: float) -> Sentence:
    size = abs(round(value, 3))
    return say("−{size:.3f}", size=size) if value < 0 < size else say("{size:.3f}", size=size)


def _clusters(labels: np.ndarray, first: np.ndarray, second: np.ndarray, patients: np.ndarray | None) -> np.ndarray:
    """Check the arrays and return the number of each film's patient, (films,) 0, 1, …"""
    patients = np.arange(len(labels)) if patients is None else np.asarray(patients)
    if not len(labels) == len(first) == len(second) == len(patients) or len(labels) == 0:
        raise ValueError("labels, both models' values and patients must be of one length, and not empty")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be 0 (normal) or 1 (pneumonia)")
    return np.unique(patients, return_inverse=True)[1]


def _placements(sick: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return the share of the other class's films that each film is in order with, a tie counting half."""
    overall, placement = ranks(score), np.empty(len(score))
    placement[sick] = (overall[sick] - ranks(score[sick])) / np.sum(~sick)
    placement[~sick] = 1 - (overall[~sick] - ranks(score[~sick])) / np.sum(sick)
    return placement


def _clustered_variance(residual: np.ndarray, sick: np.ndarray, cluster: np.ndarray) -> float:
    """Return the variance of the mean placement's difference; NaN where a class is of a single patient."""
    sums = [np.bincount(cluster, residual * chosen) / chosen.sum() for chosen in (sick, ~sick)]
    with_sick, with_normal = (len(np.unique(cluster[chosen])) for chosen in (sick, ~sick))
    everyone = int(cluster.max()) + 1
    if min(with_sick, with_normal) < 2:
        return np.nan
    variance = (
        np.sum(sums[0] ** 2) * with_sick / (with_sick - 1)
        + np.sum(sums[1] ** 2) * with_normal / (with_normal - 1)
        + 2 * np.sum(sums[0] * sums[1]) * everyone / (everyone - 1)
    )
    # Rounding alone can bring it below 0.
    return max(float(variance), 0.0)


def _coin_toss_p(gains: np.ndarray) -> float:
    """Return the chance that whole numbers with signs drawn by coin sum up to as much as they do, either way."""
    steps = np.abs(gains[gains != 0])
    # chance[i] is that of the sum 2 i − the sum of the steps so far.
    chance = np.ones(1)
    for step in steps:
        chance = (np.append(chance, np.zeros(step)) + np.append(np.zeros(step), chance)) / 2
    sums = 2 * np.arange(len(chance)) - steps.sum()
    return min(float(chance[np.abs(sums) >= abs(gains.sum())].sum()), 1.0)


def _design_effect(gain: np.ndarray, cluster: np.ndarray) -> float:
    """Return how many films tell as much as one would if no patient had a second; 1 or more."""
    residual = gain - gain.mean()
    among_films = np.sum(residual**2)
    if among_films == 0:
        # The films do not tell how alike those of a patient are; at worst a patient counts as one film.
        return len(gain) / (int(cluster.max()) + 1)
    return max(float(np.sum(np.bincount(cluster, residual) ** 2) / among_films), 1.0)
