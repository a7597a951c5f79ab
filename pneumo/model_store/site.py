"""``site.json``: the calibration of one model for one hospital, as a value, and where it may be used."""

import dataclasses
import datetime
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pneumo import __version__
from pneumo.errors import ModelError
from pneumo.evaluation.calibration import Calibration, Thresholds
from pneumo.evaluation.intervals import Estimate
from pneumo.evaluation.site_calibration import SiteCalibration
from pneumo.model_store.card import ModelCard, tidy
from pneumo.sentences import say, visible

VARIABLE = "PNEUMO_SITE"
LONGEST_NAME = 80
_ESTIMATES = ("slope", "intercept", "specificity", "sensitivity", "normal_below_high", "pneumonia_from_low")


@dataclass(frozen=True)
class Site:
    """A hospital that a model was calibrated for.

    Attributes:
        name: of the hospital, for people.
        made: the day it was calibrated, as in ``2026-11-28``.
        model: name of the model's folder.
        model_sha256: of its weights.
        own_calibration: of the model's card, whose probability the site's calibration starts from.
        found: what the hospital's films made of the model.
        left_out: films of the hospital that did not count.
        pneumo_version: that made it.
    """

    name: str
    made: str
    model: str
    model_sha256: str
    own_calibration: Calibration
    found: SiteCalibration
    left_out: int = 0
    pneumo_version: str = __version__

    @property
    def normal_films(self) -> int:
        """The normal films that it was calibrated on."""
        return self.found.evidence["normal_films"]

    @property
    def pneumonia_films(self) -> int:
        """The films with pneumonia that it was calibrated on."""
        return self.found.evidence["pneumonia_films"]

    def of_card(self, card: ModelCard) -> ModelCard:
        """Return a model's card with the thresholds of the site.

        Raises:
            ModelError: if the site was calibrated for another model, other weights or another calibration of them.
        """
        if card.name != self.model:
            raise ModelError(
                "{site} was calibrated for the model {model}, not for {other}. Choose {model}, or calibrate {other} "
                "with `pneumo calibrate`.",
                **{"site": self.name, "model": self.model, "other": card.name},
            )
        if (card.sha256, card.as_calibration()) != (self.model_sha256, self.own_calibration):
            raise ModelError(
                "{site} was calibrated for another version of the model {model}. Calibrate it anew with "
                "`pneumo calibrate`.",
                **{"site": self.name, "model": self.model},
            )
        thresholds = {**dataclasses.asdict(self.found.thresholds), "evidence": self.found.evidence}
        return dataclasses.replace(card, thresholds={**card.thresholds, **thresholds})

    def as_json(self) -> str:
        """Return the content of the file, which `read` reads."""
        found = self.found
        values = {
            "site": self.name,
            "made": self.made,
            "pneumo_version": self.pneumo_version,
            "model": self.model,
            "model_sha256": self.model_sha256,
            "own_calibration": dataclasses.asdict(self.own_calibration),
            "films": {**found.evidence, "left_out": self.left_out},
            # Not rounded: the thresholds were chosen on what comes of these very numbers.
            "calibration": dataclasses.asdict(found.calibration),
            "thresholds": dataclasses.asdict(found.thresholds),
            "thresholds_of_own_probability": tidy({key: dataclasses.asdict(each) for key, each in found.own.items()}),
            "figures": tidy({key: dataclasses.asdict(getattr(found, key)) for key in _ESTIMATES}),
        }
        return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def site_of(card: ModelCard, name: str, found: SiteCalibration, left_out: int = 0) -> Site:
    """Return a site that was calibrated today.

    Args:
        card: the model's own.
        name: of the hospital.
        found: what its films made of the model.
        left_out: films that did not count.

    Raises:
        ValueError: if the hospital has no name, or a longer one than `LONGEST_NAME` letters.
    """
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Site(checked_name(name), today, card.name, card.sha256, card.as_calibration(), found, left_out)


def configured() -> Site | None:
    """Return the site that the environment variable ``PNEUMO_SITE`` names the file of; None where it is unset.

    Raises:
        ModelError: if there is no such file, or it is damaged.
    """
    value = os.environ.get(VARIABLE, "").strip()
    return read(Path(value).expanduser()) if value else None


def read(path: Path) -> Site:
    """Read a site's file.

    Raises:
        ModelError: if there is no such file, or it is damaged.
    """
    try:
        return _from_values(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ModelError(
            "The site file {path} cannot be opened. Correct PNEUMO_SITE, or unset it to use the model without a site.",
            path=str(path),
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(
            "{path} is no site file of pneumo, or it is damaged ({why}). Make it anew with `pneumo calibrate`, or "
            "unset PNEUMO_SITE to use the model without a site.",
            path=str(path),
            why=f"{type(error).__name__}: {error}",
        ) from error


def _from_values(values: dict[str, Any]) -> Site:
    films = dict(values["films"])
    left_out = films.pop("left_out")
    counts = ("pneumonia_films", "pneumonia_below_low", "normal_films", "normal_at_or_above_high")
    if set(films) != set(counts) or not all(type(count) is int and count >= 0 for count in (left_out, *films.values())):
        raise ValueError("the numbers of films")
    thresholds = Thresholds(*(_number(values["thresholds"][key]) for key in ("decision", "low", "high")))
    if not 0 <= thresholds.low <= thresholds.decision <= thresholds.high <= 1:
        raise ValueError("the thresholds are not in order")
    calibration = _calibration(values["calibration"])
    if calibration.slope <= 0:
        raise ValueError("the slope is not above 0")
    found = SiteCalibration(
        calibration=calibration,
        thresholds=thresholds,
        own={key: _estimate(values["thresholds_of_own_probability"][key]) for key in ("decision", "low", "high")},
        evidence={key: films[key] for key in counts},
        **{key: _estimate(values["figures"][key]) for key in _ESTIMATES},
    )
    datetime.date.fromisoformat(values["made"])
    for key in ("model", "model_sha256", "pneumo_version"):
        if not isinstance(values[key], str):
            raise ValueError(key)
    return Site(
        checked_name(values["site"]),
        values["made"],
        values["model"],
        values["model_sha256"],
        _calibration(values["own_calibration"]),
        found,
        left_out,
        values["pneumo_version"],
    )


def _calibration(values: dict[str, Any]) -> Calibration:
    calibration = Calibration(*(_number(values[key]) for key in ("slope", "intercept", "prevalence")))
    if not 0 < calibration.prevalence < 1:
        raise ValueError("the share of pneumonia is out of range")
    return calibration


def _estimate(values: dict[str, Any]) -> Estimate:
    return Estimate(*(np.nan if values[key] is None else _number(values[key]) for key in ("value", "low", "high")))


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not np.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def checked_name(name: Any) -> str:
    """Return the name of a hospital as it is shown.

    Raises:
        ValueError: if it is no text of 1 to `LONGEST_NAME` letters.
    """
    if not isinstance(name, str) or not 0 < len(name.strip()) <= LONGEST_NAME:
        raise ValueError(say("The name of a hospital has 1 to {longest} letters.", longest=LONGEST_NAME))
    return visible(name.strip())
