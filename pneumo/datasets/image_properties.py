"""What of a film has nothing to do with the lungs and may still tell its label: size, exposure, borders, letters."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumo import radiograph
from pneumo.datasets import external
from pneumo.errors import DatasetError
from pneumo.preprocessing import network_input
from pneumo.preprocessing.network_input import SQUARE

# The outer twentieth of a film, where collimator and bare film are.
STRIP = SQUARE // 20
DARK = 0.1
# Lead letters are brighter than what is around them by this much, 0…1, and of these sizes in pixels of the square.
MARK_CONTRAST = 0.25
MARK_KERNEL = 17
MARK_AREA = (8, 220)
MARK_SIDE = (4, 24)
# Letters lie in the upper corners or beside the arms; ribs and clavicles, which pass for letters, lie further in.
CORNER = (0.17, 0.2)
BESIDE = 0.12
SIDE = 24
TOLD_EVERY = 25


@dataclass(frozen=True)
class Trait:
    """A trait's name, its unit, and what it is, for people."""

    title: str
    meaning: str


TRAITS = {
    "width": Trait("Width (pixels)", "of the original film"),
    "height": Trait("Height (pixels)", "of the original film"),
    "aspect_ratio": Trait("Width : height", "of the original film"),
    "brightness": Trait("Brightness", "the mean grey value, 0 black to 1 white"),
    "contrast": Trait("Contrast", "the standard deviation of the grey values, of 0 to 1"),
    "dark_sides": Trait("Dark border, sides", "the share of the left and right edges that is black"),
    "dark_ends": Trait("Dark border, top and bottom", "the share of the upper and lower edges that is black"),
    "marks_above": Trait(
        "Letters in the corners", "bright spots of a letter's size in the upper corners, for which bones can pass"
    ),
    "marks_beside": Trait(
        "Letters beside the child",
        "bright spots of a letter's size further down at the edges, for which bones can pass",
    ),
    "lung_width": Trait("Width of the lungs", "their box's share of the film's width, by the human outline"),
    "lung_height": Trait("Height of the lungs", "their box's share of the film's height, by the human outline"),
}
SIZE = ("width", "height", "aspect_ratio")
FRAMING = ("lung_width", "lung_height")


def measure(
    table: pd.DataFrame,
    root: Path,
    masks: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[pd.DataFrame, npt.NDArray[np.float32]]:
    """Measure every film of a data set.

    Args:
        table: as `kaggle.scan` returns it.
        root: the folder that ``table["file"]`` is relative to.
        masks: lung masks: a folder with ``labels.csv`` (``kermany_file, mask, orig_width, orig_height``); without it
            the sizes are the files' own, and the traits of `FRAMING` are not measured.
        progress: is told the number of films measured and of all films.

    Returns:
        A table with the index of `table` and the keys of `TRAITS`, NaN where a mask is missing; and the films as
        (films, `SIDE` * `SIDE`) float32: `network_input.film_square` made small.

    Raises:
        ImageError: if a film cannot be read.
        DatasetError: if the masks' table is missing or lacks a column.
    """
    known = _mask_table(masks) if masks else None
    rows, small = [], np.empty((len(table), SIDE * SIDE), np.float32)
    for number, file in enumerate(table["file"]):
        if number % TOLD_EVERY == 0:
            progress(number, len(table))
        pixels = radiograph.read(root / file).pixels
        small[number] = cv2.resize(
            network_input.film_square(pixels), (SIDE, SIDE), interpolation=cv2.INTER_AREA
        ).ravel()
        row = {"width": pixels.shape[1], "height": pixels.shape[0], **of_square(network_input.squashed(pixels))}
        if known is not None and masks:
            name = Path(file).name
            row |= _of_mask(known[name], masks) if name in known else dict.fromkeys((*SIZE, *FRAMING), np.nan)
        rows.append(row)
    progress(len(table), len(table))
    traits = pd.DataFrame(rows, index=table.index, dtype=float)
    traits["aspect_ratio"] = traits["width"] / traits["height"]
    return traits.reindex(columns=list(TRAITS)), small


def of_square(square: np.ndarray) -> dict[str, float]:
    """Return the traits that a squashed film tells.

    Args:
        square: (`SQUARE`, `SQUARE`) float32 in 0…1, grey values as they are (`network_input.squashed`).
    """
    dark = square < DARK
    sides = np.concatenate([dark[:, :STRIP].ravel(), dark[:, -STRIP:].ravel()])
    ends = np.concatenate([dark[:STRIP].ravel(), dark[-STRIP:].ravel()])
    above, beside = marks(square)
    return {
        "brightness": float(square.mean()),
        "contrast": float(square.std()),
        "dark_sides": float(sides.mean()),
        "dark_ends": float(ends.mean()),
        "marks_above": float(above),
        "marks_beside": float(beside),
    }


def marks(square: np.ndarray) -> tuple[int, int]:
    """Count what may be letters on a squashed film: in the upper corners, and further down at the edges.

    A white top-hat (Serra 1982) keeps what is narrower than `MARK_KERNEL` pixels and brighter than what is around
    it; of that, compact spots near the edges count. Bones at the edges can pass for letters, and faint letters are
    missed: it is a trait of the picture and no reading of the text.
    """
    kernel = np.ones((MARK_KERNEL, MARK_KERNEL), np.uint8)
    bright = cv2.morphologyEx(square, cv2.MORPH_TOPHAT, kernel) >= MARK_CONTRAST
    count, _, statistics, centres = cv2.connectedComponentsWithStats(bright.astype(np.uint8), connectivity=8)
    above = beside = 0
    for (_, _, width, height, area), centre in zip(statistics[1:count], centres[1:count] / SQUARE, strict=True):
        from_side, down = min(centre[0], 1 - centre[0]), centre[1]
        sides_fit = all(MARK_SIDE[0] <= side <= MARK_SIDE[1] for side in (width, height))
        if not (sides_fit and MARK_AREA[0] <= area <= MARK_AREA[1]):
            continue
        above += from_side < CORNER[0] and down < CORNER[1]
        beside += from_side < BESIDE and down >= CORNER[1]
    return int(above), int(beside)


def _mask_table(masks: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of the masks' table by the name of their film."""
    path = masks / external.TABLE
    columns = ["kermany_file", "mask", "orig_width", "orig_height"]
    try:
        rows = pd.read_csv(path, usecols=columns).to_dict("records")
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is no table of lung masks ({error}). Point --masks to their folder.") from error
    return {str(row["kermany_file"]): {str(key): value for key, value in row.items()} for row in rows}


def _of_mask(known: dict[str, Any], masks: Path) -> dict[str, float]:
    sizes = {"width": float(known["orig_width"]), "height": float(known["orig_height"])}
    mask = cv2.imread(str(masks / str(known["mask"])), cv2.IMREAD_GRAYSCALE)
    if mask is None or not (lung := mask > 127).any():
        return sizes | dict.fromkeys(FRAMING, np.nan)
    rows, columns = (np.flatnonzero(lung.any(axis=axis)) for axis in (1, 0))
    return sizes | {
        "lung_width": (columns[-1] - columns[0] + 1) / lung.shape[1],
        "lung_height": (rows[-1] - rows[0] + 1) / lung.shape[0],
    }
