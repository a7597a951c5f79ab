"""Does validation rank models as the test split does, and by more than noise? Computed from the models' predictions.

``python -m pneumo.selection_check`` prints the table of MODEL_CARD.md. It looks back at test figures that exist, and
nothing is chosen by it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pneumo.evaluation.intervals import Estimate, wilson
from pneumo.model_store import store
from pneumo.model_store.store import HARD_SPLIT, REFRAMED_SPLIT, SELECTION_SPLIT
from pneumo.results import comparison, leaderboard

SPLITS = {
    "val": "validation",
    SELECTION_SPLIT: "shifted validation",
    HARD_SPLIT: "validation shifted hard",
    REFRAMED_SPLIT: "validation, frames swapped",
}
TOP = 5


@dataclass(frozen=True)
class Agreement:
    """How far a validation split ranks models as the test split does, by AUROC.

    Attributes:
        models: how many are compared.
        rank_correlation: Spearman's, −1…1.
        told_apart: share of the pairs whose difference on validation has a 95 % interval without zero.
        same_order: of those pairs the share that stands in the same order on test.
    """

    models: int
    rank_correlation: float
    told_apart: Estimate
    same_order: Estimate


def agreement(names: Sequence[str], split: str, folder: Path | None = None) -> Agreement:
    """Compare the order of models on a validation split with that on test.

    Args:
        names: three or more models.
        split: key of `SPLITS`.
        folder: the folder of model folders.

    Raises:
        ModelError: if a model was not measured on both.
    """
    cards = [store.read_card(name, folder) for name in names]
    areas = pd.DataFrame(
        {
            each: [leaderboard.measure(card, each, folder=folder).metrics.auroc.value for card in cards]
            for each in (split, "test")
        },
        index=list(names),
    )
    on_test = areas["test"]
    pairs = comparison.all_pairs(names, split, folder)
    apart = [pair for pair in pairs if pair.auroc.told_apart]
    same = [pair for pair in apart if pair.auroc.value * (on_test[pair.first] - on_test[pair.second]) > 0]
    return Agreement(
        len(names),
        float(areas[split].corr(on_test, method="spearman")),
        wilson(len(apart), len(pairs)),
        wilson(len(same), len(apart)),
    )


def markdown(folder: Path | None = None) -> str:
    """Return how all classifiers, and the `TOP` ones on `SELECTION_SPLIT` alone, are ranked, as a Markdown table."""
    cards = store.catalogue(folder).cards
    best = sorted(cards, key=lambda card: -card.metrics[SELECTION_SPLIT]["auroc"]["value"])[:TOP]
    rows = [
        ["Models", "Ranked on", "Rank correlation with test", "Pairs told apart", "Of those in the same order on test"],
        ["---"] * 5,
    ]
    for chosen, words in ((cards, "all"), (best, "the best")):
        for split, title in SPLITS.items():
            found = agreement([card.name for card in chosen], split, folder)
            rows.append(
                [
                    f"{words} {found.models}",
                    title,
                    f"{found.rank_correlation:.2f}".replace("-", "−"),
                    str(found.told_apart),
                    str(found.same_order),
                ]
            )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    print(markdown())
