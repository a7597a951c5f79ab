"""Which shipped models to join: the means of their logits, compared on the shifted validation films alone.

``python -m pneumo.ensemble_choice`` prints the table. What is joined is the first of it whose file stays small enough.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit, logit
from sklearn.metrics import log_loss, roc_auc_score

from pneumo import model_store
from pneumo.errors import ModelError
from pneumo.model_card import ModelCard
from pneumo.model_store import SELECTION_SPLIT

MOST_MEMBERS = 3
# A mean with a weaker model can come out ahead on validation by chance alone; the weakest are not tried.
CANDIDATES = 5
# DESIGN.md: what one file of weights may take.
LARGEST_FILE = 50_000_000


@dataclass(frozen=True)
class Mean:
    """The mean of some models' calibrated logits, as measured on the shifted validation films.

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
        ModelError: if a model was not measured on `SELECTION_SPLIT`, or on other films than the rest.
    """
    tables = {card.name: model_store.read_predictions(card.name, SELECTION_SPLIT, folder) for card in cards}
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
    """Return the `CANDIDATES` single models that are the best on `SELECTION_SPLIT`, best first."""
    return [card for card in model_store.catalogue(folder).cards if not card.members][:CANDIDATES]


def markdown(found: Sequence[Mean]) -> str:
    """Return means as a Markdown table."""
    rows = [["Mean of", "AUROC, shifted validation", "log loss", "MB"], ["---"] * 4]
    rows += [
        [", ".join(each.members), f"{each.auroc:.4f}", f"{each.log_loss:.4f}", f"{each.size_bytes / 1e6:.1f}"]
        for each in found
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    print(markdown(means(candidates())))
