"""Train a model on a data set and ship it as a model folder; measure a shipped model on films.

The official test split is not read while training: a folder comes out of `train` with validation figures only,
its configuration frozen. `evaluate` opens the test split, and the card counts each time.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from pneumo.datasets import external, kaggle
from pneumo.errors import DatasetError
from pneumo.inference import gate
from pneumo.inference.lungs import Segmenter
from pneumo.labels import EXTERNAL_SPLIT
from pneumo.model_store import provenance, store
from pneumo.model_store.card import CLASSIFICATION, ModelCard
from pneumo.model_store.store import EVENED_SPLIT, HARD_SPLIT, REFRAMED_SPLIT, SELECTION_SPLIT
from pneumo.networks import classifiers
from pneumo.preprocessing import aspect_ratio, augmentation, crops
from pneumo.preprocessing.augmentation import Augmentation
from pneumo.training import export, linear_probe, loop
from pneumo.training.export import VALIDATION_SPLITS, Origin
from pneumo.training.films import SURROUNDINGS, all_stacked, load_squares, shifted_squares, swapped_frames
from pneumo.training.linear_probe import Probe
from pneumo.training.loop import Films, Progress, Recipe
from pneumo.training.recipes import RECIPES

# Validation films on which a part is black: what a model still tells then it did not read there.
HIDDEN = {"val_without_lungs": crops.LUNGS, "val_lungs_only": SURROUNDINGS}
# How far the films of a split stray whose frames tell nothing of the label.
EVEN_FRAMES = {HARD_SPLIT: augmentation.HARD_SHIFT, EVENED_SPLIT: augmentation.SHARP_SHIFT}
EVALUATION_SPLITS = (*VALIDATION_SPLITS, *EVEN_FRAMES, REFRAMED_SPLIT, *HIDDEN, "test", EXTERNAL_SPLIT)


@dataclass(frozen=True)
class Stage:
    """What a long command is doing: ``done`` of ``total`` steps of ``what``, and the epoch where one runs."""

    what: str
    done: int
    total: int
    epoch: Progress | None = None

    @classmethod
    def training(cls, now: Progress, what: str = "training", *, with_epoch: bool = True) -> "Stage":
        """Return the stage of a training run; `with_epoch` hands its epochs on to whoever shows them."""
        done, total = (now.epoch - 1) * now.steps + now.step, now.epochs * now.steps
        return cls(what, done, total, now if with_epoch else None)


def train(
    name: str,
    data: str | Path,
    out: str | Path,
    *,
    weights: str | Path | None = None,
    epochs: int | None = None,
    fold: int = 0,
    checkpoints: Path | None = None,
    resume: bool = False,
    masks: Path | None = None,
    progress: Callable[[Stage], None] = lambda _: None,
) -> ModelCard:
    """Train an architecture by its recipe and write ``<out>/<name>/``.

    Args:
        name: key of `classifiers.REGISTRY`.
        data: a data set in the Kaggle layout.
        out: the folder of model folders.
        weights: see `classifiers.build`.
        epochs: in place of the recipe's.
        fold: which patients validate, see `kaggle.development_split`.
        checkpoints: where they go; ``runs/<name>`` in the working folder where None.
        resume: go on from the checkpoints.
        masks: see `aspect_ratio.aspect_ratios`; asked by a recipe that evens the films' frames.
        progress: called as the work goes on.

    Raises:
        DatasetError: if the data set is not complete enough to train on.
        ImageError: if a film cannot be read.
        ValueError: for an unknown name or weights that are not there.
    """
    data, out = Path(data), Path(out)
    recipe = RECIPES.get(name, Recipe())
    if epochs is not None and isinstance(recipe, Recipe):
        recipe = dataclasses.replace(recipe, epochs=epochs)
    keras.utils.set_random_seed(recipe.seed)
    model = classifiers.build(name, weights)

    root = kaggle.find_root(data)
    table = kaggle.scan(root)
    parts = kaggle.development_split(table, fold)
    architecture = classifiers.REGISTRY[name]
    segmenter = segmenter_for([architecture.view], out)
    films = load_films(root, parts.train, progress, [architecture.view], segmenter)
    judged = load_films(root, parts.validation, progress, [architecture.view], segmenter, shifted=True)
    frames = {}
    if isinstance(recipe, Recipe) and recipe.frames:
        ratios = aspect_ratio.aspect_ratios(root, parts.train, masks)
        films = dataclasses.replace(films, aspect_ratios=ratios)
        frames = {"films_of_known_frame": int(np.isfinite(ratios).sum())}
    if isinstance(recipe, Probe):
        history = linear_probe.fit(
            model, films, judged, recipe, lambda done, total: progress(Stage("looking at films", done, total))
        )
    else:
        history = loop.fit(
            model,
            films,
            judged,
            recipe,
            checkpoints or Path("runs") / name,
            resume=resume,
            progress=lambda now: progress(Stage.training(now)),
        )

    origin = Origin(
        title=architecture.title,
        family=architecture.family,
        seed_system=architecture.seed_system,
        architecture=name,
        initial_weights=provenance.initial_weights(weights),
        views=[architecture.view],
        cam_layer=architecture.cam_layer,
        training={
            "data": kaggle.describe(table),
            **frames,
            **provenance.training_facts(
                parts, fold, dataclasses.asdict(recipe), history, "shifted_auroc", f"AUROC on {SELECTION_SPLIT}"
            ),
        },
    )
    return export.ship(name, model, origin, judged, parts.validation, out, history)


def evaluate(
    name: str,
    data: Path,
    split: str = "test",
    folder: Path | None = None,
    progress: Callable[[Stage], None] = lambda _: None,
    masks: Path | None = None,
) -> ModelCard:
    """Measure a model on a split, rewrite its predictions and its card; of `EXTERNAL_SPLIT` also on its parts.

    Args:
        name: of the model folder.
        data: a data set in the Kaggle layout, or for `EXTERNAL_SPLIT` a folder with ``labels.csv``.
        split: one of `EVALUATION_SPLITS`.
        folder: the folder of model folders.
        progress: called as the work goes on.
        masks: see `aspect_ratio.aspect_ratios`; asked for `EVEN_FRAMES` and `REFRAMED_SPLIT`.

    Raises:
        ModelError: if the model cannot be loaded.
        DatasetError: if the data set lacks the split, or test patients were trained on, or frames are asked for and
            not known.
        ValueError: if there is no such split.
    """
    if split not in EVALUATION_SPLITS:
        raise ValueError(f"There is no split {split!r}. Choose one of: {', '.join(EVALUATION_SPLITS)}.")
    out = folder or store.models_folder()
    card, model = store.load(name, out, CLASSIFICATION)
    root = data if split == EXTERNAL_SPLIT else kaggle.find_root(data)
    table = films_of(split, root, card.training.get("fold", 0))
    seen = card.input["views"]
    hidden = HIDDEN.get(split)
    segmenter = gate.open_segmenter(out) if hidden else segmenter_for(seen, out)
    shifted = split == SELECTION_SPLIT
    if shift := EVEN_FRAMES.get(split):
        films = hard_films(root, table, progress, seen, segmenter, masks=masks, shift=shift)
    elif split == REFRAMED_SPLIT:
        films = reframed_films(root, table, progress, seen, segmenter, masks)
    else:
        films = load_films(root, table, progress, seen, segmenter, shifted=shifted, hidden=hidden)
    raw = loop.predict(model, films, shifted=shifted)
    if split == "test":
        card = provenance.with_test_opened(card)
    card = export.record(card, table, raw, split, out)
    if split == EXTERNAL_SPLIT:
        for part, chosen in external.parts(root, table).items():
            card = export.record(card, table[chosen], raw[chosen], part, out)
    return card


def load_films(
    root: Path,
    table: pd.DataFrame,
    progress: Callable[[Stage], None] = lambda _: None,
    seen: Sequence[str] = (crops.FILM,),
    segmenter: Segmenter | None = None,
    *,
    shifted: bool = False,
    hidden: str | None = None,
) -> Films:
    """Read the films of a data set table into memory.

    Args:
        root: the folder that the table's files are relative to.
        table: as `kaggle.scan` returns it, or a part of it.
        progress: called as the work goes on.
        seen: what of each film, keys of `crops.CROPS`.
        segmenter: draws the lungs; needed unless only whole films are seen.
        hidden: see `films.all_stacked`.
        shifted: also draw each film as another hospital might have taken it, find its lungs anew, and keep that.
    """
    films = _read(root, table, progress)
    if segmenter is None:
        return films

    def told(done: int, total: int) -> None:
        progress(Stage("finding the lungs", done, total))

    def drawn(pictures: np.ndarray) -> np.ndarray:
        return all_stacked(pictures, seen, segmenter, told, hidden)

    elsewhere = drawn(shifted_squares(films.squares, films.files)) if shifted else None
    return dataclasses.replace(films, squares=drawn(films.squares), shifted=elsewhere)


def hard_films(
    root: Path,
    table: pd.DataFrame,
    progress: Callable[[Stage], None] = lambda _: None,
    seen: Sequence[str] = (crops.FILM,),
    segmenter: Segmenter | None = None,
    draw: int = 0,
    masks: Path | None = None,
    shift: Augmentation = augmentation.HARD_SHIFT,
) -> Films:
    """Read films shifted hard, in frames that tell nothing of the label where known.

    Arguments as of `load_films`; which of the films' views; the masks of `aspect_ratio.aspect_ratios`; how far views
    stray.
    """
    films = _read(root, table, progress)
    shapes = [aspect_ratio.crop_range(ratio) for ratio in aspect_ratio.aspect_ratios(root, table, masks)]
    shifted = shifted_squares(films.squares, films.files, shift, draw, shapes)
    return dataclasses.replace(films, squares=all_stacked(shifted, seen, segmenter) if segmenter else shifted)


def reframed_films(
    root: Path,
    table: pd.DataFrame,
    progress: Callable[[Stage], None] = lambda _: None,
    seen: Sequence[str] = (crops.FILM,),
    segmenter: Segmenter | None = None,
    masks: Path | None = None,
) -> Films:
    """Read films in the frame of the other class, see `films.swapped_frames`; arguments as of `hard_films`.

    Raises:
        DatasetError: if it is not known how wide and how high the films were.
    """
    films = _read(root, table, progress)
    cropped = swapped_frames(films.squares, films.files, films.labels, aspect_ratio.aspect_ratios(root, table, masks))
    return dataclasses.replace(films, squares=all_stacked(cropped, seen, segmenter) if segmenter else cropped)


def _read(root: Path, table: pd.DataFrame, progress: Callable[[Stage], None]) -> Films:
    squares = load_squares(root, table, lambda done, total: progress(Stage("reading films", done, total)))
    return Films(squares, (table["label"] == "PNEUMONIA").to_numpy(np.float32), tuple(table["file"]))


def segmenter_for(seen: Sequence[str], folder: Path | None) -> Segmenter | None:
    """Open the lung network if one of the views needs it.

    Raises:
        ModelError: if it is needed and missing or damaged.
    """
    return gate.open_segmenter(folder) if crops.LUNGS in seen else None


def films_of(split: str, root: Path, fold: int) -> pd.DataFrame:
    """List the films of one of `EVALUATION_SPLITS`, as `kaggle.scan` does.

    Raises:
        DatasetError: if the data set lacks the split, or test patients were trained on.
    """
    if split == EXTERNAL_SPLIT:
        return external.scan(root)
    table = kaggle.scan(root)
    parts = kaggle.development_split(table, fold)
    if split in {*VALIDATION_SPLITS, *EVEN_FRAMES, REFRAMED_SPLIT, *HIDDEN}:
        return parts.validation
    test = table[table["split"] == "test"]
    if test.empty:
        raise DatasetError(f"{root} has no films under test/. Point to a data set that has a test split.")
    return test.reset_index(drop=True)
