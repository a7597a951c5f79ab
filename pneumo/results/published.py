"""Published results of other systems, from ``published.csv``; none was measured by pneumo."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pneumo.errors import PneumoError
from pneumo.evaluation import intervals
from pneumo.evaluation.intervals import Estimate
from pneumo.sentences import Sentence, say, say_list

if TYPE_CHECKING:
    from pneumo.results.leaderboard import Measurement

TABLE = Path(__file__).with_name("published.csv")
COLUMNS = ["system", "stands_for", "accuracy", "auroc", "precision", "recall", "split", "source", "note"]
FIGURES = ["accuracy", "auroc", "precision", "recall"]
# Which films a source says that it measured on → what the tables call them.
SPLITS = {"test": say("Test"), "val": say("Validation"), "not stated": say("Not stated")}
PUBLISHED, REBUILT = say("Published"), say("Rebuilt by pneumo")
# Of Kermany et al. 2018; a published test accuracy is taken to be of all of them.
OFFICIAL_TEST_FILMS = 624
HOW_TO_READ = say(
    "No figure here was measured by pneumo. The splits, the preparation of the films and the "
    "way in which a model was chosen differ from source to source and some choices were made "
    "on the test split, so a difference of a few points says little. In brackets stands "
    "Wilson's 95 % interval of a test accuracy, if measured on the official split's "
    "{films} films. The official validation folder has 16 films: where a "
    "validation accuracy comes from it, one film makes six points. A test accuracy of 0.625 "
    "is what calling every film pneumonia gives.",
    films=OFFICIAL_TEST_FILMS,
)


@dataclass(frozen=True)
class Published:
    """A published result; every figure is 0…1, or None where the source does not state it.

    Attributes:
        system: what was measured.
        stands_for: the architecture of pneumo that stands for it, ``cnn_search`` for the search, or empty.
        accuracy: share of films called right.
        auroc: area under the ROC curve.
        precision: share of films called pneumonia that show it.
        recall: share of films with pneumonia that are called pneumonia.
        split: a key of `SPLITS`.
        source: who published it.
        note: what a reader has to know to compare it.
    """

    system: str
    stands_for: str
    accuracy: float | None
    auroc: float | None
    precision: float | None
    recall: float | None
    split: str
    source: str
    note: str

    @property
    def accuracy_interval(self) -> Estimate | None:
        """The accuracy with Wilson's 95 % interval, if it was measured on the official test split's 624 films."""
        if self.accuracy is None or self.split != "test":
            return None
        interval = intervals.wilson(round(self.accuracy * OFFICIAL_TEST_FILMS), OFFICIAL_TEST_FILMS)
        return Estimate(self.accuracy, interval.low, interval.high)


def load(path: Path = TABLE) -> list[Published]:
    """Read the published results, in the order of the file.

    Raises:
        PneumoError: if the file is missing or damaged, or a line has a figure outside 0…1 or an unknown split.
    """
    rows = shipped_rows(path, COLUMNS)
    return [_published(row, f"{path.name}, row {place}") for place, row in enumerate(rows, start=1)]


def shipped_rows(path: Path, columns: list[str]) -> list[dict[str, str]]:
    """Read the rows of a table that comes with pneumo; all of it is text.

    Raises:
        PneumoError: if it is missing, damaged, or has other columns.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise PneumoError(
            "{name} cannot be read ({error}). Restore it from the repository.", name=path.name, error=error
        ) from error
    if list(table.columns) != columns:
        raise PneumoError(
            "{name} has other columns than {columns}. Restore it from the repository.",
            name=path.name,
            columns=", ".join(columns),
        )
    return [dict(zip(columns, row, strict=True)) for row in table.to_numpy(str).tolist()]


def readable(results: list[Published]) -> pd.DataFrame:
    """Return the results for reading, each figure with the digits that its source gives, a dash where it has none.

    Returns:
        ``System, Figures`` (always ``published``), ``Accuracy`` (with `Published.accuracy_interval`), ``AUROC, Split,
        In pneumo`` (the architecture that stands for it), ``Source, Note`` (with precision and recall, where stated).
    """
    rows = [
        {
            "System": each.system,
            "Figures": "published",
            "Accuracy": _accuracy(each),
            "AUROC": _digits(each.auroc),
            "Split": SPLITS[each.split],
            "In pneumo": each.stands_for or "–",
            "Source": each.source,
            "Note": _note(each) or "–",
        }
        for each in results
    ]
    return pd.DataFrame(rows)


def beside(results: Iterable[Published], measurements: Iterable["Measurement"]) -> pd.DataFrame:
    """Return accuracies on the official test split for reading, the highest first: ``System, Accuracy, Source``.

    Args:
        results: published ones with an `Published.accuracy_interval`.
        measurements: of models on that split.
    """
    rows = [(each.label, each.metrics.accuracy, say("measured here")) for each in measurements]
    rows += [
        (
            each.system,
            each.accuracy_interval,
            say("published: {source}", source="; ".join(filter(None, [each.source, each.note]))),
        )
        for each in results
        if each.accuracy_interval
    ]
    rows.sort(key=lambda row: -row[1].value)
    return pd.DataFrame(
        [(system, accuracy.percent, source) for system, accuracy, source in rows],
        columns=[say("System"), say("Accuracy"), say("Source")],
        dtype=object,
    )


def rebuilt(results: Sequence[Published], measurements: Sequence["Measurement"]) -> pd.DataFrame:
    """Return the accuracy of each published system that pneumo rebuilt, beside that of the rebuilt one.

    Args:
        results: what was published.
        measurements: of models on the official test split.

    Returns:
        ``system, figures`` (`PUBLISHED` or `REBUILT`), ``films`` (of `SPLITS`), ``accuracy``, and of a rebuilt one
        ``low, high``, its 95 % interval; in the order of the results. A system without a published figure has its
        rebuilt one alone.
    """
    ours = {each.card.architecture: each.metrics.accuracy for each in measurements if each.card.seed_system}
    rows: list[tuple[Any, ...]] = []
    for system, stands_for in dict.fromkeys((each.system, each.stands_for) for each in results):
        if stands_for in ours:
            stated = [each for each in results if each.system == system and each.accuracy is not None]
            rows += [(system, PUBLISHED, SPLITS[each.split], each.accuracy, None, None) for each in stated]
            here = ours[stands_for]
            rows.append((system, REBUILT, SPLITS["test"], here.value, here.low, here.high))
    return pd.DataFrame(rows, columns=["system", "figures", "films", "accuracy", "low", "high"])


def rebuilt_text(rows: pd.DataFrame) -> list[Sentence]:
    """Say of which systems the rebuilt one is higher than every published figure, and of which it is not.

    Args:
        rows: as `rebuilt` returns them.
    """
    higher, not_higher, unknown = [], [], []
    for system, of_one in rows.groupby("system", sort=False):
        here = of_one.loc[of_one["figures"] == REBUILT, "accuracy"].item()
        stated = of_one[of_one["figures"] == PUBLISHED].sort_values("accuracy")
        if stated.empty:
            unknown.append(str(system))
        elif here > stated["accuracy"].iloc[-1]:
            higher.append(str(system))
        else:
            best = stated.iloc[-1]
            shares = {"system": system, "here": 100 * here, "published": 100 * best["accuracy"]}
            not_higher.append(
                say("{system} ({here:.1f} % against {published:.1f} %)", **shares)
                if best["films"] == SPLITS["test"]
                else say("{system} ({here:.1f} % against {published:.1f} % on other films)", **shares)
            )
    said = []
    if higher:
        said.append(say("Higher than every published figure: {systems}.", systems=say_list(higher)))
    if not_higher:
        said.append(say("Not higher: {systems}.", systems=say_list(not_higher)))
    if unknown:
        said.append(say("No accuracy was published: {systems}.", systems=say_list(unknown)))
    return said


def _published(row: dict[str, str], where: str) -> Published:
    try:
        figures = {key: float(row[key]) if row[key] else None for key in FIGURES}
    except ValueError as error:
        raise PneumoError(
            "{where}: {error}. Write a figure such as 0.957, or nothing.", where=where, error=error
        ) from error
    for key, value in figures.items():
        if value is not None and not (math.isfinite(value) and 0 <= value <= 1):
            raise PneumoError(
                "{where}: {key} {value} is no share from 0 to 1. Write 0.957 for 95.7 %.",
                where=where,
                key=key,
                value=row[key],
            )
    if row["split"] not in SPLITS:
        raise PneumoError(
            "{where}: there is no split '{split}'. Choose one of: {splits}.",
            where=where,
            split=row["split"],
            splits=", ".join(SPLITS),
        )
    if not row["system"] or not row["source"]:
        raise PneumoError(
            "{where}: the system or its source is missing. Say what was measured, and who published it.", where=where
        )
    return Published(
        system=row["system"],
        stands_for=row["stands_for"],
        split=row["split"],
        source=row["source"],
        note=row["note"],
        **figures,
    )


def _accuracy(result: Published) -> str:
    interval = result.accuracy_interval
    bounds = f" ({interval.low:.3f}–{interval.high:.3f})" if interval else ""
    return _digits(result.accuracy) + bounds


def _note(result: Published) -> str:
    stated = {"precision": result.precision, "recall": result.recall}
    figures = [f"{name} {_digits(value)}" for name, value in stated.items() if value is not None]
    return "; ".join(filter(None, [*figures, result.note]))


def _digits(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.3g}"
