"""What each step on the way to the best model was worth: a row a model, from the first baseline to the last.

``python -m research.model_steps NAME…`` prints the table from the models' cards, in a second.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from pneumo.cli.output import ModelsOption, reports_errors
from pneumo.errors import ModelError
from pneumo.evaluation.intervals import Estimate
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.model_store.store import SELECTION_SPLIT
from pneumo.results import markdown_tables

SPLITS = ("val", SELECTION_SPLIT, "test")
HEAD = [
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
_CROPS = {"film": "whole film", "lungs": "box of the lungs"}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def markdown(names: Sequence[str], folder: Path | None = None) -> str:
    """Return the steps as a Markdown table, as it stands in docs/figures.md.

    Args:
        names: of the models, in the order of the steps.
        folder: the folder of model folders.

    Raises:
        ModelError: if there is no such model, or its card has no figures of one of `SPLITS`.
    """
    return markdown_tables.table(pd.DataFrame([_row(store.read_card(name, folder)) for name in names], columns=HEAD))


def _row(card: ModelCard) -> list[str]:
    return [
        card.title,
        _start(card),
        ", ".join(_CROPS.get(crop, crop) for crop in card.input["views"]),
        _learns(card),
        *(_figure(card, split, "auroc") for split in SPLITS),
        _figure(card, "test", "accuracy"),
        f"`{_command(card)}`",
    ]


def _figure(card: ModelCard, split: str, key: str) -> str:
    if split not in card.metrics:
        raise ModelError(f"{card.name} was not measured on {split}. Run `python -m pneumo evaluate {card.name}`.")
    return str(Estimate(**card.metrics[split][key]))


def _start(card: ModelCard) -> str:
    if card.members:
        return ", ".join(member["name"] for member in card.members)
    if card.initial_weights == "random":
        return "random weights"
    return card.initial_weights.split("_", 1)[0] if "_" in card.initial_weights else card.initial_weights


def _learns(card: ModelCard) -> str:
    if card.members:
        return "nothing: joins its members"
    recipe = card.training.get("recipe") or {}
    if "strengths" in recipe:
        return "its last unit"
    epochs = card.training.get("epochs_run")
    if epochs is None:
        raise ModelError(f"The card of {card.name} does not tell how it was trained. Train it again.")
    return f"all layers, {epochs} epochs at {card.input['size']} px"


def _command(card: ModelCard) -> str:
    return "search" if "search" in card.training else f"train {card.name}"


@app.command()
@reports_errors
def model_steps(
    names: Annotated[list[str], typer.Argument(help="Models, in the order of the steps.", metavar="NAME...")],
    models: ModelsOption = None,
) -> None:
    """Print what each step from the first baseline to the best model was worth."""
    print(markdown(names, models))


if __name__ == "__main__":
    app(prog_name="python -m research.model_steps")
