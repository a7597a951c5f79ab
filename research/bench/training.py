"""Training: our views beside the usual pipeline of tutorials, by images a second and by time to a validation AUROC.

Both train the same network with the same optimiser from the same first weights on the same films; they differ in how a
film becomes a picture, and in which films an epoch shows. The tutorials' way is that of
https://www.tensorflow.org/tutorials/images/classification: `image_dataset_from_directory` and augmentation layers.
"""

import dataclasses
import itertools
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from pneumo.datasets import kaggle
from pneumo.networks import classifiers
from pneumo.training import films, loop
from pneumo.training.loop import Recipe
from pneumo.training.recipes import RECIPES
from research.bench.films import pneumo
from research.bench.rows import Row, operations

NETWORK = "cnn_deep"
# The network that several workers train, and with how many.
SHARED, WORKERS = "cnn", (1, 2)
# Steps that are timed, and those before them: meanwhile the step is compiled and what was drawn ahead used up.
STEPS, STEPS_BEFORE = 40, 20
# The most films of a class where only the time of a step counts.
FILMS = 600
# Steps between two looks at the validation films.
CHECK_EVERY = 32


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A way from films to pictures.

    Attributes:
        what: it is.
        batches: endless (pictures, labels), all of the recipe's size; pictures are (batch, size, size, 1) in 0…1.
        validation: returns the pictures and labels of the validation films.
    """

    what: str
    batches: tf.data.Dataset
    validation: Callable[[], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Race:
    """How a network came to an area under the ROC curve.

    Attributes:
        what: drew its pictures.
        target: the area.
        curve: after each `CHECK_EVERY` steps, images learned from, seconds without validation, and validation AUROC.
    """

    what: str
    target: float
    curve: list[tuple[int, float, float]] = field(default_factory=list)

    @property
    def is_won(self) -> bool:
        """Whether the target was reached."""
        return bool(self.curve) and self.curve[-1][2] >= self.target

    def __str__(self) -> str:
        """Say it, and list the curve."""
        images, seconds, _ = self.curve[-1]
        best = max(auroc for _, _, auroc in self.curve)
        outcome = f"{seconds:.1f} s" if self.is_won else f"not reached in {seconds:.1f} s, at best {best:.3f}"
        pace = f"{images:,} images, {1000 * seconds / images:.2f} ms each"
        return f"{self.what}: {outcome}; {pace}\n  " + " ".join(f"{auroc:.3f}" for _, _, auroc in self.curve)


@contextmanager
def pipelines(
    root: Path, parts: kaggle.Development, recipe: Recipe, size: int
) -> Iterator[list[Callable[[], Pipeline]]]:
    """Offer ways to the same films: ours, and that of tutorials. What opens one reads the films that it holds.

    Args:
        root: the folder that the files of `parts` are relative to.
        parts: the films to learn from and those that validate.
        recipe: says how films are augmented by us, and the size of a batch.
        size: side of the pictures.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, table in parts._asdict().items():
            link(root, table, Path(folder, name))
        yield [
            lambda: _ours(root, parts, recipe, size),
            lambda: _of_tutorials(Path(folder), recipe, size),
        ]


def link(root: Path, table: pd.DataFrame, folder: Path) -> None:
    """Make a folder with one folder a class, as tutorials have it, of symbolic links to films."""
    for label, file in zip(table["label"], table["file"], strict=True):
        path = folder / label / file.replace("/", "_")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to((root / file).resolve())


def _ours(root: Path, parts: kaggle.Development, recipe: Recipe, size: int) -> Pipeline:
    train = films.load_films(root, parts.train)

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for number in itertools.count(1):
            epoch = loop.balanced_epoch(train, size, recipe, number)
            yield from (epoch[step] for step in range(len(epoch)) if epoch.count(step) == recipe.batch)

    def validation() -> tuple[np.ndarray, np.ndarray]:
        held_out = films.load_films(root, parts.validation)
        return np.stack([*loop.pictures(held_out, size)]), held_out.labels

    shapes = (recipe.batch, size, size, 1), (recipe.batch, 1)
    signature = tuple(tf.TensorSpec(shape, tf.float32) for shape in shapes)
    # As Keras does it where `pneumo train` calls `fit`.
    drawn = tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(tf.data.AUTOTUNE)
    return Pipeline("our views", drawn, validation)


def _of_tutorials(folder: Path, recipe: Recipe, size: int) -> Pipeline:
    def read(part: str, **options: object) -> tf.data.Dataset:
        return keras.utils.image_dataset_from_directory(
            folder / part, color_mode="grayscale", image_size=(size, size), verbose=False, **options
        )

    layers = keras.Sequential(
        [
            keras.layers.Rescaling(1 / 255),
            keras.layers.RandomFlip("horizontal", seed=recipe.seed),
            keras.layers.RandomRotation(0.05, seed=recipe.seed),
            keras.layers.RandomZoom(0.1, seed=recipe.seed),
            keras.layers.RandomContrast(0.1, seed=recipe.seed),
        ]
    )

    def validation() -> tuple[np.ndarray, np.ndarray]:
        pictures, labels = zip(*read("validation", shuffle=False).as_numpy_iterator(), strict=True)
        return np.concatenate(pictures) / np.float32(255), np.concatenate(labels)

    # Batches of one size, so that both ways have learned from as many images when they are compared.
    batches = read("train", batch_size=None, seed=recipe.seed).repeat().batch(recipe.batch, drop_remainder=True)
    augmented = batches.map(
        lambda pictures, labels: (layers(pictures, training=True), labels[:, None]), tf.data.AUTOTUNE
    )
    return Pipeline("tutorial pipeline", augmented.prefetch(tf.data.AUTOTUNE), validation)


def of_training(data: Path) -> Iterator[Row]:
    """Yield the time that an image takes to be drawn alone, and to be drawn while the network learns from others."""
    root, parts, recipe, size = _setting(data, NETWORK)
    some = parts.train.groupby("label").head(FILMS).reset_index(drop=True)
    with pipelines(root, parts._replace(train=some), recipe, size) as opened:
        for pipeline in (each() for each in opened):
            drawn = _gaps(pipeline.batches)
            yield Row(f"training, an image: {pipeline.what}, drawn", [each / recipe.batch for each in drawn])
            model = _compiled(NETWORK, recipe)
            learned = _gaps(model.train_on_batch(*batch) for batch in pipeline.batches)
            what = f"training, an image: {pipeline.what}, drawn and learned"
            # A step back takes twice what a step forth takes.
            yield Row(what, [each / recipe.batch for each in learned], 3 * operations(model))


def of_workers(data: Path) -> Iterator[Row]:
    """Yield the time that an image takes in the second epoch of `pneumo train --workers`, validation with it."""
    images = len(kaggle.development_split(kaggle.scan(data)).train)
    for workers in WORKERS:
        with tempfile.TemporaryDirectory() as folder:
            asked = {"--data": data.resolve(), "--out": folder, "--epochs": 2, "--workers": workers}
            pneumo("train", SHARED, *(str(each) for pair in asked.items() for each in pair), folder=folder)
            took = pd.read_csv(Path(folder, SHARED, "history.csv"))["seconds"].iloc[-1]
        yield Row(f"pneumo train {SHARED}, an image, workers: {workers}", [1000 * float(took) / images])


def races(data: Path, target: float, network: str, budget: int, seed: int) -> Iterator[Race]:
    """Train a network by each pipeline until its AUROC on validation films of other patients reaches a target.

    Args:
        data: the data set.
        target: the AUROC.
        network: a key of `classifiers.REGISTRY` that is trained from random weights.
        budget: the most images to learn from.
        seed: of the first weights and of everything random.
    """
    root, parts, recipe, size = _setting(data, network, seed)
    with pipelines(root, parts, recipe, size) as opened:
        for open_pipeline in opened:
            start = time.perf_counter()
            pipeline = open_pipeline()
            opening = time.perf_counter() - start
            yield race(pipeline, _compiled(network, recipe), target, budget, opening)


def race(pipeline: Pipeline, model: keras.Model, target: float, budget: int, opening: float = 0.0) -> Race:
    """Train a compiled network until it reaches an AUROC or has learned from so many images.

    Args:
        pipeline: where its pictures come from.
        model: it is changed.
        target: the validation AUROC.
        budget: images; it ends at the first look at or beyond them.
        opening: seconds that it took to open the pipeline, which count.

    Returns:
        Its curve. Looks at validation take no time in it; what is drawn ahead meanwhile, some batches, is free, too.
    """
    found, seconds, images = Race(pipeline.what, target), opening, 0
    pictures, labels = pipeline.validation()
    start = time.perf_counter()
    for step, batch in enumerate(pipeline.batches, 1):
        model.train_on_batch(*batch)
        images += len(batch[1])
        if step % CHECK_EVERY:
            continue
        seconds += time.perf_counter() - start
        found.curve.append((images, seconds, float(roc_auc_score(labels, _probability(model, pictures)))))
        if found.is_won or images >= budget:
            break
        start = time.perf_counter()
    return found


def _gaps(work: Iterable[object]) -> list[float]:
    """Return how many milliseconds each step of endless work takes after the first ones."""
    ends = [time.perf_counter() for _ in itertools.islice(work, STEPS_BEFORE + STEPS + 1)]
    return [*(1000 * np.diff(ends[STEPS_BEFORE:]))]


def _setting(data: Path, network: str, seed: int = 0) -> tuple[Path, kaggle.Development, Recipe, int]:
    recipe = RECIPES[network]
    if not isinstance(recipe, Recipe) or classifiers.REGISTRY[network].pretrained:
        raise ValueError(f"{network} does not start from random weights. Choose cnn, cnn_deep or dense.")
    root = kaggle.find_root(data)
    parts = kaggle.development_split(kaggle.scan(root))
    if len(parts.train) < recipe.batch:
        raise ValueError(f"{root} has {len(parts.train)} films to learn from, which make no batch of {recipe.batch}.")
    return root, parts, dataclasses.replace(recipe, seed=seed), classifiers.REGISTRY[network].size


def _compiled(network: str, recipe: Recipe) -> keras.Model:
    """Build a network whose first weights and dropout follow the recipe's seed, with the optimiser of tutorials."""
    keras.utils.set_random_seed(recipe.seed)
    model = classifiers.build(network)
    model.compile(keras.optimizers.Adam(recipe.learning_rate), "binary_crossentropy")
    return model


def _probability(model: keras.Model, pictures: np.ndarray, batch: int = 64) -> np.ndarray:
    starts = range(0, len(pictures), batch)
    return np.concatenate([model.predict_on_batch(pictures[start : start + batch])[:, 0] for start in starts])
