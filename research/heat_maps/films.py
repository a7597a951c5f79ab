"""The films that heat maps are measured on, each with what a human drew on it; no labels are read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from pneumo.datasets import external, kaggle, lung_masks
from pneumo.errors import DatasetError
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.preprocessing.network_input import SQUARE
from pneumo.training import lungs


@dataclass(frozen=True, eq=False)
class DrawnFilm:
    """A film and what a human drew on it.

    Attributes:
        path: of the film.
        patient: whose it is.
        truth: (`SQUARE`, `SQUARE`) bool, where the lungs or the opacities are; None where nothing was drawn.
        amount: of an opacity, its share of the lung area, 0…1; else NaN.
    """

    path: Path
    patient: str
    truth: np.ndarray | None = field(default=None, repr=False)
    amount: float = np.nan


def answered(root: Path, card: ModelCard, folder: Path | None, answer: str, films: int) -> list[DrawnFilm]:
    """Return validation films that a model answered in one way, by its own stored predictions.

    Args:
        root: of the data set.
        card: of the model.
        folder: the folder of model folders.
        answer: ``likely`` or ``unlikely``.
        films: how many at the most, drawn with a fixed seed.

    Raises:
        DatasetError: if there are none, or they are not in the data set.
        ModelError: if the model was not measured on validation films.
    """
    predictions = store.read_predictions(card.name, "val", folder)
    limits = card.as_thresholds()
    given = np.array([limits.answer(probability) for probability in predictions["probability"]])
    chosen = _drawn(predictions[given == answer], films)
    if chosen.empty:
        raise DatasetError(f"{card.name} answers “{answer}” on none of its validation films.")
    return [DrawnFilm(_existing(root / row["file"]), row["patient"]) for row in chosen.to_dict("records")]


def films_with_lungs(root: Path, masks: Path, films: int) -> list[DrawnFilm]:
    """Return films of the official test split with their lungs; what is wrong with the child is not looked at.

    Raises:
        DatasetError: if the test split or the masks are missing.
    """
    table = kaggle.scan(root)
    drawn = lungs.with_masks(table[table["split"] == "test"], masks)
    return [
        DrawnFilm(root / row["file"], row["patient"], _mask(masks / row["mask"]))
        for row in _drawn(drawn, films).to_dict("records")
    ]


def boxed_films(folder: Path, films: int) -> list[DrawnFilm]:
    """Return films of another hospital with the boxes that a radiologist drew around pneumonia.

    Raises:
        DatasetError: if ``boxes.csv`` is missing or lacks a column, or a film is not there.
    """
    listed = _table(folder / external.BOXES, ("file", "finding", "x", "y", "w", "h"))
    listed = listed[listed["finding"].isin(external.PNEUMONIA_BOXES)]
    files = _drawn(pd.DataFrame({"file": sorted(set(listed["file"]))}), films)["file"]
    labels = _table(folder / external.TABLE, ("file", "patient_id")).set_index("file")["patient_id"].astype(str)
    boxed = []
    for file in files:
        truth = np.zeros((SQUARE, SQUARE), bool)
        for x, y, width, height in listed.loc[listed["file"] == file, ["x", "y", "w", "h"]].to_numpy(float):
            left, top, right, bottom = (round(SQUARE * edge) for edge in (x, y, x + width, y + height))
            truth[top:bottom, left:right] = True
        boxed.append(DrawnFilm(_existing(folder / file), labels.get(file, file), truth))
    return boxed


def opaque_films(folder: Path, films: int) -> list[DrawnFilm]:
    """Return chest films with the opacities and lungs that humans drew.

    Raises:
        DatasetError: if the table is missing or lacks a column, or a film or mask is not there.
    """
    drawn = []
    for row in _drawn(external.drawn_opacities(folder), films).to_dict("records"):
        truth, lung = _mask(folder / row["opacity_mask"]), _mask(folder / row["lung_mask"])
        amount = float((truth & lung).sum() / lung.sum())
        drawn.append(DrawnFilm(_existing(folder / row["file"]), kaggle.patient_key(row["file"]), truth, amount))
    return drawn


def _drawn(table: pd.DataFrame, films: int) -> pd.DataFrame:
    table = table.sort_values("file", ignore_index=True)
    return table.sample(min(films, len(table)), random_state=0)


def _table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    if not path.is_file():
        raise DatasetError(f"{path} is missing.")
    listed = pd.read_csv(path, keep_default_na=False)
    if missing := [column for column in columns if column not in listed]:
        raise DatasetError(f"{path} lacks {', '.join(missing)}.")
    return listed


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DatasetError(f"{path} is not there. Is the data set the one that its table describes?")
    return path


def _mask(path: Path) -> np.ndarray:
    grey = lung_masks.read_mask(_existing(path))
    if not grey.any():
        raise DatasetError(f"{path} is no mask: it is empty.")
    return np.asarray(cv2.resize(grey, (SQUARE, SQUARE), interpolation=cv2.INTER_AREA) >= 128)
