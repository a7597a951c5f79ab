"""The leaderboard as one table: a row a model and a row a published result, to be sorted, searched and exported."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pneumo.labels import FIGURES
from pneumo.results import leaderboard, published
from pneumo.results.leaderboard import Measurement
from pneumo.results.published import Published

# The films of another hospital, which the column of that name is measured on.
EXTERNAL_SPLIT = "external_nih"
EXTERNAL = "external_auroc"
MODEL, PUBLISHED = "model", "published"


@dataclass(frozen=True)
class Latency:
    """Milliseconds that half of the films (``p50``) and 95 % of them (``p95``) stayed within.

    ``machine`` says where that was measured.
    """

    p50: float
    p95: float
    machine: str = "this machine"


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        title: for people.
        meaning: what it says.
        higher_is_better: whether the best row has the highest value.
        has_interval: whether ``<key>_low`` and ``<key>_high`` hold its 95 % interval.
    """

    title: str
    meaning: str
    higher_is_better: bool = True
    has_interval: bool = False


COLUMNS = {
    **{key: Column(each.title, each.meaning, each.higher_is_better, True) for key, each in FIGURES.items()},
    EXTERNAL: Column("External AUROC", "the AUROC on films of another hospital (NIH)", has_interval=True),
    "parameters": Column("Weights", "the number of trained weights", higher_is_better=False),
    "size_mb": Column("Size", "of the file, in megabytes", higher_is_better=False),
    "p50": Column("Latency p50", "milliseconds that half of the films stay within on the machine that is named", False),
    "p95": Column("Latency p95", "milliseconds that 95 % of the films stay within on the machine that is named", False),
    "test_openings": Column("Test opened", "how many times the official test split was opened for the model", False),
    "seed_system": Column("Stands for", "the published system that the model stands for", False),
}
SHOWN_FIRST = [
    "auroc",
    "accuracy",
    "sensitivity",
    "specificity",
    "f1",
    "brier",
    "ece",
    EXTERNAL,
    "parameters",
    "size_mb",
    "p50",
    "p95",
    "test_openings",
    "seed_system",
]


def rows(
    measurements: Iterable[Measurement],
    external: Iterable[Measurement] = (),
    latencies: Mapping[str, Latency] | None = None,
    results: Iterable[Published] = (),
) -> pd.DataFrame:
    """Return one row a model and one a published result.

    Args:
        measurements: of models on one split.
        external: of models on `EXTERNAL_SPLIT`.
        latencies: by the SHA-256 of the model's file, where it was measured on this machine; of other models the
            figures of their cards are shown.
        results: what others published.

    Returns:
        ``system, kind`` (`MODEL` or `PUBLISHED`), ``source`` (of a published result, with its films and note), and each
        key of `COLUMNS`, with ``<key>_low`` and ``<key>_high`` where it has an interval; missing where it is not known.
        ``machine`` is the one that the latency was measured on.
    """
    measured = list(measurements)
    table = leaderboard.table(measured).rename(columns={"model": "system"})
    elsewhere = {each.card.name: each.metrics.auroc for each in external}
    known = {**_shipped_latencies(measured), **(latencies or {})}
    for part in ("value", "low", "high"):
        column = EXTERNAL if part == "value" else f"{EXTERNAL}_{part}"
        table[column] = [getattr(elsewhere[name], part) if name in elsewhere else None for name in table["name"]]
    for part in ("p50", "p95", "machine"):
        table[part] = [getattr(known[sha], part) if sha in known else None for sha in table["sha256"]]
    models = table.assign(kind=MODEL, source="").to_dict("records")
    shown = [column for key, each in COLUMNS.items() for column in _columns(key, each)]
    return pd.DataFrame(
        [*models, *(_published(each) for each in results)],
        columns=["system", "kind", "source", *shown, "films", "patients", "threshold", "machine", "name", "sha256"],
    )


def _shipped_latencies(measurements: Iterable[Measurement]) -> dict[str, Latency]:
    cards = [each.card for each in measurements if each.card.latency]
    return {card.sha256: Latency(card.latency["p50"], card.latency["p95"], card.latency["hardware"]) for card in cards}


def in_order(table: pd.DataFrame, key: str) -> pd.DataFrame:
    """Return the rows with the best of a column first, and those where it is not known last."""
    return table.sort_values(
        key, ascending=not COLUMNS[key].higher_is_better, na_position="last", kind="stable", ignore_index=True
    )


def matching(table: pd.DataFrame, text: str) -> pd.DataFrame:
    """Return the rows whose system, source or published system holds a text, whatever its case."""
    wanted = text.strip().casefold()
    if not wanted:
        return table
    told = table[["system", "source", "seed_system"]].fillna("").agg(" ".join, axis=1)
    return table[told.str.casefold().str.contains(wanted, regex=False)].reset_index(drop=True)


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
    }
    if interval := result.accuracy_interval:
        row |= {"accuracy_low": interval.low, "accuracy_high": interval.high}
    return row
