"""What each step on the way to the best model was worth: a row a model, from the first baseline to the last.

``python -m pneumo.ladder NAME…`` prints the table.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from pneumo.errors import ModelError
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.model_store.store import SELECTION_SPLIT
from pneumo.results import leaderboard

SPLITS = ("val", SELECTION_SPLIT, "test")
_SEEN = {"film": "whole film", "lungs": "box of the lungs"}


def markdown(names: Sequence[str], folder: Path | None = None) -> str:
    """Return the steps as a Markdown table, as it stands in MODEL_CARD.md.

    Args:
        names: of the models, in the order of the steps.
        folder: the folder of model folders.

    Raises:
        ModelError: if there is no such model, or it was not measured on one of `SPLITS`.
    """
    head = [
        "Model",
        "Begins with",
        "Sees",
        "Learns",
        "AUROC, validation",
        "shifted",
        "test",
        "Accuracy, test",
        "Made by",
    ]
    rows = [head, ["---"] * len(head)]
    rows += [_row(store.read_card(name, folder), folder) for name in names]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(card: ModelCard, folder: Path | None) -> list[str]:
    measured = {split: leaderboard.measure(card, split, folder=folder).metrics for split in SPLITS}
    return [
        card.title,
        _start(card),
        ", ".join(_SEEN.get(view, view) for view in card.input["views"]),
        _learns(card),
        *(str(measured[split].auroc) for split in SPLITS),
        str(measured["test"].accuracy),
        f"`{_command(card)}`",
    ]


def _start(card: ModelCard) -> str:
    if card.members:
        return ", ".join(member["name"] for member in card.members)
    if card.initial_weights == "random":
        return "random weights"
    return card.initial_weights.split("_", 1)[0] if "_" in card.initial_weights else card.initial_weights


def _learns(card: ModelCard) -> str:
    if card.members:
        return "nothing: mean of the logits"
    recipe = card.training.get("recipe") or {}
    if "strengths" in recipe:
        return "its last unit"
    epochs = card.training.get("epochs_run")
    if epochs is None:
        raise ModelError(f"The card of {card.name} does not tell how it was trained. Train it again.")
    return f"all layers, {epochs} epochs at {card.input['size']} px"


def _command(card: ModelCard) -> str:
    return "search" if "search" in card.training else f"train {card.name}"


if __name__ == "__main__":
    print(markdown(sys.argv[1:]))
