"""Train the lung network on lungs that humans drew, shipped as ``lungs``; measure it on films with drawn lungs.

The masks are those of V7 Labs for the Kermany films (a folder with ``labels.csv`` and the masks as PNG, squashed as the
films are). Training sees random views: turned, shifted, stretched, exposed otherwise and mirrored.
"""

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import keras
import numpy as np
import pandas as pd

from pneumo.datasets import external, kaggle, lung_masks
from pneumo.errors import DatasetError
from pneumo.evaluation import intervals, metrics
from pneumo.inference import lungs
from pneumo.inference.lungs import THRESHOLD
from pneumo.model_store import card
from pneumo.model_store.card import SEGMENTATION
from pneumo.networks import lung_unet
from pneumo.preprocessing.network_input import SQUARE
from pneumo.training import loop
from pneumo.training.films import Report, load_squares, silent
from pneumo.training.loop import Epoch, Recipe
from pneumo.training.task import Finish, Measurement, Run, Task, Trained

if TYPE_CHECKING:
    from pneumo.training.workers import Team

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
NAME = "lungs"
# Chest radiographs of adults from many hospitals: a folder with its own table, see `external.with_lungs`.
ADULT_SPLIT = "opacity_masks"
COLUMNS = ["file", "patient", "label", "dice", "iou", "boundary_distance"]
FIGURES = tuple(COLUMNS[3:])


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


def load(root: Path, masks: Path, table: pd.DataFrame, progress: Report = silent) -> DrawnFilms:
    """Read films and their masks into memory.

    Raises:
        DatasetError: if a mask is missing.
        ImageError: if a film cannot be read.
    """
    squares = load_squares(root, table, progress, "reading films and masks")
    drawn = np.empty_like(squares)
    for index, file in enumerate(table["mask"]):
        picture = lung_masks.read_mask(masks / file)
        drawn[index] = cv2.resize(picture, (SQUARE, SQUARE), interpolation=cv2.INTER_AREA)
    return DrawnFilms(squares, drawn, table)


def fit(run: Run) -> Trained:
    """Train the network by its recipe.

    Raises:
        DatasetError: if the films or their masks are not complete enough to train on.
        ValueError: for weights that are not there.
    """
    recipe = run.recipe(RECIPE)
    started_from = card.initial_weights(run.weights)
    keras.utils.set_random_seed(recipe.seed)
    model = lung_unet.build(run.weights)

    masks = run.masks or _beside(run.root)
    parts = kaggle.Development(*(with_masks(part, masks) for part in run.parts))
    films, validation = (load(run.root, masks, part, run.progress) for part in parts)
    history = fit_network(
        model,
        films,
        validation,
        recipe,
        run.checkpoints,
        resume=run.resume,
        progress=run.progress,
        team=run.team,
    )
    return Trained(
        model,
        lambda shipped: Finish(
            {},
            {"decision": THRESHOLD, "chosen_on": {"decision": "one half; no film chose it"}},
            {"val": compare(shipped, validation)},
        ),
        title="Lung outlines (U-Net on MobileNetV2)",
        family=SEGMENTATION,
        architecture=NAME,
        initial_weights=started_from,
        labels=("background", "lung"),
        training={
            "data": kaggle.describe(run.table),
            "masks": _describe(masks),
            "masks_fingerprint": _masks_fingerprint(masks, pd.concat(parts)),
            **card.training_facts(
                parts,
                run.fold,
                {**recipe.facts(), "augmentation": AUGMENTATION},
                history,
                "val_dice",
                "mean Dice on val",
            ),
        },
        history=history,
    )


def fit_network(
    model: keras.Model,
    train: DrawnFilms,
    validation: DrawnFilms,
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    progress: Report = silent,
    team: "Team | None" = None,
) -> list[dict[str, float]]:
    """Train a network and leave the weights with the best validation Dice in it.

    Args:
        model: as `pneumo.networks.lung_unet.build` returns it.
        train: films to learn from.
        validation: films of other patients, to measure each epoch on.
        recipe: how to train.
        folder: where checkpoints go.
        resume: go on from the checkpoint in ``folder`` if there is one.
        progress: called after each step and each epoch.
        team: see `loop.run_epochs`.

    Returns:
        One row an epoch: ``epoch, loss, val_dice, seconds``.

    Raises:
        ValueError: if the checkpoint belongs to another recipe or other films.
    """
    keras.utils.set_random_seed(recipe.seed)
    return loop.run_epochs(
        model,
        recipe,
        folder,
        [films.table["file"].tolist() for films in (train, validation)],
        lambda epoch: random_pairs(train, model.input_shape[1], recipe, epoch),
        lambda: {"val_dice": float(compare(model, validation)["dice"].mean())},
        loss=overlap_loss,
        monitor="val_dice",
        resume=resume,
        progress=progress,
        team=team,
    )


def random_pairs(films: DrawnFilms, size: int, recipe: Recipe, epoch: int) -> Epoch:
    """Return the random views of one epoch with their masks, each film once, (size, size, 1)."""

    def draw(film: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return augmented_pair(films.squares[film] / np.float32(255), films.masks[film] / np.float32(255), size, rng)

    seed = (recipe.seed, epoch)
    order = np.random.default_rng(seed).permutation(len(films.table))
    return Epoch(order, recipe.batch, seed, draw, recipe.workers)


def overlap_loss(truth: keras.KerasTensor, drawn: keras.KerasTensor) -> keras.KerasTensor:
    """Return binary cross-entropy plus one minus the soft Dice of each film (Milletari et al. 2016)."""
    ops = keras.ops
    shared = ops.sum(truth * drawn, axis=(1, 2, 3))
    total = ops.sum(truth, axis=(1, 2, 3)) + ops.sum(drawn, axis=(1, 2, 3))
    soft_dice = (2 * shared + 1) / (total + 1)
    entropy = ops.mean(ops.binary_crossentropy(truth, drawn), axis=(1, 2, 3))
    return entropy + 1 - soft_dice


def compare(model: keras.Model, films: DrawnFilms, batch: int = 32) -> pd.DataFrame:
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
                    metrics.dice(drawn, truth),
                    metrics.iou(drawn, truth),
                    metrics.boundary_distance(drawn, truth),
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
    view, truth = (np.clip(each, 0, 1).astype(np.float32)[..., np.newaxis] for each in (view, truth))
    return view, truth


def measure(what: Measurement) -> dict[str, pd.DataFrame]:
    """Compare with the lungs that humans drew on the films of a split."""
    if what.split == ADULT_SPLIT:
        films = load(what.root, what.root, what.table, what.progress)
    else:
        masks = what.masks or _beside(what.root)
        films = load(what.root, masks, with_masks(what.table, masks), what.progress)
    return {what.split: compare(what.model, films)}


def summarise(measured: pd.DataFrame) -> dict[str, Any]:
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
    return card.tidy({**figures, **counted, "failed": int(measured["boundary_distance"].isna().sum())})


def _beside(root: Path) -> Path:
    return root.parent / lung_masks.FOLDER


def _describe(masks: Path) -> str:
    index = pd.read_csv(masks / "labels.csv")
    return "lungs drawn by humans, V7 Labs, CC BY 4.0" if "v7_id" in index else f"{len(index):,} drawn lungs"


def _masks_fingerprint(masks: Path, table: pd.DataFrame) -> str:
    hashes = [hashlib.sha256((masks / file).read_bytes()).hexdigest() for file in table["mask"]]
    return kaggle.fingerprint(pd.DataFrame({"file": table["mask"].to_numpy(), "sha256": hashes}))


TASK = Task(
    kind=SEGMENTATION,
    splits=("val", "test", ADULT_SPLIT),
    columns=COLUMNS,
    figures=FIGURES,
    fit=fit,
    measure=measure,
    summarise=lambda measured, _: summarise(measured),
    elsewhere={ADULT_SPLIT: external.with_lungs},
    pretrained=True,
    workers=True,
)
