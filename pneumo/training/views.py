"""Random views of films for training: which films an epoch shows, and each view."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pneumo.datasets.hospitals import HOME
from pneumo.preprocessing import augmentation
from pneumo.preprocessing.augmentation import Augmentation
from pneumo.training.films import Films

Batch = tuple[np.ndarray, np.ndarray]
Draw = Callable[[int, np.random.Generator], Batch]


@dataclass(frozen=True)
class Mix:
    """How a batch is mixed of several hospitals, so that the hospital and the surroundings of the lungs tell nothing.

    Attributes:
        home: share of the films of the data set in the Kaggle layout, 0…1; the other hospitals share the rest evenly.
            Of each hospital's films half are of either class.
        swapped: how often a film's lungs are laid over the surroundings of another film of the hospital, drawn from
            either class evenly (`augmentation.swapped_surroundings`), 0…1.
    """

    home: float = 0.5
    swapped: float = 0.5


@dataclass(frozen=True)
class RandomView:
    """Draws a view of a film and its label.

    Attributes:
        size: side of the view in pixels.
        augmentation: how far it may stray.
        aspect_ratio: see `loop.Recipe`.
        mix: see `loop.Recipe`.
    """

    size: int
    augmentation: Augmentation
    aspect_ratio: tuple[float, float] | None = None
    mix: Mix | None = None

    def __call__(self, films: Films, film: int, rng: np.random.Generator) -> Batch:
        """Return a view, (size, size, 1) float32 in 0…1, and its label, (1,) float32."""
        wanted, ratios = self.aspect_ratio, films.aspect_ratios
        aspect_range = None if wanted is None or ratios is None else augmentation.crop_range(ratios[film], wanted)
        square = films.squares[film]
        if self.mix and films.masks is not None and rng.random() < self.mix.swapped:
            square, aspect_range = _swapped(films, film, films.masks, rng), None
        view = augmentation.augmented_input(square / np.float32(255), self.size, self.augmentation, rng, aspect_range)
        return view, films.labels[film, np.newaxis]


def _swapped(films: Films, film: int, masks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a film's lungs over the surroundings of another film of its hospital."""
    same = films.hospitals == films.hospitals[film] if films.hospitals is not None else np.ones(len(films.files), bool)
    others = np.flatnonzero(same & (films.labels == rng.integers(2)))
    other = rng.choice(others) if len(others) else film
    reach, seam = rng.uniform(*augmentation.REACH), rng.uniform(*augmentation.SEAM)
    return augmentation.swapped_surroundings(
        films.squares[film], masks[film], films.squares[other], masks[other], reach, seam
    )


def balanced_order(films: Films, mix: Mix | None, rng: np.random.Generator) -> np.ndarray:
    """Return which film each view of an epoch shows, (views,): about as many views as there are films.

    Half of the views are of each class. With `mix`, hospitals and the classes within them have their shares not in the
    epoch alone but in any stretch of it, and so in each batch.
    """
    if mix is None or films.hospitals is None:
        half = (len(films.labels) + 1) // 2
        classes = [np.flatnonzero(films.labels == label) for label in (0, 1)]
        return rng.permutation(np.concatenate([np.resize(rng.permutation(members), half) for members in classes]))
    order, place = [], []
    for hospital, share in shares(films, mix).items():
        for label in (0, 1):
            members = np.flatnonzero((films.hospitals == hospital) & (films.labels == label))
            views = round(len(films.labels) * share / 2)
            order.append(np.resize(rng.permutation(members), views))
            place.append((np.arange(views) + rng.random(views)) / views)
    return np.concatenate(order)[np.argsort(np.concatenate(place))]


def shares(films: Films, mix: Mix) -> dict[str, float]:
    """Return the share of each hospital in a batch, 0…1."""
    away = sorted(set(films.hospitals if films.hospitals is not None else ()) - {HOME})
    return {HOME: mix.home, **{hospital: (1 - mix.home) / len(away) for hospital in away}}


def batch(draw: Draw, order: np.ndarray, seed: tuple[int, ...]) -> Batch:
    """Draw the views of a batch and stack them: a function of the seed alone."""
    rng = np.random.default_rng(seed)
    views, truths = zip(*(draw(film, rng) for film in order), strict=True)
    return np.stack(views), np.stack(truths)
