"""Does validation rank models as the test split does, and by more than noise? Computed from the models' predictions.

``python -m research.split_agreement`` prints the table of docs/figures.md, in seconds. It looks back at test figures
that exist, and nothing is chosen by it.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import typer
from sklearn.metrics import roc_auc_score

from pneumo.cli.output import ModelsOption, reports_errors
from pneumo.errors import ModelError
from pneumo.evaluation.comparison import delong
from pneumo.evaluation.intervals import Estimate, wilson
from pneumo.model_store import store
from pneumo.model_store.store import ASPECT_SWAPPED_SPLIT, HARD_SPLIT, SELECTION_SPLIT
from pneumo.results import comparison, markdown_tables

SPLITS = {
    "val": "validation",
    SELECTION_SPLIT: "shifted validation",
    HARD_SPLIT: "validation shifted hard",
    ASPECT_SWAPPED_SPLIT: "validation, frames swapped",
}
TOP = 5

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


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
        ModelError: if a model was not measured on both, or on other films of the split than the rest.
    """
    labels, patients, scores = _scores(names, split, folder)
    test_labels, _, test_scores = _scores(names, "test", folder)
    areas = pd.Series({name: roc_auc_score(labels, scores[name]) for name in names})
    on_test = pd.Series({name: roc_auc_score(test_labels, test_scores[name]) for name in names})
    pairs = list(itertools.combinations(names, 2))
    differences = {pair: delong(labels, scores[pair[0]], scores[pair[1]], patients) for pair in pairs}
    apart = [pair for pair in pairs if differences[pair].told_apart]
    same = [pair for pair in apart if differences[pair].value * (on_test[pair[0]] - on_test[pair[1]]) > 0]
    return Agreement(
        len(names),
        float(areas.corr(on_test, method="spearman")),
        wilson(len(apart), len(pairs)),
        wilson(len(same), len(apart)),
    )


def markdown(folder: Path | None = None) -> str:
    """Return how all classifiers, and the `TOP` ones on `SELECTION_SPLIT` alone, are ranked, as a Markdown table."""
    cards = store.catalogue(folder).cards
    best = sorted(cards, key=lambda card: -card.metrics[SELECTION_SPLIT]["auroc"]["value"])[:TOP]
    rows = []
    for chosen, words in ((cards, "all"), (best, "the best")):
        for split, title in SPLITS.items():
            found = agreement([card.name for card in chosen], split, folder)
            rows.append(
                (
                    f"{words} {found.models}",
                    title,
                    f"{found.rank_correlation:.2f}".replace("-", "−"),
                    str(found.told_apart),
                    str(found.same_order) if np.isfinite(found.same_order.value) else "–",
                )
            )
    head = [
        "Models",
        "Ranked on",
        "Rank correlation with test",
        "Pairs told apart",
        "Of those in the same order on test",
    ]
    return markdown_tables.table(pd.DataFrame(rows, columns=head))


def _scores(
    names: Sequence[str], split: str, folder: Path | None
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return the labels (1 for pneumonia) and patients of a split's films, and by model its probability of each."""
    tables = {name: comparison.predictions(store.read_card(name, folder), split, folder) for name in names}
    first = tables[names[0]]
    for name, table in tables.items():
        if not table[["file", "patient", "label"]].equals(first[["file", "patient", "label"]]):
            raise ModelError(f"{name} and {names[0]} were measured on other films of {split}. Measure both again.")
    labels = (first["label"] == "PNEUMONIA").to_numpy(int)
    scores = {name: table["probability"].to_numpy(float) for name, table in tables.items()}
    return labels, first["patient"].to_numpy(str), scores


@app.command()
@reports_errors
def split_agreement(models: ModelsOption = None) -> None:
    """Print how far each validation split ranks the models as the test split does."""
    print(markdown(models))


if __name__ == "__main__":
    app(prog_name="python -m research.split_agreement")
