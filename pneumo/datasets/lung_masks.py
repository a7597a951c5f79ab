"""Hand-drawn lung masks of a data set: their pictures, and the size that each film had before it was squashed.

The masks lie in a folder beside the data set with a table ``labels.csv``. The width:height of the films as they were
taken tells the label of the Guangzhou training films (about 1.23 where normal, 1.51 in pneumonia) and less so that of
the test films, and it stays in a film that is squashed to a square: there the chest is narrow or wide.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumo import radiograph
from pneumo.errors import DatasetError, ImageError

# The folder beside a data set, and the table in it.
FOLDER, TABLE = "lung_masks", "labels.csv"
# The columns of that table that are read, and what they are called here.
COLUMNS = {"kermany_file": "name", "mask": "mask", "orig_width": "width", "orig_height": "height"}


def read_table(path: Path) -> pd.DataFrame:
    """Read the table of the lung masks.

    Returns:
        ``name`` of the film, each once; ``mask``, a path below the table's folder; ``width, height`` in pixels of the
        film before it was squashed.

    Raises:
        DatasetError: if the file is missing or no such table.
    """
    try:
        known = pd.read_csv(path, usecols=list(COLUMNS)).rename(columns=COLUMNS)
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path} is no table of lung masks ({error}). Point to the masks' labels.csv or to none."
        ) from error
    return known.drop_duplicates("name", ignore_index=True)


def read_mask(path: Path) -> npt.NDArray[np.uint8]:
    """Read a mask as (height, width) uint8; what is drawn is 255, and above 127 in a mask that was made smaller.

    Raises:
        DatasetError: if it cannot be read.
    """
    try:
        return radiograph.grey_levels(path)
    except ImageError as error:
        raise DatasetError(f"{path} is missing or not a picture ({error}). Unpack the masks anew.") from error


def aspect_ratios(root: Path, films: pd.DataFrame, masks: Path | None = None) -> npt.NDArray[np.float64]:
    """Return the width:height of each film as it was taken.

    Args:
        root: the folder that the files of `films` are relative to.
        films: as `kaggle.scan` returns them, or a part of them.
        masks: the folder of lung masks, whose table tells the sizes of the originals; the one beside the data set where
            None, if there is one.

    Returns:
        (films,) float64: by the masks' table where it names the film, else by the film's own pixels; NaN where those
        are a square, as in a copy that was squashed, or cannot be read.

    Raises:
        DatasetError: if `masks` was given and has no such table.
    """
    beside = root.parent / FOLDER
    if masks is None and (beside / TABLE).is_file():
        masks = beside
    names = films["file"].str.rsplit("/", n=1).str[-1]
    ratios = np.full(len(films), np.nan)
    if masks is not None:
        known = read_table(masks / TABLE).set_index("name")
        ratios = names.map(known["width"] / known["height"]).to_numpy(np.float64, copy=True)
    for film in np.flatnonzero(np.isnan(ratios)):
        ratios[film] = _own_ratio(root / films["file"].iloc[film])
    return ratios


def _own_ratio(file: Path) -> float:
    try:
        width, height = radiograph.size(file)
    except ImageError:
        return np.nan
    return np.nan if width == height else width / height
