"""Checkpoints: run a training epoch by epoch and keep the best weights.

A run that was cut off goes on as if there had been no interruption.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumo.model_store import store

if TYPE_CHECKING:
    import keras

# What a folder of checkpoints says of its run.
STATE = "state.json"


def run(
    model: "keras.Model",
    folder: Path,
    fingerprint: str,
    one_epoch: "Callable[[int], tuple[list[np.ndarray], dict[str, float]]]",
    *,
    monitor: str,
    epochs: int,
    patience: int,
    resume: bool = False,
) -> list[dict[str, float]]:
    """Train a compiled model and leave its best weights in it.

    Args:
        model: it is changed.
        folder: where checkpoints go; created where it is missing.
        fingerprint: tells this run from others; a checkpoint of another run is not gone on from.
        one_epoch: given the number of an epoch, from 1, trains for one. Returns the trained weights and the epoch's
            row of history, and leaves in the model the weights that the row was measured with.
        monitor: the figure of the row that is to be high.
        epochs: at most this many.
        patience: stop after this many epochs without a better one.
        resume: go on from the checkpoint in ``folder`` if there is one.

    Returns:
        One row an epoch.

    Raises:
        ValueError: if the checkpoint belongs to another run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    best, state_file = folder / "best.weights.h5", folder / STATE
    state: dict[str, Any] = {"run": fingerprint, "history": [], "best_epoch": 0}
    if resume and state_file.is_file():
        state = json.loads(state_file.read_text())
        if state.get("run") != fingerprint:
            raise ValueError(f"The checkpoint in {folder} is of another recipe or other films; train without --resume.")
        model.optimizer.build(model.trainable_variables)
        model.load_weights(_checkpoint(folder, len(state["history"])))
    else:
        for old in (state_file, *folder.glob("*.weights.h5")):
            old.unlink(missing_ok=True)
    history: list[dict[str, float]] = state["history"]

    while len(history) < epochs and len(history) - state["best_epoch"] < patience:
        epoch = len(history) + 1
        trained, row = one_epoch(epoch)
        history.append(row)
        if row[monitor] >= max(past[monitor] for past in history):
            state["best_epoch"] = epoch
            _save(model, best)
        model.set_weights(trained)
        # The state names the checkpoint, so a run that is cut off between these lines resumes one epoch earlier.
        _save(model, _checkpoint(folder, epoch))
        store.write_atomically(state_file, json.dumps(state))
        _checkpoint(folder, epoch - 1).unlink(missing_ok=True)
    model.load_weights(best)
    return history


def _save(model: "keras.Model", file: Path) -> None:
    """Write weights so that whoever reads, or a crash, meets the old file or the new one and never a half."""
    unfinished = file.with_name("unfinished.weights.h5")
    model.save_weights(unfinished)
    unfinished.replace(file)


def _checkpoint(folder: Path, epoch: int) -> Path:
    return folder / f"epoch-{epoch}.weights.h5"
