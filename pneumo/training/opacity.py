"""Train the network that maps opacities, shipped as ``opacity``; measure it on films that it has not seen.

The trunk is that of a classifier that learned at several hospitals, and stays as it is: its feature maps of all views
are computed once, and the head on them learns in minutes. It learns from opacities that people drew (each place), from
boxes (nothing outside, something in each), and from films known to show an opacity (somewhere in the lungs) or none
(nowhere). What it is worth is told by heads that saw no film of the same publication, or of the same patient.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.metrics import cohen_kappa_score

from pneumo.datasets import external, hospitals, kaggle, lung_masks
from pneumo.errors import DatasetError
from pneumo.evaluation import intervals, metrics
from pneumo.inference import gate
from pneumo.inference import opacity as inference
from pneumo.inference.lungs import LungMask
from pneumo.inference.opacity import BOXED_SPLIT, CROP, DRAWN_SPLIT, GRADES, NAME, OpacityMap, grade, severity
from pneumo.model_store import card, runtime, weights
from pneumo.model_store.card import OPACITY
from pneumo.networks import opacity_network
from pneumo.preprocessing import crops, network_input
from pneumo.preprocessing.crops import Box
from pneumo.preprocessing.network_input import SQUARE
from pneumo.training import loop, lungs
from pneumo.training.films import Report, Stage, load_squares, lung_masks_of
from pneumo.training.loop import Recipe
from pneumo.training.task import Finish, Measurement, Run, Task, Trained

START = "mobilenetv2"
FOLDS = 5
# The log-odds are the mean of so many heads that differ in their seeds alone.
HEADS = 3
# Films of each class and hospital, at the most: those of one hospital are many, and alike.
MOST = 600
# What is known of a film: opacities that a person drew, boxes around them, that there is one, that there is none.
DRAWN, BOXED, WITH, WITHOUT = "drawn", "boxed", "with", "without"
# Views of a film, and how many views of each kind an epoch shows.
VIEWS = {DRAWN: 10, BOXED: 3, WITH: 1, WITHOUT: 1}
SHOWN = {DRAWN: 500, BOXED: 130, WITH: 200, WITHOUT: 250}
# How far the edges of a view may stray outwards and inwards, as shares of its box, and the logarithm of its gamma.
OUTWARDS, INWARDS, GAMMA = 0.07, 0.12, 0.3
RECIPE = Recipe(epochs=18, batch=32, learning_rate=2e-3, weight_decay=1e-3, average=0.98)
# Weights in the loss: of the overlap, of the share of the lungs, of films of which only the class is known; and of a
# place inside a box, which may be healthy lung.
OVERLAP, SHARE, CLASS, IN_BOX = 0.5, 10.0, 0.3, 0.4
# How sharply the opaque places of a film stand for the film: 0 takes their mean, a large number the most opaque one.
SHARPNESS = 4.0
RALE = "the quarters of a lung that RALE counts; no film chose them"
COLUMNS = [
    "file",
    "patient",
    "label",
    "source",
    "fold",
    "drawn",
    "share",
    "heat_in_lungs",
    "hottest_in_lungs",
    "heat_in_opacity",
    "hottest_in_opacity",
    "iou",
]
FIGURES = tuple(COLUMNS[5:])
_MEANS = FIGURES[2:]


@dataclass(frozen=True, eq=False)
class OpacityFilms:
    """Films in memory with what is known of their opacities.

    Attributes:
        table: a row a film: ``file, hospital, patient, source, kind`` (one of `VIEWS`) and ``fold``, which the heads
            that did not see the film are numbered by; −1 for films that all heads see.
        squares: (films, `SQUARE`, `SQUARE`) uint8, as `films.load_squares` returns them.
        lungs: (films, `SQUARE`, `SQUARE`) bool, drawn by a human where there is such a mask.
        marked: (films, `SQUARE`, `SQUARE`) bool, the opacities or the boxes; False for films of other kinds.
        boxes: of the lungs, see `LungMask.box`.
        masks: the lungs as the lung network draws them, of drawn and boxed films; None for the others.
    """

    table: pd.DataFrame
    squares: np.ndarray
    lungs: np.ndarray
    marked: np.ndarray
    boxes: Sequence[Box | None]
    masks: Sequence[LungMask | None]


@dataclass(frozen=True)
class View:
    """A part of a film as the network sees it: its box, whether it is mirrored, and its gamma."""

    film: int
    box: Box
    mirrored: bool
    gamma: float

    def cut(self, square: np.ndarray, side: int) -> np.ndarray:
        """Return what the view shows of a picture of the film, (side, side) float32 in 0…1."""
        shown = crops.cut(square.astype(np.float32), self.box)
        return network_input.model_input(shown[:, ::-1] if self.mirrored else shown, side)[..., 0]


@dataclass(frozen=True, eq=False)
class Views:
    """The views of all films, ready for heads to learn from.

    Attributes:
        views: of each film after the other; of a drawn or boxed film first the film as it is, and mirrored.
        features: for each of `opacity_network.FEATURES`, (views, rows, columns, channels) float16.
        truths: (views, rows, columns, 5) float32, see `truth`.
    """

    views: Sequence[View]
    features: Sequence[np.ndarray]
    truths: np.ndarray

    def of(self, chosen: np.ndarray) -> list[np.ndarray]:
        """Return the features of some views, as a head takes them."""
        return [each[chosen].astype(np.float32) for each in self.features]


def fit(run: Run) -> Trained:
    """Train the head by its recipe on the feature maps of a classifier.

    Raises:
        DatasetError: if the data set is not complete enough to train on, or there are no drawn opacities.
        ImageError: if a film cannot be read.
        ModelError: if the lung network is missing, or the classifier that training starts from.
        ValueError: for weights that are not there, or of a network without the feature maps.
    """
    recipe = run.recipe(RECIPE)
    started = time.perf_counter()
    start = Path(run.weights) if run.weights else gate.holder(START, run.out) / START / "model.keras"
    started_from = card.initial_weights(start)
    trunk = opacity_network.trunk(weights.load(start), opacity_network.SIZE)

    films = load(run, MOST)
    views = _views(films, trunk, recipe.seed, run.progress)
    heads, history = _train_heads(trunk, films, views, None, recipe, run.progress)
    unseen = _compare_unseen(films, _unseen_maps(trunk, films, views, recipe, run.progress))
    boxed = unseen[unseen["drawn"].isna()]
    learned_from = (films.table["hospital"] + ", " + films.table["kind"]).value_counts().sort_index()
    return Trained(
        opacity_network.join(trunk, heads),
        lambda shipped: Finish(
            {},
            {
                "decision": 0.5,
                "moderate": inference.MODERATE,
                "severe": inference.SEVERE,
                "chosen_on": {"decision": "one half; no film chose it", "moderate": RALE, "severe": RALE},
            },
            {
                DRAWN_SPLIT: unseen[unseen["drawn"].notna()],
                **({} if boxed.empty else {BOXED_SPLIT: boxed}),
                "val": _measure_lungs(shipped, run.root, run.parts.validation, _masks(run), run.out, run.progress),
            },
        ),
        title="Opacity map (head on MobileNetV2)",
        family=OPACITY,
        architecture=NAME,
        initial_weights=started_from,
        labels=("clear", "opaque"),
        crop_names=(CROP,),
        training={
            "data": f"{kaggle.describe(run.table)}, films of other hospitals, and opacities that people drew",
            **card.split_facts(run.parts, run.fold),
            "learned_from": learned_from.to_dict(),
            "measured_on": "heads that saw no film of the same publication (drawn) or patient (boxes); the shipped "
            "head saw all of them",
            "epochs_run": len(history),
            "recipe": {
                **recipe.facts(),
                "augmentation": {"outwards": OUTWARDS, "inwards": INWARDS, "log_gamma": GAMMA, "flip": 0.5},
                "heads": HEADS,
                "shown": SHOWN,
                "loss": {"overlap": OVERLAP, "share": SHARE, "class": CLASS, "in_box": IN_BOX},
            },
            "seconds": round(time.perf_counter() - started, 1),
            **card.machine(),
        },
        history=history,
    )


def _masks(run: Run) -> Path:
    return run.masks or run.root.parent / lung_masks.FOLDER


def load(run: Run, most: int | None = None) -> OpacityFilms:
    """Read all films to learn from, with what is known of each.

    Args:
        run: which films they are; the drawn opacities lie beside its data set.
        most: films of each kind and hospital; None for all of them.

    Raises:
        DatasetError: if the data set is not complete enough to train on, or there are no drawn opacities.
        ImageError: if a film cannot be read.
        ModelError: if the lung network is missing.
    """
    beside = run.root.parent / external.DRAWN_FOLDER
    if not (beside / external.TABLE).is_file():
        raise DatasetError(f"There are no opacities that people drew at {beside}; without them none is learned.")
    drawn = external.drawn_opacities(beside)
    listed = pd.concat([_drawn_table(beside, drawn), _classed_table(run, most)], ignore_index=True)
    squares = load_squares(Path(), listed, run.progress)
    masks = _masks(run)
    segmenter = gate.open_segmenter(run.out)
    found = lung_masks_of(listed, squares, masks if masks.is_dir() else None, segmenter, run.progress)
    marked = np.zeros(squares.shape, bool)
    by_network: list[LungMask | None] = [None] * len(listed)
    boxes: list[Box | None] = [_box(lung) for lung in found]
    for film, row in enumerate(listed.to_dict("records")):
        if row["kind"] in (DRAWN, BOXED):
            # They are measured by what a user's film has: lungs that the network drew.
            by_network[film] = mask = segmenter.segment(squares[film] / np.float32(255))
            boxes[film] = mask.box
        if row["kind"] == DRAWN:
            marked[film], found[film] = (_square_mask(row[name]) for name in ("opacity_mask", "lung_mask"))
        elif row["kind"] == BOXED:
            marked[film] = _box_mask(row["opacity_boxes"])
    return OpacityFilms(listed, squares, found, marked, boxes, by_network)


def _drawn_table(folder: Path, drawn: pd.DataFrame) -> pd.DataFrame:
    paths = {name: [str(folder / file) for file in drawn[name]] for name in ("file", "lung_mask", "opacity_mask")}
    return drawn.assign(**paths, hospital=external.DRAWN_FOLDER, kind=DRAWN, fold=_folds(drawn["source"]))


def _classed_table(run: Run, most: int | None) -> pd.DataFrame:
    """Return films of which the class is known, and on some of which boxes were drawn."""
    known = run.learned.assign(file=[str(run.root / file) for file in run.learned["file"]])
    known["kind"] = np.where(known["label"] == "PNEUMONIA", WITH, WITHOUT)
    known["fold"], known["source"] = -1, known["hospital"]
    boxes = {
        str(folder.resolve() / file): found
        for folder in run.hospitals
        for file, found in external.opacity_boxes(folder).items()
    }
    known["opacity_boxes"] = known["file"].map(boxes)
    boxed = known["opacity_boxes"].notna() & (known["kind"] == WITH)
    known.loc[boxed, "kind"] = BOXED
    known.loc[boxed, "fold"] = _folds(known.loc[boxed, "patient"])
    if most is None:
        return known
    few = known.groupby(["hospital", "kind"], group_keys=False)[known.columns.tolist()]
    return few.apply(lambda films: films.sample(min(most, len(films)), random_state=0)).reset_index(drop=True)


def _folds(groups: pd.Series) -> np.ndarray:
    """Number the films by fold, so that a group lies in one fold and the folds are as even as can be."""
    filled = np.zeros(FOLDS, int)
    fold_of = {}
    for group, count in groups.value_counts().sort_index().sort_values(ascending=False, kind="stable").items():
        fold_of[group] = int(filled.argmin())
        filled[fold_of[group]] += count
    return groups.map(fold_of).to_numpy(int)


def _box(lung: np.ndarray) -> Box | None:
    rows, columns = (np.flatnonzero(lung.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    return columns[0] / SQUARE, rows[0] / SQUARE, (columns[-1] + 1) / SQUARE, (rows[-1] + 1) / SQUARE


def _square_mask(path: str) -> np.ndarray:
    grey = lung_masks.read_mask(Path(path))
    return np.asarray(cv2.resize(grey, (SQUARE, SQUARE), interpolation=cv2.INTER_AREA) >= 128)


def _box_mask(boxes: np.ndarray) -> np.ndarray:
    mask = np.zeros((SQUARE, SQUARE), bool)
    for x, y, width, height in boxes:
        left, top, right, bottom = (round(SQUARE * edge) for edge in (x, y, x + width, y + height))
        mask[top:bottom, left:right] = True
    return mask


def _views(films: OpacityFilms, trunk: keras.Model, seed: int, progress: Report, batch: int = 64) -> Views:
    """Draw the views of all films, and compute the trunk's feature maps and the truth of each."""
    drawn = list(_drawn_views(films, np.random.default_rng(seed)))
    size, grid = trunk.input_shape[1], trunk.outputs[1].shape[1]
    features = [np.empty((len(drawn), *each.shape[1:]), np.float16) for each in trunk.outputs]
    truths = np.empty((len(drawn), grid, grid, 5), np.float32)
    for start in range(0, len(drawn), batch):
        some = slice(start, start + batch)
        pictures = [view.cut(films.squares[view.film] / np.float32(255), size) ** view.gamma for view in drawn[some]]
        for kept, computed in zip(features, trunk.predict_on_batch(np.stack(pictures)[..., np.newaxis]), strict=True):
            kept[some] = computed
        truths[some] = np.stack([truth(films, view, grid) for view in drawn[some]])
        progress(Stage("computing feature maps", min(start + batch, len(drawn)), len(drawn)))
    return Views(drawn, features, truths)


def _drawn_views(films: OpacityFilms, rng: np.random.Generator) -> Iterator[View]:
    for film, kind in enumerate(films.table["kind"]):
        box = crops.box(CROP, films.boxes[film])
        if VIEWS[kind] > 1:
            yield View(film, box, False, 1.0)
            yield View(film, box, True, 1.0)
        for number in range(VIEWS[kind] - 2 if VIEWS[kind] > 1 else 1):
            width, height = box[2] - box[0], box[3] - box[1]
            stray = rng.uniform(-OUTWARDS, INWARDS, 4) * [width, height, -width, -height]
            moved = np.clip(np.array(box) + stray, 0, 1)
            yield View(film, tuple(moved.tolist()), (film + number) % 2 == 1, float(np.exp(rng.uniform(-GAMMA, GAMMA))))


def truth(films: OpacityFilms, view: View, grid: int) -> np.ndarray:
    """Return what a head is to say of a view, (grid, grid, 5) float32 in 0…1.

    The channels are: how opaque a place is; how sure that is; where at least one place is opaque (zero where nobody
    knows of any); the lungs; and 1 where a person drew the opacities.
    """
    kind = films.table["kind"].iloc[view.film]
    lung, marked = (view.cut(each[view.film], grid) for each in (films.lungs, films.marked))
    nothing, everything = np.zeros_like(lung), np.ones_like(lung)
    if kind == DRAWN:
        return np.stack([marked, everything, nothing, lung, everything], axis=-1)
    if kind == WITHOUT:
        return np.stack([nothing, everything, nothing, lung, nothing], axis=-1)
    if kind == WITH:
        outside, inside = np.where(lung < 0.5, 1 - lung, 0), np.where(lung > 0.5, lung, 0)
        return np.stack([nothing, outside, inside, lung, nothing], axis=-1)
    core = (marked > 0.9) & (lung > 0.5)
    sure = np.where(core, np.float32(IN_BOX), marked <= 0.05)
    within = marked * lung
    somewhere = within if within.sum() > 1 else marked
    return np.stack([core.astype(np.float32), sure, somewhere, lung, nothing], axis=-1)


def loss(truth: keras.KerasTensor, log_odds: keras.KerasTensor) -> keras.KerasTensor:
    """Return the loss of each view, see `truth`: four terms, each of the views that it can be told of.

    Cross-entropy of each place that is known. Where a person drew, one minus the soft Dice (Milletari et al. 2016), and
    the squared error of the share of the lungs. Where only the class or a box is known, the cross-entropy of the
    log-mean-exp of the places of which at least one is opaque (Pinheiro and Collobert 2015, arXiv:1411.6228).
    """
    ops = keras.ops
    opaque, sure, somewhere, lung, drawn = (truth[..., channel] for channel in range(5))
    z = log_odds[..., 0]
    p = ops.sigmoid(z)

    def over(places: keras.KerasTensor) -> keras.KerasTensor:
        return ops.sum(places, axis=(1, 2))

    entropy = ops.maximum(z, 0) - z * opaque + ops.log1p(ops.exp(-ops.abs(z)))
    by_place = over(entropy * sure) / (over(sure) + 1e-3)
    overlap = 1 - (2 * over(p * opaque) + 1) / (over(p * p) + over(opaque * opaque) + 1)
    wrong_share = over((p - opaque) * lung) / (over(lung) + 1e-3)
    peak = ops.maximum(ops.max(ops.where(somewhere > 0, z, -1e9), axis=(1, 2), keepdims=True), -50.0)
    mean_exp = over(somewhere * ops.exp(SHARPNESS * ops.minimum(z - peak, 0.0))) / (over(somewhere) + 1e-3)
    most = peak[:, 0, 0] + ops.log(mean_exp + 1e-6) / SHARPNESS
    is_drawn, is_somewhere = drawn[:, 0, 0], ops.cast(over(somewhere) > 0, "float32")
    of_drawn = OVERLAP * overlap + SHARE * wrong_share * wrong_share
    return by_place + is_drawn * of_drawn + CLASS * is_somewhere * ops.softplus(-most)


def _train_heads(
    trunk: keras.Model, films: OpacityFilms, views: Views, left_out: int | None, recipe: Recipe, progress: Report
) -> tuple[list[keras.Model], list[dict[str, float]]]:
    """Train `HEADS` heads on the views of all films but those of a fold; return them, and a row an epoch."""
    shown = films.table.iloc[[view.film for view in views.views]]
    learned = shown["fold"].to_numpy() != left_out
    by_kind = {kind: np.flatnonzero(learned & (shown["kind"] == kind).to_numpy()) for kind in SHOWN}
    what = "training heads" if left_out is None else f"training heads without fold {left_out + 1} of {FOLDS}"
    heads, rows = [], []
    for number in range(HEADS):

        def report(row: dict[str, float], number: int = number) -> None:
            rows.append(row)
            progress(Stage(what, number * recipe.epochs + int(row["epoch"]), HEADS * recipe.epochs))

        heads.append(_train_head(trunk, views, by_kind, recipe, recipe.seed + number, report))
    of_epoch = [[row for row in rows if row["epoch"] == epoch] for epoch in range(1, recipe.epochs + 1)]
    history = [
        {
            "epoch": epoch,
            "loss": float(np.mean([row["loss"] for row in some])),
            "seconds": sum(row["seconds"] for row in some),
        }
        for epoch, some in enumerate(of_epoch, 1)
    ]
    return heads, history


def _train_head(
    trunk: keras.Model,
    views: Views,
    by_kind: Mapping[str, np.ndarray],
    recipe: Recipe,
    seed: int,
    report: Callable[[dict[str, float]], None],
) -> keras.Model:
    """Train one head on some views of each kind; `report` is given a row an epoch."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    head = opacity_network.head(trunk)
    counts = {kind: SHOWN[kind] for kind, known in by_kind.items() if len(known)}
    steps = -(-sum(counts.values()) // recipe.batch)
    head.compile(optimizer=loop.optimizer(recipe, steps), loss=loss)
    for epoch in range(1, recipe.epochs + 1):
        started = time.perf_counter()
        chosen = rng.permutation(np.concatenate([some(by_kind[kind], count, rng) for kind, count in counts.items()]))
        learning = head.fit(views.of(chosen), views.truths[chosen], batch_size=recipe.batch, shuffle=False, verbose=0)
        seconds = round(time.perf_counter() - started, 1)
        report({"epoch": epoch, "loss": learning.history["loss"][0], "seconds": seconds})
    return head


def some(views: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw so many of the views, each as often as the others or once more."""
    return np.resize(rng.permutation(views), count)


def _unseen_maps(
    trunk: keras.Model, films: OpacityFilms, views: Views, recipe: Recipe, progress: Report
) -> dict[int, np.ndarray]:
    """Return, by film, the log-odds that heads which saw nothing of its fold give a drawn or boxed film.

    Returns:
        (2, rows, columns) float32 each, of the film and of its mirror image.
    """
    first = dict(zip(*np.unique([view.film for view in views.views], return_index=True), strict=True))
    maps = {}
    for fold in range(FOLDS):
        held = films.table.index[films.table["fold"] == fold]
        if len(held):
            heads, _ = _train_heads(trunk, films, views, fold, recipe, progress)
            for film in held:
                both_ways = views.of(np.array([first[film], first[film] + 1]))
                maps[film] = np.mean([head.predict_on_batch(both_ways)[..., 0] for head in heads], axis=0)
    return maps


def _compare_unseen(films: OpacityFilms, maps: Mapping[int, np.ndarray]) -> pd.DataFrame:
    """Measure the maps of films that were not seen, as `_unseen_maps` returns them."""
    rows = []
    for film, log_odds in maps.items():
        row = films.table.loc[film].to_dict()
        found = inference.both_ways(expit(log_odds), crops.box(CROP, films.boxes[film]))
        rows.append(
            {
                "file": "/".join(Path(row["file"]).parts[-2:]),
                "label": "PNEUMONIA",
                **{name: row[name] for name in ("patient", "source", "fold")},
                "drawn": _drawn_share(films, film) if row["kind"] == DRAWN else np.nan,
                **_figures(found, _mask_of(films, film), films.lungs[film], films.marked[film]),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def _drawn_share(films: OpacityFilms, film: int) -> float:
    return float((films.marked[film] & films.lungs[film]).sum() / films.lungs[film].sum())


def _mask_of(films: OpacityFilms, film: int) -> LungMask:
    mask = films.masks[film]
    assert mask is not None
    return mask


def _figures(found: OpacityMap, mask: LungMask, lungs_drawn: np.ndarray, marked: np.ndarray | None) -> dict[str, float]:
    """Return what a map is worth.

    Args:
        found: of a film.
        mask: the lungs as the lung network draws them.
        lungs_drawn: (`SQUARE`, `SQUARE`) bool, as a human did.
        marked: (`SQUARE`, `SQUARE`) bool, the opacity or boxes that a human drew; None where there are none.
    """
    heat = found.on_film((SQUARE, SQUARE))
    told = severity(found, mask)
    figures = {
        "share": told.share if told else np.nan,
        "heat_in_lungs": metrics.energy_inside(heat, lungs_drawn),
        "hottest_in_lungs": metrics.points_inside(heat, lungs_drawn),
    }
    if marked is None:
        return figures
    return figures | {
        "heat_in_opacity": metrics.energy_inside(heat, marked),
        "hottest_in_opacity": metrics.points_inside(heat, marked),
        "iou": metrics.iou(heat >= 0.5, marked),
    }


def measure(what: Measurement) -> dict[str, pd.DataFrame]:
    """Measure how much of the heat lies in the lungs that humans drew on the films of a split."""
    masks = what.masks or what.root.parent / lung_masks.FOLDER
    return {what.split: _measure_lungs(what.model, what.root, what.table, masks, what.out, what.progress)}


def _measure_lungs(
    model: keras.Model, root: Path, table: pd.DataFrame, masks: Path, models: Path, progress: Report
) -> pd.DataFrame:
    films = lungs.load(root, masks, lungs.with_masks(table, masks), progress)
    segmenter, network = gate.open_segmenter(models), runtime.open_network(model)
    rows = []
    for film, row in enumerate(films.table.to_dict("records")):
        square = films.squares[film] / np.float32(255)
        mask = segmenter.segment(square)
        found = inference.draw(network, square, crops.box(CROP, mask.box))
        known = {name: row[name] for name in ("file", "patient", "label")}
        rows.append({**known, "source": hospitals.HOME, **_figures(found, mask, films.masks[film] >= 128, None)})
        progress(Stage("mapping opacities", film + 1, len(films.table)))
    return pd.DataFrame(rows, columns=COLUMNS)


def summarise(measured: pd.DataFrame) -> dict[str, Any]:
    """Return a split's metrics as they stand in the card.

    Args:
        measured: `COLUMNS`.

    Returns:
        With intervals that draw patients, as far as the split tells them: ``rank_correlation`` of the share of the
        lungs with the drawn one, ``share_error`` (mean absolute error of it), ``grade_agreement`` (kappa with linear
        weights), and the means of the other figures; the counts of ``films`` and ``patients``.
    """
    patients = measured["patient"].to_numpy(str)
    figures = {name: intervals.mean_by_patient(measured[name].to_numpy(float), patients) for name in _MEANS}
    drawn, share = (measured[name].to_numpy(float) for name in ("drawn", "share"))
    if np.isfinite(drawn).all():
        figures["rank_correlation"] = intervals.by_patient(metrics.spearman, patients, drawn, share)
        figures["share_error"] = intervals.mean_by_patient(np.abs(drawn - share), patients)
        grades = [np.array([GRADES.index(grade(each)) for each in shares]) for shares in (drawn, share)]
        figures["grade_agreement"] = intervals.by_patient(grade_agreement, patients, *grades)
    else:
        for label, name in (("NORMAL", "share_normal"), ("PNEUMONIA", "share_pneumonia")):
            of_label = np.where(measured["label"] == label, share, np.nan)
            figures[name] = intervals.mean_by_patient(of_label, patients)
    known = {name: dataclasses.asdict(figure) for name, figure in figures.items() if np.isfinite(figure.value)}
    return card.tidy({**known, "films": len(measured), "patients": len(set(patients))})


def grade_agreement(drawn: np.ndarray, told: np.ndarray) -> float:
    """Return Cohen's kappa with linear weights (Cohen 1968) of two gradings, (films,) int each; NaN of one grade."""
    with np.errstate(invalid="ignore"):
        return float(cohen_kappa_score(drawn, told, weights="linear", labels=range(len(GRADES))))


TASK = Task(
    kind=OPACITY,
    splits=("val", "test"),
    columns=COLUMNS,
    figures=FIGURES,
    fit=fit,
    measure=measure,
    summarise=lambda measured, _: summarise(measured),
    hospitals=True,
)
