"""Calibration of a model's raw score to a probability, and the thresholds of the three answers.

The network is trained with both classes equally often. Its score is turned into a probability by a scale and a
shift of the logit (Platt 1999; Guo et al. 2017 with a bias), fitted on validation films that another hospital
might have made, weighted so that `PREVALENCE` of them show pneumonia.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pneumo.evaluation.intervals import Estimate, wilson
from pneumo.sentences import Sentence, say

Answer = Literal["likely", "uncertain", "unlikely"]

# Stated, not learned: the share of films with pneumonia differs between clinics, and the share in a data set
# says nothing about any of them.
PREVALENCE = 0.5
# What the lower ends of the 95 % intervals must reach, not the figures themselves: a small validation set has
# to be more cautious than a large one. A missed pneumonia is worse than a false alarm.
RULE_OUT_SENSITIVITY = 0.98
RULE_IN_SPECIFICITY = 0.97

_EDGE = 1e-6


@dataclass(frozen=True)
class Calibration:
    """Probability = sigmoid(``slope`` · logit(raw score) + ``intercept``), at ``prevalence``."""

    slope: float = 1.0
    intercept: float = 0.0
    prevalence: float = PREVALENCE

    def apply(self, raw: np.ndarray) -> np.ndarray:
        """Turn raw scores in 0…1 into calibrated probabilities of the same shape.

        They have six decimals and keep clear of 0 and 1: no film is certain.
        """
        return np.round(logistic(self.slope * logit(raw) + self.intercept), 6).clip(_EDGE, 1 - _EDGE)


@dataclass(frozen=True)
class Thresholds:
    """Where a calibrated probability becomes an answer: 0 ≤ ``low`` ≤ ``decision`` ≤ ``high`` ≤ 1."""

    decision: float
    low: float
    high: float

    def answer(self, probability: float) -> Answer:
        """Return ``likely`` at or above ``high``, ``unlikely`` below ``low``, otherwise ``uncertain``."""
        if probability >= self.high:
            return "likely"
        return "unlikely" if probability < self.low else "uncertain"


def logit(probability: np.ndarray | float) -> np.ndarray:
    """Return the log odds of probabilities or raw scores, 0…1, float64; those nearer than 10⁻⁶ to 0 or 1 count as that.

    A calibrated probability keeps as clear of both.
    """
    clipped = np.clip(np.asarray(probability, np.float64), _EDGE, 1 - _EDGE)
    return np.log(clipped) - np.log1p(-clipped)


# SciPy's takes a tenth of a second to import, which the first film would wait for.
def logistic(log_odds: np.ndarray) -> np.ndarray:
    """Return the probability of log-odds."""
    return 1 / (1 + np.exp(-log_odds))


def fit(labels: np.ndarray, raw: np.ndarray, prevalence: float = PREVALENCE) -> Calibration:
    """Fit a calibration.

    Args:
        labels: (films,) 1 for pneumonia, 0 for normal; both must occur.
        raw: (films,) the model's scores, 0…1.
        prevalence: the share of pneumonia that the probability shall hold for, 0…1 exclusive.
    """
    from sklearn.linear_model import LogisticRegression

    labels = np.asarray(labels)
    share = labels.mean()
    weight = np.where(labels == 1, prevalence / share, (1 - prevalence) / (1 - share))
    # A light penalty: it moves a thousand films' fit by nothing, and keeps the slope of a perfectly separated
    # validation set finite.
    line = LogisticRegression(C=10.0).fit(logit(raw)[:, None], labels, weight)
    return Calibration(float(line.coef_[0, 0]), float(line.intercept_[0]), prevalence)


def choose_thresholds(labels: np.ndarray, probability: np.ndarray) -> Thresholds:
    """Choose the three thresholds on validation films.

    ``decision`` is one half: for a calibrated probability the point where a miss and a false alarm weigh the
    same. ``low`` is the highest value below which so few pneumonias lie that sensitivity is at least
    `RULE_OUT_SENSITIVITY`, ``high`` the lowest at or above which so few normal films lie that specificity is at
    least `RULE_IN_SPECIFICITY`, both by the lower end of Wilson's 95 % interval. Where there are too few films to
    show that, none may lie there.

    Args:
        labels: (films,) 1 for pneumonia, 0 for normal; both must occur.
        probability: (films,) calibrated, 0…1.
    """
    decision = 0.5
    positive = np.sort(probability[labels == 1])
    low = positive[errors_allowed(len(positive), RULE_OUT_SENSITIVITY)]
    high = rule_in_threshold(probability[labels == 0])
    return Thresholds(decision, min(float(low), decision), max(high, decision))


def rule_in_threshold(normal: np.ndarray) -> float:
    """Return ``high`` as `choose_thresholds` chooses it.

    Args:
        normal: (films,) calibrated probabilities of normal films, 0…1.
    """
    kept = np.sort(normal)[-1 - errors_allowed(len(normal), RULE_IN_SPECIFICITY)]
    # Probabilities have six decimals: one unit above the last normal film that must not be called likely.
    return min(round(float(kept) + 1e-6, 6), 1.0)


def threshold_evidence(labels: np.ndarray, probability: np.ndarray, thresholds: Thresholds) -> dict[str, int]:
    """Count the films that speak for ``low`` and ``high``.

    Returns:
        ``pneumonia_films``, ``pneumonia_below_low``, ``normal_films``, ``normal_at_or_above_high``.
    """
    positive, negative = probability[labels == 1], probability[labels == 0]
    return {
        "pneumonia_films": len(positive),
        "pneumonia_below_low": int(np.sum(positive < thresholds.low)),
        "normal_films": len(negative),
        "normal_at_or_above_high": int(np.sum(negative >= thresholds.high)),
    }


@dataclass(frozen=True)
class Decided:
    """Selective classification: the films that get an answer, and the wrong ones among the answers; see `decided`.

    Attributes:
        coverage: the share of films that are called likely or unlikely.
        error: the share of those that are called wrong; NaN where there are none.
    """

    coverage: Estimate
    error: Estimate


def decided(labels: np.ndarray, probability: np.ndarray, thresholds: Thresholds) -> Decided:
    """Return coverage and error of the three answers, each with Wilson's 95 % interval.

    A film that is neither “likely” nor “unlikely” is left to the reader (Geifman and El-Yaniv 2017, arXiv:1705.08500).

    Args:
        labels: (films,) 1 for pneumonia, 0 for normal.
        probability: (films,) calibrated, 0…1.
        thresholds: of the model.
    """
    likely, unlikely = probability >= thresholds.high, probability < thresholds.low
    wrong = int(np.sum(likely & (labels == 0)) + np.sum(unlikely & (labels == 1)))
    count = int(np.sum(likely | unlikely))
    return Decided(wilson(count, len(labels)), wilson(wrong, count))


def at_prevalence(probability: float, held_at: float, prevalence: float) -> float:
    """Restate a probability for a place where pneumonia is rarer or commoner.

    Bayes' theorem on the odds: the film's evidence stays what it is, and only the odds before it was seen are replaced
    (Saerens et al. 2002, doi:10.1162/089976602753284446). It holds where sick and healthy children look alike in both
    places.

    Args:
        probability: of pneumonia, 0…1.
        held_at: the share of pneumonia that it holds for, 0…1 exclusive.
        prevalence: the share of pneumonia that it shall hold for, 0…1 exclusive.

    Returns:
        The probability at `prevalence`, 0…1.

    Raises:
        ValueError: if an argument is out of range.
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"A probability lies in 0…1, and {probability} does not.")
    if not (0 < held_at < 1 and 0 < prevalence < 1):
        raise ValueError(f"A share of pneumonia lies between 0 and 1, and {held_at} or {prevalence} does not.")
    if prevalence == held_at:
        return probability
    sick, healthy = probability * prevalence / held_at, (1 - probability) * (1 - prevalence) / (1 - held_at)
    return sick / (sick + healthy)


def as_percent(probability: float, provable: tuple[float, float] | None = None) -> Sentence:
    """Write a probability for people, as in ``97.3 %``; nothing is impossible or certain.

    Args:
        probability: 0…1.
        provable: the lowest and the highest share that is proved (`SimilarFilms.provable`): nothing beyond is told.
    """
    lowest, highest = provable or (0.0, 1.0)
    # A handful of films proves nothing at all, and its limits cross.
    if probability < lowest < highest:
        return say("under {percent:.1f} %", percent=100 * lowest)
    if lowest < highest < probability:
        return say("over {percent:.1f} %", percent=100 * highest)
    if probability < 0.001:
        return say("under {percent:.1f} %", percent=0.1)
    if probability > 0.999:
        return say("over {percent:.1f} %", percent=99.9)
    return say("{percent:.1f} %", percent=100 * probability)


def errors_allowed(films: int, wanted: float) -> int:
    """Return how many films may be on the wrong side of a threshold; 0 where even that shows too little.

    Args:
        films: of the class.
        wanted: what the lower end of Wilson's 95 % interval of the share on the right side must reach, 0…1.
    """
    errors = 0
    while wilson(films - errors - 1, films).low >= wanted:
        errors += 1
    return errors
