"""Fit a Keras model to films: class balance, random views, moving average, one seed; the same loop for all networks.

An epoch shows a classifier as many films as the training set has, half of them of each class. The weights that are
validated and kept are an exponential moving average of the trained ones (Polyak and Juditsky 1992). After each epoch
they are measured on the validation films as they are and as another hospital might have framed and exposed them
(`pneumo.preprocessing.augmentation.shifted_input`); the epoch with the best area under the ROC curve on the latter
is kept. Nothing here depends on the Keras backend.
"""

import dataclasses
import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from sklearn.metrics import log_loss, roc_auc_score

from pneumo.preprocessing import augmentation, network_input
from pneumo.preprocessing.augmentation import Augmentation
from pneumo.training import checkpoints, views
from pneumo.training.films import Films, Report, Stage, silent
from pneumo.training.views import Batch, Draw, Mix, RandomView

if TYPE_CHECKING:
    from pneumo.training.workers import Team

# (truth, what the network says) → a figure of each view of a batch, (views,).
Measure = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]
# The figure of an epoch that decides which one is kept.
MONITOR = "shifted_auroc"


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
        aspect_ratio: the least and the greatest width:height of a view. Where the film's own is known, that of the view
            is drawn between them, evenly on a logarithmic scale, so that it tells nothing of the label; None leaves it
            as it is.
        mix: how batches are mixed of several hospitals; None where there is but one.
        workers: how many batches make a step. Each worker of a `workers.Team` draws one of them; a process that trains
            alone draws them all, and takes the same steps.
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
    aspect_ratio: tuple[float, float] | None = None
    mix: Mix | None = None
    workers: int = 1

    def facts(self) -> dict[str, Any]:
        """Return the recipe as cards and checkpoints tell it; they call its aspect ratio ``frames``."""
        facts = dataclasses.asdict(self)
        mix, workers = facts.pop("mix"), facts.pop("workers")
        facts["frames"] = facts.pop("aspect_ratio")
        return facts | ({"mix": mix} if mix else {}) | ({"workers": workers} if workers > 1 else {})


class Epoch(keras.utils.PyDataset):
    """The random views of one epoch, a step's at a time; a function of the seed and the epoch alone.

    Args:
        order: (views,) which film each view shows.
        batch: views in a batch.
        seed: of the run, and the number of the epoch.
        draw: given a film and a generator, returns a view and what the network is to say of it.
        workers: batches in a step.
    """

    def __init__(self, order: np.ndarray, batch: int, seed: tuple[int, int], draw: Draw, workers: int = 1) -> None:
        super().__init__()
        self._order, self._batch, self._seed, self._draw, self._workers = order, batch, seed, draw, workers

    def __len__(self) -> int:
        steps, rest = divmod(len(self._order), self._batch * self._workers)
        # No worker can take a step without a view; so many are left out that not each has one.
        return steps + (rest >= self._workers)

    def __getitem__(self, step: int) -> Batch:
        pictures, truths = zip(*(self.part(step, worker) for worker in range(self._workers)), strict=True)
        return np.concatenate(pictures), np.concatenate(truths)

    def part(self, step: int, worker: int) -> Batch:
        """Return the batch of a step that one worker draws."""
        films = np.array_split(self._films(step), self._workers)[worker]
        return views.batch(self._draw, films, (*self._seed, step * self._workers + worker))

    def count(self, step: int) -> int:
        """Count the views of a step."""
        return len(self._films(step))

    def _films(self, step: int) -> np.ndarray:
        whole = self._batch * self._workers
        return self._order[step * whole : (step + 1) * whole]


def balanced_epoch(films: Films, size: int, recipe: Recipe, epoch: int) -> Epoch:
    """Return the views of one epoch of a classifier, (size, size, 1), see `views.balanced_order`."""
    seed = (recipe.seed, epoch)
    order = views.balanced_order(films, recipe.mix, np.random.default_rng(seed))
    return Epoch(order, recipe.batch, seed, partial(random_view(size, recipe), films), recipe.workers)


def random_view(size: int, recipe: Recipe) -> RandomView:
    """Return what draws the views of a classifier."""
    return RandomView(size, recipe.augmentation, recipe.aspect_ratio, recipe.mix)


def pictures(films: Films, size: int, *, shifted: bool = False) -> Iterator[np.ndarray]:
    """Yield the input that each film makes, (size, size, crops) float32 in 0…1, as it is or shifted."""
    drawn = films.shifted if shifted else films.squares
    for square, name in zip(films.squares if drawn is None else drawn, films.files, strict=True):
        scaled = square / np.float32(255)
        shift = shifted and drawn is None
        yield augmentation.shifted_input(scaled, size, name) if shift else network_input.model_input(scaled, size)


def predict(model: keras.Model, films: Films, *, shifted: bool = False, batch: int = 64) -> np.ndarray:
    """Return the model's raw probabilities, (films,) float64 in 0…1, of films as they are or shifted."""
    inputs = pictures(films, model.input_shape[1], shifted=shifted)
    network = keras.Model(model.inputs, model.outputs[0]) if len(model.outputs) > 1 else model
    scores = [network.predict_on_batch(np.stack(some))[:, 0] for some in batched(inputs, batch)]
    return np.concatenate(scores).astype(np.float64)


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
    progress: Report = silent,
    team: "Team | None" = None,
) -> list[dict[str, float]]:
    """Train a classifier; it ends with the weights of its best epoch.

    Every epoch leaves a checkpoint in ``folder``, from which ``resume`` goes on as if nothing had happened.

    Args:
        model: as `pneumo.networks.classifiers.build` returns it.
        train: films to learn from.
        validation: films of other patients, to measure each epoch on.
        recipe: how to train.
        folder: where checkpoints go; created where it is missing.
        resume: go on from the checkpoint in ``folder`` if there is one.
        progress: called after each step and each epoch.
        team: see `run_epochs`.

    Returns:
        One row an epoch: ``epoch, loss, accuracy, val_loss, val_accuracy, val_auroc, shifted_loss,
        shifted_accuracy, shifted_auroc, seconds``.

    Raises:
        ValueError: if the checkpoint belongs to another recipe or other films.
    """
    keras.utils.set_random_seed(recipe.seed)
    twin = _in_precision(model, recipe.precision)
    size = model.input_shape[1]
    try:
        return run_epochs(
            twin,
            recipe,
            folder,
            [train.files, validation.files],
            lambda epoch: balanced_epoch(train, size, recipe, epoch),
            lambda: validate(twin, validation),
            loss=keras.losses.BinaryCrossentropy(label_smoothing=recipe.label_smoothing),
            metrics={"accuracy": keras.metrics.binary_accuracy},
            resume=resume,
            progress=progress,
            team=team,
        )
    finally:
        model.set_weights(twin.get_weights())


def run_epochs(
    model: keras.Model,
    recipe: Recipe,
    folder: Path,
    files: Sequence[Sequence[str]],
    views: Callable[[int], Epoch],
    validation: Callable[[], dict[str, float]],
    *,
    loss: keras.losses.Loss | Measure,
    metrics: Mapping[str, Measure] = MappingProxyType({}),
    monitor: str = MONITOR,
    resume: bool = False,
    progress: Report = silent,
    team: "Team | None" = None,
) -> list[dict[str, float]]:
    """Train any network epoch by epoch, see `fit` and `checkpoints.run`.

    Args:
        model: it is compiled and changed.
        recipe: how to train.
        folder: where checkpoints go.
        files: of training and of validation; a run that went on with another split would have learned its own
            validation films.
        views: returns those of an epoch.
        validation: measures the model as it stands.
        loss: as Keras takes it.
        metrics: what is measured besides while the model trains, by name.
        monitor: the figure of a row that is to be high.
        resume: go on from the checkpoint in ``folder`` if there is one.
        progress: called after each step and each epoch.
        team: the workers to train with, as many as `recipe` says; only the chief uses `folder` and `validation`, and
            the other workers' models are not to be used. None where this process trains alone.

    Raises:
        ValueError: if the checkpoint belongs to another recipe or other films.
        WorkerError: if another worker is gone.
    """
    steps = len(views(0))
    watched = [keras.metrics.MeanMetricWrapper(measure, name) for name, measure in metrics.items()]
    model.compile(optimizer=optimizer(recipe, steps), loss=loss, metrics=watched)
    train_epoch = team.train_epoch if team else _train_epoch

    def one_epoch(epoch: int) -> tuple[list[np.ndarray], dict[str, float]]:
        """Train one epoch; return the trained weights and leave the averaged ones in the model."""

        def report(step: int, row: dict[str, float] | None = None) -> None:
            done = (epoch - 1) * steps + step
            progress(Stage(f"epoch {epoch} of {recipe.epochs}", done, recipe.epochs * steps, row))

        started = time.perf_counter()
        _reseed(model, recipe.seed + epoch)
        trained, means = train_epoch(model, views(epoch), {"loss": loss, **metrics}, report)
        row = {"epoch": epoch, **means, **(validation() if team is None or team.is_chief else {})}
        row["seconds"] = round(time.perf_counter() - started, 1)
        report(steps, row)
        return trained, row

    run = hashlib.sha256(json.dumps([recipe.facts(), *map(list, files)]).encode()).hexdigest()
    lead = partial(
        checkpoints.run,
        model,
        folder,
        run,
        monitor=monitor,
        epochs=recipe.epochs,
        patience=recipe.patience,
        resume=resume,
    )
    return team.run(lead, one_epoch) if team else lead(one_epoch)


def _train_epoch(
    model: keras.Model, views: Epoch, measures: Iterable[str], report: Callable[[int], None]
) -> tuple[list[np.ndarray], dict[str, float]]:
    """Train a compiled model for one epoch, see `workers.Team.train_epoch`."""
    trained: list[np.ndarray] = []
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda step, logs: report(step + 1),
        # `fit` puts the moving average into the model when it ends.
        on_epoch_end=lambda _, logs: trained.extend(model.get_weights()),
    )
    logs = model.fit(views, epochs=1, shuffle=False, verbose=0, callbacks=[callback]).history
    # On JAX the averaged weights are the optimizer's own arrays now, which a prediction would let go of.
    model.set_weights(model.get_weights())
    return trained, {name: logs[name][0] for name in measures}


def _in_precision(model: keras.Model, precision: str) -> keras.Model:
    """Return a copy of a model that multiplies in another precision; its last layer stays in float32."""
    last = model.layers[-1]

    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        policy = "float32" if layer is last else precision
        return layer.__class__.from_config({**layer.get_config(), "dtype": policy})

    twin = keras.models.clone_model(model, clone_function=copied)
    twin.set_weights(model.get_weights())
    return twin


def validate(model: keras.Model, validation: Films) -> dict[str, float]:
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


def _reseed(model: keras.Model, seed: int) -> None:
    """Start the layers' generators anew: a checkpoint lacks their state, and a resumed run must equal a whole one."""
    for index, layer in enumerate(model.layers):
        if generator := getattr(layer, "seed_generator", None):
            generator.state.assign([1000 * seed + index, 0])


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
