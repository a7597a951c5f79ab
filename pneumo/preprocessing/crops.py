"""Crops of a film that a model sees: the whole of it, or the box of its lungs, each stretched to a square.

The box keeps framing, letters, arms and the width of the film from the model. It is stretched and never padded: bars
would tell the box's aspect ratio, which in the training films tells the label.
"""

from collections.abc import Sequence

import cv2
import numpy as np

FILM, LUNGS = "film", "lungs"
CROPS = {
    FILM: "whole film, stretched to a square",
    LUNGS: "box of the lungs and 5 % of it on each side, stretched to a square",
}
MARGIN = 0.05
# Left, top, right and bottom as shares of the film's width and height.
Box = tuple[float, float, float, float]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def box(crop_name: str, lungs: Box | None) -> Box:
    """Return the box of a crop on its film; the whole film where that has no lungs.

    Args:
        crop_name: key of `CROPS`.
        lungs: the box of the lungs; not needed for `FILM`.
    """
    if crop_name != LUNGS or lungs is None:
        return WHOLE
    left, top, right, bottom = lungs
    across, down = MARGIN * (right - left), MARGIN * (bottom - top)
    return max(left - across, 0.0), max(top - down, 0.0), min(right + across, 1.0), min(bottom + down, 1.0)


def share(box: Box) -> float:
    """Return how much of the film lies in a box, 0…1."""
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


def cut(square: np.ndarray, box: Box) -> np.ndarray:
    """Cut a box out of a `network_input.film_square` and stretch it to a square of the same size.

    Returns:
        (side, side) of the same type; the square itself where the box holds all of it.
    """
    if box == WHOLE:
        return square
    side = square.shape[0]
    left, top, right, bottom = (round(edge * side) for edge in box)
    return cv2.resize(square[top:bottom, left:right], (side, side), interpolation=cv2.INTER_LINEAR)


def cropped(square: np.ndarray, crop_names: Sequence[str], lungs: Box | None) -> np.ndarray:
    """Return the crops of a `network_input.film_square` that a model takes.

    Returns:
        (side, side) for one crop, else (side, side, crops), of the same type.
    """
    cuts = [cut(square, box(name, lungs)) for name in crop_names]
    return cuts[0] if len(cuts) == 1 else np.stack(cuts, axis=-1)


def onto_film(picture: np.ndarray, box: Box, shape: tuple[int, int]) -> np.ndarray:
    """Lay what was drawn on a crop back to where it belongs on the film; zero around it.

    Args:
        picture: (rows, columns) float32.
        box: of the crop on the film.
        shape: (height, width) of the film, or of a picture of it.

    Returns:
        (height, width) float32, bicubic and therefore slightly beyond the range of `picture`.
    """
    height, width = shape
    columns, rows = (round(edge * width) for edge in box[0::2]), (round(edge * height) for edge in box[1::2])
    (left, right), (top, bottom) = columns, rows
    film = np.zeros(shape, np.float32)
    film[top:bottom, left:right] = cv2.resize(picture, (right - left, bottom - top), interpolation=cv2.INTER_CUBIC)
    return film
