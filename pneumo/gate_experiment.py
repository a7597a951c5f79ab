"""Fit the gate and ship it as the model folder ``gate``; measure it on films, altered films and other pictures.

The counterpart of `pneumo.experiment`: the official test split is not read while fitting, and each opening is counted.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pandas as pd

from pneumo import (
    dataset,
    evaluation,
    experiment,
    external,
    film_quality,
    gate_network,
    gate_training,
    model_store,
    preprocessing,
    provenance,
    radiograph,
    shipping,
)
from pneumo.experiment import Stage
from pneumo.gate import ViewReader
from pneumo.lungs import Segmenter
from pneumo.model_card import SCREENING, SEGMENTATION, ModelCard
from pneumo.radiograph import Radiograph
from pneumo.screening import Screener, holder

NAME = "gate"
EXTERNAL_SPLIT = experiment.EXTERNAL_SPLIT
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
        lambda pixels: cv2.GaussianBlur(pixels, (0, 0), 4 * min(pixels.shape) / preprocessing.SQUARE),
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
        fold: which patients validate, see `dataset.development_split`.
        progress: called as the work goes on.

    Raises:
        DatasetError: if the data set is not complete enough, or a named folder has no table.
        ImageError: if a film cannot be read.
        ModelError: if there is no lung network.
        ValueError: for weights that are not there.
    """
    started_from = provenance.initial_weights(weights)
    root = dataset.find_root(data)
    beside = root.parent / "opacity_masks"
    others = others or (beside if (beside / external.TABLE).is_file() else None)
    table = dataset.scan(root)
    parts = dataset.development_split(table, fold)
    lung_card, lung_network = model_store.load("lungs", holder("lungs", out), SEGMENTATION)

    films = experiment.load_films(root, parts.train, progress)
    away = _squares(others, external.unlabelled(others), progress) if others else films.squares[:0]
    encoder = gate_network.encoder(weights)
    heads = gate_training.fit_heads(
        encoder, films.squares, away, progress=lambda what, done, total: progress(Stage(what, done, total))
    )
    shipped, stored = shipping.store(NAME, gate_network.build(encoder, heads), out)

    limits = _limits(shipped, lung_network, root, parts.validation, progress)
    card = ModelCard(
        name=NAME,
        title="Gate (embedding distance and orientation on MobileNetV2)",
        family=SCREENING,
        seed_system=None,
        architecture=NAME,
        initial_weights=started_from,
        input=shipping.input_facts(shipped),
        cam_layer=None,
        labels=["novelty", "turned", "mirrored", "inverted"],
        training={
            "data": dataset.describe(table),
            "data_fingerprint": dataset.fingerprint(pd.concat(parts)),
            "split_rule": provenance.SPLIT_RULE,
            "fold": fold,
            "films": {"train": len(parts.train), "validation": len(parts.validation), "other_hospitals": len(away)},
            "other_hospitals": others.name if others else None,
            "other_hospitals_share": gate_training.OTHERS_SHARE if others else 0.0,
            "components": gate_training.COMPONENTS,
            "views": dataclasses.asdict(gate_training.VIEWS),
            "lungs_sha256": lung_card.sha256,
            **provenance.machine(),
        },
        calibration={},
        thresholds={**dataclasses.asdict(limits), "chosen_on": gate_training.CHOSEN_ON},
        **stored,
        task=SCREENING,
    )
    model_store.write_card(card, out)
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
    out = folder or model_store.models_folder()
    card, _ = model_store.load(NAME, out, SCREENING)
    screener = Screener.open(out)
    if split == STRANGERS_SPLIT:
        root, table = data, external.strangers(data)
    elif split == EXTERNAL_SPLIT:
        root, table = data, external.scan(data)
    else:
        root = dataset.find_root(data)
        table = experiment.films_of(split, root, card.training.get("fold", 0))
    altered = list(ALTERATIONS) if split == "test" else []
    rows = []
    for done, film in enumerate(table.to_dict("records"), start=1):
        read = radiograph.read(root / film["file"])
        described = (film["file"], film["patient"], film["label"], film.get("near_ood", ""))
        rows += [(*described, *answer) for answer in _answers(screener, read, altered)]
        progress(Stage("checking films", done, len(table)))
    if split == "test":
        card = provenance.with_test_opened(card)
    model_store.write_predictions(pd.DataFrame(rows, columns=COLUMNS), NAME, split, out, COLUMNS)
    card = dataclasses.replace(card, metrics={**card.metrics, split: summarise(read_answers(split, out))})
    model_store.write_card(card, out)
    return card


def _answers(screener: Screener, film: Radiograph, altered: list[str]) -> list[tuple[str, int, str, str]]:
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
    table = model_store.read_predictions(NAME, split, folder, COLUMNS)
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
    return {"count": count, "of": films, **dataclasses.asdict(evaluation.wilson(count, films))}


def _limits(
    network: keras.Model,
    lung_network: keras.Model,
    root: Path,
    table: pd.DataFrame,
    progress: Callable[[Stage], None],
) -> Any:
    reader, segmenter = ViewReader(network), Segmenter(lung_network)
    seen, shifted, qualities = [], [], []
    squares = experiment.load_films(root, table, progress).squares
    for done, (square, view) in enumerate(zip(squares, gate_training.views(squares, seed=3), strict=True), start=1):
        as_is = square / np.float32(255)
        seen.append((reader.read(as_is), segmenter.segment(as_is)))
        shifted.append((reader.read(view), segmenter.segment(view)))
        progress(Stage("choosing limits", done, len(table)))
    for file in table["file"]:
        qualities.append(film_quality.measure(radiograph.read(root / file).pixels))
    return gate_training.choose_limits(seen, shifted, qualities)


def _squares(root: Path, table: pd.DataFrame, progress: Callable[[Stage], None]) -> np.ndarray:
    return preprocessing.load_squares(root, table, lambda done, total: progress(Stage("reading films", done, total)))
