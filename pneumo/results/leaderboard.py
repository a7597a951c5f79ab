"""The leaderboard: models and published results in one table, computed from ``models/<name>/predictions/<split>.csv``.

No figure is read from a card: anyone with the predictions can check every one.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pneumo.errors import ModelError
from pneumo.evaluation import calibration
from pneumo.evaluation.calibration import Decided
from pneumo.evaluation.intervals import Estimate
from pneumo.evaluation.metrics import Confusion, Metrics, evaluate_table
from pneumo.labels import FIGURES, KINDS, in_groups, split_of
from pneumo.model_store import store, weights
from pneumo.model_store.card import ModelCard
from pneumo.results import curves, markdown_tables, model_facts, published
from pneumo.results.elsewhere import Calls
from pneumo.results.published import Published
from pneumo.sentences import Sentence, say, say_list

EXTERNAL, ELSEWHERE = "external_auroc", "elsewhere"
MODEL, PUBLISHED = "model", "published"


@dataclass(frozen=True)
class Latency:
    """Milliseconds that half of the films (``p50``) and 95 % of them (``p95``) stayed within.

    ``machine`` says where that was measured.
    """

    p50: float
    p95: float
    machine: str = say("this machine")


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        title: for people.
        meaning: what it says.
        higher_is_better: whether the best row has the highest value.
        has_interval: whether ``<key>_low`` and ``<key>_high`` hold its 95 % interval.
        is_share: whether it is a share of films, which people read in per cent.
        unit: behind the figure.
        is_ranked: whether one end of it is better than the other.
    """

    title: str
    meaning: str
    higher_is_better: bool = True
    has_interval: bool = False
    is_share: bool = False
    unit: str = ""
    is_ranked: bool = True


_SHARES = ("accuracy", "sensitivity", "specificity", "precision")
_FIGURES = {
    key: Column(
        each.title,
        each.meaning,
        each.higher_is_better,
        has_interval=True,
        is_share=key in _SHARES,
        unit=" %" * (key in _SHARES),
    )
    for key, each in FIGURES.items()
}
COLUMNS = {
    "accuracy": _FIGURES["accuracy"],
    "missed": Column(
        say("Missed per 100 sick"),
        say("of 100 films with pneumonia, those called normal"),
        False,
        has_interval=True,
        is_share=True,
    ),
    "alarms": Column(
        say("False alarms per 100 healthy"),
        say("of 100 normal films, those called pneumonia"),
        False,
        has_interval=True,
        is_share=True,
    ),
    ELSEWHERE: Column(
        say("Elsewhere"),
        say(
            "at hospitals that the model did not learn from, the share called right if half of the "
            "films showed pneumonia; a coin gets 50 %"
        ),
        has_interval=True,
        is_share=True,
        unit=" %",
    ),
    "p50": Column(
        say("Speed"), say("milliseconds that half of the films stay within on the machine that is named"), False
    ),
    "size_mb": Column(say("Size"), say("of the model's file, in megabytes"), higher_is_better=False),
    **{key: each for key, each in _FIGURES.items() if key != "accuracy"},
    EXTERNAL: Column(say("External AUROC"), say("the AUROC on films of another hospital (NIH)"), has_interval=True),
    "parameters": Column(say("Weights"), say("the number of trained weights"), higher_is_better=False),
    "p95": Column(
        say("Speed, slowest"),
        say("milliseconds that 95 % of the films stay within on the machine that is named"),
        False,
    ),
    "test_openings": Column(
        say("Test opened"), say("how many times the official test split was opened for the model"), False
    ),
    "seed_system": Column(
        say("Stands for"), say("the published system that the model stands for"), False, is_ranked=False
    ),
}
# What to see first; where a good model has nothing to go by, its calls say nothing.
_SHOWN_FIRST = ("accuracy", "missed", "alarms", ELSEWHERE, "p50", "size_mb")
_SHOWN_FIRST_TO_LOSE = ("auroc", ELSEWHERE, "p50", "size_mb")
_BESIDE = ("elsewhere_calls", "films", "patients", "threshold", "machine", "name", "sha256")
_CALLS = (*_SHARES, "missed", "alarms", "f1", "brier", "ece")


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


def columns(split: str) -> dict[str, Column]:
    """Return the columns that tell something of models on a split; where a test is one to lose, lower is better."""
    if split_of(split).higher_is_better:
        return COLUMNS
    turned = {key: dataclasses.replace(COLUMNS[key], higher_is_better=False) for key in ("auroc", "auprc")}
    left = {key: each for key, each in (COLUMNS | turned).items() if key not in _CALLS}
    return {"auroc": left.pop("auroc"), **left}


def shown_first(split: str) -> list[str]:
    """Return the few columns of a split to see first; the first of them is what its rows are sorted by."""
    return list(_SHOWN_FIRST if split_of(split).higher_is_better else _SHOWN_FIRST_TO_LOSE)


def splits(cards: Iterable[ModelCard], folder: Path | None = None) -> list[str]:
    """Return the splits that at least one of the models was measured on, as `labels.in_groups` orders them."""
    return in_groups({split for card in cards for split in store.measured_splits(card.name, folder)})


def state(card: ModelCard, split: str, folder: Path | None = None) -> str:
    """Return a text that changes when a `measure` of the same arguments would: the key to cache it under.

    Raises:
        ModelError: if the model was not measured on the split.
    """
    path = (folder or store.models_folder()) / card.name / "predictions" / f"{split}.csv"
    if not path.is_file():
        raise ModelError("{name} was not measured on {split}.", name=card.name, split=split)
    return f"{store.card_key(card.name, folder)} {weights.sha256(path)}"


def measure(card: ModelCard, split: str, label: str | None = None, folder: Path | None = None) -> Measurement:
    """Measure a model's predictions at the decision threshold of its card.

    Args:
        card: of the model.
        split: that it was measured on.
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
            "The predictions of {name} on {split} or the thresholds of its card are damaged "
            "({error}). Run `python -m pneumo evaluate {name} --split {split}`.",
            name=card.name,
            split=split,
            error=error,
        ) from error
    return Measurement(label or card.title, card, metrics)


def extent(measurements: Iterable[Measurement]) -> Sentence:
    """Return on how many films of how many patients the models were measured, as ``624 films of 427 patients``."""
    sizes = sorted({(each.metrics.films, each.metrics.patients) for each in measurements})
    return say_list(
        say("{films:,} films of {patients:,} patients", films=films, patients=patients) for films, patients in sizes
    )


def table(measurements: Iterable[Measurement], order_by: str = "auroc") -> pd.DataFrame:
    """Return one row a model, the best first.

    Args:
        measurements: of models on one split.
        order_by: a key of `labels.FIGURES`.

    Returns:
        ``model, name``; for each key of `labels.FIGURES`, ``missed`` and ``alarms`` (shares of the sick and of the
        normal films) its value, ``<key>_low`` and ``<key>_high`` (95 % interval);
        ``films, patients, threshold, parameters, size_mb`` (10⁶ bytes), ``test_openings, seed_system, sha256``.
    """
    rows = []
    for each in measurements:
        row: dict[str, object] = {"model": each.label, "name": each.card.name}
        for key, estimate in each.metrics.estimates().items():
            row |= {key: estimate.value, f"{key}_low": estimate.low, f"{key}_high": estimate.high}
        for key in ("missed", "alarms"):
            share: Estimate = getattr(each.metrics.confusion, key)
            row |= {key: share.value, f"{key}_low": share.low, f"{key}_high": share.high}
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
    shown = numbers[["model"]].rename(columns={"model": "Model"}).astype(object)
    for key, figure in FIGURES.items():
        bounds = numbers[[key, f"{key}_low", f"{key}_high"]].itertuples(index=False, name=None)
        shown[figure.title] = _cells(str(Estimate(*each)) if pd.notna(each[0]) else "–" for each in bounds)
    shown["Parameters"] = _cells(say("{parameters:,}", parameters=each) for each in numbers["parameters"])
    shown["Size"] = _cells(say("{size:.1f} MB", size=each) for each in numbers["size_mb"])
    shown["Test opened"] = _cells(map(model_facts.times, numbers["test_openings"]))
    shown["Stands for"] = numbers["seed_system"].replace("", "–")
    return shown


def rows(
    measurements: Iterable[Measurement],
    external: Iterable[Measurement] = (),
    latencies: Mapping[str, Latency] | None = None,
    results: Iterable[Published] = (),
    others: Mapping[str, Calls] | None = None,
) -> pd.DataFrame:
    """Return one row a model and one a published result.

    Args:
        measurements: of models on one split.
        external: of models on `EXTERNAL_SPLIT`.
        latencies: by the SHA-256 of the model's file, where it was measured on this machine; of other models the
            figures of their cards are shown.
        results: what others published.
        others: what models call films of other hospitals, by name (`elsewhere.at_others`).

    Returns:
        ``system, kind`` (`MODEL` or `PUBLISHED`), ``source`` (of a published result, with its films and note), and each
        key of `COLUMNS`, with ``<key>_low`` and ``<key>_high`` where it has an interval; missing where it is not known.
        ``machine`` is the one that the latency was measured on, ``elsewhere_calls`` what was called there.
    """
    measured = list(measurements)
    board = table(measured).rename(columns={"model": "system"})
    away = {each.card.name: each.metrics.auroc for each in external}
    balanced = {name: each.cells.balanced_accuracy for name, each in (others or {}).items()}
    known = {**_shipped_latencies(measured), **(latencies or {})}
    for key, known_there in ((EXTERNAL, away), (ELSEWHERE, balanced)):
        for part in ("value", "low", "high"):
            column = key if part == "value" else f"{key}_{part}"
            board[column] = [
                getattr(known_there[name], part) if name in known_there else None for name in board["name"]
            ]
    board["elsewhere_calls"] = _cells(str(others[name]) if others and name in others else "" for name in board["name"])
    for part in ("p50", "p95"):
        board[part] = [getattr(known[sha], part) if sha in known else None for sha in board["sha256"]]
    board["machine"] = _cells(known[sha].machine if sha in known else None for sha in board["sha256"])
    models = board.assign(kind=MODEL, source="").to_dict("records")
    shown = [column for key, each in COLUMNS.items() for column in _columns(key, each)]
    every: list[dict[Any, Any]] = [*models, *(_published(each) for each in results)]
    told = {key: _cells(row.get(key) for row in every) for key in ("elsewhere_calls", "machine")}
    return pd.DataFrame(every, columns=["system", "kind", "source", *shown, *_BESIDE]).assign(**told)


def in_order(board: pd.DataFrame, key: str, *, higher_is_better: bool) -> pd.DataFrame:
    """Return the rows with the best of a column first, and those where it is not known last."""
    return board.sort_values(key, ascending=not higher_is_better, na_position="last", kind="stable", ignore_index=True)


def matching(board: pd.DataFrame, text: str) -> pd.DataFrame:
    """Return the rows whose system, source or published system holds a text, whatever its case."""
    wanted = text.strip().casefold()
    if not wanted:
        return board
    words = board[["system", "source", "seed_system"]].fillna("").agg(" ".join, axis=1)
    return board[words.str.casefold().str.contains(wanted, regex=False)].reset_index(drop=True)


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
        title: (predictions["label"] == label) & (predictions["pathogen"] == pathogen)
        for (label, pathogen), title in KINDS.items()
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
    return pd.DataFrame(rows, columns=[say("Films"), say("All"), say("Likely"), say("Cannot say"), say("Unlikely")])


def decided(card: ModelCard, split: str, folder: Path | None = None) -> Decided:
    """Return coverage and error of a model's three answers on a split.

    Raises:
        ModelError: if it was not measured on the split.
    """
    labels, probability, _ = curves.arrays(card, split, folder)
    return calibration.decided(labels, probability, card.as_thresholds())


def markdown(split: str, folder: Path | None = None) -> str:
    """Return the leaderboard of a split as a Markdown table, from the predictions.

    Raises:
        ModelError: if no model was measured on the split, or predictions are damaged.
    """
    measured = model_facts.measured(split, folder)
    shown = readable(table(measure(card, split, label, folder) for label, card in measured.items()))
    shown = shown.drop(columns=["Precision", "AUPRC", "Stands for"])
    return markdown_tables.table(shown)


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


def _shipped_latencies(measurements: Iterable[Measurement]) -> dict[str, Latency]:
    cards = [each.card for each in measurements if each.card.latency]
    return {card.sha256: Latency(card.latency["p50"], card.latency["p95"], card.latency["hardware"]) for card in cards}


def _cells(texts: Iterable[str | None]) -> pd.Series:
    """Return texts as a column that keeps what they were made of."""
    return pd.Series(list(texts), dtype=object)


def _columns(key: str, column: Column) -> list[str]:
    return [key, f"{key}_low", f"{key}_high"] if column.has_interval else [key]


def _published(result: Published) -> dict[str, Any]:
    row: dict[str, Any] = {
        "system": result.system,
        "kind": PUBLISHED,
        "source": "; ".join(filter(None, [result.source, published.SPLITS[result.split].lower(), result.note])),
        "auroc": result.auroc,
        "accuracy": result.accuracy,
        "precision": result.precision,
        "sensitivity": result.recall,
        "missed": None if result.recall is None else 1 - result.recall,
    }
    if interval := result.accuracy_interval:
        row |= {"accuracy_low": interval.low, "accuracy_high": interval.high}
    return row
