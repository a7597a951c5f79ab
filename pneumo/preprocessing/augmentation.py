"""Augmentation: random views of a film for training, and views as another hospital might have taken it.

A view is drawn from a film that is squashed to a square already (`network_input.film_square`). Everything here is NumPy
and OpenCV, and every number comes from a seeded generator.

The aspect ratio (width:height) of the films tells the label of the training films, and it stays in a film that is
squashed to a square (`pneumo.datasets.lung_masks`); so a view may be drawn with one that does not depend on the film's.
"""

import dataclasses
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pneumo.preprocessing import crops
from pneumo.preprocessing.network_input import film_square, model_input
from pneumo.sentences import Sentence, say, say_list


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


def augmented_input(
    square: np.ndarray,
    size: int,
    augmentation: Augmentation,
    rng: np.random.Generator,
    aspect_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """Draw a random view of a film: random resized crop, detail, gamma, contrast, brightness, flip.

    The random resized crop is that of Szegedy et al. (arXiv:1409.4842): a share of the area and an aspect
    ratio are drawn, and the crop is stretched to the input.

    Args:
        square: a `network_input.film_square`, (`SQUARE`, `SQUARE`) float32 in 0…1.
        size: side of the view in pixels.
        augmentation: how far it may stray.
        rng: draws it.
        aspect_range: the least and the greatest width:height of a crop, in place of those of `augmentation`; such a
            crop is made smaller until it fits.

    Returns:
        (size, size, 1) float32 in 0…1.
    """
    side = square.shape[0]
    area = rng.uniform(augmentation.min_area, 1.0) * side * side
    least, most = aspect_range or (1 / augmentation.max_stretch, augmentation.max_stretch)
    stretch = math.exp(rng.uniform(math.log(least), math.log(most)))
    if aspect_range:
        area = min(area, min(stretch, 1 / stretch) * side * side)
    width = min(side, max(1, round(float(np.sqrt(area * stretch)))))
    height = min(side, max(1, round(float(np.sqrt(area / stretch)))))
    left = int(rng.integers(0, side - width + 1))
    top = int(rng.integers(0, side - height + 1))
    crop = square[top : top + height, left : left + width]
    if augmentation.detail < 1:
        rows, columns = (max(1, round(length * rng.uniform(augmentation.detail, 1.0))) for length in (height, width))
        crop = cv2.resize(crop, (columns, rows), interpolation=cv2.INTER_AREA)
    view = model_input(crop, size)[..., 0]

    view = view ** (1.0 + rng.uniform(-augmentation.gamma, augmentation.gamma))
    mean = float(view.mean())
    view = (view - mean) * (1.0 + rng.uniform(-augmentation.contrast, augmentation.contrast)) + mean
    view = view + rng.uniform(-augmentation.brightness, augmentation.brightness)
    if rng.random() < augmentation.flip:
        view = view[:, ::-1]
    return np.clip(view, 0.0, 1.0).astype(np.float32)[..., np.newaxis]


# How far beyond the lungs of both films the swapped ones reach, and the width of the seam, in pixels of 224.
REACH, SEAM = (5.0, 15.0), (2.0, 5.0)


def swapped_surroundings(
    film: np.ndarray, lungs: np.ndarray, other: np.ndarray, other_lungs: np.ndarray, reach: float, seam: float
) -> np.ndarray:
    """Lay a film's lungs over the surroundings of another film, so that these tell nothing of the label.

    The box of the film's lungs is stretched to the box of the other's; where either has lungs, and `reach` pixels
    around them, the film is seen, and elsewhere the other. A film that ends there ends there.

    Args:
        film: (side, side) uint8, whose lungs are seen.
        lungs: (side, side) bool, its lungs.
        other: (side, side) uint8, whose surroundings are seen.
        other_lungs: (side, side) bool, its lungs.
        reach: in pixels, see `REACH`.
        seam: standard deviation of the blur between the films in pixels, see `SEAM`.

    Returns:
        (side, side) uint8; the film itself where one of the films has no lungs.
    """
    boxes = [cv2.boundingRect(mask.view(np.uint8)) for mask in (lungs, other_lungs)]
    (left, top, width, height), (other_left, other_top, other_width, other_height) = boxes
    if not (width and other_width):
        return film
    across, down = other_width / width, other_height / height
    onto = np.array([[across, 0, other_left - across * left], [0, down, other_top - down * top]])
    size = film.shape[::-1]
    laid = cv2.warpAffine(film, onto, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    laid_lungs = cv2.warpAffine(lungs.view(np.uint8), onto, size, flags=cv2.INTER_NEAREST)
    outside = np.where(laid_lungs.view(bool) | other_lungs, np.uint8(0), np.uint8(1))
    near = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_3) <= reach
    ends = [(0, 0), size] @ np.diag((across, down)) + onto[:, 2]
    (first_column, first_row), (last_column, last_row) = np.rint(ends).astype(int).clip(0)
    near[:first_row], near[last_row:], near[:, :first_column], near[:, last_column:] = (False,) * 4
    share = cv2.GaussianBlur(near.astype(np.float32), (0, 0), seam)
    return cv2.convertScaleAbs(other + share * (laid.astype(np.float32) - other))


def shifted_input(
    square: np.ndarray,
    size: int,
    file: str,
    shift: Augmentation = SHIFT,
    draw: int = 0,
    aspect_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """Draw a shifted view that belongs to a file, the same on every machine and in every run.

    Args:
        square: (`SQUARE`, `SQUARE`) float32 in 0…1.
        size: side of the view in pixels.
        file: whose view it is.
        shift: how far it may stray.
        draw: which of its views.
        aspect_range: see `augmented_input`.

    Returns:
        (size, size, 1) float32 in 0…1.
    """
    own = zlib.crc32(Path(file).name.encode())
    rng = np.random.default_rng((own, draw) if draw else own)
    return augmented_input(square, size, shift, rng, aspect_range)


@dataclass(frozen=True)
class Range:
    """How far a field of `Augmentation` can be set, and what it is called."""

    title: str
    low: float
    high: float
    meaning: str


# What training uses lies well within; far beyond, a film is no film any more.
RANGES = {
    "min_area": Range(
        say("Smallest crop"), 0.05, 1.0, say("The smallest share of the film that a crop keeps; 1 crops nothing.")
    ),
    "max_stretch": Range(
        say("Greatest stretch"), 1.0, 2.0, say("The largest width : height, or height : width, of a crop.")
    ),
    "brightness": Range(say("Brightness ±"), 0.0, 0.6, say("Added to the grey values, of 0 to 1.")),
    "contrast": Range(say("Contrast ±"), 0.0, 0.9, say("Grey values are scaled about their mean by 1 ± this.")),
    "gamma": Range(say("Gamma ±"), 0.0, 0.9, say("Grey values are raised to the power of 1 ± this.")),
    "flip": Range(say("Share mirrored"), 0.0, 1.0, say("How often a view is flipped left to right.")),
    "detail": Range(
        say("Least detail"),
        0.1,
        1.0,
        say("The smallest share of a crop's rows, and of its columns, that it is shrunk to first; 1 keeps all detail."),
    ),
}


def of_values(values: Mapping[str, float]) -> Augmentation:
    """Return the augmentation that a card states.

    Args:
        values: by field of `Augmentation`; a field that is left out keeps its default.

    Raises:
        ValueError: if there is no such field, or a value is no number within `RANGES`.
    """
    try:
        found = Augmentation(**{name: float(value) for name, value in values.items()})
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error
    for name, limits in RANGES.items():
        if not limits.low <= getattr(found, name) <= limits.high:
            raise ValueError(f"{name} is {getattr(found, name)}, which cannot be shown")
    return found


def training_square(pixels: np.ndarray, lungs: crops.Box | None = None) -> np.ndarray:
    """Return a film as training keeps it: squashed, stretched to full contrast, and rounded to 8 bits.

    Args:
        pixels: (height, width) float32 in 0…1.
        lungs: cuts the film to this box of the lungs, as for a model that sees nothing else.

    Returns:
        (`SQUARE`, `SQUARE`) float32 in 0…1.
    """
    square = np.rint(film_square(pixels) * 255.0).astype(np.uint8)
    return crops.cut(square, crops.box(crops.LUNGS, lungs)) / np.float32(255)


def draws(square: np.ndarray, size: int, augmentation: Augmentation, count: int, seed: int) -> np.ndarray:
    """Draw random views of a `training_square`, the same for the same seed.

    Returns:
        (count, size, size) float32 in 0…1.
    """
    rng = np.random.default_rng(seed)
    return np.stack([augmented_input(square, size, augmentation, rng)[..., 0] for _ in range(count)])


def differences(chosen: Augmentation, recipe: Augmentation) -> Sentence:
    """Return which fields differ from a recipe and how, as a sentence without its full stop; empty where none does."""
    return say_list(
        say(
            "{range} {before:.2f} → {now:.2f}",
            range=limits.title,
            before=getattr(recipe, name),
            now=getattr(chosen, name),
        )
        for name, limits in RANGES.items()
        # Sliders move in hundredths.
        if abs(getattr(chosen, name) - getattr(recipe, name)) > 0.005
    )


def on_sliders(augmentation: Augmentation) -> dict[str, float]:
    """Return the fields of an augmentation by name, rounded to the hundredths that a slider can be set to."""
    return {name: round(value, 2) for name, value in dataclasses.asdict(augmentation).items()}


# Between these lie nearly all of the data set's films: views that are drawn from here tell nothing of the label.
RANDOMISED = (1.0, 2.0)


def crop_range(ratio: float, wanted: tuple[float, float] = RANDOMISED) -> tuple[float, float] | None:
    """Return the aspect ratios that crops of a squashed film may have, for its views to have one that is wanted.

    Args:
        ratio: the film's own width:height, NaN where that is not known.
        wanted: the least and the greatest width:height of a view.

    Returns:
        See `augmentation.augmented_input`; None where the ratio is not known.
    """
    return None if np.isnan(ratio) else (wanted[0] / ratio, wanted[1] / ratio)
