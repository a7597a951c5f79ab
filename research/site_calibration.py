"""What calibrating at a hospital is worth: specificity and sensitivity after so many of its films, on its other films.

``python -m research.site_calibration`` prints, for every shipped model and every hospital that it was measured at and
did not learn from, the learning curve: films are drawn at random, one a patient, the model is calibrated on them as
``pneumo calibrate`` does, and measured on the films of all other patients there. Model, split and folder may be named.
It takes seconds; figures come from the stored predictions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from pneumo.cli.output import ModelsOption, reports_errors
from pneumo.errors import ModelError
from pneumo.evaluation.calibration import Calibration, Thresholds
from pneumo.evaluation.site_calibration import recalibrate
from pneumo.labels import is_hospital_split, split_of
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.results import markdown_tables

# Normal films, and films with pneumonia.
SIZES = ((10, 0), (20, 0), (30, 0), (50, 0), (100, 0), (30, 20), (50, 50), (100, 100))
DRAWS = 300
# Of either kind so many patients must be left to measure on.
FEWEST_OTHERS = 20

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a model does at a hospital, of each random draw: (draws,) shares, 0…1.

    Attributes:
        specificity: of normal films.
        sensitivity: of films with pneumonia.
        normal_likely: share of normal films called “likely”.
        pneumonia_unlikely: share of films with pneumonia called “unlikely”.
        decided: share of all films called either, both kinds counting alike.
        wrong: share of those that are called wrong; NaN where there are none.
    """

    specificity: np.ndarray
    sensitivity: np.ndarray
    normal_likely: np.ndarray
    pneumonia_unlikely: np.ndarray
    decided: np.ndarray
    wrong: np.ndarray


TITLES = {
    "specificity": "Specificity",
    "sensitivity": "Sensitivity",
    "normal_likely": "Normal films called likely",
    "pneumonia_unlikely": "Pneumonias called unlikely",
    "decided": "Decided",
    "wrong": "Wrong among the decided",
}


def learning_curve(
    card: ModelCard, split: str, folder: Path | None = None, draws: int = DRAWS, seed: int = 0
) -> dict[tuple[int, int], Outcome]:
    """Return what a model does at a hospital after so many of its films, by `SIZES`; under (0, 0), uncalibrated.

    Args:
        card: of the model.
        split: of a hospital that the model did not learn from.
        folder: the folder of model folders.
        draws: random draws of each size.
        seed: of the draws.

    Raises:
        ModelError: if the model was not measured there, or the hospital has films of one kind alone.
    """
    table = store.read_predictions(card.name, split, folder)
    labels, own = (table["label"] == "PNEUMONIA").to_numpy(int), table["probability"].to_numpy(float)
    if len(set(labels)) < 2:
        raise ModelError(f"{split} has films of one kind alone, so nothing can be measured there. Choose another.")
    patients = table["patient"].to_numpy(str)
    rng, limits = np.random.default_rng(seed), card.as_thresholds()
    found = {(0, 0): _joined([_measured(labels, own, Calibration(), limits)])}
    for normal, sick in SIZES:
        available = [len(set(patients[labels == kind])) - FEWEST_OTHERS for kind in (0, 1)]
        if normal > available[0] or sick > available[1]:
            continue
        measured = []
        for _ in range(draws):
            chosen = _drawn(labels, patients, (normal, sick), rng)
            others = ~np.isin(patients, patients[chosen])
            calibration, thresholds = recalibrate(labels[chosen], own[chosen], limits.low)
            measured.append(_measured(labels[others], own[others], calibration, thresholds))
        found[normal, sick] = _joined(measured)
    return found


def _drawn(labels: np.ndarray, patients: np.ndarray, wanted: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Return so many films of each kind, at random, no two of one patient and kind."""
    order = rng.permutation(len(labels))
    parts = []
    for kind, count in enumerate(wanted):
        of_kind = order[labels[order] == kind]
        _, first = np.unique(patients[of_kind], return_index=True)
        parts.append(of_kind[np.sort(first)][:count])
    return np.concatenate(parts)


def _measured(labels: np.ndarray, own: np.ndarray, calibration: Calibration, limits: Thresholds) -> tuple[float, ...]:
    probability = calibration.apply(own)
    sick = labels == 1
    called, likely, unlikely = (
        probability >= limits.decision,
        probability >= limits.high,
        probability < limits.low,
    )
    right = (likely[sick].mean() + unlikely[~sick].mean()) / 2
    wrong = (unlikely[sick].mean() + likely[~sick].mean()) / 2
    return (
        (~called[~sick]).mean(),
        called[sick].mean(),
        likely[~sick].mean(),
        unlikely[sick].mean(),
        right + wrong,
        wrong / (right + wrong) if right + wrong else np.nan,
    )


def _joined(measured: list[tuple[float, ...]]) -> Outcome:
    return Outcome(*np.array(measured).T)


def table(card: ModelCard, split: str, folder: Path | None = None, draws: int = DRAWS) -> pd.DataFrame:
    """Return a learning curve for people: the mean over draws, and in brackets where 95 of 100 draws lie."""
    rows = []
    for (normal, sick), outcome in learning_curve(card, split, folder, draws).items():
        films = f"{normal} normal" + (f", {sick} with pneumonia" if sick else "") if normal else "none"
        cells = [_cell(getattr(outcome, field.name)) for field in fields(outcome)]
        rows.append((f"`{card.name}`", split_of(split).title, films, *cells))
    return pd.DataFrame(rows, columns=["Model", "Hospital", "Local films", *TITLES.values()])


def _cell(shares: np.ndarray) -> str:
    known = shares[np.isfinite(shares)]
    if not len(known):
        return "–"
    low, high = np.percentile(known, [2.5, 97.5])
    return f"{known.mean():.2f}" + (f" ({low:.2f}–{high:.2f})" if len(shares) > 1 else "")


def markdown(names: Sequence[str] = (), splits: Sequence[str] = (), folder: Path | None = None) -> str:
    """Return the learning curves of models at hospitals as a Markdown table.

    Args:
        names: models; all where none is named.
        splits: of hospitals; where none is named, all with films of both kinds that a model was measured at.
        folder: the folder of model folders.

    Raises:
        ModelError: if a model was not measured at a hospital that was named, or none at any.
    """
    cards = [store.read_card(name, folder) for name in names] or store.catalogue(folder).cards
    shown = [
        table(card, split, folder)
        for card in cards
        for split in splits or filter(is_hospital_split, store.measured_splits(card.name, folder))
        if splits or store.read_predictions(card.name, split, folder)["label"].nunique() == 2
    ]
    if not shown:
        raise ModelError("No model was measured at a hospital. Run `python -m pneumo evaluate NAME --hospital H`.")
    return markdown_tables.table(pd.concat(shown, ignore_index=True))


@app.command()
@reports_errors
def site_calibration(
    names: Annotated[list[str] | None, typer.Argument(help="Models; all if left out.", metavar="[NAME]...")] = None,
    split: Annotated[
        list[str] | None, typer.Option(help="Such as hospital_shenzhen; may be given again. All if left out.")
    ] = None,
    models: ModelsOption = None,
) -> None:
    """Print what calibrating on so many films of a hospital is worth on its other films."""
    print(markdown(names or (), split or (), models))


if __name__ == "__main__":
    app(prog_name="python -m research.site_calibration")
