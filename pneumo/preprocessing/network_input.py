"""The one path from a radiograph to a model's input, the same in training and in prediction; augmentation.

A film is first squashed to a `SQUARE` x `SQUARE` picture by area averaging, which is what the published
training files underwent, so a 224 px training file and its full-size original meet the model alike. Its
`WINDOW` percentiles are then stretched to 0…1, so that exposure and the window that a file was exported with
matter less. Everything here is NumPy and OpenCV: a Keras backend is free to choose.
"""

import dataclasses
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

SQUARE = 224
WINDOW = (1.0, 99.0)


@dataclass(frozen=True)
class Augmentation:
    """How far a random view of a film may stray; every range is symmetric and drawn uniformly.

    Attributes:
        min_area: the smallest share of the film that a crop keeps, 0…1; 1 switches cropping off.
        max_stretch: the largest width:height (or height:width) of a crop.
        brightness: added to the grey values, ± this.
        contrast: grey values are scaled about their mean by 1 ± this.
        gamma: grey values are raised to 1 ± this.
        flip: probability of a left-right flip.
        detail: the smallest share of a crop's rows, and of its columns, that it is shrunk to before it is stretched to
            the input, 0…1; each is drawn on its own, and 1 keeps all.
    """

    min_area: float = 0.2
    max_stretch: float = 4 / 3
    brightness: float = 0.3
    contrast: float = 0.3
    gamma: float = 0.3
    flip: float = 0.5
    detail: float = 1.0


# What another hospital does to a film: other framing and exposure. Milder than the training views, and never
# mirrored, because a clinic's films are not.
SHIFT = Augmentation(min_area=0.6, max_stretch=1.2, brightness=0.15, contrast=0.25, gamma=0.3, flip=0.0)
# As far as training itself goes: on such views models differ by more than on those of `SHIFT`.
HARD_SHIFT = Augmentation(flip=0.0, detail=0.4)
# The same with all detail: who takes a film does not blur it along one side.
SHARP_SHIFT = dataclasses.replace(HARD_SHIFT, detail=1.0)


def film_square(pixels: np.ndarray) -> np.ndarray:
    """Squash a film to a square and stretch its grey values.

    They are rounded to the 8 bits in which films are held for training, so that a film makes the same input there and
    here.

    Args:
        pixels: (height, width) float32, any positive size.

    Returns:
        (`SQUARE`, `SQUARE`) float32, multiples of 1/255 in 0…1; a film of one flat value becomes all zeros.
    """
    square = squashed(pixels)
    low, high = np.percentile(square, WINDOW)
    if high <= low:
        return np.zeros_like(square)
    stretched = np.clip((square - low) / (high - low), 0.0, 1.0)
    return np.rint(stretched * 255.0).astype(np.uint8) / np.float32(255)


def squashed(pixels: np.ndarray) -> np.ndarray:
    """Squash a film to (`SQUARE`, `SQUARE`), its grey values as they are."""
    return _resized(pixels, SQUARE)


def model_input(square: np.ndarray, size: int) -> np.ndarray:
    """Resize a `film_square`, or several views of a film in the last axis, to a model's input.

    Returns:
        (size, size, views) float32 in 0…1.
    """
    return _resized(square, size).reshape(size, size, -1)


def augmented_input(
    square: np.ndarray,
    size: int,
    augmentation: Augmentation,
    rng: np.random.Generator,
    stretches: tuple[float, float] | None = None,
) -> np.ndarray:
    """Draw a random view of a `film_square`: random resized crop, detail, gamma, contrast, brightness, flip.

    The random resized crop is that of Szegedy et al. (arXiv:1409.4842): a share of the area and an aspect
    ratio are drawn, and the crop is stretched to the input.

    Args:
        square: (`SQUARE`, `SQUARE`) float32 in 0…1.
        size: side of the view in pixels.
        augmentation: how far it may stray.
        rng: draws it.
        stretches: the least and the greatest width:height of a crop, in place of those of `augmentation`; such a crop
            is made smaller until it fits.

    Returns:
        (size, size, 1) float32 in 0…1.
    """
    side = square.shape[0]
    area = rng.uniform(augmentation.min_area, 1.0) * side * side
    least, most = stretches or (1 / augmentation.max_stretch, augmentation.max_stretch)
    stretch = math.exp(rng.uniform(math.log(least), math.log(most)))
    if stretches:
        area = min(area, min(stretch, 1 / stretch) * side * side)
    width = min(side, max(1, round(float(np.sqrt(area * stretch)))))
    height = min(side, max(1, round(float(np.sqrt(area / stretch)))))
    left = int(rng.integers(0, side - width + 1))
    top = int(rng.integers(0, side - height + 1))
    crop = square[top : top + height, left : left + width]
    if augmentation.detail < 1:
        rows, columns = (max(1, round(length * rng.uniform(augmentation.detail, 1.0))) for length in (height, width))
        crop = cv2.resize(crop, (columns, rows), interpolation=cv2.INTER_AREA)
    view = _resized(crop, size)

    view = view ** (1.0 + rng.uniform(-augmentation.gamma, augmentation.gamma))
    mean = float(view.mean())
    view = (view - mean) * (1.0 + rng.uniform(-augmentation.contrast, augmentation.contrast)) + mean
    view = view + rng.uniform(-augmentation.brightness, augmentation.brightness)
    if rng.random() < augmentation.flip:
        view = view[:, ::-1]
    return np.clip(view, 0.0, 1.0).astype(np.float32)[..., np.newaxis]


def shifted_input(
    square: np.ndarray,
    size: int,
    file: str,
    shift: Augmentation = SHIFT,
    draw: int = 0,
    stretches: tuple[float, float] | None = None,
) -> np.ndarray:
    """Draw a shifted view that belongs to a file, the same on every machine and in every run.

    Args:
        square: (`SQUARE`, `SQUARE`) float32 in 0…1.
        size: side of the view in pixels.
        file: whose view it is.
        shift: how far it may stray.
        draw: which of its views.
        stretches: see `augmented_input`.

    Returns:
        (size, size, 1) float32 in 0…1.
    """
    own = zlib.crc32(Path(file).name.encode())
    rng = np.random.default_rng((own, draw) if draw else own)
    return augmented_input(square, size, shift, rng, stretches)


def fit_within(pixels: np.ndarray, side: int) -> np.ndarray:
    """Shrink a film for a screen, keeping its aspect ratio; a smaller film stays as it is.

    Returns:
        (height, width) float32 in 0…1, neither above `side`.
    """
    scale = side / max(pixels.shape)
    if scale >= 1:
        return pixels
    height, width = (max(1, round(length * scale)) for length in pixels.shape)
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)


def _resized(picture: np.ndarray, size: int) -> np.ndarray:
    interpolation = cv2.INTER_AREA if min(picture.shape[:2]) >= size else cv2.INTER_LINEAR
    return cv2.resize(picture, (size, size), interpolation=interpolation)
