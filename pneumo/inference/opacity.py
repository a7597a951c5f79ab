"""Opacities: where a film is opaque, how much of each lung, and how severe that is.

A second network, which knows nothing of what the classifier says of the film.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pneumo.evaluation.intervals import Estimate
from pneumo.inference.lungs import LEVELS, SIDES, LungMask
from pneumo.model_store import runtime, store
from pneumo.model_store.card import OPACITY, ModelCard
from pneumo.model_store.runtime import Network
from pneumo.preprocessing import crops, network_input
from pneumo.preprocessing.crops import Box
from pneumo.preprocessing.network_input import SQUARE
from pneumo.sentences import Sentence, say

if TYPE_CHECKING:
    import keras

NAME = "opacity"
# Films with drawn opacities, and films of NIH with boxes around them.
DRAWN_SPLIT, BOXED_SPLIT = "opacity_masks", "opacity_boxes"
# What the network sees of a film.
CROP = crops.LUNGS
Grade = Literal["mild", "moderate", "severe"]
GRADES: tuple[Grade, ...] = ("mild", "moderate", "severe")
# Of the lungs' area: less than a quarter is mild, half and more severe. The quarters of a lung are what the RALE score
# counts the extent of opacities by (Warren et al. 2018, doi:10.1136/thoraxjnl-2017-211280).
MODERATE, SEVERE = 0.25, 0.5


@dataclass(frozen=True, eq=False)
class OpacityMap:
    """Where a film is opaque.

    Attributes:
        grid: (rows, columns) float32, the probability, 0…1, that a place of `box` is opaque.
        box: of the film that the network saw.
    """

    grid: np.ndarray
    box: Box

    def on_film(self, shape: tuple[int, int]) -> np.ndarray:
        """Return the map in the size of a film or of a picture of it, (height, width) float32 in 0…1."""
        return np.clip(crops.onto_film(self.grid, self.box, shape), 0, 1)


@dataclass(frozen=True)
class Severity:
    """How much of the lungs is opaque.

    Attributes:
        share: of the area of both lungs, 0…1.
        sides: the same of each lung, in the order of `lungs.SIDES`; None for a lung that the film does not show.
        grade: by `share`, see `grade`.
        error: mean absolute error of the share on films with drawn opacities that the network had not seen, with its
            interval; None where it was not measured.
    """

    share: float
    sides: tuple[float | None, ...]
    grade: Grade
    error: Estimate | None

    def as_values(self) -> dict[str, Any]:
        """Return plain values by key: ``share``, ``right``, ``left``, ``grade`` and ``error``, the mean one."""
        sides = dict(zip(SIDES, self.sides, strict=True))
        return {"share": self.share, **sides, "grade": self.grade, "error": self.error.value if self.error else None}

    @property
    def worth(self) -> Sentence | None:
        """How far off the share is, in a sentence; None where it was not measured."""
        if self.error is None:
            return None
        return say(
            "On films of adults with drawn opacities the share was off by {value:.0f} percentage points on average "
            "({low:.0f}–{high:.0f}).",
            **{end: 100 * value for end, value in vars(self.error).items()},
        )

    @property
    def sentence(self) -> Sentence:
        """How severe it is, as in ``34 % of the lungs is opaque (right 51 %, left 15 %): moderate.``"""
        right, left = (
            say("not on the film") if side is None else say("{share:.0%}", share=side) for side in self.sides
        )
        return say(
            "{share:.0%} of the lungs is opaque (right {right}, left {left}): {grade}.",
            share=self.share,
            right=right,
            left=left,
            grade=GRADE_WORDS[self.grade],
        )


GRADE_WORDS: dict[Grade, Sentence] = {"mild": say("mild"), "moderate": say("moderate"), "severe": say("severe")}


def grade(share: float) -> Grade:
    """Grade the share of the lungs that is opaque, 0…1: from `MODERATE` on moderate, from `SEVERE` on severe."""
    return GRADES[int(np.searchsorted((MODERATE, SEVERE), share, side="right"))]


def severity(found: OpacityMap, lungs: LungMask, card: ModelCard | None = None) -> Severity | None:
    """Return how much of the lungs is opaque; None where the film shows no lungs.

    Args:
        found: of a film.
        lungs: of the same film.
        card: of the network, which knows its error.
    """
    zones, opaque = lungs.zones(SQUARE, SQUARE), found.on_film((SQUARE, SQUARE))
    if not zones.any():
        return None
    lung_of_zone = np.where(zones > 0, 1 + (zones.astype(int) - 1) // len(LEVELS), 0)
    sides = tuple(
        float(opaque[lung_of_zone == side].mean()) if (lung_of_zone == side).any() else None
        for side in range(1, 1 + len(SIDES))
    )
    share = float(opaque[zones > 0].mean())
    return Severity(share, sides, grade(share), error_of(card) if card else None)


def error_of(card: ModelCard) -> Estimate | None:
    """Return the mean absolute error of the share on drawn opacities of a network's card; None if not measured."""
    measured = card.metrics.get(DRAWN_SPLIT, {}).get("share_error")
    return Estimate(**measured) if measured else None


def draw(network: Network, square: np.ndarray, box: Box) -> OpacityMap:
    """Return the mean of the maps of a film and of its mirror image.

    Args:
        network: as `opacity_network.join` returns it.
        square: the film's `network_input.film_square`.
        box: of the film that the network is to see.
    """
    picture = network_input.model_input(crops.cut(square, box), network.size)
    return both_ways(network.run(np.stack([picture, picture[:, ::-1]])).results[0][..., 0], box)


def both_ways(maps: np.ndarray, box: Box) -> OpacityMap:
    """Join the maps of a film and of its mirror image, (2, rows, columns) float32 in 0…1."""
    upright, mirrored = maps
    return OpacityMap((upright + mirrored[:, ::-1]) / 2, box)


class OpacityNetwork:
    """The loaded network; one object may serve many threads.

    Attributes:
        card: its card.
    """

    def __init__(self, card: ModelCard, model: "Path | keras.Model") -> None:
        self.card, self._network = card, runtime.open_network(model)

    @classmethod
    def open(cls, folder: Path | None = None) -> "OpacityNetwork":
        """Load the network of a folder of model folders.

        Raises:
            ModelError: if it is missing or damaged.
        """
        return cls(*store.find(NAME, folder, OPACITY))

    @staticmethod
    def is_there(folder: Path | None = None) -> bool:
        """Return whether `open` has a network to load, be it sound or damaged."""
        return ((folder or store.models_folder()) / NAME / "card.json").is_file()

    def warm_up(self) -> None:
        """Run the network once on a black picture, so that the first film does not wait for its graph."""
        self.find(np.zeros((SQUARE, SQUARE), np.float32), None)

    def find(self, square: np.ndarray, lungs: LungMask | None) -> OpacityMap:
        """Map the opacities of a film.

        Args:
            square: the film's `network_input.film_square`.
            lungs: of the film; the network sees their box, and all of the film where that is not known.
        """
        return draw(self._network, square, crops.box(CROP, lungs.box if lungs else None))
