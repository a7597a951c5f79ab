"""Paired comparison of models on one split, computed from ``models/<name>/predictions/<split>.csv``."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pneumo.datasets import kaggle
from pneumo.errors import ModelError
from pneumo.evaluation import comparison
from pneumo.evaluation.comparison import Difference
from pneumo.model_store import store
from pneumo.model_store.card import CLASSIFICATION, ModelCard
from pneumo.results import markdown_tables, model_facts
from pneumo.sentences import Sentence, say

BETTER, WORSE, ALIKE, UNCLEAR = say("better"), say("worse"), say("practically equal"), say("unclear")
# What two models' predictions have in common where they were measured on the same films.
_SAME = ["file", "patient", "label"]


@dataclass(frozen=True)
class Comparison:
    """Two models on the same films; each difference is the first model's figure less the second's.

    Attributes:
        first: name of the first model.
        second: name of the second.
        first_title: the first for people, told apart from the second where both have one title.
        second_title: the second for people.
        split: that both were measured on.
        films: how many they share.
        patients: of how many patients these are.
        auroc: difference in AUROC; only patients are taken for independent.
        auroc_by_film: the same as if every film were of another patient.
        accuracy: difference in accuracy, each model at its own decision threshold; only patients are independent.
        accuracy_by_film: the same as if every film were of another patient.
        only_first_right: films that the first calls right and the second wrong.
        only_second_right: films that the second calls right and the first wrong.
    """

    first: str
    second: str
    first_title: str
    second_title: str
    split: str
    films: int
    patients: int
    auroc: Difference
    auroc_by_film: Difference
    accuracy: Difference
    accuracy_by_film: Difference
    only_first_right: int
    only_second_right: int

    @property
    def first_is_better(self) -> bool:
        """Whether the first is shown to be better, in AUROC or in accuracy, by more than is practically equal."""
        return BETTER in (_word(self.auroc), _word(self.accuracy))

    @property
    def second_is_better(self) -> bool:
        """Whether the second is."""
        return WORSE in (_word(self.auroc), _word(self.accuracy))

    def __str__(self) -> Sentence:
        """Return the result as two sentences, as in ``AUROC: A beats B by 0.012 (0.004–0.021, p = 0.003). …``."""
        parts = {"auroc": self._clause("AUROC", self.auroc), "accuracy": self._clause(say("Accuracy"), self.accuracy)}
        return say("{auroc} {accuracy}", **parts)

    def _clause(self, figure: str, difference: Difference) -> Sentence:
        winner, loser = self.first_title, self.second_title
        if difference.told_apart and difference.value < 0 and not difference.practically_equal:
            winner, loser, difference = loser, winner, -difference
        parts = {"figure": figure, "first": winner, "second": loser, "difference": str(difference)}
        if difference.practically_equal:
            return say("{figure}: {first} and {second} are practically equal, difference {difference}.", **parts)
        if not difference.told_apart:
            return say("{figure}: {first} and {second} cannot be told apart, difference {difference}.", **parts)
        return say("{figure}: {first} beats {second} by {difference}.", **parts)


def compare(first: str, second: str, split: str = "test", folder: Path | None = None) -> Comparison:
    """Compare two models on a split that both were measured on, each at the decision threshold of its card.

    Args:
        first: name of a model folder.
        second: name of another.
        split: that both were measured on.
        folder: the folder of model folders.

    Raises:
        ModelError: if there is no such model, one was not measured on the split or on other films than the other, its
            predictions are damaged, or the films are all normal or all of pneumonia.
    """
    cards = [store.read_card(name, folder, CLASSIFICATION) for name in (first, second)]
    titles = model_facts.labels({card.name: card for card in cards}.values())
    one, other = (predictions(card, split, folder) for card in cards)
    _check_same_films(one, other, cards, split)
    labels, patients = (one["label"] == "PNEUMONIA").to_numpy(int), one["patient"].to_numpy(str)
    score, other_score = (table["probability"].to_numpy(float) for table in (one, other))
    called, other_called = (
        values >= card.as_thresholds().decision for values, card in zip((score, other_score), cards, strict=True)
    )
    try:
        auroc, auroc_by_film = (comparison.delong(labels, score, other_score, each) for each in (patients, None))
        mcnemar, mcnemar_by_film = (comparison.mcnemar(labels, called, other_called, each) for each in (patients, None))
    except ValueError as error:
        raise ModelError(
            "{first} and {second} cannot be compared on {split}: {error}.",
            first=first,
            second=second,
            split=split,
            error=error,
        ) from error
    return Comparison(
        first=first,
        second=second,
        first_title=titles[cards[0].name],
        second_title=titles[cards[1].name],
        split=split,
        films=len(one),
        patients=one["patient"].nunique(),
        auroc=auroc,
        auroc_by_film=auroc_by_film,
        accuracy=mcnemar.accuracy,
        accuracy_by_film=mcnemar_by_film.accuracy,
        only_first_right=mcnemar.only_first_right,
        only_second_right=mcnemar.only_second_right,
    )


def all_pairs(names: Sequence[str], split: str = "test", folder: Path | None = None) -> list[Comparison]:
    """Compare each of the models with each other one, the first with all others first.

    Raises:
        ModelError: as `compare` does.
    """
    return [compare(one, other, split, folder) for one, other in itertools.combinations(names, 2)]


def against(name: str, others: Iterable[str], split: str = "test", folder: Path | None = None) -> list[Comparison]:
    """Compare a model with each of the others that was measured on the same films of a split.

    Raises:
        ModelError: if the model was not measured on the split, or predictions are damaged.
    """
    own, pairs = predictions(store.read_card(name, folder), split, folder), []
    for other in others:
        if split in store.measured_splits(other, folder):
            theirs = predictions(store.read_card(other, folder), split, folder)
            if theirs[_SAME].equals(own[_SAME]):
                pairs.append(compare(name, other, split, folder))
    return pairs


def matrix(pairs: Sequence[Comparison]) -> pd.DataFrame:
    """Return how each model compares with each other: the model of the row against that of the column, in words.

    Args:
        pairs: as `all_pairs` returns them.

    Returns:
        One row and one column a model, by their titles: `BETTER`, `WORSE`, `ALIKE` or `UNCLEAR`, of AUROC and accuracy
        apart where the two differ; a dash on the diagonal.
    """
    titles = list(dict.fromkeys(title for pair in pairs for title in (pair.first_title, pair.second_title)))
    shown = pd.DataFrame("–", index=titles, columns=titles, dtype=object)
    for pair in pairs:
        shown.loc[pair.first_title, pair.second_title] = _cell(pair.auroc, pair.accuracy)
        shown.loc[pair.second_title, pair.first_title] = _cell(-pair.auroc, -pair.accuracy)
    return shown


def _cell(auroc: Difference, accuracy: Difference) -> str:
    by_auroc, by_accuracy = _word(auroc), _word(accuracy)
    return (
        by_auroc
        if by_auroc == by_accuracy
        else say("AUROC {by_auroc}, accuracy {by_accuracy}", by_auroc=by_auroc, by_accuracy=by_accuracy)
    )


def _word(difference: Difference) -> str:
    if difference.practically_equal:
        return ALIKE
    if not difference.told_apart:
        return UNCLEAR
    return BETTER if difference.value > 0 else WORSE


def predictions(card: ModelCard, split: str, folder: Path | None = None) -> pd.DataFrame:
    """Read a model's predictions in the order of the files' names, as `store.read_predictions` returns them.

    Raises:
        ModelError: if the model was not measured on the split, or a row cannot be right.
    """
    try:
        table = store.read_predictions(card.name, split, folder).astype({"probability": float})
        if table["file"].duplicated().any() or not table["label"].isin(kaggle.LABELS).all():
            raise ValueError("a file stands there twice, or a label is unknown")
        if not table["probability"].between(0, 1).all():
            raise ValueError("a probability is missing or not in 0…1")
    except ValueError as error:
        raise ModelError(
            "The predictions of {name} on {split} are damaged ({error}). Run `python -m pneumo "
            "evaluate {name} --split {split}`.",
            name=card.name,
            split=split,
            error=error,
        ) from error
    return table.sort_values("file", ignore_index=True)


def readable(comparisons: Iterable[Comparison]) -> pd.DataFrame:
    """Return one row a comparison, in their order, for reading.

    Returns:
        ``Against``, the second model; ``AUROC`` and ``Accuracy``, the differences, as ``0.012 (−0.004–0.028, p =
        0.134)``; ``Right alone``, films that only the first calls right : that only the second does; ``AUROC, by film``
        and ``Accuracy, by film``, the differences as if every film were of another patient.
    """
    return pd.DataFrame(
        [
            {
                "Against": each.second_title,
                "AUROC": str(each.auroc),
                "Accuracy": str(each.accuracy),
                "Right alone": f"{each.only_first_right} : {each.only_second_right}",
                "AUROC, by film": comparison.interval(each.auroc_by_film),
                "Accuracy, by film": comparison.interval(each.accuracy_by_film),
            }
            for each in comparisons
        ]
    )


def markdown(first: str, seconds: Sequence[str], split: str = "test", folder: Path | None = None) -> str:
    """Return a model against others as a Markdown table.

    Raises:
        ModelError: as `compare` does.
    """
    return markdown_tables.table(readable(compare(first, second, split, folder) for second in seconds))


def _check_same_films(one: pd.DataFrame, other: pd.DataFrame, cards: Sequence[ModelCard], split: str) -> None:
    shared = len(one.merge(other, on=_SAME))
    if not shared == len(one) == len(other):
        names = [card.name for card in cards]
        raise ModelError(
            "{first} and {second} were not measured on the same films of {split}: of {one} and "
            "{other} films they share {shared} with the same patient and label. Evaluate both on one "
            "dataset, with `python -m pneumo evaluate NAME --split {split}`.",
            first=names[0],
            second=names[1],
            split=split,
            one=len(one),
            other=len(other),
            shared=shared,
        )
