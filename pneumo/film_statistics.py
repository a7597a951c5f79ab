"""Statistics of the pixels of many films, none of which can be told from them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumo.errors import DatasetError
from pneumo.registration import FEWEST

SIDE = 224
LEVELS_A_BIN = 4
BINS = 256 // LEVELS_A_BIN
ABOVE, BELOW = (179, 88, 6), (33, 102, 172)
PICTURES = {
    "normal": ("NORMAL", None),
    "bacterial": ("PNEUMONIA", "bacteria"),
    "viral": ("PNEUMONIA", "virus"),
    "pneumonia": ("PNEUMONIA", None),
}


@dataclass(frozen=True, eq=False)
class FilmStatistics:
    """What `measure` found in n films.

    Attributes:
        histograms: pixels in each of 64 bins of 4 grey values, shape (n, 64).
        brightness: mean grey value, shape (n,), 0…255.
        width: of the file as it is, in pixels, shape (n,).
        height: likewise.
        pictures: ``mean_<kind>`` and ``std_<kind>`` over the train films of each kind in `PICTURES`, uint8,
            shape (224, 224), in grey values; none of a kind with fewer than 8 films.
    """

    histograms: npt.NDArray[np.int64]
    brightness: npt.NDArray[np.float64]
    width: npt.NDArray[np.int64]
    height: npt.NDArray[np.int64]
    pictures: dict[str, npt.NDArray[np.uint8]]


def measure(table: pd.DataFrame, root: Path, progress: Callable[[str], None] = lambda _: None) -> FilmStatistics:
    """Read each film once, squash it to 224 × 224, and gather its statistics.

    Args:
        table: as `pneumo.dataset.scan` returns it.
        root: the folder that the table's ``file`` is relative to.
        progress: is told how far the reading is.

    Raises:
        DatasetError: if a film cannot be read.
    """
    histograms = np.zeros((len(table), BINS), np.int64)
    sizes = np.zeros((len(table), 2), np.int64)
    brightness = np.zeros(len(table))
    sums = {kind: np.zeros((2, SIDE, SIDE)) for kind in PICTURES}
    films = dict.fromkeys(PICTURES, 0)
    rows = zip(table["file"], table["split"], table["label"], table["pathogen"], strict=True)
    for number, (file, split, label, pathogen) in enumerate(rows):
        if number % 500 == 0:
            progress(f"{number:,} of {len(table):,} films read")
        picture = cv2.imread(str(root / file), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            raise DatasetError(f"{root / file} is not a readable picture. Unpack the data set anew.")
        sizes[number] = picture.shape
        if picture.shape != (SIDE, SIDE):
            picture = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        value = np.asarray(picture, np.float64)
        brightness[number] = value.mean()
        histograms[number] = np.bincount(value.astype(np.int64).ravel() // LEVELS_A_BIN, minlength=BINS)
        for kind, (wanted, germ) in PICTURES.items():
            if split == "train" and label == wanted and germ in (None, pathogen):
                sums[kind] += value, value**2
                films[kind] += 1
    progress(f"{len(table):,} of {len(table):,} films read")
    # The mean of a handful would show a child.
    pictures = {kind: _mean_and_deviation(sums[kind] / films[kind]) for kind in PICTURES if films[kind] >= FEWEST}
    return FilmStatistics(
        histograms=histograms,
        brightness=brightness,
        width=sizes[:, 1],
        height=sizes[:, 0],
        pictures={
            f"{figure}_{kind}": picture
            for kind, pair in pictures.items()
            for figure, picture in zip(("mean", "std"), pair, strict=True)
        },
    )


def _mean_and_deviation(
    moments: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    mean, square = moments
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    return mean.round().astype(np.uint8), deviation.round().astype(np.uint8)


def full_contrast(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Stretch a picture to 0 … 255 for display: a standard deviation is dark without it."""
    low, high = int(picture.min()), int(picture.max())
    return ((picture.astype(np.float64) - low) / max(high - low, 1) * 255).round().astype(np.uint8)


def class_difference(
    pictures: dict[str, npt.NDArray[np.uint8]], first: str = "pneumonia", second: str = "normal"
) -> npt.NDArray[np.int16] | None:
    """Return how much brighter one kind's mean is than another's, in grey values; None where a mean is missing.

    Args:
        pictures: as `measure` returns them.
        first: key of `PICTURES`; where its mean is brighter the difference is positive.
        second: key of `PICTURES`.

    Returns:
        (224, 224) int16, −255…255.
    """
    means = [pictures.get(f"mean_{kind}") for kind in (first, second)]
    if means[0] is None or means[1] is None:
        return None
    return means[0].astype(np.int16) - means[1].astype(np.int16)


def signed_picture(difference: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    """Colour a signed picture: orange above zero, white at it, blue below it, fullest at the greatest magnitude.

    Returns:
        (height, width, 3) uint8, RGB; the colours are ends of ColorBrewer's PuOr and RdBu, which the colour-blind tell
        apart.
    """
    share = difference / max(int(np.abs(difference).max()), 1)
    ends = np.where(share[..., np.newaxis] > 0, np.array(ABOVE), np.array(BELOW))
    strength = np.abs(share)[..., np.newaxis]
    return np.rint(255 + (ends - 255.0) * strength).astype(np.uint8)


def difference_text(name: str, difference: npt.NDArray[np.int16]) -> str:
    """Return how far a `class_difference` reaches, as a sentence; `name` says which means were compared."""
    low, high = f"{difference.min():+d}".replace("-", "−"), f"{difference.max():+d}".replace("-", "−")
    return f"{name.capitalize()}: from {low} to {high} grey values of 255."
