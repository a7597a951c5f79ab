"""From a model's raw score to a probability that means what it says, and to three answers.

The network is trained with both classes equally often. Its score is turned into a probability by a scale and a
shift of the logit (Platt 1999; Guo et al. 2017 with a bias), fitted on validation films that another hospital
might have made, weighted so that `PREVALENCE` of them show pneumonia.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Answer = Literal["likely", "uncertain", "unlikely"]

# Stated, not learned: the share of films with pneumonia differs between clinics, and the share in a data set
# says nothing about any of them.
PREVALENCE = 0.5
# Of the pneumonias at most 2 % may be called unlikely, and of the normal films at most 2 % likely.
RULE_OUT_SENSITIVITY = 0.98
RULE_IN_SPECIFICITY = 0.98

_EDGE = 1e-6


@dataclass(frozen=True)
class Calibration:
    """Probability = sigmoid(``slope`` · logit(raw score) + ``intercept``), at ``prevalence``."""

    slope: float = 1.0
    intercept: float = 0.0
    prevalence: float = PREVALENCE

    def apply(self, raw: np.ndarray) -> np.ndarray:
        """Turn raw scores in 0…1 into calibrated probabilities of the same shape, rounded to six decimals."""
        logit = self.slope * _logit(np.asarray(raw, np.float64)) + self.intercept
        return np.round(1 / (1 + np.exp(-logit)), 6)


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
    # Nearly unpenalised: C is the inverse of the penalty.
    line = LogisticRegression(C=1e6).fit(_logit(np.asarray(raw, np.float64))[:, None], labels, weight)
    return Calibration(float(line.coef_[0, 0]), float(line.intercept_[0]), prevalence)


def choose_thresholds(labels: np.ndarray, probability: np.ndarray) -> Thresholds:
    """Choose the three thresholds on validation films.

    ``decision`` is one half: for a calibrated probability the point where a miss and a false alarm weigh the
    same. ``low`` is the highest value that calls at most 1 − `RULE_OUT_SENSITIVITY` of the pneumonias unlikely,
    ``high`` the lowest that calls at most 1 − `RULE_IN_SPECIFICITY` of the normal films likely; a model that
    does both at ``decision`` never says uncertain.

    Args:
        labels: (films,) 1 for pneumonia, 0 for normal; both must occur.
        probability: (films,) calibrated, 0…1.
    """
    decision = 0.5
    positive = np.sort(probability[labels == 1])
    negative = np.sort(probability[labels == 0])
    low = positive[int(np.floor((1 - RULE_OUT_SENSITIVITY) * len(positive)))]
    kept = negative[int(np.ceil(RULE_IN_SPECIFICITY * len(negative))) - 1]
    # Probabilities have six decimals: one unit above the last normal film that must not be called likely.
    high = min(round(float(kept) + 1e-6, 6), 1.0)
    return Thresholds(decision, min(float(low), decision), max(high, decision))


def _logit(raw: np.ndarray) -> np.ndarray:
    clipped = np.clip(raw, _EDGE, 1 - _EDGE)
    return np.log(clipped / (1 - clipped))
