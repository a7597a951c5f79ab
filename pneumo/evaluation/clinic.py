"""What a model's sensitivity and specificity would mean at a clinic: predictive values, misses, false alarms, cost.

The share of children with pneumonia differs between clinics; sensitivity and specificity are taken to stay as they were
measured. Intervals follow from Wilson's of the two by MOVER: Zou and Donner 2008 (Statistics in Medicine 27:1693) for
sums, Donner and Zou 2012 (Statistical Methods in Medical Research 21:347) for ratios.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from pneumo.evaluation.metrics import Confusion, Estimate

_Z = NormalDist().inv_cdf(0.975)
# The shares of children with pneumonia that a reader may choose from, in per cent.
LEAST_SHARE, MOST_SHARE = 1, 60


@dataclass(frozen=True)
class Clinic:
    """A place where films are read.

    Attributes:
        prevalence: share of children with pneumonia, 0…1 exclusive.
        films: a year.
        miss_cost: of a missed pneumonia, in any unit, 0 or more.
        alarm_cost: of a false alarm, in the same unit; not both are 0.
        read_share: share of films that a doctor reads whatever the model says, 0…1. What the doctor says counts there,
            and is taken to be right.
    """

    prevalence: float
    films: int
    miss_cost: float
    alarm_cost: float
    read_share: float

    @classmethod
    def of(cls, values: dict[str, int]) -> "Clinic":
        """Return the clinic of a `Preset`'s values: shares in per cent."""
        return cls(
            values["share"] / 100,
            values["films"],
            values["miss_cost"],
            values["alarm_cost"],
            values["read"] / 100,
        )

    @property
    def balance(self) -> float:
        """The probability of pneumonia at which a call and its opposite cost the same (Pauker and Kassirer 1975)."""
        return self.alarm_cost / (self.alarm_cost + self.miss_cost)

    @property
    def left_to_the_model(self) -> float:
        """Films a year that no doctor reads anyway."""
        return self.films * (1 - self.read_share)


@dataclass(frozen=True)
class Preset:
    """An example of a clinic to start from: assumptions, none of them measured.

    Attributes:
        title: for people.
        description: what the model is for there.
        values: ``share`` of children with pneumonia and ``read``, the share that a doctor reads anyway, both in per
            cent; ``films`` a year; ``miss_cost``; ``alarm_cost``.
    """

    title: str
    description: str
    values: dict[str, int]


PRESETS = {
    "triage": Preset(
        "Triage",
        "Films of coughing children wait for a doctor, who reads some of them in any case; the model says which may "
        "wait.",
        {"share": 30, "films": 5000, "miss_cost": 50, "alarm_cost": 5, "read": 30},
    ),
    "screening": Preset(
        "Screening",
        "Films of children who are mostly well, and no doctor looks at a film that the model calls normal.",
        {"share": 5, "films": 20000, "miss_cost": 50, "alarm_cost": 5, "read": 0},
    ),
    "second_reader": Preset(
        "Second reader",
        "A doctor has called these films normal; the model looks for pneumonia that was overlooked, and some films are "
        "read twice anyway.",
        {"share": 3, "films": 5000, "miss_cost": 100, "alarm_cost": 10, "read": 10},
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What a model's calls would mean at a clinic.

    Attributes:
        ppv: positive predictive value: share of the model's alarms that are pneumonia, 0…1.
        npv: negative predictive value: share of the films it calls normal that are, 0…1.
        missed_per_100: pneumonias that nobody notices, of 100 films.
        alarms_per_100: false alarms that nobody corrects, of 100 films.
        missed: a year.
        alarms: a year.
        cost: a year, in the unit of the clinic's costs.
    """

    ppv: Estimate
    npv: Estimate
    missed_per_100: Estimate
    alarms_per_100: Estimate
    missed: Estimate
    alarms: Estimate
    cost: Estimate


def outcome(cells: Confusion, clinic: Clinic) -> Outcome:
    """Return what calls that were counted on films with both classes would mean at a clinic.

    Raises:
        ValueError: if a class is missing.
    """
    miss, alarm = error_rates(*(np.array([count]) for count in _counts(cells)))
    share, left = clinic.prevalence, clinic.left_to_the_model
    unread = 100 * (1 - clinic.read_share)
    return Outcome(
        ppv=_predictive((1 - share) / share, ratio(alarm, complement(miss))),
        npv=_predictive(share / (1 - share), ratio(miss, complement(alarm))),
        missed_per_100=_estimate(scaled(miss, unread * share)),
        alarms_per_100=_estimate(scaled(alarm, unread * (1 - share))),
        missed=_estimate(scaled(miss, left * share)),
        alarms=_estimate(scaled(alarm, left * (1 - share))),
        cost=_estimate(cost(miss, alarm, clinic)),
    )


def predictive_values(cells: Confusion) -> pd.DataFrame:
    """Return ``figure, share, value, low, high``: PPV and NPV from `LEAST_SHARE` to `MOST_SHARE` per cent pneumonia."""
    rows: list[tuple[Any, ...]] = []
    for share in range(LEAST_SHARE, MOST_SHARE + 1):
        result = outcome(cells, Clinic(share / 100, 100, 1, 1, 0))
        for figure, estimate in (("PPV", result.ppv), ("NPV", result.npv)):
            rows.append((figure, share / 100, estimate.value, estimate.low, estimate.high))
    return pd.DataFrame(rows, columns=["figure", "share", "value", "low", "high"]).dropna(ignore_index=True)


Limits = tuple[np.ndarray, np.ndarray, np.ndarray]


def error_rates(missed: np.ndarray, sick: np.ndarray, alarms: np.ndarray, well: np.ndarray) -> tuple[Limits, Limits]:
    """Return the shares of pneumonias missed and of normal films called pneumonia, each with Wilson's 95 % limits.

    Args:
        missed: (n,) pneumonias that were missed.
        sick: (n,) films with pneumonia.
        alarms: (n,) normal films that were called pneumonia.
        well: (n,) normal films.

    Raises:
        ValueError: if a class is missing.
    """
    if not (np.all(sick) and np.all(well)):
        raise ValueError("the films show one class only")
    return _wilson(missed, sick), _wilson(alarms, well)


def cost(miss: Limits, alarm: Limits, clinic: Clinic) -> Limits:
    """Return the cost of a year with its limits, each (n,), from `error_rates`."""
    misses = clinic.left_to_the_model * clinic.prevalence * clinic.miss_cost
    alarms = clinic.left_to_the_model * (1 - clinic.prevalence) * clinic.alarm_cost
    return total(scaled(miss, misses), scaled(alarm, alarms))


def scaled(one: Limits, factor: float) -> Limits:
    """Return a figure and its limits times a factor of 0 or more."""
    value, low, high = (part * factor for part in one)
    return value, low, high


def complement(one: Limits) -> Limits:
    """Return 1 less a share, with its limits."""
    value, low, high = one
    return 1 - value, 1 - high, 1 - low


def total(one: Limits, other: Limits) -> Limits:
    """Return the sum of two independent figures with its limits (MOVER)."""
    value = one[0] + other[0]
    below = np.sqrt((one[0] - one[1]) ** 2 + (other[0] - other[1]) ** 2)
    above = np.sqrt((one[2] - one[0]) ** 2 + (other[2] - other[0]) ** 2)
    return value, value - below, value + above


def ratio(one: Limits, other: Limits) -> Limits:
    """Return the ratio of two independent figures, 0 or more, with its limits (MOVER); infinite where that may be 0."""
    (a, a_low, a_high), (b, b_low, b_high) = one, other
    with np.errstate(divide="ignore", invalid="ignore"):
        # Rounding alone can bring what is under a root below 0.
        under = np.maximum((a * b) ** 2 - a_low * b_high * (2 * a - a_low) * (2 * b - b_high), 0)
        over = np.maximum((a * b) ** 2 - a_high * b_low * (2 * a - a_high) * (2 * b - b_low), 0)
        low = (a * b - np.sqrt(under)) / (b_high * (2 * b - b_high))
        high = (a * b + np.sqrt(over)) / (b_low * (2 * b - b_low))
        value = a / b
    return value, np.where(b > 0, np.maximum(low, 0), 0), np.where((b_low > 0) & (high > 0), high, np.inf)


def _counts(cells: Confusion) -> tuple[int, int, int, int]:
    sick, well = cells.true_positive + cells.false_negative, cells.true_negative + cells.false_positive
    return cells.false_negative, sick, cells.false_positive, well


def _wilson(successes: np.ndarray, trials: np.ndarray) -> Limits:
    share = successes / trials
    middle = (share + _Z**2 / (2 * trials)) / (1 + _Z**2 / trials)
    half = _Z * np.sqrt(share * (1 - share) / trials + (_Z / (2 * trials)) ** 2) / (1 + _Z**2 / trials)
    return share, np.clip(middle - half, 0, share), np.clip(middle + half, share, 1)


def _predictive(odds_against: float, wrong: Limits) -> Estimate:
    """Return a predictive value: of the films called so, the share that is so; NaN where none is called so."""
    if np.isnan(wrong[0][0]):
        return Estimate(np.nan, np.nan, np.nan)
    value, high, low = (1 / (1 + odds_against * part) for part in wrong)
    return _estimate((value, low, high))


def _estimate(one: Limits) -> Estimate:
    return Estimate(*(float(part[0]) for part in one))
