"""The figures of one model, on all splits that it was measured on, in words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pneumo.evaluation.intervals import Estimate
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard

SPLITS = {
    "val": "Validation",
    "val_shifted": "Validation, shifted",
    "val_hard": "Validation, shifted hard",
    "val_evened": "Validation, frames evened",
    "val_reframed": "Validation, frames swapped",
    "val_lungs_only": "Validation, all but the lungs black",
    "val_without_lungs": "Validation, lungs black",
    "test": "Official test split",
    "external_nih": "Another hospital (NIH)",
    "opacity_masks": "Adults of many hospitals",
    "out_of_distribution": "No frontal chest films",
}
# What a card calls a figure, where that is not the word for it.
WORDS = {
    "dice": "Dice",
    "iou": "IoU",
    "boundary_distance": "Boundary distance (px of 224)",
    "accepted": "Accepted",
    "false_alarms": "Called inverted or turned though it is not",
    "refused_near": "Refused, radiographs",
    "refused_far": "Refused, other pictures",
    "refused_by_category": "Refused",
    "altered": "Altered",
}


def figures(metrics: dict[str, Any], named: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each figure of a split that has an interval, with its name in words, those of groups after the group's.

    Args:
        metrics: one split's, as they stand in the card.
        named: what the group is called that they belong to.
    """
    for key, figure in metrics.items():
        name = ", ".join(filter(None, (named, WORDS.get(key, key.replace("_", " ")))))
        if isinstance(figure, dict) and "low" in figure:
            yield name, figure
        elif isinstance(figure, dict):
            yield from figures(figure, name)


def cell(figure: dict[str, Any]) -> str:
    """Return a figure with its 95 % interval, and the films counted where it is a share of them."""
    if figure["value"] is None:
        return "–"
    told = str(Estimate(figure["value"], figure["low"], figure["high"]))
    return f"{told}, {figure['count']} of {figure['of']}" if "count" in figure else told


def markdown(name: str, folder: Path | None = None) -> str:
    """Return all figures of a model as a Markdown table, as it stands in MODEL_CARD.md for the lungs and the gate.

    Raises:
        ModelError: if there is no such model.
    """
    return table(store.read_card(name, folder))


def table(card: ModelCard) -> str:
    """Return all figures of a card as a Markdown table."""
    metrics = card.metrics
    rows = [
        f"| {SPLITS.get(split, split)} ({metrics[split]['films']}) | {figure} | {cell(values)} |"
        for split in in_order(metrics)
        for figure, values in figures(metrics[split])
    ]
    return "\n".join(["| Films | Figure | Value (95 % interval) |", "| --- | --- | --- |", *rows])


def in_order(metrics: dict[str, Any]) -> list[str]:
    """Return the splits that a card has figures of, in the order of `SPLITS`."""
    return [split for split in SPLITS if split in metrics]
