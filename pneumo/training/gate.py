"""Fit the gate network's heads to films, and choose the gate's limits on validation films.

Frontal chest films are told by how they differ from others in the embedding (Lee et al. 2018, arXiv:1807.03888): no
other picture is needed, so nothing is learned of the pictures that the gate is measured with. The orientation heads
learn from the same films, turned, mirrored and inverted.

Fit the gate and ship it as the model folder ``gate``; measure it on films, altered films and other pictures.

The counterpart of `pneumo.training.classifier`: the official test split is not read while fitting, and each opening
is counted.
"""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from pneumo import radiograph
from pneumo.datasets import external, kaggle
from pneumo.evaluation.intervals import wilson
from pneumo.inference import findings
from pneumo.inference.findings import Quality
from pneumo.inference.gate import Gate, GateNetwork, GateOutput, Limits, holder
from pneumo.inference.lungs import LungMask, Segmenter
from pneumo.labels import EXTERNAL_SPLIT
from pneumo.model_store import provenance, store
from pneumo.model_store.card import SCREENING, SEGMENTATION, ModelCard
from pneumo.networks import gate_network
from pneumo.networks.gate_network import Heads
from pneumo.preprocessing import augmentation, network_input
from pneumo.preprocessing.augmentation import Augmentation
from pneumo.radiograph import Radiograph
from pneumo.training import classifier, export
from pneumo.training.classifier import Stage
from pneumo.training.films import load_squares

# Directions of the embedding that are measured one by one; the rest counts as one residual.
COMPONENTS = 24
# What another hospital, a photograph or a screenshot does to a film.
VIEWS = Augmentation(min_area=0.5, max_stretch=1.3, brightness=0.15, contrast=0.3, gamma=0.4, flip=0.0)
# Films of other hospitals, where there are any, have this weight in the moments: children of one hospital are a narrow
# idea of a chest film.
OTHERS_SHARE = 0.25
OTHERS_VIEWS = 4
_ORIENTATION_COMPONENTS, _ORIENTATION_PENALTY = 256, 0.03

Progress = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """Report nothing."""


def views(squares: np.ndarray, seed: int, count: int = 1) -> Iterator[np.ndarray]:
    """Draw `count` random `VIEWS` of each film, (side, side) float32 in 0…1, without mirroring it."""
    rng = np.random.default_rng(seed)
    for square in squares:
        for _ in range(count):
            yield augmentation.augmented_input(square / np.float32(255), square.shape[0], VIEWS, rng)[..., 0]


def embed(
    encoder: keras.Model, pictures: Iterator[np.ndarray], total: int, progress: Progress = silent, batch: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """Return the embedding (films, 320) and the grid (films, 2880) of pictures, float32."""
    size, parts, waiting = encoder.input_shape[1], [], []
    for index, picture in enumerate(pictures, start=1):
        waiting.append(network_input.model_input(picture, size))
        if len(waiting) == batch or index == total:
            parts.append(encoder.predict_on_batch(np.stack(waiting)))
            waiting = []
            progress(index, total)
    embeddings, grids = zip(*parts, strict=True)
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


def orientations(square: np.ndarray) -> Iterator[tuple[np.ndarray, int, int, int]]:
    """Yield a picture in all sixteen orientations, with its quarter turns, whether mirrored, and whether inverted."""
    for mirrored in (0, 1):
        flipped = square[:, ::-1] if mirrored else square
        for turned in range(4):
            for inverted in (0, 1):
                picture = np.rot90(1 - flipped if inverted else flipped, turned)
                yield np.ascontiguousarray(picture), turned, mirrored, inverted


def fit_orientation(grids: np.ndarray, truth: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Fit the heads for quarter turns, mirroring and inversion by logistic regression.

    Args:
        grids: (pictures, features).
        truth: (pictures, 3) quarter turns, mirrored, inverted.

    Returns:
        Three pairs of kernel and bias: four logits, one, one.
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


def fit_heads(
    encoder: keras.Model,
    squares: np.ndarray,
    others: np.ndarray,
    *,
    oriented: int = 400,
    seed: int = 0,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Heads:
    """Fit all heads.

    Args:
        encoder: as `pneumo.networks.gate_network.encoder` returns it.
        squares: (films, side, side) uint8, upright frontal chest films.
        others: the same of other hospitals; may be empty.
        oriented: how many of the films the orientation heads learn from; sixteen pictures each.
        seed: of the random views.
        progress: called with what is done, how far, and of how many.
    """

    def both(films: np.ndarray, count: int, seed: int) -> Iterator[np.ndarray]:
        yield from (square / np.float32(255) for square in films)
        yield from views(films, seed, count)

    home, _ = embed(encoder, both(squares, 1, seed), 2 * len(squares), _told(progress, "looking at films"))
    embeddings, weights = home, np.ones(len(home))
    if len(others):
        away, _ = embed(encoder, both(others, OTHERS_VIEWS, seed + 1), (1 + OTHERS_VIEWS) * len(others))
        share = OTHERS_SHARE / (1 - OTHERS_SHARE) * len(home) / len(away)
        embeddings, weights = np.concatenate([home, away]), np.concatenate([weights, np.full(len(away), share)])

    rng = np.random.default_rng(seed)
    chosen = squares[rng.permutation(len(squares))[:oriented]]
    shown = np.concatenate([chosen, others]) if len(others) else chosen
    truth: list[tuple[int, int, int]] = []

    def turned_pictures() -> Iterator[np.ndarray]:
        for view in views(shown, seed + 2):
            for picture, *orientation in orientations(view):
                truth.append((orientation[0], orientation[1], orientation[2]))
                yield picture

    _, grids = embed(encoder, turned_pictures(), 16 * len(shown), _told(progress, "turning films"))
    return Heads(fit_deviation(embeddings, weights), *fit_orientation(grids, np.array(truth)))


def choose_limits(
    seen: list[tuple[GateOutput, LungMask]], shifted: list[tuple[GateOutput, LungMask]], qualities: list[Quality]
) -> Limits:
    """Choose the gate's limits on validation films.

    Args:
        seen: what both networks make of each film.
        shifted: the same of a random view of each film.
        qualities: of each film.
    """
    all_seen = [*seen, *shifted]
    brightness, contrast, sharpness = (
        np.array([getattr(quality, name) for quality in qualities]) for name in ("brightness", "contrast", "sharpness")
    )
    edges = np.array([lungs.edge_shares for _, lungs in seen])
    edge_limits = [_rounded(max(0.05, share)) for share in np.quantile(edges, 0.995, axis=0)]
    return Limits(
        novelty=_rounded(max(view.novelty for view, _ in all_seen)),
        uncertainty=_rounded(1.5 * max(lungs.uncertainty for _, lungs in all_seen)),
        turned=_rounded(max(0.5, *(1 - view.turned[0] for view, _ in seen))),
        inverted=_rounded(max(0.5, *(view.inverted for view, _ in seen))),
        mirrored=_rounded(max(0.5, float(np.quantile([view.mirrored for view, _ in seen], 0.997)))),
        dark=_below(brightness.min()),
        bright=(_rounded(1 - 0.9 * (1 - brightness.max())), _rounded(1 - 0.5 * (1 - brightness.max()))),
        flat=_below(contrast.min()),
        blurred=_below(sharpness.min()),
        cut_off=(edge_limits[0], edge_limits[1], edge_limits[2], edge_limits[3]),
    )


# How `choose_limits` chooses, for the card.
CHOSEN_ON = {
    "novelty": "the highest of the validation films and of one random view of each",
    "uncertainty": "1.5 times the highest of the validation films and of one random view of each",
    "turned": "the highest of the validation films, 0.5 or more",
    "inverted": "the highest of the validation films, 0.5 or more",
    "mirrored": "the 99.7th percentile of the validation films, 0.5 or more",
    "dark, flat, blurred": "0.9 (to warn) and 0.5 (to refuse) times the lowest of the validation films",
    "bright": "0.9 and 0.5 times the distance from white of the brightest validation film",
    "cut_off": "the 99.5th percentile of the validation films, 0.05 or more",
}


def _told(progress: Callable[[str, int, int], None], what: str) -> Progress:
    return lambda done, total: progress(what, done, total)


def _below(lowest: float) -> tuple[float, float]:
    return _rounded(0.9 * lowest), _rounded(0.5 * lowest)


def _rounded(limit: float) -> float:
    return round(float(limit), 4)


NAME = "gate"
# Pictures that are no frontal chest film: a folder with its own table, see `external.strangers`.
STRANGERS_SPLIT = "out_of_distribution"
SPLITS = ("val", "test", EXTERNAL_SPLIT, STRANGERS_SPLIT)
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


def train(
    data: Path,
    others: Path | None,
    out: Path,
    *,
    weights: str | Path | None = None,
    fold: int = 0,
    progress: Callable[[Stage], None] = lambda _: None,
) -> ModelCard:
    """Fit the gate to the training films, choose its limits on the validation films, and write ``<out>/gate/``.

    Args:
        data: a data set in the Kaggle layout.
        others: frontal chest films of other hospitals, a folder whose ``labels.csv`` has a column ``file``;
            ``opacity_masks`` beside the data set where None, and none where there is no such folder.
        out: the folder of model folders; the lungs come from there, or else from those shipped.
        weights: see `gate_network.encoder`.
        fold: which patients validate, see `kaggle.development_split`.
        progress: called as the work goes on.

    Raises:
        DatasetError: if the data set is not complete enough, or a named folder has no table.
        ImageError: if a film cannot be read.
        ModelError: if there is no lung network.
        ValueError: for weights that are not there.
    """
    started_from = provenance.initial_weights(weights)
    root = kaggle.find_root(data)
    beside = root.parent / "opacity_masks"
    others = others or (beside if (beside / external.TABLE).is_file() else None)
    table = kaggle.scan(root)
    parts = kaggle.development_split(table, fold)
    lung_card, lung_network = store.load("lungs", holder("lungs", out), SEGMENTATION)

    films = classifier.load_films(root, parts.train, progress)
    away = _squares(others, external.unlabelled(others), progress) if others else films.squares[:0]
    encoder = gate_network.encoder(weights)
    heads = fit_heads(
        encoder, films.squares, away, progress=lambda what, done, total: progress(Stage(what, done, total))
    )
    shipped, stored = export.store(NAME, gate_network.build(encoder, heads), out)

    limits = _limits(shipped, lung_network, root, parts.validation, progress)
    card = ModelCard(
        name=NAME,
        title="Gate (embedding distance and orientation on MobileNetV2)",
        family=SCREENING,
        seed_system=None,
        architecture=NAME,
        initial_weights=started_from,
        input=export.input_facts(shipped),
        cam_layer=None,
        labels=["novelty", "turned", "mirrored", "inverted"],
        training={
            "data": kaggle.describe(table),
            "data_fingerprint": kaggle.fingerprint(pd.concat(parts)),
            "split_rule": provenance.SPLIT_RULE,
            "fold": fold,
            "films": {"train": len(parts.train), "validation": len(parts.validation), "other_hospitals": len(away)},
            "other_hospitals": others.name if others else None,
            "other_hospitals_share": OTHERS_SHARE if others else 0.0,
            "components": COMPONENTS,
            "views": dataclasses.asdict(VIEWS),
            "lungs_sha256": lung_card.sha256,
            **provenance.machine(),
        },
        calibration={},
        thresholds={**dataclasses.asdict(limits), "chosen_on": CHOSEN_ON},
        **stored,
        task=SCREENING,
    )
    store.write_card(card, out)
    return evaluate(data, "val", out, progress)


def evaluate(
    data: Path,
    split: str = "test",
    folder: Path | None = None,
    progress: Callable[[Stage], None] = lambda _: None,
) -> ModelCard:
    """Put every film of a split before the shipped gate, rewrite its answers and its card.

    Films of ``test`` are shown as they are and as `ALTERATIONS` change them.

    Args:
        data: a data set in the Kaggle layout; for `EXTERNAL_SPLIT` and `STRANGERS_SPLIT` a folder with ``labels.csv``.
        split: one of `SPLITS`.
        folder: the folder of model folders.
        progress: called as the work goes on.

    Raises:
        ModelError: if a network cannot be loaded.
        DatasetError: if the data set lacks the split.
        ValueError: if there is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}. Choose one of: {', '.join(SPLITS)}.")
    out = folder or store.models_folder()
    card, _ = store.load(NAME, out, SCREENING)
    screener = Gate.open(out)
    if split == STRANGERS_SPLIT:
        root, table = data, external.strangers(data)
    elif split == EXTERNAL_SPLIT:
        root, table = data, external.scan(data)
    else:
        root = kaggle.find_root(data)
        table = classifier.films_of(split, root, card.training.get("fold", 0))
    altered = list(ALTERATIONS) if split == "test" else []
    rows = []
    for done, film in enumerate(table.to_dict("records"), start=1):
        read = radiograph.read(root / film["file"])
        described = (film["file"], film["patient"], film["label"], film.get("near_ood", ""))
        rows += [(*described, *answer) for answer in _answers(screener, read, altered)]
        progress(Stage("checking films", done, len(table)))
    if split == "test":
        card = provenance.with_test_opened(card)
    store.write_predictions(pd.DataFrame(rows, columns=COLUMNS), NAME, split, out, COLUMNS)
    card = dataclasses.replace(card, metrics={**card.metrics, split: summarise(read_answers(split, out))})
    store.write_card(card, out)
    return card


def _answers(screener: Gate, film: Radiograph, altered: list[str]) -> list[tuple[str, int, str, str]]:
    """Return (alteration, accepted, codes of the findings, correction) for a film as it is and altered."""
    answers = []
    for name in ["", *altered]:
        pixels = np.ascontiguousarray(ALTERATIONS[name][0](film.pixels)) if name else film.pixels
        verdict = screener.check(dataclasses.replace(film, pixels=pixels))
        codes = " ".join(finding.code for finding in verdict.findings)
        answers.append((name, int(verdict.accepted), codes, str(verdict.correction or "")))
    return answers


def read_answers(split: str, folder: Path | None = None) -> pd.DataFrame:
    """Read what the shipped gate said to each film of a split: `COLUMNS`.

    Raises:
        ModelError: if it was not measured on that split, or the file is damaged.
    """
    table = store.read_predictions(NAME, split, folder, COLUMNS)
    return table.assign(accepted=table["accepted"].astype(int), near_ood=table["near_ood"].astype(str))


def summarise(answers: pd.DataFrame) -> dict[str, Any]:
    """Return a split's metrics as they stand in the card; shares of films with Wilson's interval.

    Returns:
        ``films``; ``findings``, how often each was made; ``accepted``; ``false_alarms`` (films as they are that are
        called inverted or rotated); ``altered``: for each of `ALTERATIONS` that was tried the share that got its
        finding, and for those that can be undone ``corrected``, the share with the right correction. For pictures that
        are no frontal chest films ``refused_near`` (radiographs), ``refused_far`` and ``refused_by_category`` instead.
    """
    plain = answers[answers["alteration"] == ""]
    codes = plain["findings"].str.split()
    metrics: dict[str, Any] = {"films": len(plain), "findings": codes.explode().value_counts().sort_index().to_dict()}
    if plain["near_ood"].isin(["0", "1"]).any():
        refused = plain["accepted"] == 0
        for figure, near in (("refused_near", "1"), ("refused_far", "0")):
            metrics[figure] = _share(refused[plain["near_ood"] == near])
        metrics["refused_by_category"] = {
            str(category): _share(answered) for category, answered in refused.groupby(plain["label"], sort=True)
        }
    else:
        metrics["accepted"] = _share(plain["accepted"] == 1)
        metrics["false_alarms"] = _share(codes.map(lambda found: bool(ORIENTATION & set(found))))
    for alteration, rows in answers[answers["alteration"] != ""].groupby("alteration", sort=True):
        name = str(alteration)
        _, code, correction = ALTERATIONS[name]
        found = rows["findings"].str.split().map(lambda found, code=code: code in found)
        entry = {"found": _share(found), "refused": _share(rows["accepted"] == 0)}
        if correction:
            entry["corrected"] = _share(rows["correction"] == correction)
        metrics.setdefault("altered", {})[name] = entry
    return provenance.tidy(metrics)


def _share(holds: pd.Series) -> dict[str, float]:
    count, films = int(holds.sum()), len(holds)
    return {"count": count, "of": films, **dataclasses.asdict(wilson(count, films))}


def _limits(
    network: keras.Model,
    lung_network: keras.Model,
    root: Path,
    table: pd.DataFrame,
    progress: Callable[[Stage], None],
) -> Any:
    reader, segmenter = GateNetwork(network), Segmenter(lung_network)
    seen, shifted, qualities = [], [], []
    squares = classifier.load_films(root, table, progress).squares
    for done, (square, view) in enumerate(zip(squares, views(squares, seed=3), strict=True), start=1):
        as_is = square / np.float32(255)
        seen.append((reader.read(as_is), segmenter.segment(as_is)))
        shifted.append((reader.read(view), segmenter.segment(view)))
        progress(Stage("choosing limits", done, len(table)))
    for file in table["file"]:
        qualities.append(findings.measure(radiograph.read(root / file).pixels))
    return choose_limits(seen, shifted, qualities)


def _squares(root: Path, table: pd.DataFrame, progress: Callable[[Stage], None]) -> np.ndarray:
    return load_squares(root, table, lambda done, total: progress(Stage("reading films", done, total)))
