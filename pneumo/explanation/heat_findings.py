"""What a heat map says in figures, and how far it can be trusted; arrays in, dataclasses out."""

from dataclasses import dataclass

import cv2
import numpy as np

from pneumo.errors import ExplanationError
from pneumo.explanation.explainer import DEFAULT_METHOD, explain
from pneumo.explanation.regions import ZONE_WORDS, HotRegion, hot_regions
from pneumo.inference import lungs
from pneumo.inference.reading import Reading
from pneumo.sentences import Sentence, say

# The outer twentieth of the film on each side, where letters and collimator edges lie.
BORDER = 0.05
# Air outside the body is darker than this share of white, and a letter on it covers less than that of the film.
DARK, LETTER = 0.1, 0.01
# Of 120 validation films with pneumonia that MobileNetV2 answers “likely” one has more than 30 % of its heat outside
# the body or on the border, and the median is 17 %.
MUCH_OFF_THE_BODY = 0.3
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
    def points_to(self) -> Sentence | None:
        """What the zone is called that most of the heat inside the lungs lies in; None where most lies outside them."""
        return ZONE_WORDS[self.zone] if self.share > 0.5 and self.zone_share > 0.5 else None

    @property
    def mostly_outside(self) -> bool:
        """Whether less of the heat lies inside the lungs than on hardly any film that a model answers “likely”."""
        return self.share < LITTLE_INSIDE

    def __str__(self) -> Sentence:
        """Say it, as in ``68 % of the score came from outside the lungs.``"""
        if not self.zone:
            return say("All of the score came from outside the lungs.")
        outside = 1 - self.share
        if outside < 0.005:
            share = say("Under {percent} %", percent=1)
        else:
            share = say("{percent:.0f} %", percent=100 * outside)
        if self.points_to:
            return say(
                "{share} of the score came from outside the lungs, most of the rest from the {zone} zone.",
                share=share,
                zone=self.points_to,
            )
        return say("{share} of the score came from outside the lungs.", share=share)


@dataclass(frozen=True, eq=False)
class HeatFindings:
    """What a heat map says in figures.

    Attributes:
        inside: how much of the heat lies inside the lungs; None without lungs or heat.
        regions: the pieces of the film's hottest part, that with the most heat first.
        absolute_regions: the same of what is hot on the scale that films share; None without a reference.
        warnings: what speaks against trusting the map, in sentences.
    """

    inside: HeatInLungs | None
    regions: tuple[HotRegion, ...]
    absolute_regions: tuple[HotRegion, ...] | None
    warnings: tuple[Sentence, ...]

    def meaning(self, answer: str) -> tuple[Sentence, ...]:
        """Say what a map that is not empty shows beside an answer, and what speaks against both."""
        said = [say("The colours show where the score came from, not the disease itself.")]
        if self.inside:
            said.append(self.inside.__str__())
        if answer != "likely":
            said.append(say("With this answer, a bright spot is no sign of disease."))
        return (*said, *(self.warnings if answer == "likely" else ()))


def examine(
    film: np.ndarray,
    heat: np.ndarray,
    zones: np.ndarray | None = None,
    absolute: np.ndarray | None = None,
) -> HeatFindings:
    """Say what a heat map shows and what speaks against trusting it.

    Args:
        film: (height, width) float in 0…1.
        heat: (height, width) float in 0…1, `HeatMap.values`.
        zones: (height, width) uint8, as `LungMask.zones` gives them; None where the lungs are not known.
        absolute: (height, width) float in 0…1, `HeatMap.absolute`; None without a reference.
    """
    inside = heat_in_lungs(heat, zones)
    return HeatFindings(
        inside=inside,
        regions=hot_regions(heat, zones),
        absolute_regions=None if absolute is None else hot_regions(heat, zones, absolute),
        warnings=_warnings(inside, off_body_share(film, heat, zones)),
    )


def examine_opacity(reading: Reading, film: np.ndarray, heat: np.ndarray, *, likely: bool) -> HeatFindings:
    """Say what an opacity map shows; what speaks against the answer beside it is told of the model's own map.

    Args:
        reading: of the film.
        film: (height, width) float32 in 0…1, the film as it is shown.
        heat: (height, width) float32 in 0…1, `HeatMap.values`, on the scale that all films share.
        likely: whether the answer is “likely”; another has no heat to trust.
    """
    zones = reading.lungs.zones(*heat.shape) if reading.lungs else None
    return HeatFindings(
        inside=heat_in_lungs(heat, zones),
        regions=hot_regions(heat, zones, heat),
        absolute_regions=None,
        warnings=warnings_of(reading, film) if likely else (),
    )


def warnings_of(reading: Reading, film: np.ndarray) -> tuple[Sentence, ...]:
    """Return what speaks against an answer by the map of the model itself, whatever map is shown beside it.

    Args:
        reading: of a film that was assessed.
        film: (height, width) float32 in 0…1, the film as it is shown.
    """
    try:
        heat = explain(reading, DEFAULT_METHOD, (film.shape[0], film.shape[1])).values
    except ExplanationError:
        return ()
    zones = reading.lungs.zones(*film.shape) if reading.lungs else None
    return _warnings(heat_in_lungs(heat, zones), off_body_share(film, heat, zones))


def _warnings(inside: HeatInLungs | None, off_body: float) -> tuple[Sentence, ...]:
    if off_body > MUCH_OFF_THE_BODY:
        return (
            say(
                "Give this answer no weight: {percent:.0f} % of the score came from outside the body or from the edge "
                "of the film, where letters stand.",
                percent=100 * off_body,
            ),
        )
    if inside and inside.mostly_outside:
        return (say("Give this answer little weight: hardly any of the score came from the lungs."),)
    return ()


def heat_in_lungs(heat: np.ndarray, zones: np.ndarray | None) -> HeatInLungs | None:
    """Measure how much of a heat map lies inside the lungs, and in which of their zones most.

    Args:
        heat: (height, width) float, zero or more.
        zones: (height, width) uint8, as `LungMask.zones` gives them: 0 outside the lungs, else 1 + the index in
            `lungs.ZONES`; None where the lungs are not known.

    Returns:
        None without lungs, and where there is no heat at all.
    """
    if zones is None or not zones.any() or heat.sum() <= 0:
        return None
    by_zone = np.bincount(zones.ravel(), weights=heat.ravel(), minlength=1 + len(lungs.ZONES))
    shares = (by_zone[1:] / by_zone.sum()).tolist()
    inside = sum(shares)
    if inside <= 0:
        return HeatInLungs(0.0, "", 0.0)
    hottest = int(np.argmax(shares))
    return HeatInLungs(inside, lungs.ZONES[hottest], shares[hottest] / inside)


def off_body_share(film: np.ndarray, heat: np.ndarray, zones: np.ndarray | None = None) -> float:
    """Return the share of the heat outside the body or on the border of the film, 0…1.

    Outside the body is what is dark up to the edge of the film, with the letters on it; border is the outer `BORDER` of
    each side. Lungs that reach there are where heat belongs, so they do not count.

    Args:
        film: (height, width) float in 0…1.
        heat: (height, width) float, zero or more.
        zones: (height, width) uint8, as `LungMask.zones` gives them; None where the lungs are not known.
    """
    height, width = heat.shape
    rows, columns = round(BORDER * height), round(BORDER * width)
    off = np.ones(heat.shape, bool)
    off[rows : height - rows, columns : width - columns] = False
    off |= _beside_body(film)
    if zones is not None:
        off &= zones == 0
    total = float(heat.sum())
    return float(heat[off].sum()) / total if total > 0 else 0.0


def _beside_body(film: np.ndarray) -> np.ndarray:
    """Return what is dark up to the edge of a film, and the small bright pieces on it, (height, width) bool."""
    count, pieces = cv2.connectedComponents((film < DARK).astype(np.uint8))
    is_other = np.ones(count, np.uint8)
    is_other[np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])] = 0
    is_other[0] = 1
    _, others = cv2.connectedComponents(is_other.take(np.asarray(pieces, np.int32)))
    is_beside = np.bincount(others.ravel()) < LETTER * film.size
    # Piece 0 is the air itself.
    is_beside[0] = True
    return np.asarray(is_beside.take(np.asarray(others, np.int32)))
