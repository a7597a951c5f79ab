"""Random views of one film, drawn by the very code that draws them in training, to be looked at."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from pneumo.errors import ModelError
from pneumo.inference.lungs import LungMask
from pneumo.model_store.card import ModelCard
from pneumo.preprocessing import crops, network_input
from pneumo.preprocessing.network_input import Augmentation


@dataclass(frozen=True)
class Range:
    """How far a field of `Augmentation` can be set, and what it is called."""

    title: str
    low: float
    high: float
    meaning: str


# What training uses lies well within; far beyond, a film is no film any more.
RANGES = {
    "min_area": Range("Smallest crop", 0.05, 1.0, "The smallest share of the film that a crop keeps; 1 crops nothing."),
    "max_stretch": Range("Greatest stretch", 1.0, 2.0, "The largest width : height, or height : width, of a crop."),
    "brightness": Range("Brightness ±", 0.0, 0.6, "Added to the grey values, of 0 to 1."),
    "contrast": Range("Contrast ±", 0.0, 0.9, "Grey values are scaled about their mean by 1 ± this."),
    "gamma": Range("Gamma ±", 0.0, 0.9, "Grey values are raised to the power of 1 ± this."),
    "flip": Range("Share mirrored", 0.0, 1.0, "How often a view is flipped left to right."),
    "detail": Range(
        "Least detail",
        0.1,
        1.0,
        "The smallest share of a crop's rows, and of its columns, that it is shrunk to first; 1 keeps all detail.",
    ),
}


def of_card(card: ModelCard) -> Augmentation | None:
    """Return the augmentation that a model was trained with; None where its card tells of none, as an ensemble's.

    Raises:
        ModelError: if the card holds something else than numbers within `RANGES`.
    """
    recipe = card.training.get("recipe") or {}
    stated = recipe.get("augmentation") if isinstance(recipe, dict) else None
    if not stated:
        return None
    try:
        found = Augmentation(**{name: float(value) for name, value in stated.items()})
    except (TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"The augmentation in the card of {card.name} is damaged ({error}).") from error
    for name, limits in RANGES.items():
        if not limits.low <= getattr(found, name) <= limits.high:
            raise ModelError(f"The card of {card.name} gives {name} as {getattr(found, name)}, which cannot be shown.")
    return found


def is_of_lungs(card: ModelCard) -> bool:
    """Return whether a model sees the box of the lungs and nothing else of a film."""
    return list(card.input["views"]) == [crops.LUNGS]


def training_square(pixels: np.ndarray, lungs: LungMask | None = None) -> np.ndarray:
    """Return a film as training keeps it: squashed, stretched to full contrast, and rounded to 8 bits.

    Args:
        pixels: (height, width) float32 in 0…1.
        lungs: cuts the film to their box, as for a model that sees nothing else.

    Returns:
        (`network_input.SQUARE`, `network_input.SQUARE`) float32 in 0…1.
    """
    square = np.rint(network_input.film_square(pixels) * 255.0).astype(np.uint8)
    view = crops.stacked(square, (crops.LUNGS if lungs else crops.FILM,), lungs.box if lungs else None)
    return view / np.float32(255)


def unchanged(square: np.ndarray, size: int) -> np.ndarray:
    """Return a `training_square` as a model sees it when it predicts, (size, size) float32 in 0…1."""
    return network_input.model_input(square, size)[..., 0]


def draws(square: np.ndarray, size: int, augmentation: Augmentation, count: int, seed: int) -> np.ndarray:
    """Draw random views of a `training_square`, the same for the same seed.

    Returns:
        (count, size, size) float32 in 0…1.
    """
    rng = np.random.default_rng(seed)
    return np.stack([network_input.augmented_input(square, size, augmentation, rng)[..., 0] for _ in range(count)])


def differences(chosen: Augmentation, recipe: Augmentation) -> str:
    """Return which fields differ from a recipe and how, as a sentence without its full stop; empty where none does."""
    changed = [
        f"{limits.title.lower()} {getattr(recipe, name):.2f} → {getattr(chosen, name):.2f}"
        for name, limits in RANGES.items()
        # Sliders move in hundredths.
        if abs(getattr(chosen, name) - getattr(recipe, name)) > 0.005
    ]
    return ", ".join(changed)


def on_sliders(augmentation: Augmentation) -> dict[str, float]:
    """Return the fields of an augmentation by name, rounded to the hundredths that a slider can be set to."""
    return {name: round(value, 2) for name, value in dataclasses.asdict(augmentation).items()}
