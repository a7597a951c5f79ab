"""One model in words: the facts and figures of its card, and its training history."""

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from pneumo.errors import ModelError
from pneumo.evaluation.intervals import Estimate
from pneumo.labels import SPLITS, hospital_of, in_sentence, split_of
from pneumo.model_store import store
from pneumo.model_store.card import CLASSIFICATION, SCREENING, ModelCard
from pneumo.preprocessing.augmentation import Augmentation, of_values
from pneumo.results import markdown_tables
from pneumo.sentences import Sentence, say, say_all, say_list, say_together

CURVES = {"loss": say("Loss"), "accuracy": say("Accuracy"), "auroc": say("AUROC")}
TRAINED_ON = {"": say("Training"), "val_": say("Validation"), "shifted_": say("Validation, cropped and exposed anew")}
# What a card calls a figure, where that is not the word for it.
WORDS = {
    "dice": say("Dice"),
    "iou": say("IoU"),
    "boundary_distance": say("Boundary distance (px of 224)"),
    "accepted": say("Accepted"),
    "false_alarms": say("Called inverted or turned though it is not"),
    "called_mirrored": say("Called mirrored though it was not altered"),
    "refused_near": say("Refused, radiographs"),
    "refused_far": say("Refused, other pictures"),
    "refused_by_category": say("Refused"),
    "altered": say("Altered"),
    "rank_correlation": say("Rank correlation of the opaque share with the drawn one"),
    "share_error": say("Opaque share, mean absolute error"),
    "grade_agreement": say("Kappa of the grade, linear weights"),
    "heat_in_lungs": say("Share of the map inside the lungs"),
    "hottest_in_lungs": say("Most opaque place inside the lungs"),
    "heat_in_opacity": say("Share of the map inside what was drawn"),
    "hottest_in_opacity": say("Most opaque place inside what was drawn"),
    "share_normal": say("Opaque share, normal films, mean"),
    "share_pneumonia": say("Opaque share, films with pneumonia, mean"),
}


def labels(cards: Iterable[ModelCard]) -> dict[str, str]:
    """Return each model's title by its name; models that share a title get their name behind it."""
    cards = list(cards)
    titles = Counter(card.title for card in cards)
    return {card.name: card.title if titles[card.title] == 1 else f"{card.title} ({card.name})" for card in cards}


def measured(split: str, folder: Path | None = None) -> dict[str, ModelCard]:
    """Return the classifiers that were measured on a split by their `labels`, as the catalogue orders them.

    Raises:
        ModelError: if there is none.
    """
    cards = store.catalogue(folder).cards
    names = labels(cards)
    found = {names[card.name]: card for card in cards if split in store.measured_splits(card.name, folder)}
    if not found:
        raise ModelError(
            "No model was measured on {split}. Run `python -m pneumo evaluate NAME --split {split}`.", split=split
        )
    return found


def training_curves(history: pd.DataFrame) -> pd.DataFrame:
    """Return ``epoch, figure, films, value`` from a ``history.csv``, in long form.

    ``figure`` is a key of `CURVES`; ``films`` says which films it was measured on. Columns that the history
    lacks are left out.
    """
    parts = [
        pd.DataFrame({"epoch": history["epoch"], "figure": figure, "films": films, "value": history[prefix + figure]})
        for figure in CURVES
        for prefix, films in TRAINED_ON.items()
        if {"epoch", prefix + figure} <= set(history)
    ]
    columns = ["epoch", "figure", "films", "value"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def read_curves(card: ModelCard, folder: Path | None = None) -> pd.DataFrame:
    """Return the `training_curves` of a model; empty where it has no history.

    Raises:
        ModelError: if its history is damaged.
    """
    try:
        history = store.read_history(card.name, folder).apply(pd.to_numeric)
    except (ValueError, TypeError) as error:
        raise ModelError(
            "{name}/history.csv is damaged ({error}). Restore it or retrain the model.", name=card.name, error=error
        ) from error
    return training_curves(history)


def layer_kinds(card: ModelCard, folder: Path | None = None) -> pd.DataFrame:
    """Return what a network is made of, read from its file without Keras, the kind with most parameters first.

    Returns:
        ``kind`` (Keras' name of the layer), ``layers``, ``parameters``.

    Raises:
        ModelError: if its file is missing or damaged.
    """
    import h5py

    path = (folder or store.models_folder()) / card.name / "model.keras"
    parameters: Counter[str] = Counter()

    def count(name: str, item: Any) -> None:
        *above, _place = name.split("/")
        if isinstance(item, h5py.Dataset) and above[0] == "layers" and above[-1] == "vars":
            parameters[re.sub(r"_\d+$", "", above[-2])] += item.size

    try:
        with zipfile.ZipFile(path) as file:
            layers = Counter(_layers(json.loads(file.read("config.json"))))
            with h5py.File(io.BytesIO(file.read("model.weights.h5"))) as weights:
                weights.visititems(count)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(
            "{path} cannot be read ({error}). Restore it or retrain the model.", path=path, error=error
        ) from error
    rows = [(kind, number, parameters[_snake_case(kind)]) for kind, number in layers.items()]
    table = pd.DataFrame(rows, columns=["kind", "layers", "parameters"])
    return table.sort_values(["parameters", "layers"], ascending=False, kind="stable", ignore_index=True)


def _layers(config: dict[str, Any]) -> Iterator[str]:
    for layer in config["config"].get("layers", ()):
        if "layers" in layer["config"]:
            yield from _layers(layer)
        else:
            yield layer["class_name"]


def _snake_case(kind: str) -> str:
    # As Keras names the groups of its weights.
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", kind)).lower()


def card_facts(card: ModelCard) -> dict[str, str]:
    """Return what a card says of a model's making, name → text; what it does not say is left out.

    Raises:
        ModelError: if the card holds something else than it should.
    """
    try:
        facts = {**_making(card), **_thresholds(card)}
        facts |= {
            say("Stands for"): card.seed_system or "",
            say("Test split opened"): ", ".join(opening["date"] for opening in card.test_openings) or say("never"),
            say("SHA-256 of model.keras"): card.sha256,
        }
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ModelError(
            "The card of {name} is damaged ({error}). Restore or retrain the model.", name=card.name, error=error
        ) from error
    return {name: text for name, text in facts.items() if text}


def openings(cards: Iterable[ModelCard]) -> Sentence:
    """Say how many times each model opened the official test split."""
    by_count: dict[int, list[str]] = {}
    names = labels(cards := list(cards))
    for card in cards:
        by_count.setdefault(len(card.test_openings), []).append(names[card.name])
    return say_all(
        say("Opened {times}: {models}.", times=times(count), models=say_list(sorted(models)))
        for count, models in sorted(by_count.items())
    )


def augmentation(card: ModelCard) -> Augmentation | None:
    """Return the augmentation that a model was trained with; None where its card tells of none, as an ensemble's.

    Raises:
        ModelError: if the card holds something else than numbers within `augmentation.RANGES`.
    """
    recipe = card.training.get("recipe") or {}
    stated = recipe.get("augmentation") if isinstance(recipe, dict) else None
    try:
        return of_values(stated) if stated else None
    except ValueError as error:
        raise ModelError(
            "The augmentation in the card of {name} is damaged ({error}).", name=card.name, error=error
        ) from error


def times(count: int) -> Sentence:
    """Return how often, in words: never, once, twice, 3 times."""
    known = {0: say("never"), 1: say("once"), 2: say("twice")}
    return known.get(count) or say("{count} times", count=count)


def figures(metrics: dict[str, Any], named: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each figure of a split that has an interval, with its name in words, those of groups after the group's.

    Args:
        metrics: one split's, as they stand in the card.
        named: what the group is called that they belong to.
    """
    for key, figure in metrics.items():
        name = say_list(filter(None, (named, WORDS.get(key, key.replace("_", " ")))))
        if isinstance(figure, dict) and "low" in figure:
            yield name, figure
        elif isinstance(figure, dict):
            yield from figures(figure, name)


def cell(figure: dict[str, Any]) -> str:
    """Return a figure with its 95 % interval, and the films counted where it is a share of them."""
    if figure["value"] is None:
        return "–"
    shown = str(Estimate(figure["value"], figure["low"], figure["high"]))
    return (
        say("{shown}, {count} of {all}", shown=shown, count=figure["count"], all=figure["of"])
        if "count" in figure
        else shown
    )


def table(card: ModelCard) -> Sentence:
    """Return all figures of a card as a Markdown table."""
    rows = [
        (
            say("{splits} ({films})", splits=split_of(split).title, films=card.metrics[split]["films"]),
            figure,
            cell(values),
        )
        for split in in_order(card.metrics)
        for figure, values in figures(card.metrics[split])
    ]
    return markdown_tables.table(
        pd.DataFrame(rows, columns=[say("Films"), say("Figure"), say("Value (95 % interval)")], dtype=object)
    )


def in_order(splits: Collection[str]) -> list[str]:
    """Return those of `labels.SPLITS` and of hospitals that are given, validation first."""
    known = [split for split in SPLITS if split in splits] + sorted(filter(hospital_of, set(splits) - set(SPLITS)))
    return sorted(known, key=lambda split: not split.startswith("val"))


def _making(card: ModelCard) -> dict[str, str]:
    training, size = card.training, card.input["size"]
    recipe, films = training.get("recipe") or {}, training.get("films")
    numbers = {key: value for key, value in recipe.items() if isinstance(value, int | float) and key != "epochs"}
    return {
        say("Architecture"): say(
            "{architecture}, input {size} × {size} pixels", architecture=card.architecture, size=size
        ),
        say("Preparation of a film"): say_list(filter(None, [card.input.get("crop"), card.input.get("scaling")])),
        say("Initial weights"): card.initial_weights,
        say("Members"): say_list(map(_member, card.members)),
        say("Rule"): training.get("rule", ""),
        say("Recipe"): _listed(numbers),
        say("Augmentation"): _listed(recipe.get("augmentation") or {}),
        say("Epochs"): _epochs(training),
        say("Films"): say("{train:,} for training, {validation:,} for validation", **films) if films else "",
        say("Split rule"): training.get("split_rule", ""),
        say("Training time"): _duration(training["seconds"]) if "seconds" in training else "",
        say("Hardware"): training.get("hardware", ""),
        say("Data fingerprint"): training.get("data_fingerprint", "")[:12],
        say("Software"): ", ".join(f"{name} {version}" for name, version in training.get("software", {}).items()),
    }


def _member(member: dict[str, Any]) -> str:
    said = {"title": member["title"], "weight": member["weight"]}
    if "weight_elsewhere" not in member:
        return say("{title} (weight {weight:.2f})", **said)
    return say(
        "{title} (weight {weight:.2f}; on foreign films {elsewhere:.2f})", **said, elsewhere=member["weight_elsewhere"]
    )


def _thresholds(card: ModelCard) -> dict[str, str]:
    chosen = card.thresholds.get("chosen_on", {})
    facts: dict[str, str] = {}
    if card.calibration.get("fitted_on"):
        facts[say("Calibration")] = say("fitted on {films}", films=_in_words(card.calibration["fitted_on"]))
    # The gate has a limit for each of its findings; MODEL_CARD.md says what they are.
    titles = {} if card.task == SCREENING else {"decision": say("Decision threshold")}
    if card.task == CLASSIFICATION:
        titles |= {"low": say("Unlikely below"), "high": say("Likely from")}
    for key, title in titles.items():
        facts[title] = say("{threshold:.3f}", threshold=card.thresholds[key])
        if key in chosen:
            facts[title] = say("{threshold}: {how}", threshold=facts[title], how=_in_words(chosen[key]))
    return facts


def _in_words(text: str) -> Sentence:
    """Name the splits in a card's text as they are named elsewhere."""
    return say_together(in_sentence(part) if part in SPLITS else part for part in re.split(r"\b(val\w*)", text))


def _listed(numbers: dict[str, float]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value:.3g}" for key, value in numbers.items())


def _epochs(training: dict[str, Any]) -> str:
    if "epochs_run" not in training:
        return ""
    known = {"epochs": training["epochs_run"], "kept": training.get("epoch_kept")}
    if known["kept"] is None:
        return say("{epochs} run", epochs=known["epochs"])
    if "kept_by" not in training:
        return say("{epochs} run; epoch {kept} kept", **known)
    return say("{epochs} run; epoch {kept} kept by {figure}", **known, figure=_in_words(training["kept_by"]))


def _duration(seconds: float) -> str:
    return (
        say("{seconds:.0f} seconds", seconds=seconds)
        if seconds < 120
        else say("{seconds:.0f} minutes", seconds=seconds / 60)
    )
