"""What CLAIM 2024 and TRIPOD+AI ask a report to tell, from ``checklist.csv``, and whether it is told of a model.

Tejani et al. 2024, Radiology: Artificial Intelligence 6:e240300; Collins et al. 2024, BMJ 385:e078378. The words are
ours; the numbers are theirs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pneumo.errors import PneumoError
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.model_store.store import SELECTION_SPLIT

TABLE = Path(__file__).with_name("checklist.csv")
COLUMNS = ["guideline", "item", "asks", "status", "needs", "reason"]
MET, IN_PART, NOT_MET, NOT_APPLICABLE = "met", "in part", "not met", "does not apply"
STATUSES = {MET: "✓ met", IN_PART: "◐ in part", NOT_MET: "✗ not met", NOT_APPLICABLE: "– does not apply"}
Splits = set[str]


@dataclass(frozen=True)
class Need:
    """What an item needs of a model.

    Attributes:
        holds: whether a model with this card, measured on these splits, has it.
        otherwise: the status of the item for other models.
        reason: and why.
    """

    holds: Callable[[ModelCard, Splits], bool]
    otherwise: str
    reason: str


NEEDS = {
    "test": Need(lambda _, splits: "test" in splits, NOT_MET, "the model was not measured on the official test split"),
    "external": Need(
        lambda _, splits: any(split.startswith("external_") for split in splits),
        NOT_MET,
        "the model was not measured at another hospital",
    ),
    "shifted": Need(
        lambda _, splits: SELECTION_SPLIT in splits, NOT_MET, "the model was not measured on altered films"
    ),
    "members": Need(lambda card, _: bool(card.members), NOT_APPLICABLE, "the model is a single network"),
    "heat_map": Need(
        lambda card, _: bool(card.cam_layer or card.members), NOT_MET, "there is no heat map for this kind of network"
    ),
}


@dataclass(frozen=True)
class Item:
    """An item of a guideline: what it asks, whether it is told of a model (a key of `STATUSES`), where or why not."""

    guideline: str
    number: str
    asks: str
    status: str
    reason: str


def items(card: ModelCard, folder: Path | None = None, path: Path = TABLE) -> list[Item]:
    """Return all items with their status for a model, in the order of the guidelines.

    Raises:
        PneumoError: if the list is missing or damaged.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise PneumoError(f"{path} cannot be read ({error}). Restore it from the repository.") from error
    if list(table.columns) != COLUMNS:
        raise PneumoError(f"{path.name} has other columns than {', '.join(COLUMNS)}. Restore it from the repository.")
    splits = set(store.measured_splits(card.name, folder))
    return [_item(row, card, splits, path) for row in table.to_dict("records")]


def readable(listed: list[Item]) -> pd.DataFrame:
    """Return items for reading: ``Item, Asks, Status, Where, or why not``."""
    return pd.DataFrame(
        {
            "Item": [each.number for each in listed],
            "Asks": [each.asks for each in listed],
            "Status": [STATUSES[each.status] for each in listed],
            "Where, or why not": [each.reason for each in listed],
        }
    )


def summary(listed: list[Item]) -> str:
    """Return how many items have which status, as in ``30 of 44 met, 8 in part, 4 not met, 2 do not apply``."""
    counts = {status: sum(each.status == status for each in listed) for status in STATUSES}
    return (
        f"{counts[MET]} of {len(listed)} met, {counts[IN_PART]} in part, {counts[NOT_MET]} not met, "
        f"{counts[NOT_APPLICABLE]} not applicable"
    )


def _item(row: dict, card: ModelCard, splits: Splits, path: Path) -> Item:
    status, reason, needs = row["status"], row["reason"], row["needs"]
    if status not in STATUSES or (needs and needs not in NEEDS) or not reason:
        raise PneumoError(
            f"{path.name}, {row['guideline']} {row['item']}: no such status {status!r} or need {needs!r}, or no reason."
        )
    if needs and not NEEDS[needs].holds(card, splits):
        status, reason = NEEDS[needs].otherwise, NEEDS[needs].reason
    return Item(row["guideline"], row["item"], row["asks"], status, reason)
