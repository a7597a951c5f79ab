"""Search of small CNNs: a family of networks, trials that compare them on validation films, and the best one shipped.

What may vary is a `Configuration`. Configurations are proposed by a tree-structured Parzen estimator (Bergstra et al.
2011), trained for a few epochs and measured, like every training run, by the area under the ROC curve on shifted
validation films; a trial that lags behind the median of the others is stopped. The best one is trained anew in full and
ships as ``cnn_search``. The official test split is not read.
"""

import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import optuna
import pandas as pd
from keras import layers
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from pneumo.datasets import kaggle
from pneumo.model_store.card import ModelCard, initial_weights
from pneumo.preprocessing.augmentation import Augmentation
from pneumo.training import classifier, loop, task
from pneumo.training.films import Films, Report, Stage, load_films, silent
from pneumo.training.loop import MONITOR, Recipe
from pneumo.training.task import Trained

NAME = "cnn_search"
MAX_PARAMETERS = 1_000_000
SIZES = (96, 128, 160)
HEADS = (32, 64, 128)
BLOCK_KINDS = ("plain", "residual", "squeeze_excitation")
# Bounds, both included, and the step between numbers of filters.
BLOCKS = (3, 5)
FIRST_FILTERS = (16, 32, 8)
WIDEST = (64, 256, 32)
# Trials are short: averages of a layer's statistics and of the weights must follow within one epoch.
_NORM_MOMENTUM = 0.9
_AVERAGE = 0.98
# Of the numbers in between, the squeeze of a squeeze-and-excitation keeps one in this many (Hu et al. 2018).
_SQUEEZE = 8
# What the winner is trained for in the end.
FULL_EPOCHS = 12
SEED_SYSTEM = "12 CNNs compared on validation, the best kept"
# Proposed at random, so that the estimator has something to learn from; until they are complete, none is stopped.
RANDOM_TRIALS = 4
# After one epoch the averaged weights still stand near their random start.
FIRST_PRUNED_EPOCH = 2
_STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


@dataclass(frozen=True)
class Configuration:
    """One network of the family and how it learns; the attributes are the hyperparameters of a trial.

    Attributes:
        size: side of the square input in pixels.
        blocks: of convolutions; the first convolution of all halves the picture, and so does each step between blocks.
        first_filters: of the first block; they double from block to block, as far as `widest`.
        widest: the most filters of a block.
        first_kernel: side of the first kernel in pixels; all others are 3 wide.
        convolutions: in a block.
        separable: whether all convolutions but the first are depthwise separable (Chollet 2017, arXiv:1610.02357).
        block_kind: ``plain``, ``residual`` (He et al. 2016, arXiv:1512.03385) or ``squeeze_excitation`` (Hu et al.
            2018, arXiv:1709.01507).
        head: units of the hidden dense layer.
        dropout: share of the hidden units that are dropped in training, 0…1.
        learning_rate: see `Recipe`.
        weight_decay: see `Recipe`.
        min_area: see `Augmentation`.
    """

    size: int
    blocks: int
    first_filters: int
    widest: int
    first_kernel: int
    convolutions: int
    separable: bool
    block_kind: str
    head: int
    dropout: float
    learning_rate: float
    weight_decay: float
    min_area: float

    def __str__(self) -> str:
        """Name what tells the network from others, as in ``128 px, filters 32–64–128, residual, batch norm``."""
        special = {
            "two convolutions a block": self.convolutions == 2,
            "5-wide first kernel": self.first_kernel == 5,
            self.block_kind.replace("_", " "): self.block_kind != "plain",
            "separable": self.separable,
        }
        filters = "–".join(map(str, self.filters))
        return ", ".join([f"{self.size} px", f"filters {filters}", *(name for name in special if special[name])])

    @property
    def filters(self) -> tuple[int, ...]:
        """The number of filters of each block."""
        return tuple(min(self.first_filters * 2**block, self.widest) for block in range(self.blocks))

    @property
    def cam_layer(self) -> str:
        """The layer whose feature maps a heat map is drawn from: the last of the last block."""
        return f"block{self.blocks}"

    def recipe(self, epochs: int, seed: int) -> Recipe:
        """Return how the network is trained, with the patience of the other networks that start at random."""
        return Recipe(
            epochs=epochs,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            patience=8,
            seed=seed,
            average=_AVERAGE,
            precision="mixed_bfloat16",
            augmentation=Augmentation(min_area=self.min_area),
        )


def from_trial(trial: optuna.trial.BaseTrial) -> Configuration:
    """Let a trial choose a configuration; no choice has more than `MAX_PARAMETERS` parameters.

    The widest block is chosen last, and only among the widths that the rest leaves room for.
    """
    rest = Configuration(
        size=trial.suggest_categorical("size", SIZES),
        blocks=trial.suggest_int("blocks", *BLOCKS),
        first_filters=trial.suggest_int("first_filters", FIRST_FILTERS[0], FIRST_FILTERS[1], step=FIRST_FILTERS[2]),
        widest=WIDEST[0],
        first_kernel=trial.suggest_categorical("first_kernel", (3, 5)),
        convolutions=trial.suggest_int("convolutions", 1, 2),
        separable=trial.suggest_categorical("separable", (False, True)),
        block_kind=trial.suggest_categorical("block_kind", BLOCK_KINDS),
        head=trial.suggest_categorical("head", HEADS),
        dropout=trial.suggest_float("dropout", 0.0, 0.5),
        learning_rate=trial.suggest_float("learning_rate", 3e-4, 3e-3, log=True),
        weight_decay=trial.suggest_float("weight_decay", 1e-5, 1e-2, log=True),
        min_area=trial.suggest_float("min_area", 0.1, 0.5),
    )
    low, high, step = WIDEST
    limit = max(
        widest
        for widest in range(low, high + 1, step)
        if widest == low or parameters(dataclasses.replace(rest, widest=widest)) <= MAX_PARAMETERS
    )
    return dataclasses.replace(rest, widest=trial.suggest_int("widest", low, limit, step=step))


def parameters(configuration: Configuration) -> int:
    """Return the number of weights of the network, as `keras.Model.count_params` does."""
    return build(configuration).count_params()


def build(configuration: Configuration) -> keras.Model:
    """Build a network of the family from random weights.

    Returns:
        A flat model from (size, size, 1) float32 in 0…1 to (1,) float32, the probability of pneumonia, with feature
        maps in the layer `Configuration.cam_layer`.
    """
    picture = keras.Input((configuration.size, configuration.size, 1), name="film")
    x = picture
    for number, filters in enumerate(configuration.filters, start=1):
        if number > 1:
            x = layers.MaxPooling2D(2)(x)
        x = _block(x, filters, configuration, number)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(configuration.head, activation="relu")(x)
    x = layers.Dropout(configuration.dropout)(x)
    probability = layers.Dense(1, activation="sigmoid", dtype="float32", name="pneumonia")(x)
    return keras.Model(picture, probability, name=NAME)


def _block(entry: keras.KerasTensor, filters: int, configuration: Configuration, number: int) -> keras.KerasTensor:
    x = entry
    for index in range(configuration.convolutions):
        if index > 0:
            x = layers.ReLU()(x)
        x = _convolved(x, filters, configuration, first=number == 1 and index == 0)
    if configuration.block_kind == "squeeze_excitation":
        x = _excited(x, filters)
    if configuration.block_kind == "residual":
        x = layers.Add()([x, _shortcut(entry, x)])
    return layers.ReLU(name=f"block{number}")(x)


def _shortcut(entry: keras.KerasTensor, x: keras.KerasTensor) -> keras.KerasTensor:
    """Bring what came in to the shape of what it is added to (He et al. 2019, arXiv:1812.01187)."""
    if entry.shape[1] != x.shape[1]:
        # A convolution of one channel with a stride writes where it must not in TensorFlow 2.21 on some processors.
        entry = layers.AveragePooling2D(entry.shape[1] // x.shape[1])(entry)
    return entry if entry.shape[-1] == x.shape[-1] else layers.Conv2D(x.shape[-1], 1)(entry)


def _convolved(x: keras.KerasTensor, filters: int, configuration: Configuration, *, first: bool) -> keras.KerasTensor:
    # On one grey channel the filters of a separable convolution would be multiples of one another.
    kind = layers.SeparableConv2D if configuration.separable and not first else layers.Conv2D
    width = configuration.first_kernel if first else 3
    x = kind(filters, width, strides=2 if first else 1, padding="same", use_bias=False)(x)
    return layers.BatchNormalization(momentum=_NORM_MOMENTUM)(x)


def _excited(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    weights = layers.GlobalAveragePooling2D(keepdims=True)(x)
    weights = layers.Dense(filters // _SQUEEZE, activation="relu")(weights)
    return layers.Multiply()([x, layers.Dense(filters, activation="sigmoid")(weights)])


@dataclass(frozen=True)
class Trial:
    """What came of one configuration.

    Attributes:
        number: of the trial, from 1.
        state: ``complete``; ``pruned``, if it lagged behind or diverged; or ``failed``, if it was cut off.
        parameters: number of weights; None where it was cut off before it had any.
        shifted_auroc: of its best epoch, 0…1; None where none was done.
        epochs: that it ran.
        seconds: that those took.
        configuration: None where it was cut off before it had one.
    """

    number: int
    state: str
    parameters: int | None
    shifted_auroc: float | None
    epochs: int
    seconds: float
    configuration: Configuration | None


def open_study(folder: Path, settings: dict[str, Any], resume: bool) -> optuna.Study:
    """Open the search in a folder, or begin one; what was running when it was cut off has failed.

    Args:
        folder: where it keeps its state; created where it is missing.
        settings: what every trial of it has in common.
        resume: go on with the search in ``folder`` if there is one; else it is removed.

    Raises:
        ValueError: if the search in ``folder`` has other settings or cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "study.db"
    if not resume:
        # With the journal of a transaction that was cut off: it would be applied to the new file.
        for old in folder.glob(f"{file.name}*"):
            old.unlink()
        for winner in folder.glob("winner-*"):
            shutil.rmtree(winner)
    try:
        study = optuna.create_study(
            study_name=NAME,
            storage=f"sqlite:///{file.as_posix()}",
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(RANDOM_TRIALS, FIRST_PRUNED_EPOCH),
            load_if_exists=True,
        )
    except SQLAlchemyError as error:
        raise ValueError(f"{file} is no search that can be read; search without --resume.") from error
    if study.user_attrs.setdefault("settings", settings) != settings:
        raise ValueError(f"The search in {folder} is of other films or settings; search without --resume.")
    study.set_user_attr("settings", settings)
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
    return study


def finished_trials(study: optuna.Study) -> int:
    """Return how many trials were complete or pruned."""
    return len(study.get_trials(states=[TrialState.COMPLETE, TrialState.PRUNED]))


def best(study: optuna.Study) -> FrozenTrial:
    """Return the complete trial with the highest figure, of equal ones the first.

    Raises:
        ValueError: if none is complete.
    """
    complete = study.get_trials(states=[TrialState.COMPLETE])
    if not complete:
        raise ValueError("No trial was completed: all of them diverged. Search with another --seed.")
    return max(complete, key=lambda trial: trial.value or 0.0)


def attempt(
    study: optuna.Study,
    films: Films,
    validation: Films,
    epochs: int,
    seed: int,
    progress: Report,
) -> Trial:
    """Train the next configuration and measure it after each epoch.

    Args:
        study: as `open_study` returns it.
        films: to learn from.
        validation: of other patients.
        epochs: at most this many.
        seed: of the proposals and of training, 0…1,000,000.
        progress: called after each step and each epoch.
    """
    # A seed a trial: after an interruption the one that was cut off is proposed again, and then the same ones.
    place = finished_trials(study)
    study.sampler = optuna.samplers.TPESampler(n_startup_trials=RANDOM_TRIALS, seed=1000 * seed + place)
    trial = study.ask()
    configuration = from_trial(trial)
    model = fresh_model(configuration, seed)
    trial.set_user_attr("parameters", model.count_params())
    seconds = 0.0

    def watch(stage: Stage) -> None:
        nonlocal seconds
        progress(stage)
        if stage.row is None:
            return
        seconds += stage.row["seconds"]
        trial.set_user_attr("seconds", seconds)
        epoch = int(stage.row["epoch"])
        trial.report(stage.row[MONITOR], epoch)
        if epoch < epochs and trial.should_prune():
            raise optuna.TrialPruned

    with tempfile.TemporaryDirectory() as scratch:
        try:
            recipe = configuration.recipe(epochs, seed)
            history = loop.fit(model, films, validation, recipe, Path(scratch), progress=watch)
        except optuna.TrialPruned:
            ended = study.tell(trial, state=TrialState.PRUNED)
        except ValueError:
            # There is no AUROC of probabilities that are not numbers.
            if all(np.isfinite(weights).all() for weights in model.get_weights()):
                raise
            ended = study.tell(trial, state=TrialState.PRUNED)
        else:
            ended = study.tell(trial, max(row[MONITOR] for row in history))
    return summary(ended)


def fresh_model(configuration: Configuration, seed: int) -> keras.Model:
    """Build a network with the random weights that belong to a seed, and let go of what was trained before."""
    # Keras keeps the graphs of every model that was trained, until it is told otherwise.
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    return build(configuration)


def summary(trial: FrozenTrial) -> Trial:
    """Return what came of a trial that ended."""
    figures = trial.intermediate_values
    has_all = len(trial.params) == len(dataclasses.fields(Configuration))
    return Trial(
        number=trial.number + 1,
        state=_STATES[trial.state],
        parameters=trial.user_attrs.get("parameters"),
        shifted_auroc=max(figures.values(), default=None),
        epochs=len(figures),
        seconds=round(trial.user_attrs.get("seconds", 0.0), 1),
        configuration=Configuration(**trial.params) if has_all else None,
    )


def write_trials(trials: Iterable[Trial], file: Path) -> None:
    """Write a row a trial: its figures, then its hyperparameters, which are those of `Configuration`."""
    figures = [field.name for field in dataclasses.fields(Trial) if field.name != "configuration"]
    hyperparameters = [field.name for field in dataclasses.fields(Configuration)]
    rows = [
        {name: getattr(trial, name) for name in figures}
        | (dataclasses.asdict(trial.configuration) if trial.configuration else {})
        for trial in trials
    ]
    written = pd.DataFrame(rows, columns=[*figures, *hyperparameters])
    written.to_csv(file, index=False, float_format="%.6g", lineterminator="\n")


@dataclass(frozen=True)
class Outcome:
    """A search that is done: the card of the shipped winner, which trial that was, and all trials by number."""

    card: ModelCard
    winner: Trial
    trials: list[Trial]


def run(
    data: Path,
    out: Path,
    *,
    trials: int = 12,
    epochs: int = 4,
    fold: int = 0,
    seed: int = 0,
    folder: Path | None = None,
    resume: bool = False,
    progress: Report = silent,
    trial_done: Callable[[Trial], None] = lambda _: None,
) -> Outcome:
    """Try configurations, train the best one anew and in full, and write ``<out>/cnn_search/``.

    Args:
        data: a data set in the Kaggle layout.
        out: the folder of model folders.
        trials: how many are to be complete or pruned.
        epochs: of each trial.
        fold: which patients validate, see `kaggle.development_split`.
        seed: of the proposals and of each training run, 0…1,000,000.
        folder: where the search keeps its state; ``runs/search`` in the working folder where None.
        resume: go on with the search in ``folder``. A trial that was cut off has failed, and is run again.
        progress: called as the work goes on.
        trial_done: called with each trial that ends.

    Raises:
        DatasetError: if the data set is not complete enough to train on.
        ImageError: if a film cannot be read.
        ValueError: if the search in ``folder`` is of other films or settings or cannot be read, or all trials diverge.
    """
    root = kaggle.find_root(data)
    table = kaggle.scan(root)
    parts = kaggle.development_split(table, fold)
    folder = folder or Path("runs") / "search"
    settings = {"films": kaggle.fingerprint(pd.concat(parts)), "fold": fold, "epochs": epochs, "seed": seed}
    study = open_study(folder, settings, resume)

    films, validation = (load_films(root, part, progress) for part in parts)
    while (done := finished_trials(study)) < trials:
        what = f"trial {done + 1} of {trials}"
        trial_done(attempt(study, films, validation, epochs, seed, _reporter(progress, what)))

    won = best(study)
    winner, configuration = summary(won), Configuration(**won.params)
    recipe = configuration.recipe(FULL_EPOCHS, seed)
    model = fresh_model(configuration, seed)
    checkpoints = folder / f"winner-{winner.number}"
    history = loop.fit(model, films, validation, recipe, checkpoints, resume=resume, progress=progress)

    tried = [summary(trial) for trial in study.trials]
    finished = [trial for trial in tried if trial.state != "failed"]
    trained = Trained(
        model,
        classifier.calibrated(validation, parts.validation),
        title=f"Best of {len(finished)} CNNs",
        family="cnn",
        seed_system=SEED_SYSTEM,
        architecture=NAME,
        initial_weights=initial_weights(None),
        cam_layer=configuration.cam_layer,
        training={
            "data": kaggle.describe(table),
            **classifier.facts(parts, fold, recipe, history),
            "configuration": dataclasses.asdict(configuration),
            "search": {
                "trials": len(finished),
                "pruned": sum(trial.state == "pruned" for trial in finished),
                "winner": winner.number,
                "epochs": epochs,
                "seed": seed,
                "seconds": round(sum(trial.seconds for trial in tried), 1),
                "sampler": f"tree-structured Parzen estimator of Optuna {optuna.__version__}",
            },
        },
        history=history,
    )
    card = task.ship(NAME, classifier.TASK, trained, out)
    write_trials(tried, out / NAME / "trials.csv")
    return Outcome(card, winner, tried)


def _reporter(progress: Report, what: str) -> Report:
    """Report the steps of a trial under its own name, and its epochs to nobody."""
    return lambda stage: progress(dataclasses.replace(stage, what=what, row=None))
