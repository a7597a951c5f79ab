"""Train the network that tells bacterial from viral pneumonia, shipped as ``pathogen``; measure it.

It learns from films with pneumonia only, and starts from a shipped classifier, not from ImageNet. What ships sees each
film both ways, as `pneumo.networks.ensemble` does.
"""

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from pneumo.datasets import kaggle
from pneumo.evaluation import calibration
from pneumo.evaluation import metrics as evaluation
from pneumo.inference import gate
from pneumo.inference.pathogen import BACTERIAL, LEANING, NAME
from pneumo.model_store import store
from pneumo.model_store.card import CLASSIFICATION, PATHOGEN, ModelCard, require_same_split
from pneumo.model_store.store import PREDICTION_COLUMNS, SELECTION_SPLIT
from pneumo.networks import ensemble
from pneumo.networks.ensemble import Member
from pneumo.preprocessing import crops
from pneumo.training import classifier, loop
from pneumo.training.classifier import VALIDATION_SPLITS
from pneumo.training.films import Films, Report, load_films
from pneumo.training.recipes import PATHOGEN as RECIPE
from pneumo.training.recipes import PATHOGEN_SIZE, PATHOGEN_START
from pneumo.training.task import Finish, Measurement, Run, Task, Trained


def fit(run: Run) -> Trained:
    """Train the network by its recipe on the films whose names tell the pathogen.

    Raises:
        DatasetError: if the data set is not complete enough to train on.
        ModelError: if the start is missing, or was trained on other patients.
    """
    recipe = run.recipe(RECIPE)
    start, model = store.load(PATHOGEN_START, gate.holder(PATHOGEN_START, run.out), CLASSIFICATION)
    require_same_split(start, run.parts, run.fold)
    keras.utils.set_random_seed(recipe.seed)
    network = _beginner(model, PATHOGEN_SIZE)

    parts = kaggle.Development(*(part[part["pathogen"] != ""].reset_index(drop=True) for part in run.parts))
    films, validation = (_load(run.root, part, run.progress) for part in parts)
    history = loop.fit(
        network,
        films,
        validation,
        recipe,
        run.checkpoints,
        resume=run.resume,
        progress=run.progress,
        team=run.team,
    )

    def finish(shipped: keras.Model) -> Finish:
        raw = classifier.predicted(shipped, validation)
        fitted = calibration.fit(validation.labels, raw[SELECTION_SPLIT])
        return Finish(
            {**dataclasses.asdict(fitted), "fitted_on": SELECTION_SPLIT},
            {
                "decision": 0.5,
                "low": round(1 - LEANING, 6),
                "high": LEANING,
                "chosen_on": {"decision": "one half", "low": "stated, not fitted", "high": "stated, not fitted"},
            },
            {split: parts.validation.assign(probability=fitted.apply(raw[split])) for split in raw},
        )

    return Trained(
        ensemble.build([Member(start.name, crops.FILM, network)], unit=BACTERIAL, name=NAME),
        finish,
        title="Bacterial or viral",
        family=PATHOGEN,
        architecture=start.architecture,
        initial_weights=f"{start.name} (sha256 {start.sha256})",
        labels=("VIRUS", "BACTERIA"),
        training={
            "data": f"{kaggle.describe(run.table)}; films with pneumonia",
            **classifier.facts(parts, run.fold, recipe, history),
        },
        history=history,
    )


def measure(what: Measurement) -> dict[str, pd.DataFrame]:
    """Predict all films of a split, so that three classes can be told apart."""
    films = _load(what.root, what.table, what.progress)
    raw = loop.predict(what.model, films, shifted=what.split == SELECTION_SPLIT)
    return {what.split: what.table.assign(probability=what.card.as_calibration().apply(raw))}


def summarise(predictions: pd.DataFrame, card: ModelCard) -> dict[str, Any]:
    """Return a split's metrics as they stand in the card: films with pneumonia, bacterial against viral.

    Args:
        predictions: as ``predictions/<split>.csv``.
        card: tells the probability from which on a film is called bacterial.
    """
    known = predictions[predictions["pathogen"] != ""]
    metrics = evaluation.evaluate(
        (known["pathogen"] == BACTERIAL).to_numpy(int),
        known["probability"].to_numpy(float),
        known["patient"].to_numpy(str),
        card.thresholds["decision"],
    )
    return classifier.metrics_record(metrics)


def _beginner(model: keras.Model, size: int) -> keras.Model:
    """Return a classifier for inputs of another size whose last unit has random weights.

    What the layers below know is kept, with their batch-norm statistics.
    """
    network = keras.models.clone_model(model, input_tensors=keras.Input((size, size, 1), name="film"))
    network.set_weights(model.get_weights())
    unit = network.layers[-1]
    kernel, bias = unit.get_weights()
    unit.set_weights([np.asarray(keras.initializers.GlorotUniform(seed=0)(kernel.shape)), np.zeros_like(bias)])
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    return network


def _load(root: Path, table: pd.DataFrame, progress: Report) -> Films:
    films = load_films(root, table, progress)
    return dataclasses.replace(films, labels=(table["pathogen"] == BACTERIAL).to_numpy(np.float32))


TASK = Task(
    kind=PATHOGEN,
    splits=(*VALIDATION_SPLITS, "test"),
    columns=PREDICTION_COLUMNS,
    fit=fit,
    measure=measure,
    summarise=summarise,
    workers=True,
)
