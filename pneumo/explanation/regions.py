"""The hot regions of a heat map: where they are, how much of the heat each holds, and what to call them."""

from dataclasses import dataclass

import cv2
import numpy as np

from pneumo.inference import lungs
from pneumo.sentences import Sentence, say

# What the zones are called for people.
ZONE_WORDS = {
    "right upper": say("right upper"),
    "right middle": say("right middle"),
    "right lower": say("right lower"),
    "left upper": say("left upper"),
    "left middle": say("left middle"),
    "left lower": say("left lower"),
}
# A place is hot from half of the scale on: of the film's hottest place, or of the model's reference.
HOT = 0.5
# A region smaller than this share of the film (10 x 10 pixels of 224) is lost in the smoothing of the maps.
SMALLEST_REGION = 0.002
# The share of the film that is taken for its hottest part: the lungs are a third of a film, so it is about two of their
# six zones. A share of the hottest place would not do: of a smooth map it takes in nearly the whole film.
HOTTEST = 0.1
# How far an outline may stray when points are left out of it, and how far beyond the frame it runs; both in pixels.
_STRAY, _BEYOND_FRAME = 0.5, 8


@dataclass(frozen=True, eq=False)
class HotRegion:
    """A connected piece of the hottest part of a film.

    Attributes:
        box: left, top, right and bottom in pixels of the map; right and bottom lie just outside.
        contour: its outline in pixels of the map, see `outlines`.
        share: of the film's heat that lies in the region, 0…1.
        area: share of the film that the region covers, 0…1.
        zone: the one of `lungs.ZONES` with most of the region's heat; empty where more than half of it lies outside
            the lungs; None where the lungs are not known.
    """

    box: tuple[int, int, int, int]
    contour: np.ndarray
    share: float
    area: float
    zone: str | None

    def __str__(self) -> Sentence:
        """Say it, as in ``above all in the right lower zone, 41 % of the heat on 9 % of the film``."""
        parts = {"share": _percent(self.share), "area": _percent(self.area)}
        if self.zone is None:
            return say("{share} of the heat on {area} of the film", **parts)
        if not self.zone:
            return say("mostly outside the lungs, {share} of the heat on {area} of the film", **parts)
        zone = ZONE_WORDS[self.zone]
        return say("above all in the {zone} zone, {share} of the heat on {area} of the film", zone=zone, **parts)


def hot_regions(
    heat: np.ndarray, zones: np.ndarray | None = None, absolute: np.ndarray | None = None
) -> tuple[HotRegion, ...]:
    """Return the connected regions of the hottest part of a film, that with the most heat first.

    Args:
        heat: (height, width) float in 0…1, `HeatMap.values`.
        zones: (height, width) uint8, as `LungMask.zones` gives them; None where the lungs are not known.
        absolute: (height, width) float in 0…1, `HeatMap.absolute`; what is below `HOT` on that scale is then left out.
    """
    hot = hottest(heat)
    if absolute is not None:
        hot &= absolute >= HOT
    _, labels = cv2.connectedComponents(hot.astype(np.uint8), connectivity=8)
    total, regions = heat.sum(), []
    # Half as long as with the statistics of OpenCV.
    for number, area in enumerate(np.bincount(labels.ravel()).tolist()):
        if number == 0 or area < SMALLEST_REGION * heat.size:
            continue
        inside = labels == number
        left, top, across, down = cv2.boundingRect(inside.astype(np.uint8))
        regions.append(
            HotRegion(
                box=(left, top, left + across, top + down),
                contour=outlines(inside)[0],
                share=float(heat[inside].sum() / total),
                area=area / heat.size,
                zone=None if zones is None or not zones.any() else _zone(heat[inside], zones[inside]),
            )
        )
    return tuple(sorted(regions, key=lambda region: -region.share))


def hottest(heat: np.ndarray) -> np.ndarray:
    """Return the hottest `HOTTEST` of a map, (height, width) bool, without what is cold on a map with less heat."""
    # That many places and more; a whole sorting takes three times as long.
    place = heat.size - round(HOTTEST * heat.size)
    limit = np.partition(heat, place, axis=None)[place]
    return np.asarray((heat >= limit) & (heat > heat.min()))


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Return the closed outline of each piece of a mask, through the middles of its outermost pixels.

    Args:
        mask: (height, width) bool.

    Returns:
        (points, 2) each, x and y in pixels; where the frame cuts a piece off, its outline runs outside, so that none is
        seen along the frame.
    """
    margin = _BEYOND_FRAME
    framed = cv2.copyMakeBorder(mask.astype(np.uint8), margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    lines, _ = cv2.findContours(framed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [cv2.approxPolyDP(line, _STRAY, closed=True)[:, 0] + (0.5 - margin) for line in lines]


def _zone(heat: np.ndarray, zones: np.ndarray) -> str:
    outside, *by_zone = np.bincount(zones, weights=heat, minlength=1 + len(lungs.ZONES))
    return "" if outside > sum(by_zone) else lungs.ZONES[int(np.argmax(by_zone))]


def _percent(share: float) -> Sentence:
    if share < 0.005:
        return say("under {percent} %", percent=1)
    return say("{percent:.0f} %", percent=100 * share)
