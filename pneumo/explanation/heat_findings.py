"""What a heat map says in figures, and how far it can be trusted; arrays in, dataclasses out."""

from dataclasses import dataclass

import numpy as np

from pneumo.explanation.regions import HOT, ZONE_WORDS, HotRegion, hot_regions
from pneumo.inference import lungs
from pneumo.sentences import Sentence, say

# The outer twentieth of the film on each side, where letters and collimator edges lie.
BORDER = 0.05
# The border is 19 % of the film. Of 120 validation films that MobileNetV2 answers “likely” none has more than 17 % of
# its heat there.
MUCH_ON_THE_BORDER = 0.25
# The lungs are a third of a film. Of 150 validation films that MobileNetV2 answers “likely” one in a hundred has less
# than 28 % of its heat inside them, and the median is 42 %.
LITTLE_INSIDE = 0.25


@dataclass(frozen=True)
class HeatInLungs:
    """How much of a heat map lies inside the lungs.

    Attributes:
        share: of the heat that lies inside the lungs, 0…1.
        zone: the one of `lungs.ZONES` with the most heat; empty where no heat lies inside the lungs.
        zone_share: of the heat inside the lungs that lies in that zone, 0…1.
    """

    share: float
    zone: str
    zone_share: float

    @property
    def mostly_outside(self) -> bool:
        """Whether less of the heat lies inside the lungs than on hardly any film that a model answers “likely”."""
        return self.share < LITTLE_INSIDE

    def __str__(self) -> Sentence:
        """Say it, as in ``71 % of the heat lies inside the lungs, most of it in the right lower zone.``"""
        if not self.zone:
            return say("None of the heat lies inside the lungs.")
        if self.share < 0.005:
            share = say("Under {percent} %", percent=1)
        else:
            share = say("{percent:.0f} %", percent=100 * self.share)
        told = {"share": share, "zone": ZONE_WORDS[self.zone]}
        if self.zone_share > 0.5:
            return say("{share} of the heat lies inside the lungs, most of it in the {zone} zone.", **told)
        return say("{share} of the heat lies inside the lungs, the largest part of it in the {zone} zone.", **told)


@dataclass(frozen=True)
class Extent:
    """How much of the lungs is hot on the scale that films share.

    Attributes:
        share: of the lung area that is at least `HOT` of the model's reference, 0…1.
        zones: the same of each zone's area, in the order of `lungs.ZONES`; None for a zone that the film does not show.
    """

    share: float
    zones: tuple[float | None, ...]


@dataclass(frozen=True, eq=False)
class HeatFindings:
    """What a heat map says in figures.

    Attributes:
        inside: how much of the heat lies inside the lungs; None without lungs or heat.
        zones: share of the heat in each of `lungs.ZONES`, 0…1; empty without lungs or heat.
        border: share of the heat on the border of the film and outside the lungs, 0…1.
        regions: the pieces of the film's hottest part, that with the most heat first.
        absolute_regions: the same of what is hot on the scale that films share; None without a reference.
        extent: None without lungs or reference.
        warnings: what speaks against trusting the map, in sentences.
    """

    inside: HeatInLungs | None
    zones: tuple[float, ...]
    border: float
    regions: tuple[HotRegion, ...]
    absolute_regions: tuple[HotRegion, ...] | None
    extent: Extent | None
    warnings: tuple[str, ...]


def examine(
    heat: np.ndarray,
    zones: np.ndarray | None = None,
    absolute: np.ndarray | None = None,
) -> HeatFindings:
    """Say what a heat map shows and what speaks against trusting it.

    Args:
        heat: (height, width) float in 0…1, `HeatMap.values`.
        zones: (height, width) uint8, as `LungMask.zones` gives them; None where the lungs are not known.
        absolute: (height, width) float in 0…1, `HeatMap.absolute`; None without a reference.
    """
    known = zones is not None and bool(zones.any())
    inside = heat_in_lungs(heat, zones) if zones is not None and known else None
    border = border_share(heat, zones)
    warnings = []
    if inside and inside.mostly_outside:
        warnings.append(say("Little of the heat lies inside the lungs: the score may rest on something else."))
    if border > MUCH_ON_THE_BORDER:
        warnings.append(
            say(
                "{percent:.0f} % of the heat lies on the border of the film, where letters and edges are: look at what "
                "stands there before you trust the map.",
                percent=100 * border,
            )
        )
    return HeatFindings(
        inside=inside,
        zones=_zone_shares(heat, zones) if zones is not None and inside else (),
        border=border,
        regions=hot_regions(heat, zones),
        absolute_regions=None if absolute is None else hot_regions(heat, zones, absolute),
        extent=lung_extent(absolute, zones) if zones is not None and known and absolute is not None else None,
        warnings=tuple(warnings),
    )


def heat_in_lungs(heat: np.ndarray, zones: np.ndarray) -> HeatInLungs | None:
    """Measure how much of a heat map lies inside the lungs, and in which of their zones most.

    Args:
        heat: (height, width) float, zero or more.
        zones: (height, width) uint8, as `LungMask.zones` gives them: 0 outside the lungs, else 1 + the index in
            `lungs.ZONES`.

    Returns:
        None where there is no heat at all.
    """
    if heat.sum() <= 0:
        return None
    shares = _zone_shares(heat, zones)
    inside = sum(shares)
    if inside <= 0:
        return HeatInLungs(0.0, "", 0.0)
    hottest = int(np.argmax(shares))
    return HeatInLungs(inside, lungs.ZONES[hottest], shares[hottest] / inside)


def border_share(heat: np.ndarray, zones: np.ndarray | None = None) -> float:
    """Return the share of the heat on the outer `BORDER` of each side of the film and outside the lungs, 0…1.

    Lungs that reach the edge of a narrow film are where heat belongs, so they do not count as border.
    """
    height, width = heat.shape
    rows, columns = round(BORDER * height), round(BORDER * width)
    border = np.ones(heat.shape, bool)
    border[rows : height - rows, columns : width - columns] = False
    if zones is not None:
        border &= zones == 0
    total = float(heat.sum())
    return float(heat[border].sum()) / total if total > 0 else 0.0


def lung_extent(absolute: np.ndarray, zones: np.ndarray) -> Extent | None:
    """Return how much of the lungs is hot on the scale that films share; None where there are no lungs.

    Args:
        absolute: (height, width) float in 0…1, `HeatMap.absolute`.
        zones: (height, width) uint8, as `LungMask.zones` gives them.
    """
    count = 1 + len(lungs.ZONES)
    area = np.bincount(zones.ravel(), minlength=count)[1:]
    hot = np.bincount(zones[absolute >= HOT], minlength=count)[1:]
    if not area.any():
        return None
    shares = (float(part / whole) if whole else None for part, whole in zip(hot, area, strict=True))
    return Extent(float(hot.sum() / area.sum()), tuple(shares))


def _zone_shares(heat: np.ndarray, zones: np.ndarray) -> tuple[float, ...]:
    by_zone = np.bincount(zones.ravel(), weights=heat.ravel(), minlength=1 + len(lungs.ZONES))
    return tuple((by_zone[1:] / by_zone.sum()).tolist())
