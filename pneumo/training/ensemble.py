"""Join shipped models into one and ship that: the model folder ``ensemble``. Nothing is trained anew."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from pneumo.datasets import kaggle
from pneumo.errors import ModelError
from pneumo.inference import gate
from pneumo.model_store import store
from pneumo.model_store.card import CLASSIFICATION, ModelCard, machine, require_same_split, split_facts
from pneumo.networks import ensemble
from pneumo.networks.ensemble import Member
from pneumo.preprocessing.augmentation import SHARP_SHIFT
from pneumo.training import classifier
from pneumo.training.films import load_films, load_shifted_films, segmenter_for
from pneumo.training.recipes import ENSEMBLE
from pneumo.training.task import Run, Trained

NAME = "ensemble"
# So many views of each validation film calibrate the whole.
HARD_DRAWS = 3


def fit(run: Run) -> Trained:
    """Join the models named in `recipes.ENSEMBLE` and calibrate the whole on validation films.

    Raises:
        DatasetError: if the data set is not complete enough.
        ModelError: if a member is missing or damaged, or was trained on other patients.
    """
    for name in ENSEMBLE:
        if not (gate.holder(name, run.out) / name / "card.json").is_file():
            raise ModelError(
                f"The ensemble joins {name}, which {run.out} lacks. Train it: `python -m pneumo train {name}`."
            )
    loaded = [store.load(name, gate.holder(name, run.out), CLASSIFICATION) for name in ENSEMBLE]
    cards, members = [card for card, _ in loaded], [Member.of(*each) for each in loaded]
    for card in cards:
        require_same_split(card, run.parts, run.fold)
    crop_names = ensemble.views_of(members)
    shown = (run.root, run.parts.validation, run.progress, crop_names, segmenter_for(crop_names, run.out))
    validation = load_films(*shown, shifted=True)
    aspect_randomised = [
        load_shifted_films(*shown, shift=SHARP_SHIFT, draw=draw, masks=run.masks) for draw in range(HARD_DRAWS)
    ]
    return Trained(
        ensemble.build(members),
        classifier.calibrated(validation, run.parts.validation, aspect_randomised),
        title=f"Ensemble of {len(cards)} models",
        family="ensemble",
        architecture=NAME,
        initial_weights="those of its members",
        crop_names=crop_names,
        training={
            "data": kaggle.describe(run.table),
            **split_facts(run.parts, run.fold),
            **_hospitals(cards),
            "rule": "mean of the members' calibrated logits, each the mean of the view and its mirror image",
            "seconds": round(sum(card.training["seconds"] for card in cards), 1),
            **machine(),
        },
        members=[
            {
                "name": card.name,
                "title": card.title,
                "view": card.input["views"][0],
                "cam_layer": card.cam_layer,
                "weight": round(card.calibration["slope"] / len(cards), 6),
                "sha256": card.sha256,
                "training": card.training,
            }
            for card in cards
        ],
    )


def _hospitals(cards: Sequence[ModelCard]) -> dict[str, Any]:
    """Return which other hospitals the members learned from, and which were left out, as their cards tell it."""
    facts = [card.training["hospitals"] for card in cards if "hospitals" in card.training]
    if not facts:
        return {}
    learned = {hospital: films for each in facts for hospital, films in each["learned_from"].items()}
    return {
        "hospitals": {"learned_from": learned, "left_out": sorted({each for of in facts for each in of["left_out"]})}
    }


TASK = dataclasses.replace(classifier.TASK, fit=fit, workers=False)
