"""Open a data set that a person names, and draw films of it to look at."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumo import dataset, dataset_summary, dataset_tables, radiograph
from pneumo.dataset_summary import Summary
from pneumo.errors import DatasetError

SIDE = 360


@dataclass(frozen=True, eq=False)
class OpenDataset:
    """A data set on this machine.

    Attributes:
        root: the folder that ``films["file"]`` is relative to.
        films: as `dataset.scan` returns it.
        summary: of all films.
    """

    root: Path
    films: pd.DataFrame
    summary: Summary


def locate(folder: str) -> Path:
    """Return the root of the data set in a folder that a person typed.

    Raises:
        DatasetError: if there is none, or it cannot be looked into.
    """
    try:
        return dataset.find_root(Path(folder.strip()).expanduser())
    except (OSError, RuntimeError, ValueError) as error:
        raise DatasetError(f"This folder cannot be opened ({error}). Check its name and its permissions.") from error


def state(root: Path) -> str:
    """Return a text that changes when films are added, removed or renamed: the key to cache a data set under."""
    folders = (root / split / label for split in dataset.SPLITS for label in dataset.LABELS)
    return " ".join(str(folder.stat().st_mtime_ns) if folder.is_dir() else "-" for folder in folders)


def open_dataset(root: Path, shipped: Summary | None = None) -> OpenDataset:
    """Read all films of a data set once.

    Args:
        root: as `locate` returns it.
        shipped: a summary that may know the original sizes of the same films.

    Raises:
        DatasetError: if a film cannot be read.
    """
    try:
        films = dataset.scan(root)
        summary = dataset_summary.summarise(root)
    except OSError as error:
        raise DatasetError(f"{root} cannot be read ({error}). Check its permissions.") from error
    return OpenDataset(root, films, dataset_tables.with_original_sizes(summary, shipped) if shipped else summary)


def draw_films(films: pd.DataFrame, split: str, kind: str, number: int, seed: int) -> pd.DataFrame:
    """Draw films of a split and a kind.

    Args:
        films: as `dataset.scan` returns it.
        split: ``train``, ``val`` or ``test``.
        kind: a value of `dataset_tables.KINDS`.
        number: how many at most.
        seed: of the draw.
    """
    kinds = pd.Series(
        [dataset_tables.KINDS[pair] for pair in zip(films["label"], films["pathogen"], strict=True)], films.index
    )
    matching = films[(films["split"] == split) & (kinds == kind)]
    order = np.random.default_rng(seed).permutation(len(matching))[:number]
    return matching.iloc[order].reset_index(drop=True)


def thumbnail(path: Path, side: int = SIDE) -> npt.NDArray[np.uint8]:
    """Read a film and shrink it, in its own proportions, to at most `side` pixels; uint8, (height, width).

    Raises:
        ImageError: if the film cannot be read.
    """
    pixels = radiograph.read(path).pixels
    scale = min(1.0, side / max(pixels.shape))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.rint(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) * 255).astype(np.uint8)
