"""Calibration of a model at one hospital, from a few dozen films of it: probability, thresholds, and how sure they are.

From normal films alone the threshold is one of their order statistics, so that the share of new normal films below it
has an exact interval whatever the distribution (Wilks 1941, doi:10.1214/aoms/1177731788); what it does to films with
pneumonia stays unknown. With films of both kinds the probability is fitted anew. Each film is to be of another patient.

Among three rules for normal films alone, on the films of hospitals that a model had not seen
(`python -m research.site_calibration`), the order statistic kept its specificity of 0.90 (0.89 to 0.92 from 10 to 100
films, two models and the ensemble, two hospitals); shifting all scores by the difference of the medians gave 0.70 to
0.99, and shifting and stretching them 0.83 to 0.98, for normal films elsewhere are not distributed as at home.
"""

from dataclasses import dataclass

import numpy as np

from pneumo.evaluation.calibration import (
    PREVALENCE,
    RULE_IN_SPECIFICITY,
    RULE_OUT_SENSITIVITY,
    Calibration,
    Thresholds,
    choose_thresholds,
    errors_allowed,
    logit,
    rule_in_threshold,
    threshold_evidence,
)
from pneumo.evaluation.intervals import UNKNOWN, Estimate, bootstrap, order_statistic, percentile_interval, wilson
from pneumo.evaluation.metrics import evaluate

FEWEST_NORMAL = 30
# With fewer, films with pneumonia only hold the threshold of “unlikely” down.
FEWEST_PNEUMONIA = 20
# What normal films alone set the decision threshold by.
SPECIFICITY = 0.90
# No film with pneumonia has shown how low one may score: so at most this share of normal films is called “unlikely”,
# and none that the model itself would not call so. Of the films with pneumonia 1 to 10 % lay there at hospitals left
# out; with the lower half of the normal films, 1 to 23 %.
UNLIKELY_SHARE = 0.25
# Share of the variance of normal films' logits between the two groups that they are best divided into (Otsu 1979);
# 0.64 for a normal distribution, 0.86 for two whose middles lie five standard deviations apart. Of 30 normal films of
# one hospital 1 to 5 % of draws exceed it, and 80 % with six films of pneumonia among them at home.
TWO_GROUPS = 0.85
# Variance of the prior of the slope, per standard deviation of the normal films, around no evidence at all: of priors
# tried at hospitals left out and at home the best or 0.005 from it by log loss.
_PRIOR_VARIANCE = 1.0
_NEWTON_STEPS = 25
# A bootstrap sample of few films may hold one value alone.
_NARROWEST = 0.01


@dataclass(frozen=True)
class SiteCalibration:
    """What the films of one hospital make of a model; probabilities of the model itself are those of its card.

    Attributes:
        calibration: of the model's own probability; its ``slope`` and ``intercept`` act on the logit of that.
        thresholds: of the calibrated probability.
        slope: with its 95 % interval.
        intercept: with its 95 % interval.
        own: ``decision``, ``low`` and ``high`` on the scale of the model's own probability, with 95 % intervals; one
            that the films set no limit to reaches 0 or 1.
        specificity: share of new normal films below ``decision``.
        sensitivity: share of new films with pneumonia at or above ``decision``; unknown without such films.
        normal_below_high: share of new normal films that are not called “likely”.
        pneumonia_from_low: share of new films with pneumonia that are not called “unlikely”; unknown without such.
        evidence: counts of films as in `threshold_evidence`.
    """

    calibration: Calibration
    thresholds: Thresholds
    slope: Estimate
    intercept: Estimate
    own: dict[str, Estimate]
    specificity: Estimate
    sensitivity: Estimate
    normal_below_high: Estimate
    pneumonia_from_low: Estimate
    evidence: dict[str, int]


def recalibrate(
    labels: np.ndarray, own: np.ndarray, own_low: float, prevalence: float = PREVALENCE
) -> tuple[Calibration, Thresholds]:
    """Return a site's calibration of a model's own probability, and its thresholds.

    Args:
        labels: (films,) 1 for pneumonia, 0 for normal; of normal films two or more.
        own: (films,) the model's own probability, 0…1.
        own_low: the model's own threshold of “unlikely”.
        prevalence: the share of pneumonia that the probability shall hold for, 0…1 exclusive.
    """
    labels, own = np.asarray(labels), np.asarray(own, np.float64)
    slope, intercept = _fit(labels, logit(own), np.ones((1, len(own))), prevalence)[0]
    calibration = Calibration(float(slope), float(intercept), prevalence)
    probability = calibration.apply(own)
    if _has_both(labels):
        return calibration, choose_thresholds(labels, probability)
    normal = np.sort(probability[labels == 0])
    # Probabilities have six decimals: one unit above the film that must still be below.
    decision = round(float(normal[_rank(len(normal), SPECIFICITY) - 1]) + 1e-6, 6)
    quarter = normal[max(int((len(normal) + 1) * UNLIKELY_SHARE), 1) - 1]
    low = min(float(quarter), float(calibration.apply(np.asarray(own_low))), *probability[labels == 1].tolist())
    return calibration, Thresholds(decision, min(low, decision), max(rule_in_threshold(normal), decision))


def calibrate(labels: np.ndarray, own: np.ndarray, own_low: float, prevalence: float = PREVALENCE) -> SiteCalibration:
    """Calibrate a model at one hospital, and say how sure that is.

    The shares of `SiteCalibration` are those of new films: by order statistics where a film set the threshold, else
    counted on films left out one at a time. Other intervals are bootstraps, and of a threshold that an order statistic
    is, those of the quantile (David and Nagaraja 2003, §7.1).

    Args:
        labels: (films,) as in `recalibrate`; each film of another patient.
        own: as there.
        own_low: as there.
        prevalence: as there.
    """
    from scipy import special

    labels, own = np.asarray(labels), np.asarray(own, np.float64)
    calibration, thresholds = recalibrate(labels, own, own_low, prevalence)
    normal, sick = np.sort(own[labels == 0]), np.sort(own[labels == 1])
    fits = bootstrap(lambda weights: _fit(labels, logit(own), weights, prevalence), np.arange(len(own)))
    rank, top = _rank(len(normal), SPECIFICITY), len(normal) - errors_allowed(len(normal), RULE_IN_SPECIFICITY)
    high = _quantile(normal, top)
    if _has_both(labels):
        missed = errors_allowed(len(sick), RULE_OUT_SENSITIVITY)
        called = _left_out_one_by_one(labels, own, prevalence)
        specificity = wilson(int(np.sum(~called[labels == 0])), len(normal))
        sensitivity = wilson(int(np.sum(called[labels == 1])), len(sick))
        # A bootstrap sample in which films with pneumonia score lower has no such point.
        rises = np.where(fits[:, 0] > 0, fits[:, 0], np.nan)
        decision = percentile_interval(special.expit(-fits[:, 1] / rises))
        low = _quantile(sick, missed + 1)
    else:
        missed = 0
        called = calibration.apply(own) >= thresholds.decision
        specificity = order_statistic(rank, len(normal))
        sensitivity = wilson(int(np.sum(called[labels == 1])), len(sick))
        decision = _quantile(normal, rank)
        low = _quantile(normal, max(int((len(normal) + 1) * UNLIKELY_SHARE), 1))
        if min([own_low, *sick]) < low.value:
            value = float(min([own_low, *sick]))
            low = Estimate(value, value, value)
    slope, intercept = map(percentile_interval, fits.T)
    return SiteCalibration(
        calibration=calibration,
        thresholds=thresholds,
        slope=slope,
        intercept=intercept,
        own={"decision": decision, "low": low, "high": high},
        specificity=specificity,
        sensitivity=sensitivity,
        normal_below_high=order_statistic(top, len(normal)),
        pneumonia_from_low=order_statistic(len(sick) - missed, len(sick)) if len(sick) else UNKNOWN,
        evidence=threshold_evidence(labels, calibration.apply(own), thresholds),
    )


def two_groups(own: np.ndarray) -> np.ndarray | None:
    """Return which films make up the smaller of two groups far apart; None where they are one group.

    They are divided where most of the variance of the logits lies between the groups (Otsu 1979,
    doi:10.1109/TSMC.1979.4310076), and are two where that is more than `TWO_GROUPS` of it.

    Args:
        own: (films,) probabilities of films of one kind, 0…1; two or more.
    """
    places = np.asarray(logit(own))
    ordered = np.sort(places)
    count, films = np.arange(1, len(ordered)), len(ordered)
    below = np.cumsum(ordered)[:-1]
    distance = below / count - (ordered.sum() - below) / (films - count)
    between = count * (films - count) / films**2 * distance**2
    best = int(between.argmax())
    if between[best] <= TWO_GROUPS * ordered.var() or ordered.var() == 0:
        return None
    upper = places > ordered[best]
    return upper if upper.sum() <= films / 2 else ~upper


def told_apart(labels: np.ndarray, own: np.ndarray) -> Estimate:
    """Return the AUROC of a model at a site, with its 95 % interval; unknown with too few films with pneumonia."""
    if not _has_both(labels):
        return UNKNOWN
    return evaluate(labels, own, np.arange(len(own)), 0.5).auroc


def _has_both(labels: np.ndarray) -> bool:
    return int(np.sum(labels == 1)) >= FEWEST_PNEUMONIA


def _rank(films: int, share: float) -> int:
    """Return the rank of the film below which so large a share of new films is expected; the last where none is."""
    return min(int(np.ceil((films + 1) * share - 1e-9)), films)


def _quantile(ordered: np.ndarray, rank: int) -> Estimate:
    """Return a film's probability with the 95 % interval of the quantile that it stands for, without a distribution."""
    from scipy import stats

    films, share = len(ordered), rank / (len(ordered) + 1)
    low, high = (int(stats.binom.ppf(end, films, share)) for end in (0.025, 0.975))
    return Estimate(
        float(ordered[rank - 1]),
        float(ordered[low - 1]) if low >= 1 else 0.0,
        float(ordered[high]) if high < films else 1.0,
    )


def _fit(labels: np.ndarray, places: np.ndarray, weights: np.ndarray, prevalence: float) -> np.ndarray:
    """Return slope and intercept for each row of weights of the films, (rows, 2)."""
    if _has_both(labels):
        return _logistic(labels, places, weights, prevalence)
    normal = labels == 0
    order = np.argsort(places[normal])
    ordered, drawn = places[normal][order], weights[:, normal][:, order]
    spread = _moments(ordered, drawn)[1]
    films = drawn.sum(axis=1)
    ranks = np.array([_rank(int(count), SPECIFICITY) for count in films])
    decision = ordered[(np.cumsum(drawn, axis=1) >= ranks[:, None]).argmax(axis=1)]
    # One standard deviation of the normal films counts as one unit of the logit: films of both kinds, where there were
    # some at hospitals left out, gave 0.7 to 1.0.
    return np.column_stack([1 / spread, -decision / spread])


def _logistic(labels: np.ndarray, places: np.ndarray, weights: np.ndarray, prevalence: float) -> np.ndarray:
    """Fit logistic regressions, one a row of weights, with a prior on the slope; Newton's method.

    Both classes weigh as `prevalence` has them, and all films together as many as they are.
    """
    from scipy import special

    sick = labels == 1
    middle, spread = _moments(places[~sick], weights[:, ~sick])
    shown = (places - middle[:, None]) / spread[:, None]
    films = weights.sum(axis=1, keepdims=True)
    share = np.where(sick, prevalence, 1 - prevalence)
    of_class = np.where(sick, weights[:, sick].sum(axis=1, keepdims=True), weights[:, ~sick].sum(axis=1, keepdims=True))
    counted = weights * share * films / np.maximum(of_class, 1)
    slope, intercept = np.zeros(len(weights)), np.zeros(len(weights))
    for _ in range(_NEWTON_STEPS):
        found = special.expit(slope[:, None] * shown + intercept[:, None])
        error, curve = counted * (found - sick), counted * found * (1 - found)
        by_slope = (error * shown).sum(axis=1) + slope / _PRIOR_VARIANCE
        by_intercept = error.sum(axis=1)
        a, b, c = (curve * shown**2).sum(axis=1) + 1 / _PRIOR_VARIANCE, (curve * shown).sum(axis=1), curve.sum(axis=1)
        determinant = a * c - b**2
        slope = slope - (c * by_slope - b * by_intercept) / determinant
        intercept = intercept - (a * by_intercept - b * by_slope) / determinant
    return np.column_stack([slope / spread, intercept - slope * middle / spread])


def _moments(places: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation of films for each row of weights; the latter is never 0."""
    films = weights.sum(axis=1)
    middle = weights @ places / films
    variance = np.maximum(weights @ places**2 / films - middle**2, 0) * films / np.maximum(films - 1, 1)
    return middle, np.maximum(np.sqrt(variance), _NARROWEST)


def _left_out_one_by_one(labels: np.ndarray, own: np.ndarray, prevalence: float) -> np.ndarray:
    """Return whether each film is called pneumonia by what is fitted on all others, (films,) bool."""
    places = logit(own)
    fits = _logistic(labels, places, 1 - np.eye(len(places)), prevalence)
    return fits[:, 0] * places + fits[:, 1] >= 0
