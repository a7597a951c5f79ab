"""The one path from a radiograph's pixels to a model's input, the same in training and in prediction.

A film is first squashed to a `SQUARE` x `SQUARE` picture by area averaging, which is what the published
training files underwent, so a 224 px training file and its full-size original meet the model alike. Its
`WINDOW` percentiles are then stretched to 0…1, so that exposure and the window that a file was exported with
matter less. Everything here is NumPy and OpenCV: a Keras backend is free to choose.
"""

import cv2
import numpy as np

SQUARE = 224
WINDOW = (1.0, 99.0)


def film_square(pixels: np.ndarray) -> np.ndarray:
    """Squash a film to a square and stretch its grey values.

    They are rounded to the 8 bits in which films are held for training, so that a film makes the same input there and
    here.

    Args:
        pixels: (height, width) float32, any positive size.

    Returns:
        (`SQUARE`, `SQUARE`) float32, multiples of 1/255 in 0…1; a film of one flat value becomes all zeros.
    """
    return stretched(squashed(pixels))


def squashed(pixels: np.ndarray, side: int = SQUARE) -> np.ndarray:
    """Squash a picture to (side, side), its grey values as they are; it may have several channels."""
    interpolation = cv2.INTER_AREA if min(pixels.shape[:2]) >= side else cv2.INTER_LINEAR
    return cv2.resize(pixels, (side, side), interpolation=interpolation)


def stretched(square: np.ndarray) -> np.ndarray:
    """Stretch the grey values of a squashed film between its `WINDOW` percentiles to 0…1, as `film_square` does."""
    low, high = np.percentile(square, WINDOW)
    if high <= low:
        return np.zeros_like(square)
    stretched = np.clip((square - low) / (high - low), 0.0, 1.0)
    return np.rint(stretched * 255.0).astype(np.uint8) / np.float32(255)


def model_input(square: np.ndarray, size: int) -> np.ndarray:
    """Resize a `film_square`, or several crops of a film in the last axis, to a model's input.

    Returns:
        (size, size, crops) float32 in 0…1.
    """
    return squashed(square, size).reshape(size, size, -1)


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
