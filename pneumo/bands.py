"""Arithmetic on pictures a band of rows at a time, so that a large one does not stand in memory several times over."""

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

BAND_PIXELS = 2_000_000

# The share of pixels at each end that a percentile window leaves out: collimator edges, lead markers.
PERCENTILES = (0.5, 99.5)

# Of larger pictures every second, third, … pixel is enough to find the percentiles of.
MAX_SAMPLE = 16_000_000


def bands(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield the rows of a picture in bands of about `BAND_PIXELS` pixels."""
    height = max(1, BAND_PIXELS // max(1, shape[1]))
    return (slice(top, min(top + height, shape[0])) for top in range(0, shape[0], height))


def of_image(image: Image.Image) -> np.ndarray:
    """Return the pixels of a picture of one number a pixel, without the two copies that `numpy.asarray` makes."""
    pixels = np.empty((image.height, image.width), np.asarray(image.crop((0, 0, 1, 1))).dtype)
    for rows in bands(pixels.shape):
        pixels[rows] = np.asarray(image.crop((0, rows.start, image.width, rows.stop)))
    return pixels


def by_bands(values: np.ndarray, grey: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Bring pixels to grey band by band.

    Args:
        values: (height, width) or (height, width, colours).
        grey: maps a band of values to one number a pixel, whatever stands in the other bands.

    Returns:
        (height, width) float32; not finite where the arithmetic is not.
    """
    result = np.empty(values.shape[:2], np.float32)
    with np.errstate(all="ignore"):
        for rows in bands(values.shape):
            result[rows] = grey(values[rows])
    return result


def percentile_window(values: np.ndarray, shown: np.ndarray | None = None) -> np.ndarray:
    """Spread grey values between their `PERCENTILES`.

    Args:
        values: (height, width), any finite numbers.
        shown: (height, width) bool, the pixels that the percentiles are taken from; all of them if None.

    Returns:
        (height, width) float32, 0…1; all zeros where the values do not differ.
    """
    every = -(-values.size // MAX_SAMPLE) or 1
    sample = values.ravel()[::every]
    sample = (sample if shown is None else sample[shown.ravel()[::every]]).astype(np.float64)
    if not sample.size:
        return np.zeros(values.shape, np.float32)
    low, high = (float(limit) for limit in np.percentile(sample, PERCENTILES, overwrite_input=True))
    if high <= low:
        low, high = float(sample.min()), float(sample.max())
    if high <= low:
        return np.zeros(values.shape, np.float32)
    del sample
    return by_bands(values, lambda band: np.clip((band.astype(np.float64) - low) / (high - low), 0, 1))
