"""95 % confidence intervals: Wilson's for shares, a patient-level bootstrap for other figures, MOVER for combinations.

Films of one child resemble each other, so the bootstrap draws patients and not films (Davison and Hinkley 1997, §3.8).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from pneumo.errors import require_package
from pneumo.sentences import say

LEVEL = 0.95
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
BOOTSTRAP_DRAWS = 1000
# Draws are worked on in blocks of at most so many films: 16 MB an array, however many films there are.
_BLOCK = 2**21
# A figure with its lower and its upper limit, each (n,).
Limits = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval; all three NaN where the films cannot tell it."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return the figure with three decimals, as in ``0.986 (0.977–0.993)``."""
        return say("{value:.3f} ({low:.3f}–{high:.3f})", value=self.value, low=self.low, high=self.high)

    @property
    def percent(self) -> str:
        """The figure as ``98.6 % (97.7–99.3)``; a dash where it is unknown."""
        if np.isnan(self.value):
            return "–"
        shares = {"value": 100 * self.value, "low": 100 * self.low, "high": 100 * self.high}
        return say("{value:.1f} % ({low:.1f}–{high:.1f})", **shares)

    @property
    def limits(self) -> Limits:
        """The figure and its interval as arrays of one, for the functions that combine figures."""
        return np.array([self.value]), np.array([self.low]), np.array([self.high])

    @property
    def of_100(self) -> int:
        """A known share as a whole number of 100; 0 and 100 only where it is none or all."""
        return round(100 * self.value) if self.value in (0, 1) else min(max(round(100 * self.value), 1), 99)


UNKNOWN = Estimate(np.nan, np.nan, np.nan)


def wilson(successes: float, trials: float) -> Estimate:
    """Return a proportion with Wilson's 95 % score interval (Wilson 1927); NaN without trials.

    Args:
        successes: 0…trials.
        trials: 0 or more; an effective number of trials need not be whole.
    """
    if trials == 0:
        return UNKNOWN
    return estimate(wilson_limits(np.array([successes]), np.array([trials])))


def wilson_limits(successes: np.ndarray, trials: np.ndarray) -> Limits:
    """Return proportions with Wilson's 95 % limits.

    Args:
        successes: (n,) each 0…trials.
        trials: (n,) each more than 0.
    """
    share, spread = successes / trials, Z**2 / trials
    middle = (share + spread / 2) / (1 + spread)
    half = Z * np.sqrt(share * (1 - share) / trials + (Z / trials) ** 2 / 4) / (1 + spread)
    # Where all or none succeed the limit is 1 or 0, which rounding would miss.
    return share, np.clip(middle - half, 0, share), np.clip(middle + half, share, 1)


def order_statistic(rank: int, films: int) -> Estimate:
    """Return the share of new values below one of a sorted sample, with its 95 % interval, whatever their distribution.

    The share has the beta distribution of ``rank`` and ``films + 1 - rank`` (Wilks 1941, doi:10.1214/aoms/1177731788).

    Args:
        rank: of the value in the sample, 1…films.
        films: independent values in the sample.
    """
    require_package("scipy")
    from scipy import special

    low, high = special.betaincinv(rank, films + 1 - rank, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(rank / (films + 1), float(low), float(high))


def estimate(one: Limits) -> Estimate:
    """Return the first figure of `Limits`."""
    return Estimate(*(float(part[0]) for part in one))


def bootstrap(
    statistic: Callable[[np.ndarray], np.ndarray], patients: np.ndarray, draws: int = BOOTSTRAP_DRAWS, seed: int = 0
) -> np.ndarray:
    """Compute a statistic of the films and of bootstrap samples of their patients, (1 + draws, …).

    The first row is that of the films themselves.

    Args:
        statistic: of (samples, films) weights, how often each film counts in each sample; returns (samples, …).
        patients: (films,) the patient of each film.
        draws: bootstrap samples.
        seed: of the bootstrap.
    """
    return np.concatenate([statistic(weights) for weights in bootstrap_weights(patients, draws, seed)])


def bootstrap_weights(patients: np.ndarray, draws: int = BOOTSTRAP_DRAWS, seed: int = 0) -> Iterator[np.ndarray]:
    """Yield how often each film counts in the films themselves and in bootstrap samples, block by block.

    The blocks, (samples, films) float64 each, are 1 + draws rows together: the first row of the first block counts
    every film once, the others as often as its patient is drawn.

    Args:
        patients: (films,) the patient of each film.
        draws: bootstrap samples.
        seed: of the bootstrap.
    """
    names, patient = np.unique(np.asarray(patients), return_inverse=True)
    drawn = _drawn(len(names), draws, seed)
    rows = max(1, _BLOCK // len(patient))
    for start in range(0, len(drawn), rows):
        yield drawn[start : start + rows, patient].astype(np.float64)


@lru_cache(maxsize=1)
def _drawn(patients: int, draws: int, seed: int) -> np.ndarray:
    """Return how often each patient counts, (1 + draws, patients) uint8: a byte holds every number that ever occurs.

    Models that are measured on the same films one after the other share it.
    """
    rng, chance = np.random.default_rng(seed), np.full(patients, 1 / patients)
    drawn = np.ones((1 + draws, patients), np.uint8)
    rows = max(1, _BLOCK // patients)
    for start in range(1, 1 + draws, rows):
        block = drawn[start : start + rows]
        block[:] = rng.multinomial(patients, chance, size=len(block))
    drawn.flags.writeable = False
    return drawn


def percentile_interval(values: np.ndarray) -> Estimate:
    """Return a `bootstrap` of one figure, (1 + draws,), with its percentile interval; draws without it are left out."""
    drawn = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or not len(drawn):
        return UNKNOWN
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(float(values[0]), float(low), float(high))


def mean_by_patient(
    values: np.ndarray, patients: np.ndarray, *, draws: int = BOOTSTRAP_DRAWS, seed: int = 0
) -> Estimate:
    """Return the mean of a figure over films, with a bootstrap interval that draws patients.

    Args:
        values: (films,) the figure of each film; films where it is NaN are left out.
        patients: (films,) the patient of each film.
        draws: bootstrap samples.
        seed: of the bootstrap.
    """
    values = np.asarray(values, np.float64)
    known = np.isfinite(values)
    if not known.any():
        return UNKNOWN
    means = bootstrap(
        lambda weights: weights @ values[known] / weights.sum(axis=1), np.asarray(patients)[known], draws, seed
    )
    return percentile_interval(means)


def by_patient(
    statistic: Callable[..., float],
    patients: np.ndarray,
    *figures: np.ndarray,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = 0,
) -> Estimate:
    """Return any statistic over films, with a percentile bootstrap interval that draws patients.

    For means `mean_by_patient` does the same faster.

    Args:
        statistic: of as many arrays as there are figures.
        patients: (films,) the patient of each film.
        figures: (films,) each.
        draws: bootstrap samples.
        seed: of the bootstrap.
    """
    value = statistic(*figures)
    if not np.isfinite(value):
        return UNKNOWN
    _, cluster = np.unique(patients, return_inverse=True)
    films = [np.flatnonzero(cluster == patient) for patient in range(int(cluster.max()) + 1)]
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(draws):
        chosen = np.concatenate([films[patient] for patient in rng.integers(0, len(films), len(films))])
        drawn.append(statistic(*(figure[chosen] for figure in figures)))
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Estimate(float(value), float(low), float(high))


def complement(one: Limits) -> Limits:
    """Return 1 less a share, with its limits."""
    value, low, high = one
    return 1 - value, 1 - high, 1 - low


def scaled(one: Limits, factor: float) -> Limits:
    """Return a figure and its limits times a factor of 0 or more."""
    value, low, high = (part * factor for part in one)
    return value, low, high


def total(one: Limits, other: Limits) -> Limits:
    """Return the sum of two independent figures with its limits by MOVER.

    Zou and Donner 2008, Statistics in Medicine 27:1693.
    """
    value = one[0] + other[0]
    below = np.sqrt((one[0] - one[1]) ** 2 + (other[0] - other[1]) ** 2)
    above = np.sqrt((one[2] - one[0]) ** 2 + (other[2] - other[0]) ** 2)
    return value, value - below, value + above


def ratio(one: Limits, other: Limits) -> Limits:
    """Return the ratio of two independent figures, 0 or more, with its limits by MOVER; infinite where that may be 0.

    Donner and Zou 2012, Statistical Methods in Medical Research 21:347.
    """
    (a, a_low, a_high), (b, b_low, b_high) = one, other
    with np.errstate(divide="ignore", invalid="ignore"):
        # Rounding alone can bring what is under a root below 0.
        under = np.maximum((a * b) ** 2 - a_low * b_high * (2 * a - a_low) * (2 * b - b_high), 0)
        over = np.maximum((a * b) ** 2 - a_high * b_low * (2 * a - a_high) * (2 * b - b_low), 0)
        low = (a * b - np.sqrt(under)) / (b_high * (2 * b - b_high))
        high = (a * b + np.sqrt(over)) / (b_low * (2 * b - b_low))
        value = a / b
    return value, np.where(b > 0, np.maximum(low, 0), 0), np.where((b_low > 0) & (high > 0), high, np.inf)
