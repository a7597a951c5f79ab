"""How bright, how rich in contrast and how sharp a film is."""

from dataclasses import dataclass

import cv2
import numpy as np

from pneumo import preprocessing


@dataclass(frozen=True)
class Quality:
    """Measured on a film squashed to `preprocessing.SQUARE`, so that a copy of another size measures alike.

    Attributes:
        brightness: mean grey value, 0…1.
        contrast: the range of grey values from the 1st to the 99th percentile, 0…1.
        sharpness: standard deviation of the fine detail (below a Gaussian of 2 pixels) over that of the coarser detail
            (between Gaussians of 2 and 8 pixels). A blur takes the fine detail first; exposure changes neither.
    """

    brightness: float
    contrast: float
    sharpness: float


def measure(pixels: np.ndarray) -> Quality:
    """Measure a film, (height, width) float32 in 0…1."""
    small = preprocessing.squashed(pixels)
    low, high = np.percentile(small, preprocessing.WINDOW)
    fine, coarse = (cv2.GaussianBlur(small, (0, 0), sigma) for sigma in (2.0, 8.0))
    coarse_detail = float((fine - coarse).std())
    sharpness = float((small - fine).std()) / coarse_detail if coarse_detail > 0 else 0.0
    return Quality(float(small.mean()), float(high - low), sharpness)
