"""Train a classifier, calibrate it and choose its thresholds on validation films; measure it on a split."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import pandas as pd

from pneumo.datasets import external, hospitals, kaggle, lung_masks
from pneumo.evaluation import calibration
from pneumo.evaluation.metrics import Metrics, evaluate_table
from pneumo.inference import gate
from pneumo.labels import EXTERNAL_SPLIT, hospital_split
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
from pneumo.training import foreign, linear_probe, loop, views
from pneumo.training.films import (
    RECTANGLE,
    SURROUNDINGS,
    Films,
    load_aspect_swapped_films,
    load_films,
    load_shifted_films,
    lung_masks_of,
    segmenter_for,
)
from pneumo.training.linear_probe import Probe
from pneumo.training.loop import Recipe
from pneumo.training.recipes import RECIPES
from pneumo.training.task import Finish, Measurement, Run, Task, Trained
from pneumo.training.views import Mix

VALIDATION_SPLITS = ("val", SELECTION_SPLIT)
# Validation films on which a part is hidden: what a model still tells then it did not read there.
HIDDEN = {"val_without_lungs": crops.LUNGS, "val_lungs_only": SURROUNDINGS, "val_surroundings_only": RECTANGLE}
# How far the films of a split stray whose aspect ratio tells nothing of the label.
ASPECT_RANDOMISED = {HARD_SPLIT: augmentation.HARD_SHIFT, ASPECT_RANDOMISED_SPLIT: augmentation.SHARP_SHIFT}


def fit(run: Run) -> Trained:
    """Train an architecture of `classifiers.REGISTRY` by its recipe."""
    recipe = RECIPES.get(run.name, Recipe())
    if isinstance(recipe, Recipe):
        if recipe.mix and not run.hospitals:
            raise ValueError(f"{run.name} learns from several hospitals. Name their folders with --hospitals.")
        mix = (recipe.mix or Mix()) if run.hospitals else None
        recipe = dataclasses.replace(run.recipe(recipe), mix=mix)
    elif run.hospitals:
        raise ValueError(f"{run.name} is not trained in epochs, and cannot learn from several hospitals.")
    elif run.team:
        raise ValueError(f"{run.name} is not trained in epochs, and not by several workers.")
    keras.utils.set_random_seed(recipe.seed)
    model = classifiers.build(run.name, run.weights)

    architecture = classifiers.REGISTRY[run.name]
    crop_names = [architecture.view]
    segmenter = segmenter_for(crop_names, run.out)
    films = load_films(run.root, run.learned, run.progress, crop_names, segmenter)
    validation = load_films(run.root, run.parts.validation, run.progress, crop_names, segmenter, shifted=True)
    away = {
        hospital: load_films(run.root, table, run.progress, crop_names, segmenter)
        for hospital, table in run.away.items()
    }
    known: dict[str, Any] = {}
    if isinstance(recipe, Recipe) and recipe.mix:
        # Where only the lungs' box is seen there are hardly any surroundings.
        swaps = recipe.mix.swapped > 0 and crop_names == [crops.FILM]
        films = dataclasses.replace(
            films,
            hospitals=run.learned["hospital"].to_numpy(str),
            masks=drawn_lungs(run, films) if swaps else None,
        )
        known["hospitals"] = {
            "learned_from": films_by_class(run.learned),
            "shares": views.shares(films, recipe.mix),
            "left_out": list(run.away),
            "fingerprint": hospitals.fingerprint(run.learned),
        }
    if isinstance(recipe, Recipe) and recipe.aspect_ratio:
        ratios = lung_masks.aspect_ratios(run.root, run.learned, run.masks)
        films = dataclasses.replace(films, aspect_ratios=ratios)
        known["films_of_known_frame"] = int(np.isfinite(ratios).sum())
    if isinstance(recipe, Probe):
        history = linear_probe.fit(model, films, validation, recipe, run.progress)
    else:
        history = loop.fit(
            model,
            films,
            validation,
            recipe,
            run.checkpoints,
            resume=run.resume,
            progress=run.progress,
            team=run.team,
        )
    return Trained(
        model,
        calibrated(
            validation,
            run.parts.validation,
            away={name: (away[name], run.away[name]) for name in away},
            learned=films if films.hospitals is not None and foreign.supports(model) else None,
        ),
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


def drawn_lungs(run: Run, films: Films) -> np.ndarray:
    """Return the lungs of the films that are learned from, see `films.lung_masks_of`."""
    beside = run.root.parent / lung_masks.FOLDER
    folder = run.masks or (beside if (beside / lung_masks.TABLE).is_file() else None)
    return lung_masks_of(run.learned, films.squares, folder, gate.open_segmenter(run.out), run.progress)


def films_by_class(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Count the films of each hospital by label."""
    counts = table.groupby(["hospital", "label"]).size()
    return {
        str(name): {str(label): int(n) for label, n in of.droplevel(0).items()} for name, of in counts.groupby(level=0)
    }


def facts(
    parts: kaggle.Development,
    fold: int,
    recipe: Recipe | Probe,
    history: list[dict[str, float]],
) -> dict[str, Any]:
    """Return what a card says of a run whose epoch was kept by its AUROC, see `card.training_facts`."""
    return training_facts(parts, fold, recipe.facts(), history, loop.MONITOR, f"AUROC on {SELECTION_SPLIT}")


def calibrated(
    validation: Films,
    table: pd.DataFrame,
    away: Mapping[str, tuple[Films, pd.DataFrame]] | None = None,
    learned: Films | None = None,
    is_calibrated: bool = False,
) -> Callable[[keras.Model], Finish]:
    """Return what calibrates a stored classifier, chooses its thresholds, and predicts the validation films.

    Args:
        validation: the films that validate.
        table: the same as `kaggle.scan` lists them.
        away: the films of the hospitals that are left out, and their tables: they are predicted, and nothing is chosen
            on them, so that the figures there are those of an unseen hospital.
        learned: the films of several hospitals that it learned from, by which foreign films are to be told; None where
            none are.
        is_calibrated: whether what the classifier gives is a calibrated probability as it is.
    """

    def finish(shipped: keras.Model) -> Finish:
        raw, tables = predicted(shipped, validation), dict.fromkeys(VALIDATION_SPLITS, table)
        fitted = calibration.Calibration()
        if not is_calibrated:
            fitted = calibration.fit(validation.labels, raw[SELECTION_SPLIT])
        for hospital, (films, listed) in (away or {}).items():
            raw[hospital_split(hospital)] = loop.predict(shipped, films)
            tables[hospital_split(hospital)] = listed.assign(file=listed["listed_as"])
        probability = {split: fitted.apply(scores) for split, scores in raw.items()}
        limits = calibration.choose_thresholds(validation.labels, probability[SELECTION_SPLIT])
        return Finish(
            {**dataclasses.asdict(fitted), "fitted_on": SELECTION_SPLIT},
            {
                **dataclasses.asdict(limits),
                "chosen_on": {
                    "decision": f"one half of the probability calibrated on {SELECTION_SPLIT}",
                    "low": f"sensitivity {calibration.RULE_OUT_SENSITIVITY:g} or more on {SELECTION_SPLIT} (interval)",
                    "high": f"specificity {calibration.RULE_IN_SPECIFICITY:g} or more on {SELECTION_SPLIT} (interval)",
                },
                "evidence": calibration.threshold_evidence(validation.labels, probability[SELECTION_SPLIT], limits),
            },
            {split: tables[split].assign(probability=probability[split]) for split in raw},
            foreign.describe(shipped, learned, validation) if learned else None,
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
    hospitals=True,
    workers=True,
)
