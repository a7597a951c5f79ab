"""What of a film a model sees: the whole of it, or the box of its lungs, each stretched to a square.

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


def box(view: str, lungs: Box | None) -> Box:
    """Return the part of a film that a view shows; the whole film where it has no lungs.

    Args:
        view: key of `CROPS`.
        lungs: the box of the lungs; not needed for `FILM`.
    """
    if view != LUNGS or lungs is None:
        return WHOLE
    left, top, right, bottom = lungs
    across, down = MARGIN * (right - left), MARGIN * (bottom - top)
    return max(left - across, 0.0), max(top - down, 0.0), min(right + across, 1.0), min(bottom + down, 1.0)


def share(part: Box) -> float:
    """Return how much of the film a part of it is, 0…1."""
    left, top, right, bottom = part
    return (right - left) * (bottom - top)


def cut(square: np.ndarray, part: Box) -> np.ndarray:
    """Cut a part out of a `network_input.film_square` and stretch it to a square of the same size.

    Returns:
        (side, side) of the same type; the square itself where the part is all of it.
    """
    if part == WHOLE:
        return square
    side = square.shape[0]
    left, top, right, bottom = (round(edge * side) for edge in part)
    return cv2.resize(square[top:bottom, left:right], (side, side), interpolation=cv2.INTER_LINEAR)


def stacked(square: np.ndarray, views: Sequence[str], lungs: Box | None) -> np.ndarray:
    """Return the views of a `network_input.film_square` that a model takes.

    Returns:
        (side, side) for one view, else (side, side, views), of the same type.
    """
    pictures = [cut(square, box(view, lungs)) for view in views]
    return pictures[0] if len(pictures) == 1 else np.stack(pictures, axis=-1)


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
