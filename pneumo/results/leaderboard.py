"""The leaderboard's tables, each computed from ``models/<name>/predictions/<split>.csv``.

No figure is read from a card: anyone with the predictions can check every one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pneumo.errors import ModelError
from pneumo.evaluation import calibration
from pneumo.evaluation.calibration import Decided
from pneumo.evaluation.intervals import Estimate
from pneumo.evaluation.metrics import Confusion, Metrics, evaluate_table
from pneumo.labels import FIGURES, SPLITS
from pneumo.model_store import store, weights
from pneumo.model_store.card import CLASSIFICATION, ModelCard
from pneumo.model_store.store import SELECTION_SPLIT
from pneumo.results import model_facts


@dataclass(frozen=True, eq=False)
class Measurement:
    """A model on a split.

    Attributes:
        label: the model's title, told apart from others of the same title.
        card: of the model.
        metrics: at the card's decision threshold.
    """

    label: str
    card: ModelCard
    metrics: Metrics


def splits(cards: Iterable[ModelCard], folder: Path | None = None) -> list[str]:
    """Return the keys of `labels.SPLITS` that at least one of the models was measured on."""
    measured = {split for card in cards for split in store.measured_splits(card.name, folder)}
    return [split for split in SPLITS if split in measured]


def state(card: ModelCard, split: str, folder: Path | None = None) -> str:
    """Return a text that changes when a `measure` of the same arguments would: the key to cache it under.

    Raises:
        ModelError: if the model was not measured on the split.
    """
    path = (folder or store.models_folder()) / card.name / "predictions" / f"{split}.csv"
    if not path.is_file():
        raise ModelError(f"{card.name} was not measured on {split}.")
    return f"{card.sha256} {card.thresholds} {weights.sha256(path)}"


def measure(card: ModelCard, split: str, label: str | None = None, folder: Path | None = None) -> Measurement:
    """Measure a model's predictions at the decision threshold of its card.

    Args:
        card: of the model.
        split: a key of `labels.SPLITS`.
        label: what to call the model; by default its title.
        folder: the folder of model folders.

    Raises:
        ModelError: if the predictions are missing or damaged, or the card has no decision threshold.
    """
    try:
        predictions = store.read_predictions(card.name, split, folder)
        metrics = evaluate_table(predictions, card.as_thresholds().decision)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(
            f"The predictions of {card.name} on {split} or the thresholds of its card are damaged ({error}). "
            f"Run `python -m pneumo evaluate {card.name} --split {split}`."
        ) from error
    return Measurement(label or card.title, card, metrics)


def extent(measurements: Iterable[Measurement]) -> str:
    """Return on how many films of how many patients the models were measured, as ``624 films of 427 patients``."""
    sizes = {f"{each.metrics.films:,} films of {each.metrics.patients:,} patients" for each in measurements}
    return " or ".join(sorted(sizes))


def table(measurements: Iterable[Measurement], order_by: str = "auroc") -> pd.DataFrame:
    """Return one row a model, the best first.

    Args:
        measurements: of models on one split.
        order_by: a key of `labels.FIGURES`.

    Returns:
        ``model, name``; for each key of `labels.FIGURES` its value, ``<key>_low`` and ``<key>_high`` (95 % interval);
        ``films, patients, threshold, parameters, size_mb`` (10⁶ bytes), ``test_openings, seed_system, sha256``.
    """
    rows = []
    for each in measurements:
        row: dict[str, object] = {"model": each.label, "name": each.card.name}
        for key, estimate in each.metrics.estimates().items():
            row |= {key: estimate.value, f"{key}_low": estimate.low, f"{key}_high": estimate.high}
        row |= {
            "films": each.metrics.films,
            "patients": each.metrics.patients,
            "threshold": each.metrics.threshold,
            "parameters": each.card.parameters,
            "size_mb": each.card.size_bytes / 1e6,
            "test_openings": len(each.card.test_openings),
            "seed_system": each.card.seed_system or "",
            "sha256": each.card.sha256,
        }
        rows.append(row)
    ascending = not FIGURES[order_by].higher_is_better
    return pd.DataFrame(rows).sort_values(order_by, ascending=ascending, kind="stable", ignore_index=True)


def readable(numbers: pd.DataFrame) -> pd.DataFrame:
    """Return a `table` for reading: each figure as ``0.986 (0.977–0.993)``, a dash where the films cannot tell it."""
    shown = numbers[["model"]].rename(columns={"model": "Model"})
    for key, figure in FIGURES.items():
        bounds = numbers[[key, f"{key}_low", f"{key}_high"]].itertuples(index=False, name=None)
        shown[figure.title] = [str(Estimate(*each)) if pd.notna(each[0]) else "–" for each in bounds]
    shown["Parameters"] = [f"{each:,}" for each in numbers["parameters"]]
    shown["Size"] = [f"{each:.1f} MB" for each in numbers["size_mb"]]
    shown["Test opened"] = [model_facts.times(each) for each in numbers["test_openings"]]
    shown["Stands for"] = numbers["seed_system"].replace("", "–")
    return shown


def answers(card: ModelCard, split: str, folder: Path | None = None) -> pd.DataFrame:
    """Count a model's three answers on a split.

    Returns:
        ``Films, All, Likely, Cannot say, Unlikely``: one row each for the normal films, those with bacterial and
        those with viral pneumonia, and those with pneumonia of a cause that no file name tells, as far as they occur.

    Raises:
        ModelError: if the predictions are missing.
    """
    predictions = store.read_predictions(card.name, split, folder)
    given = predictions["probability"].map(card.as_thresholds().answer)
    kinds = {
        "Normal": predictions["label"] == "NORMAL",
        "Bacterial pneumonia": predictions["pathogen"] == "bacteria",
        "Viral pneumonia": predictions["pathogen"] == "virus",
        "Pneumonia": (predictions["label"] == "PNEUMONIA") & (predictions["pathogen"] == ""),
    }
    rows = [
        (
            kind,
            int(chosen.sum()),
            *(int((given[chosen] == answer).sum()) for answer in ("likely", "uncertain", "unlikely")),
        )
        for kind, chosen in kinds.items()
        if chosen.any()
    ]
    return pd.DataFrame(rows, columns=["Films", "All", "Likely", "Cannot say", "Unlikely"])


def answers_markdown(name: str, split: str, folder: Path | None = None) -> str:
    """Return `answers` as a Markdown table, as it stands in MODEL_CARD.md.

    Raises:
        ModelError: if there is no such model, or it was not measured on the split.
    """
    return markdown_table(answers(store.read_card(name, folder, CLASSIFICATION), split, folder))


def decided(card: ModelCard, split: str, folder: Path | None = None) -> Decided:
    """Return coverage and error of a model's three answers on a split.

    Raises:
        ModelError: if it was not measured on the split.
    """
    films = store.read_predictions(card.name, split, folder)
    labels = (films["label"] == "PNEUMONIA").to_numpy(int)
    return calibration.decided(labels, films["probability"].to_numpy(float), card.as_thresholds())


def decided_markdown(folder: Path | None = None) -> str:
    """Return coverage and error of all classifiers on shifted validation and on test as a Markdown table.

    Raises:
        ModelError: if one was not measured on both.
    """
    cards = store.catalogue(folder).cards
    shown = pd.DataFrame({"Model": model_facts.labels(cards).values()})
    for split, title in ((SELECTION_SPLIT, "shifted validation"), ("test", "test")):
        measured = [decided(card, split, folder) for card in cards]
        shown[f"Decided, {title}"] = [str(each.coverage) for each in measured]
        shown[f"Wrong, {title}"] = [str(each.error) for each in measured]
    return markdown_table(shown)


def markdown(split: str, folder: Path | None = None) -> str:
    """Return the leaderboard of a split as a Markdown table, as it stands in README.md and MODEL_CARD.md.

    Raises:
        ModelError: if no model was measured on the split, or predictions are damaged.
    """
    cards = store.catalogue(folder).cards
    names = model_facts.labels(cards)
    measured = [card for card in cards if split in store.measured_splits(card.name, folder)]
    if not measured:
        raise ModelError(f"No model was measured on {split}. Run `python -m pneumo evaluate NAME --split {split}`.")
    shown = readable(table(measure(card, split, names[card.name], folder) for card in measured))
    shown = shown.drop(columns=["Precision", "AUPRC", "Stands for"])
    return markdown_table(shown)


def markdown_table(shown: pd.DataFrame) -> str:
    """Return a table of texts and numbers in Markdown."""
    lines = [list(shown.columns), ["---"] * len(shown.columns), *shown.to_numpy(str).tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def confusion_table(cells: Confusion) -> pd.DataFrame:
    """Return ``truth, call, films, share``: the four cells of a confusion matrix, ``share`` of the truth's films."""
    rows = [
        ("Normal", "Normal", cells.true_negative),
        ("Normal", "Pneumonia", cells.false_positive),
        ("Pneumonia", "Normal", cells.false_negative),
        ("Pneumonia", "Pneumonia", cells.true_positive),
    ]
    counted = pd.DataFrame(rows, columns=["truth", "call", "films"])
    counted["share"] = counted["films"] / counted.groupby("truth")["films"].transform("sum")
    return counted
