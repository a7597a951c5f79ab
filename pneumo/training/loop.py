"""Fit a Keras model to films: progress, class balance, checkpoints, resume, early stopping, one seed.

An epoch shows as many films as the training set has, half of them of each class. The weights that are judged
and kept are an exponential moving average of the trained ones (Polyak and Juditsky 1992). After each epoch they
are judged on the validation films as they are and as another hospital might have framed and exposed them
(`pneumo.preprocessing.augmentation.shifted_input`); the epoch with the best area under the ROC curve on the latter
is kept. Nothing here depends on the Keras backend.
"""

import dataclasses
import hashlib
import itertools
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
from sklearn.metrics import log_loss, roc_auc_score

from pneumo.preprocessing import aspect_ratio, augmentation, network_input
from pneumo.preprocessing.augmentation import Augmentation
from pneumo.training import checkpoints


@dataclass(frozen=True)
class Recipe:
    """How a model is trained; with the data's fingerprint and the software versions it reproduces a run.

    Attributes:
        epochs: at most this many.
        batch: films a step.
        learning_rate: the peak; it rises over the first epoch and falls along a cosine to zero.
        weight_decay: AdamW's, per step and unit of learning rate.
        average: momentum of the moving average of the weights, 0…1; 0 switches it off.
        label_smoothing: share of each label that goes to the other class.
        patience: stop after this many epochs without a better one.
        seed: of everything random.
        precision: of the multiplications, a Keras dtype policy. ``mixed_bfloat16`` saves time on processors that
            know it; weights are float32 either way.
        augmentation: the random views of training.
        frames: the least and the greatest width:height of the frame of a view. Where the film's own is known, that of
            the view is drawn between them, evenly on a logarithmic scale, so that the frame tells nothing of the
            label; None leaves the frames as they are.
    """

    epochs: int = 12
    batch: int = 32
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    average: float = 0.995
    label_smoothing: float = 0.0
    patience: int = 6
    seed: int = 0
    precision: str = "float32"
    augmentation: Augmentation = field(default_factory=Augmentation)
    frames: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Films:
    """Films in memory.

    Attributes:
        squares: (films, side, side) uint8, as `pneumo.preprocessing.films.load_squares` returns them; or (films,
            side, side,
            views), as `pneumo.preprocessing.films.all_stacked` does.
        labels: (films,) float32, 1 for pneumonia and 0 for normal.
        files: the name of each film.
        shifted: the same views of the films as another hospital might have taken them; None where those are drawn from
            `squares` by `pneumo.preprocessing.augmentation.shifted_input`.
        aspect_ratios: (films,) width:height of the films before they were squashed, NaN where unknown; None where
            nothing asks for it.
    """

    squares: np.ndarray
    labels: np.ndarray
    files: tuple[str, ...]
    shifted: np.ndarray | None = None
    aspect_ratios: np.ndarray | None = None


@dataclass(frozen=True)
class Progress:
    """Where a run stands: ``step`` of ``steps`` in ``epoch`` of ``epochs``, and the row of the epoch once done."""

    epoch: int
    epochs: int
    step: int
    steps: int
    row: dict[str, float] | None = None


class _Views(keras.utils.PyDataset):
    """The random views of one epoch; a function of the recipe's seed and the epoch alone."""

    def __init__(self, films: Films, size: int, recipe: Recipe, epoch: int) -> None:
        super().__init__()
        self._films, self._size, self._recipe = films, size, recipe
        self._seed = (recipe.seed, epoch)
        rng = np.random.default_rng(self._seed)
        half = (len(films.labels) + 1) // 2
        classes = [np.flatnonzero(films.labels == label) for label in (0, 1)]
        drawn = [np.resize(rng.permutation(members), half) for members in classes]
        self._order = rng.permutation(np.concatenate(drawn))

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._recipe.batch)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((*self._seed, index))
        chosen = self._order[index * self._recipe.batch : (index + 1) * self._recipe.batch]
        views = [
            augmentation.augmented_input(
                self._films.squares[film] / np.float32(255),
                self._size,
                self._recipe.augmentation,
                rng,
                self._stretches(film),
            )
            for film in chosen
        ]
        return np.stack(views), self._films.labels[chosen, np.newaxis]

    def _stretches(self, film: int) -> tuple[float, float] | None:
        frames, ratios = self._recipe.frames, self._films.aspect_ratios
        return None if frames is None or ratios is None else aspect_ratio.crop_range(ratios[film], frames)


def pictures(films: Films, size: int, *, shifted: bool = False) -> Iterator[np.ndarray]:
    """Yield the input that each film makes, (size, size, views) float32 in 0…1, as it is or shifted."""
    drawn = films.shifted if shifted else films.squares
    for square, name in zip(films.squares if drawn is None else drawn, films.files, strict=True):
        scaled = square / np.float32(255)
        shift = shifted and drawn is None
        yield augmentation.shifted_input(scaled, size, name) if shift else network_input.model_input(scaled, size)


def predict(model: keras.Model, films: Films, *, shifted: bool = False, batch: int = 64) -> np.ndarray:
    """Return the model's raw probabilities, (films,) float64 in 0…1, of films as they are or shifted."""
    inputs = pictures(films, model.input_shape[1], shifted=shifted)
    parts = [model.predict_on_batch(np.stack(some))[:, 0] for some in batched(inputs, batch)]
    return np.concatenate(parts).astype(np.float64)


def batched(items: Iterable[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    """Yield the items in lists of `size`, the last one maybe shorter."""
    rest = iter(items)
    while some := list(itertools.islice(rest, size)):
        yield some


def fit(
    model: keras.Model,
    train: Films,
    validation: Films,
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> list[dict[str, float]]:
    """Train a model; it ends with the weights of its best epoch.

    Every epoch leaves a checkpoint in ``folder``, from which ``resume`` goes on as if nothing had happened.

    Args:
        model: as `pneumo.networks.classifiers.build` returns it.
        train: films to learn from.
        validation: films to judge by, of other patients.
        recipe: how to train.
        folder: where checkpoints go; created where it is missing.
        resume: go on from the checkpoint in ``folder`` if there is one.
        progress: called after each step and each epoch.

    Returns:
        One row an epoch: ``epoch, loss, accuracy, val_loss, val_accuracy, val_auroc, shifted_loss,
        shifted_accuracy, shifted_auroc, seconds``.

    Raises:
        ValueError: if the checkpoint belongs to another recipe or other films.
    """
    keras.utils.set_random_seed(recipe.seed)
    steps = len(_Views(train, model.input_shape[1], recipe, 0))
    loss = keras.losses.BinaryCrossentropy(label_smoothing=recipe.label_smoothing)
    twin = _in_precision(model, recipe.precision)
    twin.compile(optimizer=optimizer(recipe, steps), loss=loss, metrics=["accuracy"])

    def one_epoch(epoch: int) -> tuple[list[np.ndarray], dict[str, float]]:
        return _epoch(twin, train, validation, recipe, epoch, steps, progress)

    try:
        return checkpoints.run(
            twin,
            folder,
            _fingerprint(recipe, train, validation),
            one_epoch,
            judged_by="shifted_auroc",
            epochs=recipe.epochs,
            patience=recipe.patience,
            resume=resume,
        )
    finally:
        model.set_weights(twin.get_weights())


def _in_precision(model: keras.Model, precision: str) -> keras.Model:
    """Return a copy of a model that multiplies in another precision; its last layer stays in float32."""
    last = model.layers[-1]

    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        policy = "float32" if layer is last else precision
        return layer.__class__.from_config({**layer.get_config(), "dtype": policy})

    twin = keras.models.clone_model(model, clone_function=copied)
    twin.set_weights(model.get_weights())
    return twin


def _fingerprint(recipe: Recipe, train: Films, validation: Films) -> str:
    """Tell runs apart; a run that went on with another split would have learned its own validation films."""
    text = json.dumps([dataclasses.asdict(recipe), train.files, validation.files])
    return hashlib.sha256(text.encode()).hexdigest()


def _epoch(
    model: keras.Model,
    train: Films,
    validation: Films,
    recipe: Recipe,
    epoch: int,
    steps: int,
    progress: Callable[[Progress], None],
) -> tuple[list[np.ndarray], dict[str, float]]:
    """Train one epoch and judge it; return the trained weights and leave the averaged ones in the model."""
    started = time.perf_counter()
    _reseed_dropout(model, recipe.seed + epoch)
    trained: list[np.ndarray] = []
    report = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda step, logs: progress(Progress(epoch, recipe.epochs, step + 1, steps)),
        # `fit` puts the moving average into the model when it ends.
        on_epoch_end=lambda epoch, logs: trained.extend(model.get_weights()),
    )
    views = _Views(train, model.input_shape[1], recipe, epoch)
    logs = model.fit(views, epochs=1, shuffle=False, verbose=0, callbacks=[report]).history
    row = {"epoch": epoch, "loss": logs["loss"][0], "accuracy": logs["accuracy"][0]}
    row |= judge(model, validation)
    row["seconds"] = round(time.perf_counter() - started, 1)
    progress(Progress(epoch, recipe.epochs, steps, steps, row))
    return trained, row


def judge(model: keras.Model, validation: Films) -> dict[str, float]:
    """Return the model's `figures` on validation films as they are (``val_…``) and shifted (``shifted_…``)."""
    return {
        key: value
        for name, shifted in (("val_", False), ("shifted_", True))
        for key, value in figures(name, validation.labels, predict(model, validation, shifted=shifted)).items()
    }


def figures(name: str, labels: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """Return ``loss``, ``accuracy`` and ``auroc``, their names led by `name`, of raw probabilities."""
    return {
        f"{name}loss": float(log_loss(labels, np.clip(probability, 1e-7, 1 - 1e-7), labels=[0, 1])),
        f"{name}accuracy": float(np.mean((probability >= 0.5) == (labels == 1))),
        f"{name}auroc": float(roc_auc_score(labels, probability)),
    }


def _reseed_dropout(model: keras.Model, seed: int) -> None:
    """Start dropout's generators anew: a checkpoint lacks their state, and a resumed run must equal a whole one."""
    for index, layer in enumerate(model.layers):
        if isinstance(layer, keras.layers.Dropout):
            layer.seed_generator.state.assign([1000 * seed + index, 0])


def optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """Return AdamW that warms up over one epoch of `steps` and falls along a cosine, averaging the weights."""
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate * 0.05,
        decay_steps=steps * max(recipe.epochs - 1, 1),
        warmup_target=recipe.learning_rate,
        warmup_steps=steps if recipe.epochs > 1 else 0,
    )
    return keras.optimizers.AdamW(
        schedule,
        weight_decay=recipe.weight_decay,
        use_ema=recipe.average > 0,
        ema_momentum=recipe.average or 0.99,
    )
