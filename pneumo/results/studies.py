"""What was tried on the way to the models: the trials of the search of small CNNs, and the ablation of a recipe."""

from pathlib import Path

import pandas as pd

from pneumo.errors import ModelError
from pneumo.model_store import store
from pneumo.model_store.card import CLASSIFICATION, ModelCard
from pneumo.sentences import say

TRIALS = "trials.csv"
# A wheel has no documents.
ABLATION = Path(__file__).resolve().parents[2] / "docs" / "ablation.csv"
# The architecture whose recipe the ablation takes apart.
ABLATED = "mobilenetv2"
FULL = "full"
# What each run of the ablation leaves out or puts in.
INGREDIENTS = {
    FULL: say("The recipe as it is"),
    "no_crop": say("Without random crops"),
    "no_exposure": say("Without brightness, contrast and gamma"),
    "no_mirror": say("Without mirroring"),
    "no_views": say("Without any augmentation"),
    "no_average": say("Without the moving average of the weights"),
    "no_imagenet": say("From random weights, not ImageNet's"),
    "smoothing": say("With label smoothing of 0.1"),
    "lungs": say("On the box of the lungs, not the whole film"),
}
STATES: dict[str, str] = {
    "complete": say("Trained in full"),
    "pruned": say("Stopped, behind the others"),
    "failed": say("Failed"),
}


def trials(card: ModelCard, folder: Path | None = None) -> pd.DataFrame:
    """Return the trials of the search that a model came from, best first; empty where it came from none.

    Returns:
        ``number, state`` (of `STATES`), ``parameters, auroc`` (on the shifted validation films), ``size`` (pixels),
        ``blocks, kind``; trials that failed before they were measured are left out.

    Raises:
        ModelError: if the table is damaged.
    """
    path = (folder or store.models_folder()) / card.name / TRIALS
    columns = ["number", "state", "parameters", "auroc", "size", "blocks", "kind"]
    if not path.is_file():
        return pd.DataFrame(columns=columns)
    try:
        table = pd.read_csv(path).rename(columns={"shifted_auroc": "auroc", "block_kind": "kind"})
        table["state"] = table["state"].map(STATES)
        known = table.dropna(subset=["auroc"])[columns]
    except (ValueError, KeyError) as error:
        raise ModelError(
            "{path} is damaged ({error}). Restore it from the repository.", path=path, error=error
        ) from error
    return known.sort_values("auroc", ascending=False, kind="stable", ignore_index=True)


def ablation(card: ModelCard, path: Path = ABLATION) -> pd.DataFrame:
    """Return how the AUROC on shifted validation films changes with each ingredient of a model's recipe.

    Returns:
        ``ingredient`` (of `INGREDIENTS`), ``seed``, ``auroc``, ``difference`` from the recipe as it is and the same
        seed; empty where the recipe of this architecture was not taken apart, or the documents are not there.
    """
    columns = ["ingredient", "seed", "auroc", "difference"]
    if (card.task, card.architecture) != (CLASSIFICATION, ABLATED) or not path.is_file():
        return pd.DataFrame(columns=columns)
    table = pd.read_csv(path).rename(columns={"shifted_auroc": "auroc"})
    full = table[table["ingredient"] == FULL].set_index("seed")["auroc"]
    table["difference"] = table["auroc"] - table["seed"].map(full)
    table["ingredient"] = table["ingredient"].map(INGREDIENTS)
    return table.loc[table["ingredient"] != INGREDIENTS[FULL], columns].reset_index(drop=True)
