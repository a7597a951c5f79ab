"""Overlap and surface distance of a mask and a reference: arrays in, numbers out."""

import numpy as np
from scipy import ndimage


def dice(drawn: np.ndarray, truth: np.ndarray) -> float:
    """Return the Dice coefficient of two masks, 0…1; 1 where both are empty (Dice 1945).

    Args:
        drawn: (height, width) bool.
        truth: (height, width) bool.
    """
    total = int(drawn.sum()) + int(truth.sum())
    return 2 * float((drawn & truth).sum()) / total if total else 1.0


def iou(drawn: np.ndarray, truth: np.ndarray) -> float:
    """Return the intersection over union of two masks, 0…1; 1 where both are empty (Jaccard 1912)."""
    union = float((drawn | truth).sum())
    return float((drawn & truth).sum()) / union if union else 1.0


def boundary_distance(drawn: np.ndarray, truth: np.ndarray) -> float:
    """Return the average symmetric surface distance in pixels: how far the two outlines lie apart.

    The mean over all pixels of both outlines of the distance to the nearest pixel of the other (Heimann et al. 2009).
    NaN where one of the masks has no outline: it is empty or fills the picture.
    """
    outlines = [outline(drawn), outline(truth)]
    if not all(line.any() for line in outlines):
        return np.nan
    to_first, to_second = (ndimage.distance_transform_edt(~line) for line in outlines)
    return float(np.concatenate([to_second[outlines[0]], to_first[outlines[1]]]).mean())


def outline(mask: np.ndarray) -> np.ndarray:
    """Return the pixels of a mask that touch what lies outside it, (height, width) bool; the frame counts as inside."""
    return mask & ~ndimage.binary_erosion(mask, border_value=1)
