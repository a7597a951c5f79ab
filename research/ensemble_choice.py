"""Which models to join: the means of their logits, compared on the hardest shifted validation films alone.

``python -m research.ensemble_choice FOLDER`` prints the table of the models in a folder, from their predictions on
``val_hard`` (`python -m pneumo evaluate NAME --split val_hard`), in seconds.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from scipy.special import expit, logit
from sklearn.metrics import log_loss, roc_auc_score

from pneumo.cli.output import reports_errors
from pneumo.errors import ModelError
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.model_store.store import HARD_SPLIT
from pneumo.results import markdown_tables

MOST_MEMBERS = 3
# A mean with a weaker model can come out ahead on validation by chance alone; the weakest are not tried.
CANDIDATES = 6
# What the other models leave of the 160 MB that DESIGN.md allows.
LARGEST_FILE = 23_500_000


@dataclass(frozen=True)
class Mean:
    """The mean of some models' calibrated logits, as measured on `HARD_SPLIT`.

    Attributes:
        members: names of the models.
        auroc: 0…1.
        log_loss: in nats, both classes weighing the same.
        size_bytes: of the members' files together.
    """

    members: tuple[str, ...]
    auroc: float
    log_loss: float
    size_bytes: int


def means(cards: Sequence[ModelCard], folder: Path | None = None) -> list[Mean]:
    """Measure all means of two to `MOST_MEMBERS` models that fit into one file, best AUROC first.

    The predictions in the models' folders are calibrated, so that their logits can be averaged as they are.

    Args:
        cards: of single models.
        folder: the folder of model folders.

    Raises:
        ModelError: if a model was not measured on `HARD_SPLIT`, or on other films than the rest.
    """
    tables = {card.name: store.read_predictions(card.name, HARD_SPLIT, folder) for card in cards}
    sizes = {card.name: card.size_bytes for card in cards}
    first = next(iter(tables.values()))
    for name, table in tables.items():
        if table["file"].tolist() != first["file"].tolist():
            raise ModelError(f"{name} was measured on other validation films. Train it on the same split.")
    sick = (first["label"] == "PNEUMONIA").to_numpy()
    weights = np.where(sick, 1 / sick.sum(), 1 / (~sick).sum())
    logits = {name: logit(table["probability"].clip(1e-6, 1 - 1e-6).to_numpy()) for name, table in tables.items()}
    found = []
    for count in range(2, MOST_MEMBERS + 1):
        for members in itertools.combinations(tables, count):
            size = sum(sizes[name] for name in members)
            if size > LARGEST_FILE:
                continue
            mean = np.mean([logits[name] for name in members], axis=0)
            loss = log_loss(sick, expit(mean), sample_weight=weights)
            found.append(Mean(members, float(roc_auc_score(sick, mean)), float(loss), size))
    return sorted(found, key=lambda each: (-each.auroc, each.log_loss))


def candidates(folder: Path | None = None) -> list[ModelCard]:
    """Return the `CANDIDATES` single models that are the best on `store.SELECTION_SPLIT`, best first."""
    return [card for card in store.catalogue(folder).cards if not card.members][:CANDIDATES]


def markdown(found: Sequence[Mean]) -> str:
    """Return means as a Markdown table."""
    rows = [
        (", ".join(each.members), f"{each.auroc:.4f}", f"{each.log_loss:.4f}", f"{each.size_bytes / 1e6:.1f}")
        for each in found
    ]
    return markdown_tables.table(
        pd.DataFrame(rows, columns=["Mean of", "AUROC, validation shifted hard", "log loss", "MB"])
    )


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
@reports_errors
def ensemble_choice(
    folder: Annotated[Path, typer.Argument(help="Folder of model folders.")],
) -> None:
    """Compare the means of two and three of the best single models on the hardest shifted validation films."""
    print(markdown(means(candidates(folder), folder)))


if __name__ == "__main__":
    app(prog_name="python -m research.ensemble_choice")
