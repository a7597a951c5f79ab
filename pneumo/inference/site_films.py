"""A model calibrated at one hospital: films are read, checked and turned into a `Site`, or a sentence says why not."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pneumo.datasets import hospitals
from pneumo.errors import DatasetError, require_package
from pneumo.evaluation import site_calibration
from pneumo.evaluation.intervals import Estimate
from pneumo.evaluation.site_calibration import FEWEST_NORMAL, FEWEST_PNEUMONIA
from pneumo.inference.findings import ADULT_YEARS
from pneumo.inference.reading import Models, read_film
from pneumo.labels import CLASSES
from pneumo.model_store.card import ModelCard
from pneumo.model_store.site import Site, site_of
from pneumo.sentences import Sentence, say, say_all

LISTED = 5


@dataclass(frozen=True)
class LocalFilm:
    """A film of the hospital.

    Attributes:
        file: its path.
        label: ``NORMAL`` or ``PNEUMONIA``.
        probability: the model's own, 0…1; None where the film does not count.
        left_out: why the film does not count, in a sentence; empty where it does.
        failed: whether it was refused by the gate, or could not be read.
        foreign: whether it is unlike the films of the hospitals that the model learned from.
    """

    file: str
    label: str
    probability: float | None
    left_out: str = ""
    failed: bool = False
    foreign: bool = False


def read_local_films(
    folder: Path,
    models: Models,
    hospital: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[LocalFilm]:
    """Let a model assess the films of a hospital, as any film is: an unsuitable one costs only itself.

    Args:
        folder: as in `hospitals.local_films`.
        models: a classifier without a site, and the gate.
        hospital: as there.
        progress: is told the number of films read and of all films.

    Raises:
        DatasetError: as in `hospitals.local_films`.
        PackageError: if SciPy is not installed, by which the films are to calibrate the model.
    """
    require_package("scipy")
    listed = hospitals.local_films(folder, hospital)
    known: set[tuple[str, str]] = set()
    films = []
    for file, label, patient, age in zip(*(listed[key] for key in ("file", "label", "patient", "age")), strict=True):
        films.append(_read(file, label, age, models, (patient, label) in known))
        if films[-1].probability is not None:
            known.add((patient, label))
        progress(len(films), len(listed))
    return films


def _read(file: str, label: str, age: float, models: Models, is_known: bool) -> LocalFilm:
    if age >= ADULT_YEARS:
        return LocalFilm(
            file, label, None, say("The patient is {age:.0f} years old; the models read films of children.", age=age)
        )
    if is_known:
        return LocalFilm(file, label, None, say("Another film of the same patient counts already."))
    reading = read_film(Path(file), Path(file).name, models)
    if reading.assessment is None:
        return LocalFilm(file, label, None, say_all(reading.reasons), failed=True)
    return LocalFilm(file, label, reading.assessment.probability, foreign=reading.assessment.foreign)


def calibrated_site(card: ModelCard, name: str, films: list[LocalFilm]) -> Site:
    """Calibrate a model for a hospital.

    Args:
        card: of the model that read the films.
        name: of the hospital, for people.
        films: as `read_local_films` gives them.

    Raises:
        DatasetError: if too few films are normal, they are unlike each other, or the model does not tell those with
            pneumonia from them.
        ValueError: if the hospital has no name, or too long a one.
    """
    counted = pd.DataFrame(
        [film for film in films if film.probability is not None], columns=["file", "label", "probability"]
    )
    labels = (counted["label"] == "PNEUMONIA").to_numpy(int)
    own = counted["probability"].to_numpy(float)
    _refuse_unsuitable(counted["file"].to_numpy(str), labels, own, len(films) - len(counted))
    calibration = card.as_calibration()
    found = site_calibration.calibrate(labels, own, card.as_thresholds().low, calibration.prevalence)
    return site_of(card, name, found, len(films) - len(counted))


def _refuse_unsuitable(files: np.ndarray, labels: np.ndarray, own: np.ndarray, left_out: int) -> None:
    normal = labels == 0
    if normal.sum() < FEWEST_NORMAL:
        raise DatasetError(
            "{normal} normal films of different children count ({left_out} films were left out), and {fewest} are "
            "needed. Add films of children that a radiologist called normal, all from this hospital.",
            **{"normal": int(normal.sum()), "left_out": left_out, "fewest": FEWEST_NORMAL},
        )
    if len(np.unique(own[normal])) == 1:
        raise DatasetError(
            "The model gives all normal films the same probability, {probability:.6f}, so it tells no film from "
            "another here. Choose another model.",
            probability=own[0],
        )
    if (apart := site_calibration.two_groups(own[normal])) is not None:
        raise DatasetError(
            "The films said to be normal are of two kinds that score far apart: {few} of {all} stand by themselves "
            "({names}). Look at them again: pneumonias among them, films of adults, or films of another machine or "
            "hospital would make the thresholds wrong. Take out what does not belong there, and calibrate again.",
            **{"few": int(apart.sum()), "all": int(normal.sum()), "names": _names(files[normal][apart])},
        )
    auroc = site_calibration.told_apart(labels, own)
    if auroc.low <= 0.5:
        raise DatasetError(
            "The model does not tell these films with pneumonia from the normal ones: its AUROC is {auroc}, where 0.5 "
            "is chance. Check that no film lies in the wrong folder. If none does, choose another model: thresholds do "
            "not mend this one here.",
            auroc=str(auroc),
        )


def _names(files: np.ndarray) -> str:
    shown = [Path(file).name for file in files[:LISTED]]
    return ", ".join(shown) + (", …" if len(files) > LISTED else "")


def left_out(films: list[LocalFilm]) -> pd.DataFrame:
    """Return the films that do not count, and why: ``File, Said to be, Why``."""
    rows = [(Path(film.file).name, CLASSES[film.label], film.left_out) for film in films if film.left_out]
    return pd.DataFrame(rows, columns=[say("File"), say("Said to be"), say("Why")], dtype=object)


def foreign_films(films: list[LocalFilm]) -> Sentence:
    """Say how many films are unlike those that the model learned from, and what follows; empty where there are none."""
    foreign = sum(film.foreign for film in films)
    if not foreign:
        return say("")
    return say(
        "{foreign} of {films} films are unlike those that the model learned from. Of such films "
        "it says “cannot say” unless films with pneumonia from here were among those that it is "
        "calibrated on.",
        foreign=foreign,
        films=sum(film.probability is not None for film in films),
    )


def readable(site: Site) -> pd.DataFrame:
    """Return the thresholds of a site with what they rest on, for people.

    Returns:
        ``Threshold``, ``Here`` (of the site's probability), ``Of the model's own probability`` with its 95 % interval,
        and ``New films on its right side`` with theirs.
    """
    found = site.found
    rows = (
        (
            say("Likely, at or above"),
            found.thresholds.high,
            "high",
            say("normal films below: {share}", share=_share(found.normal_below_high)),
        ),
        (
            say("Called pneumonia, at or above"),
            found.thresholds.decision,
            "decision",
            say(
                "specificity {specificity}, sensitivity {sensitivity}",
                specificity=_share(found.specificity),
                sensitivity=_share(found.sensitivity),
            ),
        ),
        (
            say("Unlikely, below"),
            found.thresholds.low,
            "low",
            say("films with pneumonia at or above: {share}", share=_share(found.pneumonia_from_low)),
        ),
    )
    return pd.DataFrame(
        [(words, say("{here:.3f}", here=here), str(found.own[key]), shown) for words, here, key, shown in rows],
        columns=[
            say("Threshold"),
            say("Here"),
            say("Of the model's own probability"),
            say("New films on its right side"),
        ],
        dtype=object,
    )


def _share(share: Estimate) -> str:
    return say("unknown") if np.isnan(share.value) else share.percent


def limits(site: Site) -> list[Sentence]:
    """Say what the films of a site could not show."""
    few, many = 1 - site.found.specificity.high, 1 - site.found.specificity.low
    said = [
        say(
            "From {films} normal films it is known only that {few:.0f} to {many:.0f} % of new normal films are called "
            "pneumonia (95 % interval). More films narrow that.",
            films=site.normal_films,
            few=100 * few,
            many=100 * many,
        )
    ]
    if not site.pneumonia_films:
        said.append(
            say(
                "No film with pneumonia was there. How many pneumonias are found at these thresholds is unknown, and "
                "so is whether the model sees them here at all. {fewest} films with pneumonia would tell.",
                fewest=FEWEST_PNEUMONIA,
            )
        )
    elif site.pneumonia_films < FEWEST_PNEUMONIA:
        said.append(
            say(
                "{films} films with pneumonia are too few to set the thresholds by; they only keep the threshold of "
                "“unlikely” below them. {fewest} would do more.",
                films=site.pneumonia_films,
                fewest=FEWEST_PNEUMONIA,
            )
        )
    said.append(
        say(
            "A threshold does not mend a ranking: films that the model confuses stay confused. Other machines, ages "
            "and diseases than on these films need a calibration of their own, and so does a new version of the model."
        )
    )
    return said
