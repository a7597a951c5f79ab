"""Train a classifier, calibrate it and choose its thresholds on validation films; measure it on a split."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd

from pneumo.datasets import external, kaggle, lung_masks
from pneumo.evaluation import calibration
from pneumo.evaluation.metrics import Metrics, evaluate_table
from pneumo.inference import gate
from pneumo.labels import EXTERNAL_SPLIT
from pneumo.model_store.card import CLASSIFICATION, ModelCard, initial_weights, tidy, training_facts
from pneumo.model_store.store import (
    ASPECT_RANDOMISED_SPLIT,
    ASPECT_SWAPPED_SPLIT,
    HARD_SPLIT,
    PREDICTION_COLUMNS,
    SELECTION_SPLIT,
)
from pneumo.networks import classifiers
from pneumo.preprocessing import augmentation, crops
from pneumo.training import linear_probe, loop
from pneumo.training.films import (
    SURROUNDINGS,
    Films,
    load_aspect_swapped_films,
    load_films,
    load_shifted_films,
    segmenter_for,
)
from pneumo.training.linear_probe import Probe
from pneumo.training.loop import MONITOR, Recipe
from pneumo.training.recipes import RECIPES
from pneumo.training.task import Finish, Measurement, Run, Task, Trained

VALIDATION_SPLITS = ("val", SELECTION_SPLIT)
# Validation films on which a part is black: what a model still tells then it did not read there.
HIDDEN = {"val_without_lungs": crops.LUNGS, "val_lungs_only": SURROUNDINGS}
# How far the films of a split stray whose aspect ratio tells nothing of the label.
ASPECT_RANDOMISED = {HARD_SPLIT: augmentation.HARD_SHIFT, ASPECT_RANDOMISED_SPLIT: augmentation.SHARP_SHIFT}


def fit(run: Run) -> Trained:
    """Train an architecture of `classifiers.REGISTRY` by its recipe."""
    recipe = RECIPES.get(run.name, Recipe())
    if run.epochs is not None and isinstance(recipe, Recipe):
        recipe = dataclasses.replace(recipe, epochs=run.epochs)
    keras.utils.set_random_seed(recipe.seed)
    model = classifiers.build(run.name, run.weights)

    architecture = classifiers.REGISTRY[run.name]
    crop_names = [architecture.view]
    segmenter = segmenter_for(crop_names, run.out)
    films = load_films(run.root, run.parts.train, run.progress, crop_names, segmenter)
    validation = load_films(run.root, run.parts.validation, run.progress, crop_names, segmenter, shifted=True)
    known = {}
    if isinstance(recipe, Recipe) and recipe.aspect_ratio:
        ratios = lung_masks.aspect_ratios(run.root, run.parts.train, run.masks)
        films = dataclasses.replace(films, aspect_ratios=ratios)
        known = {"films_of_known_frame": int(np.isfinite(ratios).sum())}
    if isinstance(recipe, Probe):
        history = linear_probe.fit(model, films, validation, recipe, run.progress)
    else:
        history = loop.fit(model, films, validation, recipe, run.checkpoints, resume=run.resume, progress=run.progress)
    return Trained(
        model,
        calibrated(validation, run.parts.validation),
        title=architecture.title,
        family=architecture.family,
        seed_system=architecture.seed_system,
        architecture=run.name,
        initial_weights=initial_weights(run.weights),
        crop_names=crop_names,
        cam_layer=architecture.cam_layer,
        training={
            "data": kaggle.describe(run.table),
            **known,
            **facts(run.parts, run.fold, recipe, history),
        },
        history=history,
    )


def facts(
    parts: kaggle.Development, fold: int, recipe: Recipe | Probe, history: list[dict[str, float]]
) -> dict[str, Any]:
    """Return what a card says of a run whose epoch was kept by its AUROC, see `card.training_facts`."""
    return training_facts(parts, fold, recipe.facts(), history, MONITOR, f"AUROC on {SELECTION_SPLIT}")


def calibrated(
    validation: Films, table: pd.DataFrame, aspect_randomised: Sequence[Films] = ()
) -> Callable[[keras.Model], Finish]:
    """Return what calibrates a stored classifier, chooses its thresholds, and predicts the validation films.

    Args:
        validation: the films that validate.
        table: the same as `kaggle.scan` lists them.
        aspect_randomised: the films of `ASPECT_RANDOMISED_SPLIT`, once a draw: what the model is calibrated on in place
            of `SELECTION_SPLIT`.
    """

    def finish(shipped: keras.Model) -> Finish:
        raw = predicted(shipped, validation)
        if aspect_randomised:
            draws = [loop.predict(shipped, films) for films in aspect_randomised]
            raw[ASPECT_RANDOMISED_SPLIT] = draws[0]
            labels = np.concatenate([films.labels for films in aspect_randomised])
            fitted_on, fitted = ASPECT_RANDOMISED_SPLIT, calibration.fit(labels, np.concatenate(draws))
        else:
            fitted_on, fitted = SELECTION_SPLIT, calibration.fit(validation.labels, raw[SELECTION_SPLIT])
        probability = {split: fitted.apply(scores) for split, scores in raw.items()}
        limits = calibration.choose_thresholds(validation.labels, probability[SELECTION_SPLIT])
        return Finish(
            {**dataclasses.asdict(fitted), "fitted_on": fitted_on},
            {
                **dataclasses.asdict(limits),
                "chosen_on": {
                    "decision": f"one half of the probability calibrated on {fitted_on}",
                    "low": f"sensitivity {calibration.RULE_OUT_SENSITIVITY:g} or more on {SELECTION_SPLIT} (interval)",
                    "high": f"specificity {calibration.RULE_IN_SPECIFICITY:g} or more on {SELECTION_SPLIT} (interval)",
                },
                "evidence": calibration.threshold_evidence(validation.labels, probability[SELECTION_SPLIT], limits),
            },
            {split: table.assign(probability=probability[split]) for split in raw},
        )

    return finish


def predicted(model: keras.Model, validation: Films) -> dict[str, np.ndarray]:
    """Return a model's raw probabilities of the `VALIDATION_SPLITS`."""
    return {split: loop.predict(model, validation, shifted=split == SELECTION_SPLIT) for split in VALIDATION_SPLITS}


def measure(what: Measurement) -> dict[str, pd.DataFrame]:
    """Predict the films of a split; those of `EXTERNAL_SPLIT` also by the parts that its table knows."""
    crop_names, hidden, split = what.card.input["views"], HIDDEN.get(what.split), what.split
    segmenter = gate.open_segmenter(what.out) if hidden else segmenter_for(crop_names, what.out)
    shown = (what.root, what.table, what.progress, crop_names, segmenter)
    shifted = split == SELECTION_SPLIT
    if shift := ASPECT_RANDOMISED.get(split):
        films = load_shifted_films(*shown, shift=shift, masks=what.masks)
    elif split == ASPECT_SWAPPED_SPLIT:
        films = load_aspect_swapped_films(*shown, what.masks)
    else:
        films = load_films(*shown, shifted=shifted, hidden=hidden)
    raw = loop.predict(what.model, films, shifted=shifted)
    predictions = what.table.assign(probability=what.card.as_calibration().apply(raw))
    parts = external.parts(what.root, what.table) if split == EXTERNAL_SPLIT else {}
    return {split: predictions, **{part: predictions[chosen] for part, chosen in parts.items()}}


def summarise(predictions: pd.DataFrame, card: ModelCard) -> dict[str, Any]:
    """Return a split's metrics as they stand in the card, at its decision threshold."""
    return metrics_record(evaluate_table(predictions, card.thresholds["decision"]))


def metrics_record(metrics: Metrics) -> dict[str, Any]:
    """Return metrics as they stand in a card: six decimals, None for what the films cannot tell."""
    return tidy(dataclasses.asdict(metrics))


TASK = Task(
    kind=CLASSIFICATION,
    splits=(*VALIDATION_SPLITS, *ASPECT_RANDOMISED, ASPECT_SWAPPED_SPLIT, *HIDDEN, "test", EXTERNAL_SPLIT),
    columns=PREDICTION_COLUMNS,
    fit=fit,
    measure=measure,
    summarise=summarise,
    elsewhere={EXTERNAL_SPLIT: external.scan},
)
