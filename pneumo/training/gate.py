"""Fit the gate network's heads to films and choose its limits on validation films, shipped as ``gate``; measure it.

Frontal chest films are told by how they differ from others in the embedding (Lee et al. 2018, arXiv:1807.03888): no
other picture is needed, so nothing is learned of the pictures that the gate is measured with. The orientation heads
learn from the same films, turned, mirrored and inverted; the side of the heart from the boxes of their lungs.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from pneumo import radiograph
from pneumo.datasets import external, kaggle
from pneumo.evaluation.intervals import wilson
from pneumo.inference import findings, gate
from pneumo.inference.findings import Quality
from pneumo.inference.gate import Gate, GateNetwork, GateOutput, Limits, holder
from pneumo.inference.lungs import LungMask, Segmenter
from pneumo.labels import EXTERNAL_SPLIT
from pneumo.model_store import card, store
from pneumo.model_store.card import SCREENING, SEGMENTATION
from pneumo.networks import gate_network
from pneumo.networks.gate_network import Heads
from pneumo.preprocessing import crops, network_input, outlines
from pneumo.preprocessing.augmentation import Augmentation, augmented_input
from pneumo.preprocessing.outlines import Layout
from pneumo.radiograph import Radiograph
from pneumo.training.films import Report, Stage, load_squares, silent
from pneumo.training.task import Finish, Measurement, Run, Task, Trained

NAME = "gate"
# Directions of the embedding that are measured one by one; the rest counts as one residual.
COMPONENTS = 24
# What another hospital, a photograph or a screenshot does to a film.
VIEWS = Augmentation(min_area=0.5, max_stretch=1.3, brightness=0.15, contrast=0.3, gamma=0.4, flip=0.0)
# Films of other hospitals, where there are any, have this weight in the moments: children of one hospital are a narrow
# idea of a chest film.
OTHERS_SHARE = 0.25
OTHERS_VIEWS = 4
_ORIENTATION_COMPONENTS, _ORIENTATION_PENALTY = 256, 0.03
# A white lung looks like a heart: as often as this each film is also learned from with one lung opaque.
OPAQUE_VIEWS, _HEART_PENALTY = 2, 0.001
# Standard deviation of a view's lung box, as a share of the box.
_BOX_SHIFT = 0.04


def views(squares: np.ndarray, seed: int, count: int = 1) -> Iterator[np.ndarray]:
    """Draw `count` random `VIEWS` of each film, (side, side) float32 in 0…1, without mirroring it."""
    rng = np.random.default_rng(seed)
    for square in squares:
        for _ in range(count):
            yield augmented_input(square / np.float32(255), square.shape[0], VIEWS, rng)[..., 0]


def embed(
    encoder: keras.Model,
    pictures: Iterator[np.ndarray],
    total: int,
    progress: Report = silent,
    what: str = "looking at films",
    batch: int = 64,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the embedding (films, 320) and the grid (films, 2880) of pictures, float32."""
    size, outputs, waiting = encoder.input_shape[1], [], []
    for index, picture in enumerate(pictures, start=1):
        waiting.append(network_input.model_input(picture, size))
        if len(waiting) == batch or index == total:
            outputs.append(encoder.predict_on_batch(np.stack(waiting)))
            waiting = []
            progress(Stage(what, index, total))
    embeddings, grids = zip(*outputs, strict=True)
    return np.concatenate(embeddings), np.concatenate(grids)


def fit_deviation(embeddings: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit the linear map whose output's length is the novelty.

    The embedding is centred; its first `COMPONENTS` principal components are divided by their standard deviations, and
    what they leave over by its root mean square length (Mahalanobis distance, and its residual after Ren et al. 2021).

    Args:
        embeddings: (films, features) of frontal chest films.
        weights: (films,) how much each counts.

    Returns:
        Kernel (features, `COMPONENTS` + features) and bias.
    """
    mean = np.average(embeddings, axis=0, weights=weights)
    centred = (embeddings - mean) * np.sqrt(weights / weights.mean())[:, np.newaxis]
    axes = np.linalg.svd(centred, full_matrices=False)[2][:COMPONENTS]
    scales = (centred @ axes.T).std(axis=0)
    leave_over = np.eye(len(mean)) - axes.T @ axes
    length = np.sqrt(((centred @ leave_over) ** 2).sum(axis=1).mean())
    kernel = np.concatenate([axes.T / (scales * np.sqrt(COMPONENTS)), leave_over / length], axis=1)
    return kernel.astype(np.float32), (-mean @ kernel).astype(np.float32)


def orientations(square: np.ndarray) -> Iterator[tuple[np.ndarray, int, int]]:
    """Yield a picture in all sixteen orientations, mirrored or not, with its quarter turns and whether inverted."""
    for flipped in (square, square[:, ::-1]):
        for turned in range(4):
            for inverted in (0, 1):
                picture = np.rot90(1 - flipped if inverted else flipped, turned)
                yield np.ascontiguousarray(picture), turned, inverted


def fit_orientation(grids: np.ndarray, truth: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Fit the heads for quarter turns and inversion by logistic regression.

    Args:
        grids: (pictures, features).
        truth: (pictures, 2) quarter turns, inverted.

    Returns:
        Two pairs of kernel and bias: four logits, one.
    """
    pca = PCA(min(_ORIENTATION_COMPONENTS, *grids.shape), whiten=True, random_state=0).fit(grids)
    reduced = pca.transform(grids)
    # Whitening, the rotation and the regression are one linear map.
    to_reduced = pca.components_.T / np.sqrt(pca.explained_variance_)
    heads = []
    for column in range(truth.shape[1]):
        fitted = LogisticRegression(C=_ORIENTATION_PENALTY, max_iter=500).fit(reduced, truth[:, column])
        kernel = to_reduced @ fitted.coef_.T
        bias = fitted.intercept_ - pca.mean_ @ kernel
        heads.append((kernel.astype(np.float32), bias.astype(np.float32)))
    return heads


def with_opaque_lung(lungs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make one side of a lung box white from some height downwards, more or less.

    Args:
        lungs: (height, width) float32.
        rng: chooses the side, the height and how white.
    """
    height, width = lungs.shape
    y, x = (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width
    side = expit(((x - 0.5) * rng.choice([-1, 1]) - 0.02) / 0.05)
    below = expit((y - rng.uniform(-0.2, 1.0)) / 0.08)
    opacity = rng.uniform() * below[:, np.newaxis] * side
    return (lungs + opacity * (np.quantile(lungs, 0.9) - lungs)).astype(np.float32)


def fit_heart(squares: np.ndarray, boxes: Sequence[crops.Box | None], rng: np.random.Generator) -> np.ndarray:
    """Fit the head that tells a mirrored film by the side of the heart, by logistic regression.

    Args:
        squares: (films, side, side) uint8, upright frontal chest films.
        boxes: of their lungs; a film without is left out.
        rng: of the random views.

    Returns:
        Kernel (features of `gate_network.asymmetry`, 1).
    """
    views = []
    for square, box in zip(squares / np.float32(255), boxes, strict=True):
        if box is None:
            continue
        lungs = crops.cropped(square, (crops.LUNGS,), box)
        views.append(network_input.model_input(lungs, gate_network.LUNGS_SIZE)[..., 0])
        for _ in range(OPAQUE_VIEWS):
            lungs = crops.cropped(square, (crops.LUNGS,), _shifted(box, rng))
            small = network_input.model_input(lungs, gate_network.LUNGS_SIZE)[..., 0]
            views.append(with_opaque_lung(small, rng))
    differences = gate_network.asymmetry().predict(np.stack(views), batch_size=256, verbose=0)
    # A mirrored film's differences are a film's with the other sign.
    both = np.concatenate([differences, -differences])
    mirrored = np.repeat([0, 1], len(differences))
    fitted = LogisticRegression(C=_HEART_PENALTY, fit_intercept=False, max_iter=1000).fit(both, mirrored)
    return fitted.coef_.T.astype(np.float32)


def _shifted(box: crops.Box, rng: np.random.Generator) -> crops.Box:
    left, top, right, bottom = box
    across, down = _BOX_SHIFT * (right - left), _BOX_SHIFT * (bottom - top)
    left, top, right, bottom = np.clip(rng.normal(box, (across, down, across, down)), 0, 1).tolist()
    return left, top, right, bottom


def fit_heads(
    encoder: keras.Model,
    squares: np.ndarray,
    boxes: Sequence[crops.Box | None],
    others: np.ndarray,
    *,
    oriented: int = 400,
    seed: int = 0,
    progress: Report = silent,
) -> Heads:
    """Fit all heads.

    Args:
        encoder: as `pneumo.networks.gate_network.encoder` returns it.
        squares: (films, side, side) uint8, upright frontal chest films.
        boxes: of their lungs.
        others: films of other hospitals; may be empty.
        oriented: how many of the films the orientation heads learn from; sixteen pictures each.
        seed: of the random views.
        progress: called as the work goes on.
    """

    def both(films: np.ndarray, count: int, seed: int) -> Iterator[np.ndarray]:
        yield from (square / np.float32(255) for square in films)
        yield from views(films, seed, count)

    home, _ = embed(encoder, both(squares, 1, seed), 2 * len(squares), progress)
    embeddings, weights = home, np.ones(len(home))
    if len(others):
        away, _ = embed(encoder, both(others, OTHERS_VIEWS, seed + 1), (1 + OTHERS_VIEWS) * len(others))
        share = OTHERS_SHARE / (1 - OTHERS_SHARE) * len(home) / len(away)
        embeddings, weights = np.concatenate([home, away]), np.concatenate([weights, np.full(len(away), share)])

    rng = np.random.default_rng(seed)
    chosen = squares[rng.permutation(len(squares))[:oriented]]
    shown = np.concatenate([chosen, others]) if len(others) else chosen
    truth: list[tuple[int, int]] = []

    def turned_pictures() -> Iterator[np.ndarray]:
        for view in views(shown, seed + 2):
            for picture, *orientation in orientations(view):
                truth.append((orientation[0], orientation[1]))
                yield picture

    _, grids = embed(encoder, turned_pictures(), 16 * len(shown), progress, "turning films")
    turned, inverted = fit_orientation(grids, np.array(truth))
    return Heads(fit_deviation(embeddings, weights), turned, fit_heart(squares, boxes, rng), inverted)


def choose_limits(
    plain: list[tuple[GateOutput, LungMask]],
    shifted: list[tuple[GateOutput, LungMask]],
    qualities: list[Quality],
    layouts: list[Layout],
    borders: np.ndarray,
) -> Limits:
    """Choose the gate's limits on validation films.

    Args:
        plain: what both networks make of each film.
        shifted: the same of a random view of each film.
        qualities: of each film.
        layouts: of each film, and then of the view of each.
        borders: (films, 4, 2) widths of the left, right, top and bottom border as shares of the film: of a dark one,
            and of one of another grey. Of the training films, too.
    """
    both = [*plain, *shifted]
    brightness, contrast, sharpness = (
        np.array([getattr(quality, name) for quality in qualities]) for name in ("brightness", "contrast", "sharpness")
    )
    edges = np.array([lungs.edge_shares for _, lungs in plain])
    areas = [crops.share(lungs.box) if lungs.box else 0.0 for _, lungs in both]
    framed = [gate.framed(layout, area) for layout, area in zip(layouts, areas, strict=True)]
    dark, light = borders[..., 0], borders[..., 1]
    opposite = np.where(np.minimum(dark[:, 0::2], dark[:, 1::2]) > 0, dark[:, 0::2] + dark[:, 1::2], 0.0)
    edge_limits = [_rounded(max(0.05, share)) for share in np.quantile(edges, 0.995, axis=0)]
    return Limits(
        novelty=_rounded(max(view.novelty for view, _ in both)),
        uncertainty=_rounded(1.5 * max(lungs.uncertainty for _, lungs in both)),
        turned=_rounded(max(0.5, *(1 - view.turned[0] for view, _ in plain))),
        inverted=_rounded(max(0.5, *(view.inverted for view, _ in plain))),
        mirrored=_rounded(max(0.5, float(np.quantile([view.mirrored for view, _ in plain], 0.99)))),
        dark=_below(brightness.min()),
        bright=(_rounded(1 - 0.9 * (1 - brightness.max())), _rounded(1 - 0.5 * (1 - brightness.max()))),
        flat=_below(contrast.min()),
        blurred=_below(sharpness.min()),
        cut_off=(edge_limits[0], edge_limits[1], edge_limits[2], edge_limits[3]),
        third_piece=_rounded(max(0.1, 1.5 * max(lungs.third_piece for _, lungs in both))),
        lungs_area=_rounded(0.8 * min(areas)),
        framed=_rounded(1.25 * max(framed[: len(plain)])),
        seam=_rounded(max(0.5, *(layout.seam for layout in layouts))),
        border=(_rounded(1.1 * dark.max()), _rounded(1.1 * opposite.max()), _rounded(max(0.02, 2 * light.max()))),
    )


# How `choose_limits` chooses, for the card.
CHOSEN_ON = {
    "novelty": "the highest of the validation films and of one random view of each",
    "uncertainty": "1.5 times the highest of the validation films and of one random view of each",
    "turned": "the highest of the validation films, 0.5 or more",
    "inverted": "the highest of the validation films, 0.5 or more",
    "mirrored": "the 99th percentile of the validation films, 0.5 or more",
    "dark, flat, blurred": "0.9 (to warn) and 0.5 (to refuse) times the lowest of the validation films",
    "bright": "0.9 and 0.5 times the distance from white of the brightest validation film",
    "cut_off": "the 99.5th percentile of the validation films, 0.05 or more",
    "third_piece": "1.5 times the highest of the validation films and of one random view of each, 0.1 or more",
    "lungs_area": "0.8 times the lowest of the validation films and of one random view of each",
    "framed": "1.25 times the highest of the validation films",
    "seam": "the highest of the validation films and of one random view of each, 0.5 or more",
    "border": "1.1 times the widest of the training and validation films (dark, two dark ones); twice the widest of "
    "another grey, 0.02 or more",
}


def _below(lowest: float) -> tuple[float, float]:
    return _rounded(0.9 * lowest), _rounded(0.5 * lowest)


def _rounded(limit: float) -> float:
    return round(float(limit), 4)


# Pictures that are no frontal chest film: a folder with its own table, see `external.strangers`.
STRANGERS_SPLIT = "out_of_distribution"
COLUMNS = ["file", "patient", "label", "near_ood", "alteration", "accepted", "findings", "correction"]

# What is done to a film to see whether the gate finds it, with the finding and the correction that it should name.
ALTERATIONS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str, str]] = {
    "inverted": (lambda pixels: 1 - pixels, "inverted", "invert"),
    "turned by 90° anticlockwise": (np.rot90, "rotated", "turn by 90° clockwise"),
    "turned by 180°": (lambda pixels: np.rot90(pixels, 2), "rotated", "turn by 180°"),
    "turned by 90° clockwise": (lambda pixels: np.rot90(pixels, -1), "rotated", "turn by 90° anticlockwise"),
    "mirrored": (lambda pixels: pixels[:, ::-1], "mirrored", ""),
    "blurred": (
        lambda pixels: cv2.GaussianBlur(pixels, (0, 0), 4 * min(pixels.shape) / network_input.SQUARE),
        "blurred",
        "",
    ),
    "darkened": (lambda pixels: pixels * 0.15, "too_dark", ""),
    "brightened": (lambda pixels: 1 - (1 - pixels) * 0.15, "too_bright", ""),
}
ORIENTATION = frozenset({"inverted", "rotated"})


def fit(run: Run) -> Trained:
    """Fit the gate to the training films, and choose its limits on the validation films.

    Nothing is learned epoch by epoch, so there is nothing to count or resume. Frontal chest films of other hospitals
    are learned from as well where ``opacity_masks`` stands beside the data set.

    Raises:
        DatasetError: if the data set is not complete enough.
        ModelError: if there is no lung network.
        ValueError: for weights that are not there.
    """
    started_from = card.initial_weights(run.weights)
    beside = run.root.parent / "opacity_masks"
    others = beside if (beside / external.TABLE).is_file() else None
    parts = run.parts
    lung_card, lung_network = store.load("lungs", holder("lungs", run.out), SEGMENTATION)
    segmenter = Segmenter(lung_network)

    squares = load_squares(run.root, parts.train, run.progress)
    away = load_squares(others, external.read_table(others), run.progress) if others else squares[:0]
    encoder = gate_network.encoder(run.weights)
    boxes = []
    for done, square in enumerate(squares, start=1):
        boxes.append(segmenter.segment(square / np.float32(255)).box)
        run.progress(Stage("drawing lungs", done, len(squares)))
    heads = fit_heads(encoder, squares, boxes, away, progress=run.progress)

    def finish(shipped: keras.Model) -> Finish:
        network = GateNetwork(shipped)
        limits = limits_of(network, segmenter, run.root, parts, run.progress)
        answers = _answers(Gate(segmenter, network, limits), run.root, parts.validation, [], run.progress)
        return Finish({}, {**dataclasses.asdict(limits), "chosen_on": CHOSEN_ON}, {"val": answers})

    return Trained(
        gate_network.build(encoder, heads),
        finish,
        title="Gate (embedding distance and orientation on MobileNetV2)",
        family=SCREENING,
        architecture=NAME,
        initial_weights=started_from,
        labels=("novelty", "turned", "mirrored", "inverted"),
        training={
            "data": kaggle.describe(run.table),
            **card.split_facts(parts, run.fold),
            "films": {"train": len(parts.train), "validation": len(parts.validation), "other_hospitals": len(away)},
            "other_hospitals": others.name if others else None,
            "other_hospitals_share": OTHERS_SHARE if others else 0.0,
            "components": COMPONENTS,
            "views": dataclasses.asdict(VIEWS),
            "lungs_sha256": lung_card.sha256,
            **card.machine(),
        },
    )


def measure(what: Measurement) -> dict[str, pd.DataFrame]:
    """Put every film of a split before the gate; films of ``test`` also as `ALTERATIONS` change them."""
    opened = Gate.open(what.out)
    altered = list(ALTERATIONS) if what.split == "test" else []
    return {what.split: _answers(opened, what.root, what.table, altered, what.progress)}


def _answers(opened: Gate, root: Path, table: pd.DataFrame, altered: Sequence[str], progress: Report) -> pd.DataFrame:
    rows = []
    for done, film in enumerate(table.to_dict("records"), start=1):
        read = radiograph.read(root / film["file"])
        described = (film["file"], film["patient"], film["label"], film.get("near_ood", ""))
        rows += [(*described, *_answer(opened, read, alteration)) for alteration in ["", *altered]]
        progress(Stage("checking films", done, len(table)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _answer(opened: Gate, film: Radiograph, alteration: str) -> tuple[str, int, str, str]:
    """Return the alteration, whether it is accepted, the codes of the findings, and the correction."""
    pixels = np.ascontiguousarray(ALTERATIONS[alteration][0](film.pixels)) if alteration else film.pixels
    result = opened.check(dataclasses.replace(film, pixels=pixels))
    codes = " ".join(finding.code for finding in result.findings)
    return alteration, int(result.accepted), codes, str(result.corrections[0] if result.corrections else "")


def summarise(answers: pd.DataFrame) -> dict[str, Any]:
    """Return a split's metrics as they stand in the card; shares of films with Wilson's interval.

    Returns:
        ``films``; ``findings``, how often each was made; ``accepted``; ``false_alarms`` (films as they are that are
        called inverted or rotated) and ``called_mirrored``; ``altered``: for each of `ALTERATIONS` that was tried the
        share that got its finding, and for those that can be undone ``corrected``, the share with the right correction.
        For pictures that are no frontal chest films ``refused_near`` (radiographs), ``refused_far`` and
        ``refused_by_category`` instead.
    """
    plain = answers[answers["alteration"] == ""]
    codes = plain["findings"].str.split()
    metrics: dict[str, Any] = {"films": len(plain), "findings": codes.explode().value_counts().sort_index().to_dict()}
    if plain["near_ood"].isin([0, 1]).any():
        refused = plain["accepted"] == 0
        for figure, near in (("refused_near", 1), ("refused_far", 0)):
            metrics[figure] = _share(refused[plain["near_ood"] == near])
        metrics["refused_by_category"] = {
            str(category): _share(answered) for category, answered in refused.groupby(plain["label"], sort=True)
        }
    else:
        metrics["accepted"] = _share(plain["accepted"] == 1)
        metrics["false_alarms"] = _share(codes.map(lambda found: bool(ORIENTATION & set(found))))
        metrics["called_mirrored"] = _share(codes.map(lambda found: "mirrored" in found))
    for alteration, rows in answers[answers["alteration"] != ""].groupby("alteration", sort=True):
        name = str(alteration)
        _, code, correction = ALTERATIONS[name]
        found = rows["findings"].str.split().map(lambda found, code=code: code in found)
        entry = {"found": _share(found), "refused": _share(rows["accepted"] == 0)}
        if correction:
            entry["corrected"] = _share(rows["correction"] == correction)
        metrics.setdefault("altered", {})[name] = entry
    return card.tidy(metrics)


def _share(holds: pd.Series) -> dict[str, float]:
    count, films = int(holds.sum()), len(holds)
    return {"count": count, "of": films, **dataclasses.asdict(wilson(count, films))}


def limits_of(
    network: GateNetwork, segmenter: Segmenter, root: Path, parts: kaggle.Development, progress: Report = silent
) -> Limits:
    """Choose the limits of a gate.

    Args:
        network: the gate network.
        segmenter: draws the lungs.
        root: the data set's folder.
        parts: its films; the borders of all are measured, and all else of the validation films.
        progress: called as the work goes on.
    """
    plain: list[tuple[GateOutput, LungMask]] = []
    shifted: list[tuple[GateOutput, LungMask]] = []
    qualities, layouts, table = [], [], parts.validation
    squares = load_squares(root, table, progress)
    for done, (square, view) in enumerate(zip(squares, views(squares, seed=3), strict=True), start=1):
        as_is = square / np.float32(255)
        for pictures, picture in ((plain, as_is), (shifted, view)):
            lungs = segmenter.segment(picture)
            pictures.append((network.read(picture, lungs), lungs))
        layouts.append((outlines.layout(as_is), outlines.layout(network_input.film_square(view))))
        progress(Stage("choosing limits", done, len(table)))
    for file in table["file"]:
        qualities.append(findings.measure(radiograph.read(root / file).pixels))
    borders = [
        outlines.border_widths(radiograph.read(root / file).pixels) for file in pd.concat([table, parts.train])["file"]
    ]
    of_films, of_views = zip(*layouts, strict=True)
    return choose_limits(plain, shifted, qualities, [*of_films, *of_views], np.array(borders))


TASK = Task(
    kind=SCREENING,
    splits=("val", "test", EXTERNAL_SPLIT, STRANGERS_SPLIT),
    columns=COLUMNS,
    fit=fit,
    measure=measure,
    summarise=lambda answers, _: summarise(answers),
    elsewhere={STRANGERS_SPLIT: external.strangers, EXTERNAL_SPLIT: external.scan},
    pretrained=True,
)
