"""Join trained models into one and ship that: the model folders of `recipes.JOINED`. Nothing is trained anew.

What the members at home say is calibrated on the shifted validation films, and what the others say of foreign films by
films that were foreign: those of hospitals that other runs of the same members left out. A hospital that this run
leaves out too has no part in that.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from pneumo.datasets import kaggle
from pneumo.errors import ModelError
from pneumo.evaluation import calibration
from pneumo.inference import foreign, gate
from pneumo.inference.foreign import KnownHospitals
from pneumo.labels import hospital_split, without_other_disease
from pneumo.model_store import store
from pneumo.model_store.card import CLASSIFICATION, ModelCard, machine, require_same_split, split_facts
from pneumo.networks import ensemble
from pneumo.networks.ensemble import Member, Switch
from pneumo.training import classifier, loop
from pneumo.training import foreign as training_foreign
from pneumo.training.films import Films, load_films, segmenter_for
from pneumo.training.recipes import JOINED
from pneumo.training.task import Run, Trained


def fit(run: Run) -> Trained:
    """Join the models that `recipes.JOINED` names and calibrate the whole on validation films.

    Raises:
        DatasetError: if the data set is not complete enough.
        ModelError: if a member is missing or damaged, or was trained on other patients; or if the first at home does
            not tell foreign films.
    """
    recipe = JOINED[run.name]
    names = list(dict.fromkeys([*recipe.home, *recipe.elsewhere]))
    for name in names:
        if not (gate.holder(name, run.out) / name / "card.json").is_file():
            raise ModelError(
                f"{run.name} joins {name}, which {run.out} lacks. Train it: `python -m pneumo train {name}`."
            )
    loaded = [store.load(name, gate.holder(name, run.out), CLASSIFICATION) for name in names]
    cards, members = [card for card, _ in loaded], [Member.of(*each) for each in loaded]
    for card in cards:
        require_same_split(card, run.parts, run.fold)
    calibrated_by: dict[str, list[str]] = {}
    for number, card in enumerate(cards):
        if card.name in recipe.elsewhere and (found := _foreign_films(card, run.left_out_runs)):
            pooled = pd.concat(found)
            labels, raw = (pooled["label"] == "PNEUMONIA").to_numpy(int), pooled["probability"].to_numpy(float)
            members[number] = members[number].recalibrated(calibration.fit(labels, raw))
            calibrated_by[card.name] = list(found)
    teller = recipe.home[0]
    known = foreign.read(cards[names.index(teller)], gate.holder(teller, run.out))
    if known is None:
        raise ModelError(f"{teller} does not tell foreign films. Add that: `python -m pneumo foreign {teller}`.")
    switch = Switch(recipe.home, recipe.elsewhere, teller, known.layer, known.means, known.whitening, known.limit)
    crop_names = ensemble.views_of(members)
    shown = (run.root, run.parts.validation, run.progress, crop_names, segmenter_for(crop_names, run.out))
    validation = load_films(*shown, shifted=True)
    switch = dataclasses.replace(switch, limit=_limit(ensemble.build(members, switch=switch), switch.limit, validation))
    none_foreign = ensemble.build(members, switch=dataclasses.replace(switch, limit=np.inf))
    at_home = calibration.fit(validation.labels, loop.predict(none_foreign, validation, shifted=True))
    members = [each.recalibrated(at_home) if each.name in recipe.home else each for each in members]
    finish = classifier.calibrated(validation, run.parts.validation, is_calibrated=True)
    return Trained(
        ensemble.build(members, switch=switch),
        lambda shipped: dataclasses.replace(finish(shipped), known=KnownHospitals.told_by_network(known.names)),
        title=recipe.title,
        family=recipe.family,
        architecture="ensemble",
        initial_weights="those of its members",
        crop_names=crop_names,
        training={
            "data": kaggle.describe(run.table),
            **split_facts(run.parts, run.fold),
            **_hospitals(cards),
            "rule": "mean of the calibrated logits of the members at home, on foreign films of those elsewhere; each "
            "the mean of the view and its mirror image",
            "foreign_films": {
                "told_by": f"{known.layer} of {teller}",
                "limit": round(switch.limit, 4),
                "chosen_on": training_foreign.CHOSEN_ON,
                "calibrated_by_hospitals_left_out": calibrated_by,
            },
            "seconds": round(sum(card.training["seconds"] for card in cards), 1),
            **machine(),
        },
        members=[
            {
                "name": card.name,
                "title": card.title,
                "view": card.input["views"][0],
                "cam_layer": card.cam_layer,
                "weight": round(at_home, 6),
                "weight_elsewhere": round(elsewhere, 6),
                "sha256": card.sha256,
                "training": card.training,
            }
            for card, at_home, elsewhere in zip(
                cards,
                ensemble.weights_of(members, recipe.home),
                ensemble.weights_of(members, recipe.elsewhere),
                strict=True,
            )
        ],
    )


def _limit(network: keras.Model, limit: float, validation: Films) -> float:
    """Return the distance that `foreign.KEPT` of the validation films lie within, as the network sees them.

    It shrinks films otherwise than its member does alone, so that they do not lie quite as far.

    Args:
        network: with the limit below.
        limit: near the one that is sought.
        validation: the films.
    """
    how_foreign = loop.predict(keras.Model(network.inputs, network.outputs[1]), validation)
    kept = float(np.quantile(how_foreign, foreign.KEPT))
    return limit + float(calibration.logit(kept)) / ensemble.STEEPNESS


def _foreign_films(card: ModelCard, runs: Sequence[Path]) -> dict[str, pd.DataFrame]:
    """Return what runs of a member gave for the films of hospitals that they left out, by hospital.

    Films that show another disease are left out where it was measured without them: no class is theirs.

    Raises:
        ModelError: if a run is missing, or was trained by another recipe.
    """
    found = {}
    for folder in runs:
        run = store.read_card(card.name, folder)
        if run.training.get("recipe") != card.training.get("recipe"):
            raise ModelError(f"{card.name} in {folder} was trained by another recipe. Train both alike.")
        for hospital in _left_out(run) - _left_out(card):
            split = hospital_split(hospital)
            split = without_other_disease(split) if without_other_disease(split) in run.metrics else split
            found[hospital] = store.read_predictions(card.name, split, folder)
    return found


def _left_out(card: ModelCard) -> set[str]:
    return set(card.training.get("hospitals", {}).get("left_out", ()))


def _hospitals(cards: Sequence[ModelCard]) -> dict[str, Any]:
    """Return which other hospitals the members learned from, and which were left out, as their cards tell it."""
    facts = [card.training["hospitals"] for card in cards if "hospitals" in card.training]
    if not facts:
        return {}
    learned = {hospital: films for each in facts for hospital, films in each["learned_from"].items()}
    return {
        "hospitals": {"learned_from": learned, "left_out": sorted({each for of in facts for each in of["left_out"]})}
    }


TASK = dataclasses.replace(classifier.TASK, fit=fit, hospitals=False, workers=False, joins=True)
