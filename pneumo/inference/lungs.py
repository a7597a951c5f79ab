"""The lung mask of a radiograph: where the lungs lie, their box, and their six zones."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pneumo.model_store import runtime
from pneumo.preprocessing import network_input
from pneumo.preprocessing.network_input import SQUARE

if TYPE_CHECKING:
    import keras

# A pixel is lung at or above this; the network's loss balances both classes, so there is nothing to tune.
THRESHOLD = 0.5
# A piece is a lung where it has this share of the larger lung's area. Collapsed and opaque lungs are drawn small.
SMALLEST_LUNG = 0.1
# A single piece narrower than this share of the film is one lung: of 5,850 drawn pairs the narrowest spans 0.53.
BOTH_LUNGS_WIDTH = 0.5
# The viewer's left is the patient's right.
SIDES = ("right", "left")
LEVELS = ("upper", "middle", "lower")
ZONES = tuple(f"{side} {level}" for side in SIDES for level in LEVELS)


@dataclass(frozen=True, eq=False)
class LungMask:
    """The lungs of one film.

    Attributes:
        square: (`SQUARE`, `SQUARE`) uint8, the probability of lung times 255 on the film squashed to a square, zero
            outside the pieces that are taken for lungs.
        pieces: (`SQUARE`, `SQUARE`) uint8: 1 and 2 for the one and the other lung, by area, 0 elsewhere.
        uncertainty: the area where the network is in doubt (probability 0.1 to 0.9) as a multiple of the area that it
            takes for lung: about 0.2 on a chest film, where only the outlines are in doubt, and 1 or more on other
            pictures.
        third_piece: the area of the third largest piece of what the network takes for lung, as a share of the largest:
            nearly 0 on a chest film, more where several films lie in one picture.
    """

    square: np.ndarray
    pieces: np.ndarray
    uncertainty: float
    third_piece: float = 0.0

    @property
    def count(self) -> int:
        """How many lungs were found: 0, 1 or 2."""
        return int(self.pieces.max())

    @property
    def share(self) -> float:
        """Share of the film that is lung, 0…1."""
        return float((self.pieces > 0).mean())

    @cached_property
    def box(self) -> tuple[float, float, float, float] | None:
        """Left, top, right and bottom of the lungs as shares of the film's width and height; None without lungs."""
        rows, columns = (np.flatnonzero(self.pieces.any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return None
        (left, right), (top, bottom) = ((int(line[0]), int(line[-1]) + 1) for line in (columns, rows))
        return left / SQUARE, top / SQUARE, right / SQUARE, bottom / SQUARE

    @property
    def edge_shares(self) -> tuple[float, float, float, float]:
        """Share of the film's left, top, right and bottom edge that lungs lie on, each 0…1."""
        lung = self.pieces > 0
        left, top, right, bottom = (float(edge.mean()) for edge in (lung[:, 0], lung[0], lung[:, -1], lung[-1]))
        return left, top, right, bottom

    def at(self, height: int, width: int) -> np.ndarray:
        """Return the mask in the size of a film or a picture of it, (height, width) bool."""
        shrinks = height < SQUARE or width < SQUARE
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cv2.resize(self.square, (width, height), interpolation=interpolation) >= round(THRESHOLD * 255)

    def zones(self, height: int, width: int) -> np.ndarray:
        """Return the zones in the size of a film: 0 outside the lungs, else 1 + the index in `ZONES`.

        Each lung is cut into three levels of equal height, as in the radiographic zones of Brixia (Borghesi and
        Maroldi 2020). The sides are the viewer's, so a mirrored film is mirrored here.

        Returns:
            (height, width) uint8.
        """
        zones = np.zeros((height, width), np.uint8)
        if self.box is None:
            return zones
        mask = self.at(height, width)
        left_lung = cv2.resize(self._left_lung.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
        for side, lung in enumerate((mask & ~left_lung, mask & left_lung)):
            rows = np.flatnonzero(lung.any(axis=1))
            if len(rows):
                top, bottom = rows[0], rows[-1] + 1
                levels = (np.arange(top, bottom) - top) * len(LEVELS) // (bottom - top)
                numbers = (1 + side * len(LEVELS) + levels).astype(np.uint8)[:, np.newaxis]
                np.copyto(zones[top:bottom], numbers, where=lung[top:bottom])
        return zones

    @cached_property
    def _left_lung(self) -> np.ndarray:
        """The pixels that would belong to the lung on the viewer's right, (`SQUARE`, `SQUARE`) bool."""
        columns = np.arange(SQUARE)[np.newaxis, :] + 0.5
        first, second = (self.pieces == piece for piece in (1, 2))
        if self.count == 2:
            to_first, to_second = (
                cv2.distanceTransform((~piece).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
                for piece in (first, second)
            )
            first_is_left = np.nonzero(first)[1].mean() > np.nonzero(second)[1].mean()
            return (to_first < to_second) if first_is_left else (to_second < to_first)
        left, _, right, _ = self.box or (0.0, 0.0, 1.0, 1.0)
        # Two lungs that touch reach across most of the film; a single lung lies on its own side of the middle.
        middle = (left + right) / 2
        if right - left < BOTH_LUNGS_WIDTH:
            return np.full(self.pieces.shape, middle >= 0.5)
        return np.broadcast_to(columns >= middle * SQUARE, self.pieces.shape)

    def outline(self, height: int, width: int, thickness: int) -> np.ndarray:
        """Return the line around the lungs, (height, width) bool, `thickness` pixels wide."""
        mask = self.at(height, width).astype(np.uint8)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * thickness + 1, 2 * thickness + 1))
        return (cv2.dilate(mask, kernel) > 0) & (mask == 0)


def of_probability(probability: np.ndarray) -> LungMask:
    """Return the mask that a network's output tells: at most two pieces, without holes.

    Args:
        probability: (side, side) float in 0…1, of the film squashed to a square.
    """
    square = cv2.resize(probability.astype(np.float32), (SQUARE, SQUARE), interpolation=cv2.INTER_LINEAR)
    square = np.rint(square.clip(0, 1) * 255).astype(np.uint8)
    lung = _without_holes(square >= round(THRESHOLD * 255))
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(lung.astype(np.uint8), connectivity=4)
    areas = statistics[:, cv2.CC_STAT_AREA]
    largest = sorted(range(1, count), key=lambda piece: -areas[piece])
    third_piece = float(areas[largest[2]] / areas[largest[0]]) if len(largest) > 2 else 0.0
    pieces = np.zeros_like(square)
    for number, piece in enumerate(largest[:2], start=1):
        if areas[piece] >= SMALLEST_LUNG * areas[largest[0]]:
            pieces[labels == piece] = number
    filled = np.where(pieces > 0, np.maximum(square, round(THRESHOLD * 255)), square)
    # Pixels just outside keep their probability, so that the outline stays smooth in a larger film.
    near = cv2.dilate((pieces > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    elsewhere = lung & (pieces == 0)
    doubtful = ((probability > 0.1) & (probability < 0.9)).mean()
    # The hundredth keeps a picture without lungs finite.
    uncertainty = float(doubtful / ((probability >= THRESHOLD).mean() + 0.01))
    return LungMask(np.where(near & ~elsewhere, filled, 0).astype(np.uint8), pieces, uncertainty, third_piece)


def _without_holes(mask: np.ndarray) -> np.ndarray:
    framed = np.pad((~mask).astype(np.uint8), 1, constant_values=1)
    cv2.floodFill(framed, None, (0, 0), 2)
    return framed[1:-1, 1:-1] != 2


class Segmenter:
    """A loaded lung network; one object may serve many threads."""

    def __init__(self, model: "Path | keras.Model") -> None:
        self._network = runtime.open_network(model)

    def segment(self, square: np.ndarray) -> LungMask:
        """Find the lungs of one film.

        Args:
            square: the film's `network_input.film_square`.
        """
        return self.segment_all(square[np.newaxis])[0]

    def segment_all(self, squares: np.ndarray) -> list[LungMask]:
        """Find the lungs of each of (films, side, side) squares."""
        return [of_probability(probability) for probability in self.probability(squares)]

    def probability(self, squares: np.ndarray) -> np.ndarray:
        """Return the probability of lung in each pixel, (films, size, size) float32, of (films, side, side) squares.

        It is the mean of the film's and its mirror image's, which came nearer to the human's outlines on validation.
        """
        inputs = np.stack([network_input.model_input(square, self._network.size) for square in squares])
        [drawn] = self._network.run(np.concatenate([inputs, inputs[:, :, ::-1]])).results
        return (drawn[: len(squares), ..., 0] + drawn[len(squares) :, :, ::-1, 0]) / 2
