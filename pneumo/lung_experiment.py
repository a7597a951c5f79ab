"""Train the lung network and ship it as the model folder ``lungs``; measure it on films whose lungs a human drew.

The counterpart of `pneumo.experiment`: the official test split is not read while training, and each opening is counted.
"""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import keras
import pandas as pd

from pneumo import (
    dataset,
    evaluation,
    experiment,
    external,
    lung_network,
    lung_training,
    lungs,
    model_store,
    provenance,
    shipping,
)
from pneumo.experiment import Stage
from pneumo.lung_training import COLUMNS, DrawnFilms
from pneumo.model_card import SEGMENTATION, ModelCard

NAME = "lungs"
# Chest radiographs of adults from many hospitals: a folder with its own table, see `external.with_lungs`.
ADULT_SPLIT = "opacity_masks"
SPLITS = ("val", "test", ADULT_SPLIT)
FIGURES = tuple(COLUMNS[3:])


def train(
    data: Path,
    masks: Path | None,
    out: Path,
    *,
    weights: str | Path | None = None,
    epochs: int | None = None,
    fold: int = 0,
    checkpoints: Path | None = None,
    resume: bool = False,
    progress: Callable[[Stage], None] = lambda _: None,
) -> ModelCard:
    """Train the lung network by its recipe and write ``<out>/lungs/``.

    Args:
        data: a data set in the Kaggle layout.
        masks: the folder that holds ``labels.csv`` and the masks; ``lung_masks`` beside the data set where None.
        out: the folder of model folders.
        weights: see `lung_network.build`.
        epochs: in place of the recipe's.
        fold: which patients validate, see `dataset.development_split`.
        checkpoints: where they go; ``runs/lungs`` in the working folder where None.
        resume: go on from the checkpoints.
        progress: called as the work goes on.

    Raises:
        DatasetError: if the films or their masks are not complete enough to train on.
        ImageError: if a film cannot be read.
        ValueError: for weights that are not there.
    """
    recipe = lung_training.RECIPE
    if epochs is not None:
        recipe = dataclasses.replace(recipe, epochs=epochs)
    started_from = provenance.initial_weights(weights)
    keras.utils.set_random_seed(recipe.seed)
    model = lung_network.build(weights)

    root = dataset.find_root(data)
    masks = masks or root.parent / "lung_masks"
    table = dataset.scan(root)
    parts = dataset.Development(
        *(lung_training.with_masks(part, masks) for part in dataset.development_split(table, fold))
    )
    films, judged = (_load(root, masks, part, progress) for part in parts)
    history = lung_training.fit(
        model,
        films,
        judged,
        recipe,
        checkpoints or Path("runs") / NAME,
        resume=resume,
        progress=lambda now: progress(Stage.training(now)),
    )

    shipped, stored = shipping.store(NAME, model, out)
    card = ModelCard(
        name=NAME,
        title="Lung outlines (U-Net on MobileNetV2)",
        family=SEGMENTATION,
        seed_system=None,
        architecture=NAME,
        initial_weights=started_from,
        input=shipping.input_facts(shipped),
        cam_layer=None,
        labels=["background", "lung"],
        training={
            "data": dataset.describe(table),
            "masks": _describe(masks),
            "masks_fingerprint": _masks_fingerprint(masks, pd.concat(parts)),
            **provenance.training_facts(
                parts,
                fold,
                {**dataclasses.asdict(recipe), "augmentation": lung_training.AUGMENTATION},
                history,
                "val_dice",
                "mean Dice on val",
            ),
        },
        calibration={},
        thresholds={"decision": lungs.THRESHOLD, "chosen_on": {"decision": "one half; no film chose it"}},
        **stored,
        task=SEGMENTATION,
    )
    model_store.write_history(history, NAME, out)
    return _record(card, lung_training.measure(shipped, judged), "val", out)


def evaluate(
    data: Path,
    masks: Path | None = None,
    split: str = "test",
    folder: Path | None = None,
    progress: Callable[[Stage], None] = lambda _: None,
) -> ModelCard:
    """Measure the shipped lung network on a split, rewrite its predictions and its card.

    Args:
        data: a data set in the Kaggle layout, or for `ADULT_SPLIT` a folder as `external.with_lungs` reads it.
        masks: the folder that holds ``labels.csv`` and the masks; ``lung_masks`` beside the data set where None.
        split: one of `SPLITS`.
        folder: the folder of model folders.
        progress: called as the work goes on.

    Raises:
        ModelError: if the model cannot be loaded.
        DatasetError: if the data set lacks the split, or masks are missing.
        ValueError: if there is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}. Choose one of: {', '.join(SPLITS)}.")
    out = folder or model_store.models_folder()
    card, model = model_store.load(NAME, out, SEGMENTATION)
    if split == ADULT_SPLIT:
        films = _load(data, data, external.with_lungs(data), progress)
    else:
        root = dataset.find_root(data)
        masks = masks or root.parent / "lung_masks"
        table = experiment.films_of(split, root, card.training.get("fold", 0))
        films = _load(root, masks, lung_training.with_masks(table, masks), progress)
    measured = lung_training.measure(model, films)
    if split == "test":
        card = provenance.with_test_opened(card)
    return _record(card, measured, split, out)


def read_measured(split: str, folder: Path | None = None) -> pd.DataFrame:
    """Read what the shipped network was measured to do on each film of a split: `lung_training.COLUMNS`.

    Raises:
        ModelError: if it was not measured on that split, or the file is damaged.
    """
    table = model_store.read_predictions(NAME, split, folder, COLUMNS)
    return table.assign(**{figure: pd.to_numeric(table[figure], errors="coerce") for figure in FIGURES})


def summarise(measured: pd.DataFrame) -> dict[str, object]:
    """Return a split's metrics as they stand in the card.

    Returns:
        The mean of each of `FIGURES` over the films with its interval (``boundary_distance`` in pixels of the squashed
        film), ``films``, ``patients``, and ``failed``: films that the network drew no lung in.
    """
    patients = measured["patient"].to_numpy(str)
    figures = {
        figure: dataclasses.asdict(evaluation.mean_by_patient(measured[figure].to_numpy(float), patients))
        for figure in FIGURES
    }
    counted = {"films": len(measured), "patients": len(set(patients))}
    return provenance.tidy({**figures, **counted, "failed": int(measured["boundary_distance"].isna().sum())})


def _load(root: Path, masks: Path, table: pd.DataFrame, progress: Callable[[Stage], None]) -> DrawnFilms:
    return lung_training.load(
        root, masks, table, lambda done, total: progress(Stage("reading films and masks", done, total))
    )


def _describe(masks: Path) -> str:
    index = pd.read_csv(masks / "labels.csv")
    return "lungs drawn by humans, V7 Labs, CC BY 4.0" if "v7_id" in index else f"{len(index):,} drawn lungs"


def _masks_fingerprint(masks: Path, table: pd.DataFrame) -> str:
    hashes = [hashlib.sha256((masks / file).read_bytes()).hexdigest() for file in table["mask"]]
    return dataset.fingerprint(pd.DataFrame({"file": table["mask"].to_numpy(), "sha256": hashes}))


def _record(card: ModelCard, measured: pd.DataFrame, split: str, out: Path) -> ModelCard:
    """Write a split's table, and the card with the metrics that it gives."""
    model_store.write_predictions(measured, NAME, split, out, COLUMNS)
    card = dataclasses.replace(card, metrics={**card.metrics, split: summarise(read_measured(split, out))})
    model_store.write_card(card, out)
    return card
