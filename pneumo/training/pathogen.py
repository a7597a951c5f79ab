"""Train the network that tells bacterial from viral pneumonia and ship it as ``pathogen``; measure it.

The counterpart of `pneumo.training.classifier`. It learns from films with pneumonia only, and starts from a shipped
classifier. What ships sees each film both ways, as `pneumo.networks.ensemble` does.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from pneumo.datasets import kaggle
from pneumo.evaluation import calibration
from pneumo.evaluation import metrics as evaluation
from pneumo.inference import gate
from pneumo.inference.pathogen import BACTERIAL, LEANING, NAME
from pneumo.model_store import provenance, store
from pneumo.model_store.card import CLASSIFICATION, PATHOGEN, ModelCard
from pneumo.model_store.store import SELECTION_SPLIT
from pneumo.networks import ensemble
from pneumo.networks.ensemble import Member
from pneumo.preprocessing import crops
from pneumo.training import classifier, export, loop
from pneumo.training.classifier import Stage
from pneumo.training.export import VALIDATION_SPLITS
from pneumo.training.loop import Films
from pneumo.training.recipes import PATHOGEN as RECIPE
from pneumo.training.recipes import PATHOGEN_SIZE, PATHOGEN_START

SPLITS = (*VALIDATION_SPLITS, "test")


def train(
    data: Path,
    out: Path,
    *,
    epochs: int | None = None,
    fold: int = 0,
    checkpoints: Path | None = None,
    resume: bool = False,
    progress: Callable[[Stage], None] = lambda _: None,
) -> ModelCard:
    """Train the network by its recipe and write ``<out>/pathogen/``.

    Args:
        data: a data set in the Kaggle layout whose file names tell the pathogen.
        out: the folder of model folders; a start that it lacks is taken from those shipped with pneumo.
        epochs: in place of the recipe's.
        fold: which patients validate; the start must have been trained without them.
        checkpoints: where they go; ``runs/pathogen`` in the working folder where None.
        resume: go on from the checkpoints.
        progress: called as the work goes on.

    Raises:
        DatasetError: if the data set is not complete enough to train on.
        ImageError: if a film cannot be read.
        ModelError: if the start is missing, or was trained on other patients.
    """
    recipe = RECIPE if epochs is None else dataclasses.replace(RECIPE, epochs=epochs)
    root = kaggle.find_root(data)
    table = kaggle.scan(root)
    whole = kaggle.development_split(table, fold)
    start, model = store.load(PATHOGEN_START, gate.holder(PATHOGEN_START, out), CLASSIFICATION)
    provenance.require_same_split(start, whole, fold)
    keras.utils.set_random_seed(recipe.seed)
    network = _beginner(model, PATHOGEN_SIZE)

    parts = kaggle.Development(*(part[part["pathogen"] != ""].reset_index(drop=True) for part in whole))
    films, judged = (_load(root, part, progress) for part in parts)
    history = loop.fit(
        network,
        films,
        judged,
        recipe,
        checkpoints or Path("runs") / NAME,
        resume=resume,
        progress=lambda now: progress(Stage.training(now)),
    )

    both_ways = ensemble.build([Member(start.name, crops.FILM, network)], unit=BACTERIAL, name=NAME)
    shipped, stored = export.store(NAME, both_ways, out)
    raw = {split: loop.predict(shipped, judged, shifted=split == SELECTION_SPLIT) for split in VALIDATION_SPLITS}
    fitted = calibration.fit(judged.labels, raw[SELECTION_SPLIT])
    card = ModelCard(
        name=NAME,
        title="Bacterial or viral",
        family=PATHOGEN,
        seed_system=None,
        architecture=start.architecture,
        initial_weights=f"{start.name} (sha256 {start.sha256})",
        input=export.input_facts(shipped, [crops.FILM]),
        cam_layer=None,
        labels=["VIRUS", "BACTERIA"],
        training={
            "data": f"{kaggle.describe(table)}; films with pneumonia",
            **provenance.training_facts(
                parts, fold, dataclasses.asdict(recipe), history, "shifted_auroc", f"AUROC on {SELECTION_SPLIT}"
            ),
        },
        calibration={**dataclasses.asdict(fitted), "fitted_on": SELECTION_SPLIT},
        thresholds={
            "decision": 0.5,
            "low": round(1 - LEANING, 6),
            "high": LEANING,
            "chosen_on": {"decision": "one half", "low": "stated, not fitted", "high": "stated, not fitted"},
        },
        **stored,
        task=PATHOGEN,
    )
    for split in VALIDATION_SPLITS:
        card = _record(card, parts.validation, raw[split], split, out)
    store.write_history(history, NAME, out)
    return card


def evaluate(
    data: Path,
    split: str = "test",
    folder: Path | None = None,
    progress: Callable[[Stage], None] = lambda _: None,
) -> ModelCard:
    """Measure the shipped network on a split, rewrite its predictions and its card.

    All films of the split are predicted, so that three classes can be told apart; the figures are of those with
    pneumonia.

    Args:
        data: a data set in the Kaggle layout.
        split: one of `SPLITS`.
        folder: the folder of model folders.
        progress: called as the work goes on.

    Raises:
        ModelError: if the model cannot be loaded.
        DatasetError: if the data set lacks the split.
        ValueError: if there is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}. Choose one of: {', '.join(SPLITS)}.")
    out = folder or store.models_folder()
    card, model = store.load(NAME, out, PATHOGEN)
    root = kaggle.find_root(data)
    table = classifier.films_of(split, root, card.training["fold"])
    raw = loop.predict(model, _load(root, table, progress), shifted=split == SELECTION_SPLIT)
    if split == "test":
        card = provenance.with_test_opened(card)
    return _record(card, table, raw, split, out)


def summarise(predictions: pd.DataFrame, threshold: float) -> dict[str, object]:
    """Return a split's metrics as they stand in the card: films with pneumonia, bacterial against viral.

    Args:
        predictions: as ``predictions/<split>.csv``.
        threshold: a film is called bacterial at or above it.
    """
    known = predictions[predictions["pathogen"] != ""]
    metrics = evaluation.evaluate(
        (known["pathogen"] == BACTERIAL).to_numpy(int),
        known["probability"].to_numpy(float),
        known["patient"].to_numpy(str),
        threshold,
    )
    return export.metrics_record(metrics)


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


def _load(root: Path, table: pd.DataFrame, progress: Callable[[Stage], None]) -> Films:
    films = classifier.load_films(root, table, progress)
    return dataclasses.replace(films, labels=(table["pathogen"] == BACTERIAL).to_numpy(np.float32))


def _record(card: ModelCard, table: pd.DataFrame, raw: np.ndarray, split: str, out: Path) -> ModelCard:
    predictions = table.assign(probability=card.as_calibration().apply(raw))
    store.write_predictions(predictions, NAME, split, out)
    written = store.read_predictions(NAME, split, out)
    metrics = {**card.metrics, split: summarise(written, card.thresholds["decision"])}
    card = dataclasses.replace(card, metrics=metrics)
    store.write_card(card, out)
    return card
