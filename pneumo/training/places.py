"""Train the classifiers that read films of any hospital: they tell a film by the opacities of its places.

What a film shows at a place is the same at all hospitals; how films of a hospital look as a whole is not. So they learn
from opacities that people drew and from boxes besides the classes of whole films, see `pneumo.training.opacity`. Each
stands on the first blocks of a classifier, which stay as they are: what they know of many films is lost where few of
other hospitals change them.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import pandas as pd

from pneumo.datasets import hospitals, kaggle
from pneumo.inference import gate
from pneumo.inference.opacity import CROP
from pneumo.model_store import store
from pneumo.model_store.card import CLASSIFICATION, require_same_split
from pneumo.networks import opacity_network
from pneumo.preprocessing import augmentation, crops
from pneumo.preprocessing.augmentation import Augmentation
from pneumo.training import classifier, loop, opacity
from pneumo.training.films import Films, load_films
from pneumo.training.loop import Epoch, Recipe
from pneumo.training.opacity import BOXED, DRAWN, WITH, WITHOUT, OpacityFilms, View
from pneumo.training.task import Run, Trained
from pneumo.training.views import Batch

NAME = "everywhere_places"
# It stands on the mean of the weights of these, which began alike (Wortsman et al. 2022, arXiv:2203.05482).
START = ("mobilenetv2", "mobilenetv2_lungs")
# Heads that differ in their seeds alone differ by some points at a hospital that none of them knows.
HEADS = 3
EXPOSURE = Augmentation(min_area=1.0, max_stretch=1.0, brightness=0.25, contrast=0.3, gamma=0.3, flip=0.0, detail=0.35)
RECIPE = Recipe(epochs=3, learning_rate=2e-3, weight_decay=1e-3, average=0.98, augmentation=EXPOSURE)
# How far the edges of a view may stray, as shares of the lungs' box: outwards, and inwards in one half of the views and
# in the other.
OUTWARDS, INWARDS = 0.15, (0.15, 0.35)
# How many views of each kind an epoch shows: of the data set in the Kaggle layout, and of the other hospitals together.
AT_HOME = {WITH: 900, WITHOUT: 900}
AWAY = {WITH: 600, WITHOUT: 700}
DRAWN_VIEWS = 400


@dataclass(frozen=True)
class RandomView:
    """Draws a view of a film, and what the network is to say of its places and of the film.

    Attributes:
        films: that are drawn from.
        size: side of the view in pixels.
        grid: places a side.
        exposure: how far the view may stray but for its edges.
    """

    films: OpacityFilms
    size: int
    grid: int
    exposure: Augmentation

    def __call__(self, film: int, rng: np.random.Generator) -> Batch:
        """Return a view, (size, size, 1) float32 in 0…1, and its truth, (grid, grid, 6) float32.

        The channels of the truth are those of `opacity.truth`, and whether the film shows an opacity at all.
        """
        left, top, right, bottom = box = np.array(crops.box(CROP, self.films.boxes[film]))
        sides = np.array([right - left, bottom - top])
        stray = rng.uniform(-OUTWARDS, rng.choice(INWARDS), 4) * [*sides, *-sides]
        mirrored = bool(rng.random() < 0.5)
        view = View(film, tuple(np.clip(box + stray, 0, 1).tolist()), mirrored, 1.0)
        shown = crops.cut(self.films.squares[film], view.box)
        exposed = (shown[:, ::-1] if mirrored else shown) / np.float32(255)
        picture = augmentation.augmented_input(exposed, self.size, self.exposure, rng)
        places = opacity.truth(self.films, view, self.grid)
        has_one = np.full((self.grid, self.grid, 1), self.films.table["kind"].iloc[film] != WITHOUT, np.float32)
        return picture, np.concatenate([places, has_one], axis=-1)


def order(table: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Return which film each view of an epoch shows, (views,): each as often as others of its kind, or once more.

    Args:
        table: see `OpacityFilms`.
        rng: shuffles them.
    """
    kind = table["kind"].replace(BOXED, WITH)
    at_home, drawn = table["hospital"] == hospitals.HOME, kind == DRAWN
    chosen = [opacity.some(np.flatnonzero(drawn), DRAWN_VIEWS, rng)]
    for label in (WITH, WITHOUT):
        chosen.append(opacity.some(np.flatnonzero(at_home & (kind == label)), AT_HOME[label], rng))
        away = table.index[~at_home & (kind == label)].to_series().groupby(table["hospital"])
        chosen += [opacity.some(films.to_numpy(), AWAY[label] // away.ngroups, rng) for _, films in away]
    return rng.permutation(np.concatenate(chosen))


def loss(truth: keras.KerasTensor, said: keras.KerasTensor) -> keras.KerasTensor:
    """Return the loss of each view: `opacity.loss` of its places, and the cross-entropy of the film.

    Args:
        truth: (views, grid, grid, 6), see `RandomView`.
        said: as `opacity_network.classifier_in_training` returns it; the loss is the sum over the heads.
    """
    of_heads = [
        opacity.loss(truth[..., :5], said[..., first : first + 1])
        + keras.losses.binary_crossentropy(truth[:, 0, 0, 5:], said[:, 0, 0, first + 1 : first + 2])
        for first in range(0, said.shape[-1], 2)
    ]
    return sum(of_heads)


def fit(run: Run) -> Trained:
    """Train the network by its recipe.

    Raises:
        DatasetError: if the data set is not complete enough to train on, or there are no drawn opacities.
        ImageError: if a film cannot be read.
        ModelError: if the start or the lung network is missing, or the start was trained on other patients.
        ValueError: if no other hospitals are named.
    """
    if not run.hospitals:
        raise ValueError(f"{run.name} learns from several hospitals. Name their folders with --hospitals.")
    recipe = run.recipe(RECIPE)
    starts = [store.load(name, gate.holder(name, run.out), CLASSIFICATION) for name in START]
    for card, _ in starts:
        require_same_split(card, run.parts, run.fold)
    keras.utils.set_random_seed(recipe.seed)
    trunk = opacity_network.trunk(_mean([model for _, model in starts]), opacity_network.SIZE)
    segmenter = gate.open_segmenter(run.out)

    films = opacity.load(run)
    validation = load_films(run.root, run.parts.validation, run.progress, [CROP], segmenter, shifted=True)
    learned = load_films(run.root, run.learned, run.progress, [CROP], segmenter)
    away = {name: load_films(run.root, table, run.progress, [CROP], segmenter) for name, table in run.away.items()}
    known = dataclasses.replace(learned, hospitals=run.learned["hospital"].to_numpy(str))

    model, history = _train(trunk, films, validation, recipe, run)
    return Trained(
        model,
        classifier.calibrated(
            validation,
            run.parts.validation,
            away={name: (away[name], run.away[name]) for name in away},
            learned=known,
        ),
        title="Places of opacities, MobileNetV2",
        family="transfer",
        architecture=NAME,
        initial_weights=" and ".join(f"{card.name} (sha256 {card.sha256})" for card, _ in starts),
        crop_names=[CROP],
        cam_layer="refined",
        training={
            "data": f"{kaggle.describe(run.table)}, films of other hospitals, and opacities that people drew",
            "hospitals": {
                "learned_from": classifier.films_by_class(run.learned),
                "left_out": list(run.away),
                "fingerprint": hospitals.fingerprint(run.learned),
            },
            "learned_places_from": _learned_places(films.table),
            "starts": {card.name: card.training for card, _ in starts},
            **classifier.facts(run.parts, run.fold, recipe, history),
        },
        history=history,
    )


def _mean(models: Sequence[keras.Model]) -> keras.Model:
    """Return a copy of models of one architecture with the mean of their weights."""
    mean = keras.models.clone_model(models[0])
    mean.set_weights(
        [np.mean(weights, axis=0) for weights in zip(*(each.get_weights() for each in models), strict=True)]
    )
    return mean


def _train(
    trunk: keras.Model, films: OpacityFilms, validation: Films, recipe: Recipe, run: Run
) -> tuple[keras.Model, list[dict[str, float]]]:
    """Train the heads; return the classifier of its best epoch, and the epochs."""
    width = opacity_network.CLASSIFIER_WIDTH
    heads = [opacity_network.head(trunk, width, f"head_{number}") for number in range(1, HEADS + 1)]
    trained, model = opacity_network.classifier_in_training(trunk, heads), opacity_network.classifier(trunk, heads)

    def validate() -> dict[str, float]:
        opacity_network.give_last_layers(trained, heads, model)
        return loop.validate(model, validation)

    history = loop.run_epochs(
        trained,
        recipe,
        run.checkpoints,
        [tuple(films.table["file"]), validation.files],
        partial(_epoch, films, trunk.outputs[1].shape[1], trunk.input_shape[1], recipe),
        validate,
        loss=loss,
        resume=run.resume,
        progress=run.progress,
    )
    opacity_network.give_last_layers(trained, heads, model)
    return model, history


def _epoch(films: OpacityFilms, grid: int, size: int, recipe: Recipe, epoch: int) -> Epoch:
    seed = (recipe.seed, epoch)
    draw = RandomView(films, size, grid, recipe.augmentation)
    return Epoch(order(films.table, np.random.default_rng(seed)), recipe.batch, seed, draw)


def _learned_places(table: pd.DataFrame) -> dict[str, int]:
    """Count the films on which people drew opacities or boxes, by the folder that they lie in."""
    counts = table[table["kind"].isin((DRAWN, BOXED))].groupby("hospital").size()
    return {str(folder): int(films) for folder, films in counts.items()}


TASK = dataclasses.replace(classifier.TASK, fit=fit, workers=False)
