"""Try configurations of the family of small CNNs one after the other, and remember what came of each.

They are proposed by a tree-structured Parzen estimator (Bergstra et al. 2011) and judged, like every training run, by
the area under the ROC curve on shifted validation films. A trial that lags behind the median of the others is stopped.
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
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from pneumo import search_space, training
from pneumo.search_space import NAME, Configuration
from pneumo.training import Films, Progress

JUDGED_BY = "shifted_auroc"
# Proposed at random, so that the estimator has something to learn from; until they are complete, none is stopped.
RANDOM_TRIALS = 4
# After one epoch the averaged weights still stand near their random start.
FIRST_PRUNED_EPOCH = 2
_STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


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


def finished(study: optuna.Study) -> int:
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


def configuration_of(trial: FrozenTrial) -> Configuration:
    """Return the configuration that a trial chose."""
    return Configuration(**trial.params)


def attempt(
    study: optuna.Study,
    films: Films,
    judged: Films,
    epochs: int,
    seed: int,
    progress: Callable[[Progress], None],
) -> Trial:
    """Train the next configuration and judge it after each epoch.

    Args:
        study: as `open_study` returns it.
        films: to learn from.
        judged: to judge by, of other patients.
        epochs: at most this many.
        seed: of the proposals and of training, 0…1,000,000.
        progress: called after each step and each epoch.
    """
    # A seed a trial: after an interruption the one that was cut off is proposed again, and then the same ones.
    place = finished(study)
    study.sampler = optuna.samplers.TPESampler(n_startup_trials=RANDOM_TRIALS, seed=1000 * seed + place)
    trial = study.ask()
    configuration = search_space.from_trial(trial)
    model = fresh_model(configuration, seed)
    trial.set_user_attr("parameters", model.count_params())
    seconds = 0.0

    def watch(now: Progress) -> None:
        nonlocal seconds
        progress(now)
        if now.row is None:
            return
        seconds += now.row["seconds"]
        trial.set_user_attr("seconds", seconds)
        trial.report(now.row[JUDGED_BY], now.epoch)
        if now.epoch < epochs and trial.should_prune():
            raise optuna.TrialPruned

    with tempfile.TemporaryDirectory() as scratch:
        try:
            recipe = configuration.recipe(epochs, seed)
            history = training.fit(model, films, judged, recipe, Path(scratch), progress=watch)
        except optuna.TrialPruned:
            ended = study.tell(trial, state=TrialState.PRUNED)
        except ValueError:
            # There is no AUROC of probabilities that are not numbers.
            if all(np.isfinite(weights).all() for weights in model.get_weights()):
                raise
            ended = study.tell(trial, state=TrialState.PRUNED)
        else:
            ended = study.tell(trial, max(row[JUDGED_BY] for row in history))
    return summary(ended)


def fresh_model(configuration: Configuration, seed: int) -> keras.Model:
    """Build a network with the random weights that belong to a seed, and let go of what was trained before."""
    # Keras keeps the graphs of every model that was trained, until it is told otherwise.
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    return search_space.build(configuration)


def summary(trial: FrozenTrial) -> Trial:
    """Return what came of a trial that ended."""
    judged = trial.intermediate_values
    has_all = len(trial.params) == len(dataclasses.fields(Configuration))
    return Trial(
        number=trial.number + 1,
        state=_STATES[trial.state],
        parameters=trial.user_attrs.get("parameters"),
        shifted_auroc=max(judged.values(), default=None),
        epochs=len(judged),
        seconds=round(trial.user_attrs.get("seconds", 0.0), 1),
        configuration=configuration_of(trial) if has_all else None,
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
