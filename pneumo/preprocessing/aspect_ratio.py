"""The aspect ratio (width:height) of the films as they were taken.

It tells the label of the Guangzhou training films (about 1.23 where normal, 1.51 in pneumonia) and less so that of the
test films, and it stays in a film that is squashed to a square: there the chest is narrow or wide.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from pneumo.errors import DatasetError

# The folder of lung masks beside a data set, and its table.
MASKS, TABLE = "lung_masks", "labels.csv"
# Between these lie nearly all of the data set's films: views that are drawn from here tell nothing of the label.
RANDOMISED = (1.0, 2.0)
# The columns of that table that are read, and what they are called here.
COLUMNS = {"kermany_file": "name", "orig_width": "width", "orig_height": "height"}


def original_sizes(masks_table: Path) -> pd.DataFrame:
    """Read what the table of the lung masks tells of the films before they were squashed.

    Returns:
        ``name, width, height`` in pixels, each name once.

    Raises:
        DatasetError: if the file is missing or no such table.
    """
    try:
        known = pd.read_csv(masks_table, usecols=list(COLUMNS)).rename(columns=COLUMNS)
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{masks_table} is no table of lung masks ({error}). Point to the masks' labels.csv or to none."
        ) from error
    return known.drop_duplicates("name")


def aspect_ratios(root: Path, table: pd.DataFrame, masks: Path | None = None) -> np.ndarray:
    """Return the width:height of each film as it was taken.

    Args:
        root: the folder that the table's files are relative to.
        table: as `kaggle.scan` returns it, or a part of it.
        masks: the folder of lung masks, whose table tells the sizes of the originals; the one beside the data set where
            None, if there is one.

    Returns:
        (films,) float64: by the masks' table where it names the film, else by the film's own pixels; NaN where those
        are a square, as in a copy that was squashed.

    Raises:
        DatasetError: if `masks` was given and has no such table.
    """
    beside = root.parent / MASKS
    if masks is None and (beside / TABLE).is_file():
        masks = beside
    names = table["file"].str.rsplit("/", n=1).str[-1]
    ratios = np.full(len(table), np.nan)
    if masks is not None:
        known = original_sizes(masks / TABLE).set_index("name")
        ratios = names.map(known["width"] / known["height"]).to_numpy(np.float64, copy=True)
    for film in np.flatnonzero(np.isnan(ratios)):
        ratios[film] = _own_ratio(root / table["file"].iloc[film])
    return ratios


def crop_range(ratio: float, wanted: tuple[float, float] = RANDOMISED) -> tuple[float, float] | None:
    """Return the aspect ratios that crops of a squashed film may have, for its views to have one that is wanted.

    Args:
        ratio: the film's own width:height, NaN where that is not known.
        wanted: the least and the greatest width:height of a view.

    Returns:
        See `augmentation.augmented_input`; None where the ratio is not known.
    """
    return None if np.isnan(ratio) else (wanted[0] / ratio, wanted[1] / ratio)


def _own_ratio(file: Path) -> float:
    try:
        with Image.open(file) as picture:
            width, height = picture.size
    except (OSError, UnidentifiedImageError):
        return np.nan
    return np.nan if width == height else width / height
