"""Predictive values, misses, false alarms, cost and net benefit of a model at a clinic.

The share of children with pneumonia differs between clinics; sensitivity and specificity are taken to stay as they were
measured. Intervals follow from Wilson's of the two by MOVER.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pneumo.evaluation import intervals
from pneumo.evaluation.intervals import Estimate, Limits, complement, ratio, scaled, total
from pneumo.evaluation.metrics import Confusion
from pneumo.sentences import Sentence, say

# The shares of children with pneumonia that a reader may choose from, in per cent.
LEAST_SHARE, MOST_SHARE = 1, 60
# Fewer true alarms than one in ten do harm.
LEAST_PPV = 0.1
# Positive and negative.
PREDICTIVE = PPV, NPV = say("PPV"), say("NPV")
MODEL, ALL, NONE = say("The model decides"), say("Treat all"), say("Treat none")
# A policy that costs more than a quarter of what could be won is drawn no further: it would squash the others.
WORST_SHOWN = -0.25


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
        say("Triage"),
        say(
            "Films of coughing children wait for a doctor, who reads some of them in any case; the "
            "model says which may wait."
        ),
        {"share": 30, "films": 5000, "miss_cost": 50, "alarm_cost": 5, "read": 30},
    ),
    "screening": Preset(
        say("Screening"),
        say("Films of children who are mostly well, and no doctor looks at a film that the model calls normal."),
        {"share": 5, "films": 20000, "miss_cost": 50, "alarm_cost": 5, "read": 0},
    ),
    "second_reader": Preset(
        say("Second reader"),
        say(
            "A doctor has called these films normal; the model looks for pneumonia that was "
            "overlooked, and some films are read twice anyway."
        ),
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
    counts = (cells.false_negative, cells.sick, cells.false_positive, cells.well)
    miss, alarm = error_rates(*(np.array([count]) for count in counts))
    share, left = clinic.prevalence, clinic.left_to_the_model
    unread = 100 * (1 - clinic.read_share)
    return Outcome(
        ppv=_predictive((1 - share) / share, ratio(alarm, complement(miss))),
        npv=_predictive(share / (1 - share), ratio(miss, complement(alarm))),
        missed_per_100=intervals.estimate(scaled(miss, unread * share)),
        alarms_per_100=intervals.estimate(scaled(alarm, unread * (1 - share))),
        missed=intervals.estimate(scaled(miss, left * share)),
        alarms=intervals.estimate(scaled(alarm, left * (1 - share))),
        cost=intervals.estimate(cost(miss, alarm, clinic)),
    )


def without_model(place: Clinic) -> tuple[float, float]:
    """Return the pneumonias a year that nobody notices, and their cost, where only a doctor reads films.

    The films that she does not read anyway are read by nobody, so that there are no false alarms either.
    """
    missed = place.left_to_the_model * place.prevalence
    return missed, missed * place.miss_cost


def harms(cells: Confusion, place: Clinic) -> list[Sentence]:
    """Say why calls would do more harm than good at a clinic; empty where they would not.

    Raises:
        ValueError: if a class is missing.
    """
    expected, found = outcome(cells, place), []
    if expected.ppv.value < LEAST_PPV:
        found.append(
            say(
                "Of 100 alarms only {right} are a pneumonia. Nobody goes on believing such alarms: choose another "
                "model or threshold, or ask it about fewer healthy children.",
                right=expected.ppv.of_100,
            )
        )
    # What each policy costs among the films that no doctor reads anyway, of the same unit as the outcome's.
    sick, well = place.left_to_the_model * place.prevalence, place.left_to_the_model * (1 - place.prevalence)
    if expected.cost.value > well * place.alarm_cost:
        found.append(
            say("Treating all does better: at these costs, false alarms for all healthy children are the smaller harm.")
        )
    if expected.cost.value > sick * place.miss_cost:
        found.append(say("Treating none does better: at these costs, missing every pneumonia is the smaller harm."))
    return found


def predictive_values(cells: Confusion) -> pd.DataFrame:
    """Return ``figure, share, value, low, high``: PPV and NPV from `LEAST_SHARE` to `MOST_SHARE` per cent pneumonia."""
    rows: list[tuple[Any, ...]] = []
    for share in range(LEAST_SHARE, MOST_SHARE + 1):
        result = outcome(cells, Clinic(share / 100, 100, 1, 1, 0))
        for figure, estimate in ((PPV, result.ppv), (NPV, result.npv)):
            rows.append((figure, share / 100, estimate.value, estimate.low, estimate.high))
    return pd.DataFrame(rows, columns=["figure", "share", "value", "low", "high"]).dropna(ignore_index=True)


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
    return intervals.wilson_limits(missed, sick), intervals.wilson_limits(alarms, well)


def cost(miss: Limits, alarm: Limits, clinic: Clinic) -> Limits:
    """Return the cost of a year with its limits, each (n,), from `error_rates`."""
    misses = clinic.left_to_the_model * clinic.prevalence * clinic.miss_cost
    alarms = clinic.left_to_the_model * (1 - clinic.prevalence) * clinic.alarm_cost
    return total(scaled(miss, misses), scaled(alarm, alarms))


@dataclass(frozen=True, eq=False)
class ClassScores:
    """A model's probabilities on the films of each class.

    Attributes:
        sick: (films,) probabilities of the films with pneumonia, ascending.
        well: (films,) those of the normal films, ascending.
    """

    sick: np.ndarray
    well: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, probability: np.ndarray) -> "ClassScores":
        """Sort probabilities, (films,) 0…1, by label, (films,) 1 for pneumonia and 0 for normal.

        Raises:
            ValueError: if a class is missing.
        """
        sick = np.asarray(labels) == 1
        if sick.all() or not sick.any():
            raise ValueError("the films show one class only")
        return cls(np.sort(probability[sick]), np.sort(probability[~sick]))

    def rates(self, thresholds: np.ndarray) -> tuple[Limits, Limits]:
        """Return `error_rates` at each threshold, (n,); a film is called pneumonia at or above it."""
        sick, well = (np.full(len(thresholds), len(part)) for part in (self.sick, self.well))
        missed = np.searchsorted(self.sick, thresholds)
        return error_rates(missed, sick, well - np.searchsorted(self.well, thresholds), well)

    def confusion(self, threshold: float) -> Confusion:
        """Count the films by truth and call."""
        missed, cleared = (int(np.searchsorted(part, threshold)) for part in (self.sick, self.well))
        return Confusion(len(self.sick) - missed, missed, cleared, len(self.well) - cleared)


def cost_curve(measured: ClassScores, place: Clinic) -> pd.DataFrame:
    """Return ``threshold, cost, low, high``: the cost of a year at thresholds from 0.01 to 0.99."""
    thresholds = np.arange(1, 100) / 100
    value, low, high = cost(*measured.rates(thresholds), place)
    return pd.DataFrame({"threshold": thresholds, "cost": value, "low": low, "high": high})


def cheapest_threshold(measured: ClassScores, place: Clinic) -> float:
    """Return the threshold with the lowest cost, the lowest of those that cost the same.

    It lies half-way between two neighbouring probabilities of the films, so that it hangs on no single one's digits.
    Choose it on other films than those it is evaluated on.
    """
    probabilities = np.unique(np.concatenate([[0.0], measured.sick, measured.well, [1.0]]))
    thresholds = (probabilities[:-1] + probabilities[1:]) / 2
    value, *_ = cost(*measured.rates(thresholds), place)
    return float(thresholds[np.argmin(value)])


def decision_curve(measured: ClassScores, place: Clinic, calibrated_for: float) -> pd.DataFrame:
    """Return the net benefit of the model's calls, of treating all children and of treating none.

    Vickers and Elkin 2006, Medical Decision Making 26:565. Net benefit is found pneumonias less false alarms, each of
    which weighs as much as the threshold says: at a threshold of 10 % nine of them weigh as much as one pneumonia.

    Args:
        measured: the model's probabilities.
        place: the clinic; its share of children with pneumonia counts.
        calibrated_for: the share of pneumonia that the probabilities hold for, 0…1 exclusive; they are corrected.

    Returns:
        ``policy, threshold, benefit, low, high``: ``threshold`` is the probability from which a child is treated, 0.01
        to 0.99; ``benefit`` is in pneumonias per 100 films; no limits where nothing is measured.
    """
    share = place.prevalence
    threshold = np.arange(1, 100) / 100
    odds = threshold / (1 - threshold)
    miss, alarm = measured.rates(_uncorrected(odds, share, calibrated_for))
    found, alarms = scaled(complement(miss), 100 * share), 100 * (1 - share) * odds
    harm = tuple(-alarms * part for part in (alarm[0], alarm[2], alarm[1]))
    benefit, low, high = total(found, (harm[0], harm[1], harm[2]))
    rows = {
        MODEL: {"benefit": benefit, "low": low, "high": high},
        ALL: {"benefit": 100 * share - alarms},
        NONE: {"benefit": np.zeros(len(threshold))},
    }
    table = pd.concat([pd.DataFrame({"policy": name, "threshold": threshold, **each}) for name, each in rows.items()])
    floor = WORST_SHOWN * 100 * share
    shown = table[table["benefit"] >= floor].reset_index(drop=True)
    return shown.assign(low=shown["low"].clip(lower=floor))


def sentence(result: Outcome, place: Clinic) -> Sentence:
    """Return in words what a model's calls would mean, of 100 films and of a year."""
    missed, alarms = result.missed_per_100, result.alarms_per_100
    return say(
        "Of 100 films, {sick:.0f} show pneumonia. {missed} of these would go unnoticed, and {alarms} normal films "
        "would raise a false alarm that nobody corrects. In a year of {films:,} films that is {missed_a_year} missed "
        "children and {alarms_a_year} false alarms.",
        sick=100 * place.prevalence,
        missed=_tenths(missed),
        alarms=_tenths(alarms),
        films=place.films,
        missed_a_year=_amount(result.missed),
        alarms_a_year=_amount(result.alarms),
    )


def readable(results: dict[str, Outcome]) -> pd.DataFrame:
    """Return outcomes for reading: a row a figure, a column an outcome, each with its 95 % interval."""
    rows = {
        say("Of alarms, true (PPV)"): lambda each: each.ppv.percent,
        say("Of all-clears, true (NPV)"): lambda each: each.npv.percent,
        say("Missed per 100 films"): lambda each: _tenths(each.missed_per_100),
        say("False alarms per 100 films"): lambda each: _tenths(each.alarms_per_100),
        say("Missed a year"): lambda each: _amount(each.missed),
        say("False alarms a year"): lambda each: _amount(each.alarms),
        say("Cost a year"): lambda each: _amount(each.cost),
    }
    cells = {title: [row(each) for row in rows.values()] for title, each in results.items()}
    return pd.DataFrame(cells, list(rows), dtype=object)


def _predictive(odds_against: float, wrong: Limits) -> Estimate:
    """Return a predictive value: of the films called so, the share that is so; NaN where none is called so."""
    if np.isnan(wrong[0][0]):
        return intervals.UNKNOWN
    value, high, low = (1 / (1 + odds_against * part) for part in wrong)
    return intervals.estimate((value, low, high))


def _uncorrected(odds: np.ndarray, share: float, calibrated_for: float) -> np.ndarray:
    """Return the probabilities at `calibrated_for` that have these odds where `share` of the children are ill."""
    prior = (calibrated_for / (1 - calibrated_for)) / (share / (1 - share))
    return odds * prior / (1 + odds * prior)


def _amount(figure: Estimate) -> Sentence:
    return say("{value:,.0f} ({low:,.0f}–{high:,.0f})", value=figure.value, low=figure.low, high=figure.high)


def _tenths(figure: Estimate) -> Sentence:
    return say("{value:,.1f} ({low:,.1f}–{high:,.1f})", value=figure.value, low=figure.low, high=figure.high)
