"""The width:height of the films as they were taken.

It tells the label of the Guangzhou training films (about 1.23 where normal, 1.51 in pneumonia) and less so that of the
test films, and it stays in a film that is squashed to a square: there the chest is narrow or wide.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from pneumo import views
from pneumo.errors import DatasetError

# The folder of lung masks beside a data set, and its table.
MASKS, TABLE = "lung_masks", "labels.csv"
# Between these lie nearly all of the data set's films: views that are drawn from here tell nothing of the label.
EVEN = (1.0, 2.0)
_COLUMNS = {"kermany_file": "name", "orig_width": "width", "orig_height": "height"}


def original_sizes(masks_table: Path) -> pd.DataFrame:
    """Read what the table of the lung masks tells of the films before they were squashed.

    Returns:
        ``name, width, height`` in pixels, each name once.

    Raises:
        DatasetError: if the file is missing or no such table.
    """
    try:
        known = pd.read_csv(masks_table, usecols=list(_COLUMNS)).rename(columns=_COLUMNS)
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{masks_table} is no table of lung masks ({error}). Point to the masks' labels.csv or to none."
        ) from error
    return known.drop_duplicates("name")


def aspect_ratios(root: Path, table: pd.DataFrame, masks: Path | None = None) -> np.ndarray:
    """Return the width:height of each film as it was taken.

    Args:
        root: the folder that the table's files are relative to.
        table: as `dataset.scan` returns it, or a part of it.
        masks: the folder of lung masks, whose table tells the sizes of the originals; the one beside the data set where
            None, if there is one.

    Returns:
        (films,) float64: by the masks' table where it names the film, else by the film's own pixels; NaN where those
        are a square, as in a copy that was squashed.

    Raises:
        DatasetError: if there is a folder of masks without such a table.
    """
    beside = root.parent / MASKS
    if masks is None and beside.is_dir():
        masks = beside
    names = table["file"].str.rsplit("/", n=1).str[-1]
    ratios = np.full(len(table), np.nan)
    if masks is not None:
        known = original_sizes(masks / TABLE).set_index("name")
        ratios = names.map(known["width"] / known["height"]).to_numpy(np.float64, copy=True)
    for film in np.flatnonzero(np.isnan(ratios)):
        ratios[film] = _own_ratio(root / table["file"].iloc[film])
    return ratios


def stretches(ratio: float, frames: tuple[float, float] = EVEN) -> tuple[float, float] | None:
    """Return the shapes that crops of a squashed film may have, for its views to have one of some frames.

    Args:
        ratio: the film's own width:height, NaN where that is not known.
        frames: the least and the greatest width:height of a view.

    Returns:
        See `preprocessing.augmented_input`; None where the ratio is not known.
    """
    return None if np.isnan(ratio) else (frames[0] / ratio, frames[1] / ratio)


def swapped(squares: np.ndarray, files: Sequence[str], labels: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """Crop each film to the width:height of a film of the other class, and squash what is left.

    The largest such part is kept, from a place that the film's name decides on, as it decides on the other film.

    Args:
        squares: (films, side, side) uint8, squashed films.
        files: the name of each film.
        labels: (films,) 1 for pneumonia and 0 for normal.
        ratios: (films,) as `aspect_ratios` returns them; a film of unknown ratio stays as it is.

    Returns:
        (films, side, side) uint8.

    Raises:
        DatasetError: if no ratio of one class is known.
    """
    known = {label: ratios[(labels == label) & ~np.isnan(ratios)] for label in (0, 1)}
    if not all(len(some) for some in known.values()):
        raise DatasetError(
            "How wide and how high the films were is not known: they are squashed to squares. Point to the original "
            f"films, or put {MASKS}/{TABLE} with the columns {', '.join(_COLUMNS)} beside the data set."
        )
    cropped = np.empty_like(squares)
    for film, (square, file, label, ratio) in enumerate(zip(squares, files, labels, ratios, strict=True)):
        rng = np.random.default_rng(zlib.crc32(Path(file).name.encode()))
        other = rng.choice(known[1 - int(label)])
        cropped[film] = views.cut(square, views.WHOLE if np.isnan(ratio) else _part(other / ratio, rng))
    return cropped


def _part(stretch: float, rng: np.random.Generator) -> views.Box:
    """Return the largest part that is `stretch` times as wide for its height as the whole, anywhere in it."""
    across, down = min(stretch, 1.0), min(1 / stretch, 1.0)
    left, top = rng.uniform(0, 1 - across), rng.uniform(0, 1 - down)
    return left, top, left + across, top + down


def _own_ratio(file: Path) -> float:
    try:
        with Image.open(file) as picture:
            width, height = picture.size
    except (OSError, UnidentifiedImageError):
        return np.nan
    return np.nan if width == height else width / height
