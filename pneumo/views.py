"""What of a film a model sees: the whole of it, or the box of its lungs, each stretched to a square.

The box keeps framing, letters, arms and the width of the film from the model. It is stretched and never padded: bars
would tell the box's aspect ratio, which in the training films tells the label.
"""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from pneumo import framing, preprocessing
from pneumo.errors import DatasetError
from pneumo.lungs import LungMask, Segmenter, of_probability
from pneumo.preprocessing import SHIFT, SQUARE, Augmentation

FILM, LUNGS = "film", "lungs"
SURROUNDINGS = "surroundings"
CROPS = {
    FILM: "whole film, stretched to a square",
    LUNGS: "box of the lungs and 5 % of it on each side, stretched to a square",
}
MARGIN = 0.05
# Left, top, right and bottom as shares of the film's width and height.
Box = tuple[float, float, float, float]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
_BATCH = 32


def box(view: str, mask: LungMask | None) -> Box:
    """Return the part of a film that a view shows; the whole film where it has no lungs.

    Args:
        view: key of `CROPS`.
        mask: the lungs of the film; not needed for `FILM`.
    """
    lungs = mask.box if view == LUNGS and mask else None
    if lungs is None:
        return WHOLE
    left, top, right, bottom = lungs
    across, down = MARGIN * (right - left), MARGIN * (bottom - top)
    return max(left - across, 0.0), max(top - down, 0.0), min(right + across, 1.0), min(bottom + down, 1.0)


def share(part: Box) -> float:
    """Return how much of the film a part of it is, 0…1."""
    left, top, right, bottom = part
    return (right - left) * (bottom - top)


def cut(square: np.ndarray, part: Box) -> np.ndarray:
    """Cut a part out of a `preprocessing.film_square` and stretch it to a square of the same size.

    Returns:
        (side, side) of the same type; the square itself where the part is all of it.
    """
    if part == WHOLE:
        return square
    side = square.shape[0]
    left, top, right, bottom = (round(edge * side) for edge in part)
    return cv2.resize(square[top:bottom, left:right], (side, side), interpolation=cv2.INTER_LINEAR)


def stacked(square: np.ndarray, views: Sequence[str], mask: LungMask | None) -> np.ndarray:
    """Return the views of a `preprocessing.film_square` that a model takes.

    Returns:
        (side, side) for one view, else (side, side, views), of the same type.
    """
    pictures = [cut(square, box(view, mask)) for view in views]
    return pictures[0] if len(pictures) == 1 else np.stack(pictures, axis=-1)


def without(square: np.ndarray, hidden: str, mask: LungMask) -> np.ndarray:
    """Return a film on which a part is black.

    Args:
        square: (`SQUARE`, `SQUARE`) of any type; left as it is.
        hidden: `LUNGS` or `SURROUNDINGS`.
        mask: the lungs of the film.
    """
    lung = mask.pieces > 0
    return np.where(lung if hidden == LUNGS else ~lung, square.dtype.type(0), square)


def all_stacked(
    squares: np.ndarray,
    views: Sequence[str],
    segmenter: Segmenter,
    progress: Callable[[int, int], None] = lambda done, total: None,
    hidden: str | None = None,
) -> np.ndarray:
    """Return the views of many films, their lungs drawn by the network.

    Args:
        squares: (films, `SQUARE`, `SQUARE`) uint8, as `preprocessing.load_squares` returns them.
        views: keys of `CROPS`.
        segmenter: draws the lungs.
        hidden: what is made black once the lungs are found: `LUNGS`, `SURROUNDINGS` or nothing.
        progress: called with the number of films done and of all films.

    Returns:
        (films, `SQUARE`, `SQUARE`) for one view, else (films, `SQUARE`, `SQUARE`, views), uint8.
    """
    shape = squares.shape if len(views) == 1 else (*squares.shape, len(views))
    pictures = np.empty(shape, np.uint8)
    for start in range(0, len(squares), _BATCH):
        part = squares[start : start + _BATCH]
        for offset, probability in enumerate(segmenter.probability(part / np.float32(255))):
            mask = of_probability(probability)
            film = without(part[offset], hidden, mask) if hidden else part[offset]
            pictures[start + offset] = stacked(film, views, mask)
        progress(min(start + _BATCH, len(squares)), len(squares))
    return pictures


def shifted_squares(
    squares: np.ndarray,
    files: Sequence[str],
    shift: Augmentation = SHIFT,
    draw: int = 0,
    stretches: Sequence[tuple[float, float] | None] | None = None,
) -> np.ndarray:
    """Return films as another hospital might have framed and exposed them, see `preprocessing.shifted_input`.

    Args:
        squares: (films, `SQUARE`, `SQUARE`) uint8.
        files: the name of each film, which decides on its view.
        shift: how far a view may stray.
        draw: which of a film's views.
        stretches: of each film, see `preprocessing.augmented_input`.

    Returns:
        (films, `SQUARE`, `SQUARE`) uint8.
    """
    shifted = (
        preprocessing.shifted_input(square / np.float32(255), SQUARE, file, shift, draw, shapes)[..., 0]
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
        ratios: (films,) as `framing.aspect_ratios` returns them; a film of unknown ratio stays as it is.

    Returns:
        (films, side, side) uint8.

    Raises:
        DatasetError: if no ratio of one class is known.
    """
    known = {label: ratios[(labels == label) & ~np.isnan(ratios)] for label in (0, 1)}
    if not all(len(some) for some in known.values()):
        raise DatasetError(
            "How wide and how high the films were is not known: they are squashed to squares. Point to the original "
            f"films, or put {framing.MASKS}/{framing.TABLE} with the columns {', '.join(framing.COLUMNS)} beside the "
            "data set."
        )
    cropped = np.empty_like(squares)
    for film, (square, file, label, ratio) in enumerate(zip(squares, files, labels, ratios, strict=True)):
        rng = np.random.default_rng(zlib.crc32(Path(file).name.encode()))
        other = rng.choice(known[1 - int(label)])
        cropped[film] = cut(square, WHOLE if np.isnan(ratio) else _part(other / ratio, rng))
    return cropped


def _part(stretch: float, rng: np.random.Generator) -> Box:
    """Return the largest part that is `stretch` times as wide for its height as the whole, anywhere in it."""
    across, down = min(stretch, 1.0), min(1 / stretch, 1.0)
    left, top = rng.uniform(0, 1 - across), rng.uniform(0, 1 - down)
    return left, top, left + across, top + down


def onto_film(picture: np.ndarray, part: Box, shape: tuple[int, int]) -> np.ndarray:
    """Lay what was drawn on a view back to where it belongs on the film; zero around it.

    Args:
        picture: (rows, columns) float32.
        part: what the view shows of the film.
        shape: (height, width) of the film, or of a picture of it.

    Returns:
        (height, width) float32, bicubic and therefore slightly beyond the range of `picture`.
    """
    height, width = shape
    columns, rows = (round(edge * width) for edge in part[0::2]), (round(edge * height) for edge in part[1::2])
    (left, right), (top, bottom) = columns, rows
    film = np.zeros(shape, np.float32)
    film[top:bottom, left:right] = cv2.resize(picture, (right - left, bottom - top), interpolation=cv2.INTER_CUBIC)
    return film
