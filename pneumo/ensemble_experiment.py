"""Join shipped models into one and ship that: the model folder ``ensemble``. Nothing is trained anew."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from pneumo import dataset, ensemble, experiment, model_store, provenance, screening, shipping
from pneumo.experiment import Stage
from pneumo.model_card import CLASSIFICATION, ModelCard
from pneumo.recipes import ENSEMBLE

NAME = "ensemble"


def train(
    data: Path,
    out: Path,
    *,
    fold: int = 0,
    progress: Callable[[Stage], None] = lambda _: None,
) -> ModelCard:
    """Join the models named in `recipes.ENSEMBLE`, calibrate the whole on validation films, and write its folder.

    Args:
        data: a data set in the Kaggle layout.
        out: the folder of model folders; a member that it lacks is taken from those shipped with pneumo.
        fold: which patients validate; the members must have been trained without them.
        progress: called as the work goes on.

    Raises:
        DatasetError: if the data set is not complete enough.
        ModelError: if a member is missing or damaged, or was trained on other patients.
    """
    members = [model_store.load(name, screening.holder(name, out), CLASSIFICATION) for name in ENSEMBLE]
    cards = [card for card, _ in members]
    root = dataset.find_root(data)
    table = dataset.scan(root)
    parts = dataset.development_split(table, fold)
    fingerprint = dataset.fingerprint(pd.concat(parts))
    for card in cards:
        provenance.require_same_split(card, parts, fold)
    seen = ensemble.views_of(cards)
    judged = experiment.load_films(
        root, parts.validation, progress, seen, experiment.segmenter_for(seen, out), shifted=True
    )
    origin = shipping.Origin(
        title=f"Ensemble of {len(cards)} models",
        family="ensemble",
        seed_system=None,
        architecture=NAME,
        initial_weights="those of its members",
        views=seen,
        cam_layer=None,
        training={
            "data": dataset.describe(table),
            "data_fingerprint": fingerprint,
            "split_rule": provenance.SPLIT_RULE,
            "fold": fold,
            "films": {"train": len(parts.train), "validation": len(parts.validation)},
            "rule": "mean of the members' calibrated logits, each the mean of the view and its mirror image",
            "seconds": round(sum(card.training["seconds"] for card in cards), 1),
            **provenance.machine(),
        },
        members=[
            {
                "name": card.name,
                "title": card.title,
                "view": card.input["views"][0],
                "cam_layer": card.cam_layer,
                "weight": round(card.calibration["slope"] / len(cards), 6),
                "sha256": card.sha256,
            }
            for card in cards
        ],
    )
    return shipping.ship(NAME, ensemble.build(members), origin, judged, parts.validation, out)
