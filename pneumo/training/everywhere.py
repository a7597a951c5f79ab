"""Train the classifier that ships as ``everywhere``: it looks for opacities place by place, and tells a film by them.

What a film shows at a place is the same at all hospitals; how films of a hospital look as a whole is not. So it learns
from opacities that people drew and from boxes besides the classes of whole films, see `pneumo.training.opacity`. It
starts from a classifier of the lungs' box: first the head on it learns, then all of it, slowly, for a few epochs, which
keeps what the classifier knows (Kumar et al. 2022, arXiv:2202.10054).
"""

import dataclasses
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

NAME = "everywhere"
START = "mobilenetv2_lungs"
EXPOSURE = Augmentation(min_area=1.0, max_stretch=1.0, brightness=0.25, contrast=0.3, gamma=0.3, flip=0.0, detail=0.35)
HEAD = Recipe(epochs=2, learning_rate=2e-3, average=0.98, augmentation=EXPOSURE)
RECIPE = Recipe(epochs=3, learning_rate=1e-4, average=0.99, augmentation=EXPOSURE)
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
        said: (views, grid, grid, 2), the log-odds of each place, and the probability of the film in all of them.
    """
    film = keras.losses.binary_crossentropy(truth[:, 0, 0, 5:], said[:, 0, 0, 1:])
    return opacity.loss(truth[..., :5], said[..., :1]) + film


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
    start, started_from = store.load(START, gate.holder(START, run.out), CLASSIFICATION)
    require_same_split(start, run.parts, run.fold)
    keras.utils.set_random_seed(recipe.seed)
    model = opacity_network.classifier(started_from, opacity_network.SIZE)
    segmenter = gate.open_segmenter(run.out)

    films = opacity.load(run)
    validation = load_films(run.root, run.parts.validation, run.progress, [CROP], segmenter, shifted=True)
    learned = load_films(run.root, run.learned, run.progress, [CROP], segmenter)
    away = {name: load_films(run.root, table, run.progress, [CROP], segmenter) for name, table in run.away.items()}
    known = dataclasses.replace(learned, hospitals=run.learned["hospital"].to_numpy(str))

    history = _train(model, films, validation, recipe, run)
    return Trained(
        model,
        classifier.calibrated(
            validation,
            run.parts.validation,
            away={name: (away[name], run.away[name]) for name in away},
            learned=known,
        ),
        title="Everywhere, MobileNetV2",
        family="transfer",
        architecture=NAME,
        initial_weights=f"{start.name} (sha256 {start.sha256})",
        crop_names=[CROP],
        cam_layer="refined_relu",
        training={
            "data": f"{kaggle.describe(run.table)}, films of other hospitals, and opacities that people drew",
            "hospitals": {
                "learned_from": classifier.films_by_class(run.learned),
                "left_out": list(run.away),
                "fingerprint": hospitals.fingerprint(run.learned),
            },
            "learned_places_from": _learned_places(films.table),
            "start": start.training,
            **classifier.facts(run.parts, run.fold, recipe, history),
        },
        history=history,
    )


def _train(
    model: keras.Model, films: OpacityFilms, validation: Films, recipe: Recipe, run: Run
) -> list[dict[str, float]]:
    """Train the head, then all of the network; return the epochs of the latter, of which the best is kept."""
    places = model.get_layer("log_odds").output
    said = keras.ops.concatenate([places, 0 * places + keras.ops.reshape(model.output, (-1, 1, 1, 1))], axis=-1)
    twin = keras.Model(model.input, said)
    frozen = [layer for layer in model.layers if not layer.trainable]
    rows: list[dict[str, float]] = []
    for part, some in (("head", HEAD), ("all", recipe)):
        for layer in frozen:
            # Batches of a few films would only blur the statistics of batch normalisation.
            layer.trainable = part == "all" and not isinstance(layer, keras.layers.BatchNormalization)
        rows = loop.run_epochs(
            twin,
            some,
            run.checkpoints / part,
            [tuple(films.table["file"]), validation.files],
            partial(_epoch, films, places.shape[1], model.input_shape[1], some),
            lambda: loop.validate(model, validation),
            loss=loss,
            resume=run.resume,
            progress=run.progress,
        )
    return rows


def _epoch(films: OpacityFilms, grid: int, size: int, recipe: Recipe, epoch: int) -> Epoch:
    seed = (recipe.seed, epoch)
    draw = RandomView(films, size, grid, recipe.augmentation)
    return Epoch(order(films.table, np.random.default_rng(seed)), recipe.batch, seed, draw)


def _learned_places(table: pd.DataFrame) -> dict[str, int]:
    """Count the films on which people drew opacities or boxes, by the folder that they lie in."""
    counts = table[table["kind"].isin((DRAWN, BOXED))].groupby("hospital").size()
    return {str(folder): int(films) for folder, films in counts.items()}


TASK = dataclasses.replace(classifier.TASK, fit=fit, workers=False)
