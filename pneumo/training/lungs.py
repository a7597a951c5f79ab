"""Train the lung network on human masks, and measure it: ``python -m pneumo train lungs``.

The masks are those of V7 Labs for the Kermany films (a folder with ``labels.csv`` and the masks as PNG, squashed as the
films are). Training sees random views: turned, shifted, stretched, exposed otherwise and mirrored.

Train the lung network and ship it as the model folder ``lungs``; measure it on films whose lungs a human drew.

The counterpart of `pneumo.training.classifier`: the official test split is not read while training, and each opening
is counted.
"""

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd

from pneumo.datasets import external, kaggle
from pneumo.errors import DatasetError
from pneumo.evaluation import intervals, segmentation
from pneumo.inference import lungs
from pneumo.inference.lungs import THRESHOLD
from pneumo.model_store import provenance, store
from pneumo.model_store.card import SEGMENTATION, ModelCard
from pneumo.networks import lung_unet
from pneumo.preprocessing.network_input import SQUARE
from pneumo.training import checkpoints, classifier, export, loop
from pneumo.training.classifier import Stage
from pneumo.training.films import load_squares
from pneumo.training.loop import Progress, Recipe

RECIPE = Recipe(epochs=10, batch=16, learning_rate=1e-3, average=0.99, patience=4)
# How far a view may stray. Turns, shifts (shares of the side) and brightness are drawn from ± this, the contrast from a
# range, and of the zoom (width and height apart) and the gamma the logarithm is. A blur (standard deviation in pixels)
# below the first of its numbers is none; noise is up to this. Half of the views are mirrored.
DEGREES, SHIFT, ZOOM = 12.0, 0.08, 1.3
GAMMA, BRIGHTNESS, CONTRAST = 0.5, 0.15, (0.7, 1.2)
BLUR, NOISE = (0.7, 1.5), 0.04
AUGMENTATION = {
    "degrees": DEGREES,
    "shift": SHIFT,
    "zoom": ZOOM,
    "log_gamma": GAMMA,
    "brightness": BRIGHTNESS,
    "lowest_contrast": CONTRAST[0],
    "highest_contrast": CONTRAST[1],
    "smallest_blur": BLUR[0],
    "largest_blur": BLUR[1],
    "noise": NOISE,
    "flip": 0.5,
}
COLUMNS = ["file", "patient", "label", "dice", "iou", "boundary_distance"]


@dataclass(frozen=True, eq=False)
class DrawnFilms:
    """Films in memory with the lungs that a human drew.

    Attributes:
        squares: (films, `SQUARE`, `SQUARE`) uint8, as `films.load_squares` returns them.
        masks: (films, `SQUARE`, `SQUARE`) uint8, 255 where there is lung.
        table: ``file, patient, label`` of each film, among others.
    """

    squares: np.ndarray
    masks: np.ndarray
    table: pd.DataFrame


def with_masks(table: pd.DataFrame, masks: Path) -> pd.DataFrame:
    """Return the films that a human drew the lungs of, with the mask's path in a column ``mask``.

    Args:
        table: as `pneumo.datasets.kaggle.scan` returns it.
        masks: the folder that holds ``labels.csv`` and the masks that it names.

    Raises:
        DatasetError: if there is no such table, or none of the films is in it.
    """
    index = masks / "labels.csv"
    if not index.is_file():
        raise DatasetError(f"There is no table of lung masks at {index}. Name the folder that holds it with --masks.")
    listed = pd.read_csv(index).drop_duplicates("kermany_file").set_index("kermany_file")["mask"]
    mask = table["file"].map(lambda file: Path(file).name).map(listed)
    drawn = table.assign(mask=mask)[mask.notna()].reset_index(drop=True)
    if drawn.empty:
        raise DatasetError(f"{index} has a mask for none of the films. Do the masks belong to this data set?")
    return drawn


def load(
    root: Path, masks: Path, table: pd.DataFrame, progress: Callable[[int, int], None] = lambda done, total: None
) -> DrawnFilms:
    """Read films and their masks into memory.

    Raises:
        DatasetError: if a mask is missing.
        ImageError: if a film cannot be read.
    """
    squares = load_squares(root, table, progress)
    drawn = np.empty_like(squares)
    for index, file in enumerate(table["mask"]):
        picture = cv2.imread(str(masks / file), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            raise DatasetError(f"{masks / file} is missing or not a picture. Unpack the lung masks anew.")
        drawn[index] = cv2.resize(picture, (SQUARE, SQUARE), interpolation=cv2.INTER_AREA)
    return DrawnFilms(squares, drawn, table)


def fit(
    model: keras.Model,
    train: DrawnFilms,
    validation: DrawnFilms,
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> list[dict[str, float]]:
    """Train the network and leave the weights with the best validation Dice in it.

    Args:
        model: as `pneumo.networks.lung_unet.build` returns it.
        train: films to learn from.
        validation: films to judge by, of other patients.
        recipe: how to train.
        folder: where checkpoints go.
        resume: go on from the checkpoint in ``folder`` if there is one.
        progress: called after each step and each epoch.

    Returns:
        One row an epoch: ``epoch, loss, val_dice, seconds``.

    Raises:
        ValueError: if the checkpoint belongs to another recipe or other films.
    """
    keras.utils.set_random_seed(recipe.seed)
    steps = math.ceil(len(train.table) / recipe.batch)
    model.compile(optimizer=loop.optimizer(recipe, steps), loss=overlap_loss)

    def one_epoch(epoch: int) -> tuple[list[np.ndarray], dict[str, float]]:
        started = time.perf_counter()
        trained: list[np.ndarray] = []
        report = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda step, logs: progress(Progress(epoch, recipe.epochs, step + 1, steps)),
            # `fit` puts the moving average into the model when it ends.
            on_epoch_end=lambda epoch, logs: trained.extend(model.get_weights()),
        )
        views = _Views(train, model.input_shape[1], recipe, epoch)
        logs = model.fit(views, epochs=1, shuffle=False, verbose=0, callbacks=[report]).history
        row = {"epoch": epoch, "loss": logs["loss"][0], "val_dice": float(measure(model, validation)["dice"].mean())}
        row["seconds"] = round(time.perf_counter() - started, 1)
        progress(Progress(epoch, recipe.epochs, steps, steps, row))
        return trained, row

    text = json.dumps([dataclasses.asdict(recipe), *(films.table["file"].tolist() for films in (train, validation))])
    return checkpoints.run(
        model,
        folder,
        hashlib.sha256(text.encode()).hexdigest(),
        one_epoch,
        judged_by="val_dice",
        epochs=recipe.epochs,
        patience=recipe.patience,
        resume=resume,
    )


def overlap_loss(truth: keras.KerasTensor, drawn: keras.KerasTensor) -> keras.KerasTensor:
    """Return binary cross-entropy plus one minus the soft Dice of each film (Milletari et al. 2016)."""
    ops = keras.ops
    shared = ops.sum(truth * drawn, axis=(1, 2, 3))
    total = ops.sum(truth, axis=(1, 2, 3)) + ops.sum(drawn, axis=(1, 2, 3))
    soft_dice = (2 * shared + 1) / (total + 1)
    entropy = ops.mean(ops.binary_crossentropy(truth, drawn), axis=(1, 2, 3))
    return entropy + 1 - soft_dice


def measure(model: keras.Model, films: DrawnFilms, batch: int = 32) -> pd.DataFrame:
    """Draw the lungs of films and compare with the human's.

    Returns:
        `COLUMNS`, one row a film: Dice, intersection over union, and the distance between the outlines in pixels of the
        `SQUARE` x `SQUARE` film.
    """
    segmenter = lungs.Segmenter(model)
    rows = []
    for start in range(0, len(films.table), batch):
        squares = films.squares[start : start + batch] / np.float32(255)
        for probability, truth in zip(
            segmenter.probability(squares), films.masks[start : start + batch] >= 128, strict=True
        ):
            drawn = lungs.of_probability(probability).at(SQUARE, SQUARE)
            rows.append(
                (
                    segmentation.dice(drawn, truth),
                    segmentation.iou(drawn, truth),
                    segmentation.boundary_distance(drawn, truth),
                )
            )
    measured = films.table[COLUMNS[:3]].reset_index(drop=True)
    return measured.join(pd.DataFrame(rows, columns=COLUMNS[3:]))


def augmented_pair(
    square: np.ndarray, mask: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a random view of a film and its mask: turned, shifted, stretched, mirrored and exposed otherwise.

    Args:
        square: a `network_input.film_square`.
        mask: (side, side) float32 in 0…1.
        size: side of the view.
        rng: it is drawn from.

    Returns:
        Two (size, size, 1) float32 in 0…1.
    """
    side = square.shape[0]
    angle = np.deg2rad(rng.uniform(-DEGREES, DEGREES))
    zoom = np.exp(rng.uniform(-1, 1, 2) * np.log(ZOOM)) * size / side
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn * zoom * [rng.choice([-1.0, 1.0]), 1.0]
    centre = size / 2 + rng.uniform(-SHIFT, SHIFT, 2) * size
    affine = np.column_stack([matrix, centre - matrix @ np.array([side / 2, side / 2])])
    view, truth = (cv2.warpAffine(picture, affine, (size, size), flags=cv2.INTER_LINEAR) for picture in (square, mask))

    view = view ** np.exp(rng.uniform(-GAMMA, GAMMA))
    view = view * rng.uniform(*CONTRAST) + rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    view = cv2.GaussianBlur(view, (0, 0), sigma) if (sigma := rng.uniform(0, BLUR[1])) > BLUR[0] else view
    view = view + rng.normal(0, rng.uniform(0, NOISE), view.shape)
    view, truth = (np.clip(part, 0, 1).astype(np.float32)[..., np.newaxis] for part in (view, truth))
    return view, truth


class _Views(keras.utils.PyDataset):
    """The random views of one epoch; a function of the recipe's seed and the epoch alone."""

    def __init__(self, films: DrawnFilms, size: int, recipe: Recipe, epoch: int) -> None:
        super().__init__()
        self._films, self._size, self._batch, self._seed = films, size, recipe.batch, (recipe.seed, epoch)
        self._order = np.random.default_rng(self._seed).permutation(len(films.table))

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((*self._seed, index))
        pairs = [
            augmented_pair(
                self._films.squares[film] / np.float32(255), self._films.masks[film] / np.float32(255), self._size, rng
            )
            for film in self._order[index * self._batch : (index + 1) * self._batch]
        ]
        views, masks = zip(*pairs, strict=True)
        return np.stack(views), np.stack(masks)


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
        weights: see `lung_unet.build`.
        epochs: in place of the recipe's.
        fold: which patients validate, see `kaggle.development_split`.
        checkpoints: where they go; ``runs/lungs`` in the working folder where None.
        resume: go on from the checkpoints.
        progress: called as the work goes on.

    Raises:
        DatasetError: if the films or their masks are not complete enough to train on.
        ImageError: if a film cannot be read.
        ValueError: for weights that are not there.
    """
    recipe = RECIPE
    if epochs is not None:
        recipe = dataclasses.replace(recipe, epochs=epochs)
    started_from = provenance.initial_weights(weights)
    keras.utils.set_random_seed(recipe.seed)
    model = lung_unet.build(weights)

    root = kaggle.find_root(data)
    masks = masks or root.parent / "lung_masks"
    table = kaggle.scan(root)
    parts = kaggle.Development(*(with_masks(part, masks) for part in kaggle.development_split(table, fold)))
    films, judged = (_load(root, masks, part, progress) for part in parts)
    history = fit(
        model,
        films,
        judged,
        recipe,
        checkpoints or Path("runs") / NAME,
        resume=resume,
        progress=lambda now: progress(Stage.training(now)),
    )

    shipped, stored = export.store(NAME, model, out)
    card = ModelCard(
        name=NAME,
        title="Lung outlines (U-Net on MobileNetV2)",
        family=SEGMENTATION,
        seed_system=None,
        architecture=NAME,
        initial_weights=started_from,
        input=export.input_facts(shipped),
        cam_layer=None,
        labels=["background", "lung"],
        training={
            "data": kaggle.describe(table),
            "masks": _describe(masks),
            "masks_fingerprint": _masks_fingerprint(masks, pd.concat(parts)),
            **provenance.training_facts(
                parts,
                fold,
                {**dataclasses.asdict(recipe), "augmentation": AUGMENTATION},
                history,
                "val_dice",
                "mean Dice on val",
            ),
        },
        calibration={},
        thresholds={"decision": THRESHOLD, "chosen_on": {"decision": "one half; no film chose it"}},
        **stored,
        task=SEGMENTATION,
    )
    store.write_history(history, NAME, out)
    return _record(card, measure(shipped, judged), "val", out)


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
    out = folder or store.models_folder()
    card, model = store.load(NAME, out, SEGMENTATION)
    if split == ADULT_SPLIT:
        films = _load(data, data, external.with_lungs(data), progress)
    else:
        root = kaggle.find_root(data)
        masks = masks or root.parent / "lung_masks"
        table = classifier.films_of(split, root, card.training.get("fold", 0))
        films = _load(root, masks, with_masks(table, masks), progress)
    measured = measure(model, films)
    if split == "test":
        card = provenance.with_test_opened(card)
    return _record(card, measured, split, out)


def read_measured(split: str, folder: Path | None = None) -> pd.DataFrame:
    """Read what the shipped network was measured to do on each film of a split: `lungs.COLUMNS`.

    Raises:
        ModelError: if it was not measured on that split, or the file is damaged.
    """
    table = store.read_predictions(NAME, split, folder, COLUMNS)
    return table.assign(**{figure: pd.to_numeric(table[figure], errors="coerce") for figure in FIGURES})


def summarise(measured: pd.DataFrame) -> dict[str, object]:
    """Return a split's metrics as they stand in the card.

    Returns:
        The mean of each of `FIGURES` over the films with its interval (``boundary_distance`` in pixels of the squashed
        film), ``films``, ``patients``, and ``failed``: films that the network drew no lung in.
    """
    patients = measured["patient"].to_numpy(str)
    figures = {
        figure: dataclasses.asdict(intervals.mean_by_patient(measured[figure].to_numpy(float), patients))
        for figure in FIGURES
    }
    counted = {"films": len(measured), "patients": len(set(patients))}
    return provenance.tidy({**figures, **counted, "failed": int(measured["boundary_distance"].isna().sum())})


def _load(root: Path, masks: Path, table: pd.DataFrame, progress: Callable[[Stage], None]) -> DrawnFilms:
    return load(root, masks, table, lambda done, total: progress(Stage("reading films and masks", done, total)))


def _describe(masks: Path) -> str:
    index = pd.read_csv(masks / "labels.csv")
    return "lungs drawn by humans, V7 Labs, CC BY 4.0" if "v7_id" in index else f"{len(index):,} drawn lungs"


def _masks_fingerprint(masks: Path, table: pd.DataFrame) -> str:
    hashes = [hashlib.sha256((masks / file).read_bytes()).hexdigest() for file in table["mask"]]
    return kaggle.fingerprint(pd.DataFrame({"file": table["mask"].to_numpy(), "sha256": hashes}))


def _record(card: ModelCard, measured: pd.DataFrame, split: str, out: Path) -> ModelCard:
    """Write a split's table, and the card with the metrics that it gives."""
    store.write_predictions(measured, NAME, split, out, COLUMNS)
    card = dataclasses.replace(card, metrics={**card.metrics, split: summarise(read_measured(split, out))})
    store.write_card(card, out)
    return card
