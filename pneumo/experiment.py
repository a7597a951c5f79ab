"""Train a model on a data set and ship it as a model folder; measure a shipped model on films.

The official test split is not read while training: a folder comes out of `train` with validation figures only,
its configuration frozen. `evaluate` opens the test split, and the card counts each time.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from pneumo import (
    architectures,
    calibration,
    dataset,
    evaluation,
    external,
    model_store,
    preprocessing,
    provenance,
    training,
)
from pneumo.errors import DatasetError
from pneumo.model_store import CLASSIFICATION, SELECTION_SPLIT, ModelCard
from pneumo.recipes import RECIPES
from pneumo.training import Films, Progress, Recipe

VALIDATION_SPLITS = ("val", SELECTION_SPLIT)
EXTERNAL_SPLIT = "external_nih"
EVALUATION_SPLITS = (*VALIDATION_SPLITS, "test", EXTERNAL_SPLIT)


@dataclass(frozen=True)
class Stage:
    """What a long command is doing: ``done`` of ``total`` steps of ``what``, and the epoch where one runs."""

    what: str
    done: int
    total: int
    epoch: Progress | None = None


def train(
    name: str,
    data: Path,
    out: Path,
    *,
    weights: str | Path | None = None,
    epochs: int | None = None,
    fold: int = 0,
    checkpoints: Path | None = None,
    resume: bool = False,
    progress: Callable[[Stage], None] = lambda _: None,
) -> ModelCard:
    """Train an architecture by its recipe and write ``<out>/<name>/``.

    Args:
        name: key of `architectures.REGISTRY`.
        data: a data set in the Kaggle layout.
        out: the folder of model folders.
        weights: see `architectures.build`.
        epochs: in place of the recipe's.
        fold: which patients validate, see `dataset.development_split`.
        checkpoints: where they go; ``runs/<name>`` in the working folder where None.
        resume: go on from the checkpoints.
        progress: called as the work goes on.

    Raises:
        DatasetError: if the data set is not complete enough to train on.
        ImageError: if a film cannot be read.
        ValueError: for an unknown name or weights that are not there.
    """
    recipe = RECIPES.get(name, Recipe())
    if epochs is not None:
        recipe = dataclasses.replace(recipe, epochs=epochs)
    keras.utils.set_random_seed(recipe.seed)
    model = architectures.build(name, weights)

    root = dataset.find_root(data)
    table = dataset.scan(root)
    parts = dataset.development_split(table, fold)
    films, judged = (load_films(root, part, progress) for part in parts)
    history = training.fit(
        model,
        films,
        judged,
        recipe,
        checkpoints or Path("runs") / name,
        resume=resume,
        progress=lambda now: progress(
            Stage("training", (now.epoch - 1) * now.steps + now.step, now.epochs * now.steps, now)
        ),
    )

    openings = model_store.start_anew(name, out)
    file = out / name / "model.keras"
    model_store.save(model, file)
    shipped = model_store.load_file(file)
    architecture = architectures.REGISTRY[name]
    raw = {split: training.predict(shipped, judged, shifted=split == SELECTION_SPLIT) for split in VALIDATION_SPLITS}
    fitted = calibration.fit(judged.labels, raw[SELECTION_SPLIT])
    shifted = fitted.apply(raw[SELECTION_SPLIT])
    limits = calibration.choose_thresholds(judged.labels, shifted)
    card = ModelCard(
        name=name,
        title=architecture.title,
        family=architecture.family,
        seed_system=architecture.seed_system,
        architecture=name,
        initial_weights=provenance.initial_weights(weights),
        input={
            "size": shipped.input_shape[1],
            "channels": shipped.input_shape[3],
            "crop": "whole film, stretched to a square",
            "scaling": "percentiles {:g} and {:g} to 0 and 1".format(*preprocessing.WINDOW),
        },
        cam_layer=architecture.cam_layer,
        labels=list(dataset.LABELS),
        training={
            "data": dataset.describe(table),
            **provenance.training_facts(
                parts, fold, dataclasses.asdict(recipe), history, "shifted_auroc", f"AUROC on {SELECTION_SPLIT}"
            ),
        },
        calibration={**dataclasses.asdict(fitted), "fitted_on": SELECTION_SPLIT},
        thresholds={
            **dataclasses.asdict(limits),
            "chosen_on": {
                "decision": f"one half of the probability calibrated on {SELECTION_SPLIT}",
                "low": f"sensitivity {calibration.RULE_OUT_SENSITIVITY:g} or more on {SELECTION_SPLIT} (interval)",
                "high": f"specificity {calibration.RULE_IN_SPECIFICITY:g} or more on {SELECTION_SPLIT} (interval)",
            },
            "evidence": calibration.threshold_evidence(judged.labels, shifted, limits),
        },
        parameters=shipped.count_params(),
        size_bytes=file.stat().st_size,
        sha256=model_store.file_sha256(file),
        test_openings=openings,
    )
    for split in VALIDATION_SPLITS:
        card = _record(card, parts.validation, raw[split], split, out)
    pd.DataFrame(history).round(6).to_csv(file.with_name("history.csv"), index=False, lineterminator="\n")
    return card


def evaluate(
    name: str,
    data: Path,
    split: str = "test",
    folder: Path | None = None,
    progress: Callable[[Stage], None] = lambda _: None,
) -> ModelCard:
    """Measure a model on a split, rewrite its predictions and its card.

    Args:
        name: of the model folder.
        data: a data set in the Kaggle layout, or for `EXTERNAL_SPLIT` a folder with ``labels.csv``.
        split: one of `EVALUATION_SPLITS`.
        folder: the folder of model folders.
        progress: called as the work goes on.

    Raises:
        ModelError: if the model cannot be loaded.
        DatasetError: if the data set lacks the split, or test patients were trained on.
        ValueError: if there is no such split.
    """
    if split not in EVALUATION_SPLITS:
        raise ValueError(f"There is no split {split!r}. Choose one of: {', '.join(EVALUATION_SPLITS)}.")
    out = folder or model_store.models_folder()
    card, model = model_store.load(name, out, CLASSIFICATION)
    root = data if split == EXTERNAL_SPLIT else dataset.find_root(data)
    table = films_of(split, root, card.training.get("fold", 0))
    films = load_films(root, table, progress)
    raw = training.predict(model, films, shifted=split == SELECTION_SPLIT)
    if split == "test":
        card = provenance.with_test_opened(card)
    return _record(card, table, raw, split, out)


def load_films(root: Path, table: pd.DataFrame, progress: Callable[[Stage], None] = lambda _: None) -> Films:
    """Read the films of a data set table into memory."""
    squares = preprocessing.load_squares(root, table, lambda done, total: progress(Stage("reading films", done, total)))
    return Films(squares, (table["label"] == "PNEUMONIA").to_numpy(np.float32), tuple(table["file"]))


def metrics_record(metrics: evaluation.Metrics) -> dict[str, Any]:
    """Return metrics as they stand in a card: six decimals, None for what the films cannot tell."""
    return provenance.tidy(dataclasses.asdict(metrics))


def films_of(split: str, root: Path, fold: int) -> pd.DataFrame:
    """List the films of one of `EVALUATION_SPLITS`, as `dataset.scan` does.

    Raises:
        DatasetError: if the data set lacks the split, or test patients were trained on.
    """
    if split == EXTERNAL_SPLIT:
        return external.scan(root)
    table = dataset.scan(root)
    parts = dataset.development_split(table, fold)
    if split in VALIDATION_SPLITS:
        return parts.validation
    test = table[table["split"] == "test"]
    if test.empty:
        raise DatasetError(f"{root} has no films under test/. Point to a data set that has a test split.")
    return test.reset_index(drop=True)


def _record(card: ModelCard, table: pd.DataFrame, raw: np.ndarray, split: str, out: Path) -> ModelCard:
    """Write a split's predictions, and the card with the metrics that those give."""
    predictions = table.assign(probability=card.as_calibration().apply(raw))
    model_store.write_predictions(predictions, card.name, split, out)
    metrics = evaluation.evaluate_table(
        model_store.read_predictions(card.name, split, out), card.thresholds["decision"]
    )
    card = dataclasses.replace(card, metrics={**card.metrics, split: metrics_record(metrics)})
    model_store.write_card(card, out)
    return card
