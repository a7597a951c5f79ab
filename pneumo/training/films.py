"""The films of a data set in memory, as networks train on them: read, cropped, shifted, reframed."""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pneumo import radiograph
from pneumo.errors import DatasetError
from pneumo.inference import lungs
from pneumo.inference.lungs import LungMask, Segmenter
from pneumo.preprocessing import aspect_ratio, augmentation, crops, network_input
from pneumo.preprocessing.augmentation import SHIFT, Augmentation
from pneumo.preprocessing.network_input import SQUARE

SURROUNDINGS = "surroundings"
_BATCH = 32


def load_squares(
    root: Path, table: pd.DataFrame, progress: Callable[[int, int], None] = lambda done, total: None
) -> np.ndarray:
    """Read the films of a data set table.

    Args:
        root: the folder that ``table["file"]`` is relative to.
        table: as `pneumo.datasets.kaggle.scan` returns it, or a part of it.
        progress: called with the number of films read and of all films.

    Returns:
        (films, `SQUARE`, `SQUARE`) uint8, the `network_input.film_square` of each times 255.

    Raises:
        ImageError: if a film cannot be read; the message names it.
    """
    squares = np.empty((len(table), SQUARE, SQUARE), np.uint8)
    for index, file in enumerate(table["file"]):
        square = network_input.film_square(radiograph.read(root / file).pixels)
        squares[index] = np.rint(square * 255.0)
        progress(index + 1, len(table))
    return squares


def without(square: np.ndarray, hidden: str, mask: LungMask) -> np.ndarray:
    """Return a film on which a part is black.

    Args:
        square: (`SQUARE`, `SQUARE`) of any type; left as it is.
        hidden: `crops.LUNGS` or `SURROUNDINGS`.
        mask: the lungs of the film.
    """
    lung = mask.pieces > 0
    return np.where(lung if hidden == crops.LUNGS else ~lung, square.dtype.type(0), square)


def all_stacked(
    squares: np.ndarray,
    views: Sequence[str],
    segmenter: Segmenter,
    progress: Callable[[int, int], None] = lambda done, total: None,
    hidden: str | None = None,
) -> np.ndarray:
    """Return the views of many films, their lungs drawn by the network.

    Args:
        squares: (films, `SQUARE`, `SQUARE`) uint8, as `load_squares` returns them.
        views: keys of `crops.CROPS`.
        segmenter: draws the lungs.
        hidden: what is made black once the lungs are found: `crops.LUNGS`, `SURROUNDINGS` or nothing.
        progress: called with the number of films done and of all films.

    Returns:
        (films, `SQUARE`, `SQUARE`) for one view, else (films, `SQUARE`, `SQUARE`, views), uint8.
    """
    shape = squares.shape if len(views) == 1 else (*squares.shape, len(views))
    pictures = np.empty(shape, np.uint8)
    for start in range(0, len(squares), _BATCH):
        part = squares[start : start + _BATCH]
        for offset, probability in enumerate(segmenter.probability(part / np.float32(255))):
            mask = lungs.of_probability(probability)
            film = without(part[offset], hidden, mask) if hidden else part[offset]
            pictures[start + offset] = crops.cropped(film, views, mask.box)
        progress(min(start + _BATCH, len(squares)), len(squares))
    return pictures


def shifted_squares(
    squares: np.ndarray,
    files: Sequence[str],
    shift: Augmentation = SHIFT,
    draw: int = 0,
    stretches: Sequence[tuple[float, float] | None] | None = None,
) -> np.ndarray:
    """Return films as another hospital might have framed and exposed them, see `augmentation.shifted_input`.

    Args:
        squares: (films, `SQUARE`, `SQUARE`) uint8.
        files: the name of each film, which decides on its view.
        shift: how far a view may stray.
        draw: which of a film's views.
        stretches: of each film, see `augmentation.augmented_input`.

    Returns:
        (films, `SQUARE`, `SQUARE`) uint8.
    """
    shifted = (
        augmentation.shifted_input(square / np.float32(255), SQUARE, file, shift, draw, shapes)[..., 0]
        for square, file, shapes in zip(squares, files, stretches or [None] * len(files), strict=True)
    )
    return np.stack([np.rint(square * 255).astype(np.uint8) for square in shifted])


def swapped_frames(squares: np.ndarray, files: Sequence[str], labels: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """Crop each film to the width:height of a film of the other class, and squash what is left.

    The largest such part is kept, from a place that the film's name decides on, as it decides on the other film.

    Args:
        squares: (films, side, side) uint8, squashed films.
        files: the name of each film.
        labels: (films,) 1 for pneumonia and 0 for normal.
        ratios: (films,) as `aspect_ratio.aspect_ratios` returns them; a film of unknown ratio stays as it is.

    Returns:
        (films, side, side) uint8.

    Raises:
        DatasetError: if no ratio of one class is known.
    """
    known = {label: ratios[(labels == label) & ~np.isnan(ratios)] for label in (0, 1)}
    if not all(len(some) for some in known.values()):
        raise DatasetError(
            "How wide and how high the films were is not known: they are squashed to squares. Point to the original "
            f"films, or put {aspect_ratio.MASKS}/{aspect_ratio.TABLE} with the columns "
            f"{', '.join(aspect_ratio.COLUMNS)} beside the data set."
        )
    cropped = np.empty_like(squares)
    for film, (square, file, label, ratio) in enumerate(zip(squares, files, labels, ratios, strict=True)):
        rng = np.random.default_rng(zlib.crc32(Path(file).name.encode()))
        other = rng.choice(known[1 - int(label)])
        cropped[film] = crops.cut(square, crops.WHOLE if np.isnan(ratio) else _part(other / ratio, rng))
    return cropped


def _part(stretch: float, rng: np.random.Generator) -> crops.Box:
    """Return the largest part that is `stretch` times as wide for its height as the whole, anywhere in it."""
    across, down = min(stretch, 1.0), min(1 / stretch, 1.0)
    left, top = rng.uniform(0, 1 - across), rng.uniform(0, 1 - down)
    return left, top, left + across, top + down
