"""Which threshold serves a clinic best: the cost of a year by threshold, and decision curves."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pneumo.evaluation import clinic
from pneumo.evaluation.clinic import Clinic, Limits
from pneumo.evaluation.metrics import Confusion, Estimate
from pneumo.model_store.card import ModelCard
from pneumo.results import comparison

MODEL, ALL, NONE = "The model decides", "Treat all", "Treat none"
# A policy that costs more than a quarter of what could be won is drawn no further: it would squash the others.
WORST_SHOWN = -0.25


@dataclass(frozen=True, eq=False)
class Films:
    """A model's probabilities on films with both classes.

    Attributes:
        sick: (films,) probabilities of the films with pneumonia, ascending.
        well: (films,) those of the normal films, ascending.
    """

    sick: np.ndarray
    well: np.ndarray

    def rates(self, thresholds: np.ndarray) -> tuple[Limits, Limits]:
        """Return `clinic.error_rates` at each threshold, (n,); a film is called pneumonia at or above it."""
        sick, well = (np.full(len(thresholds), len(part)) for part in (self.sick, self.well))
        missed = np.searchsorted(self.sick, thresholds)
        return clinic.error_rates(missed, sick, well - np.searchsorted(self.well, thresholds), well)

    def confusion(self, threshold: float) -> Confusion:
        """Count the films by truth and call."""
        missed, cleared = (int(np.searchsorted(part, threshold)) for part in (self.sick, self.well))
        return Confusion(len(self.sick) - missed, missed, cleared, len(self.well) - cleared)


def films(card: ModelCard, split: str, folder: Path | None = None) -> Films:
    """Read a model's probabilities on a split.

    Raises:
        ModelError: if the predictions are missing or damaged.
        ValueError: if the films are all normal or all of pneumonia.
    """
    table = comparison.predictions(card, split, folder)
    sick = (table["label"] == "PNEUMONIA").to_numpy()
    if sick.all() or not sick.any():
        raise ValueError("the films show one class only")
    probability = table["probability"].to_numpy(float)
    return Films(np.sort(probability[sick]), np.sort(probability[~sick]))


def cost_curve(measured: Films, place: Clinic) -> pd.DataFrame:
    """Return ``threshold, cost, low, high``: the cost of a year at thresholds from 0.01 to 0.99."""
    thresholds = np.arange(1, 100) / 100
    value, low, high = clinic.cost(*measured.rates(thresholds), place)
    return pd.DataFrame({"threshold": thresholds, "cost": value, "low": low, "high": high})


def cheapest_threshold(measured: Films, place: Clinic) -> float:
    """Return the threshold with the lowest cost, the lowest of those that cost the same.

    It lies half-way between two neighbouring probabilities of the films, so that it hangs on no single one's digits.
    Choose it on other films than those it is judged on: `store.SELECTION_SPLIT`.
    """
    probabilities = np.unique(np.concatenate([[0.0], measured.sick, measured.well, [1.0]]))
    thresholds = (probabilities[:-1] + probabilities[1:]) / 2
    value, *_ = clinic.cost(*measured.rates(thresholds), place)
    return float(thresholds[np.argmin(value)])


def decision_curve(measured: Films, place: Clinic, calibrated_for: float) -> pd.DataFrame:
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
    found, alarms = clinic.scaled(clinic.complement(miss), 100 * share), 100 * (1 - share) * odds
    harm = tuple(-alarms * part for part in (alarm[0], alarm[2], alarm[1]))
    benefit, low, high = clinic.total(found, (harm[0], harm[1], harm[2]))
    rows = {
        MODEL: {"benefit": benefit, "low": low, "high": high},
        ALL: {"benefit": 100 * share - alarms},
        NONE: {"benefit": np.zeros(len(threshold))},
    }
    table = pd.concat([pd.DataFrame({"policy": name, "threshold": threshold, **each}) for name, each in rows.items()])
    floor = WORST_SHOWN * 100 * share
    shown = table[table["benefit"] >= floor].reset_index(drop=True)
    return shown.assign(low=shown["low"].clip(lower=floor))


def sentence(result: clinic.Outcome, place: Clinic) -> str:
    """Return in words what a model's calls would mean, of 100 films and of a year."""
    missed, alarms = result.missed_per_100, result.alarms_per_100
    return (
        f"Of 100 films, {100 * place.prevalence:.0f} show pneumonia. {_amount(missed, 1)} of these would go unnoticed, "
        f"and {_amount(alarms, 1)} normal films would raise a false alarm that nobody corrects. In a year of "
        f"{place.films:,} films that is {_amount(result.missed)} missed children and {_amount(result.alarms)} "
        "false alarms."
    )


def readable(results: dict[str, clinic.Outcome]) -> pd.DataFrame:
    """Return outcomes for reading: a row a figure, a column an outcome, each with its 95 % interval."""
    rows = {
        "Of alarms, true (PPV)": lambda each: _percent(each.ppv),
        "Of all-clears, true (NPV)": lambda each: _percent(each.npv),
        "Missed per 100 films": lambda each: _amount(each.missed_per_100, 1),
        "False alarms per 100 films": lambda each: _amount(each.alarms_per_100, 1),
        "Missed a year": lambda each: _amount(each.missed),
        "False alarms a year": lambda each: _amount(each.alarms),
        "Cost a year": lambda each: _amount(each.cost),
    }
    return pd.DataFrame({title: [row(each) for row in rows.values()] for title, each in results.items()}, list(rows))


def _uncorrected(odds: np.ndarray, share: float, calibrated_for: float) -> np.ndarray:
    """Return the probabilities at `calibrated_for` that have these odds where `share` of the children are ill."""
    prior = (calibrated_for / (1 - calibrated_for)) / (share / (1 - share))
    return odds * prior / (1 + odds * prior)


def _percent(figure: Estimate) -> str:
    if np.isnan(figure.value):
        return "–"
    return f"{100 * figure.value:.1f} % ({100 * figure.low:.1f}–{100 * figure.high:.1f})"


def _amount(figure: Estimate, digits: int = 0) -> str:
    return f"{figure.value:,.{digits}f} ({figure.low:,.{digits}f}–{figure.high:,.{digits}f})"
