"""What a model calls each film that it was measured on: its errors, and the error rate in groups of films.

Computed from ``models/<name>/predictions/<split>.csv``, and from the films themselves where they are on the machine.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from pneumo.datasets import summary
from pneumo.errors import DatasetError, ModelError
from pneumo.evaluation import curves
from pneumo.evaluation.intervals import Estimate, wilson
from pneumo.labels import FALSE_ALARM, KINDS, MISSED, RIGHT
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.results import comparison
from pneumo.sentences import Sentence, say

BY_KIND, BY_AGREEMENT = say("Kind of film"), say("Agreement of the models")
BY_SIZE, BY_BRIGHTNESS = say("Film size"), say("Brightness")
# Their files name films of the dataset; those of other splits are changed films or another hospital's.
FILM_SPLITS = ("val", "test")
AGREEMENT = (say("All call it alike"), say("One differs"), say("Two or more differ"))


def calls(card: ModelCard, split: str, others: Iterable[ModelCard] = (), folder: Path | None = None) -> pd.DataFrame:
    """Return every film of a split with what a model and the others call it, each at its own decision threshold.

    Args:
        card: of the model.
        split: that it was measured on.
        others: models to set beside it; those measured on other films are left out.
        folder: the folder of model folders.

    Returns:
        ``file, patient, label, pathogen, probability, kind`` (of `labels.KINDS`), ``call`` (of `labels.CALLS`),
        ``wrong`` (bool), ``error`` (how far the probability is from the truth, 0…1), ``confidence``
        (`curves.confidence`), ``others`` (how many models are set beside it), ``others_wrong`` (how many of them are
        wrong), ``differ`` (how many models are in the minority).

    Raises:
        ModelError: if the model's predictions are missing or damaged.
    """
    table = comparison.predictions(card, split, folder)
    threshold, probability = card.as_thresholds().decision, table["probability"].to_numpy(float)
    sick, positive = (table["label"] == "PNEUMONIA").to_numpy(), probability >= threshold
    beside = _calls_of_others(card, others, split, table, folder)
    positive = beside.sum(axis=0) + positive
    return called(table, threshold).assign(
        kind=[KINDS.get(pair, pair[0].capitalize()) for pair in zip(table["label"], table["pathogen"], strict=True)],
        confidence=curves.confidence(probability, threshold),
        others=len(beside),
        others_wrong=(beside != sick).sum(axis=0),
        differ=np.minimum(positive, len(beside) + 1 - positive),
    )


def called(films: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Add what films are called from a probability on: ``call, wrong, error`` as in `calls`.

    Args:
        films: ``label, probability`` and more.
        threshold: 0…1.
    """
    probability = films["probability"].to_numpy(float)
    sick, positive = (films["label"] == "PNEUMONIA").to_numpy(), probability >= threshold
    return films.assign(
        call=np.select([sick & ~positive, ~sick & positive], [MISSED, FALSE_ALARM], RIGHT),
        wrong=positive != sick,
        error=np.abs(sick - probability),
    )


def calls_on_films(card: ModelCard, folder: Path | None = None) -> pd.DataFrame:
    """Return a model's `calls` on its validation and test films, with their ``split``; empty where there are none.

    Raises:
        ModelError: if predictions are damaged.
    """
    measured = store.measured_splits(card.name, folder)
    parts = [calls(card, split, folder=folder).assign(split=split) for split in FILM_SPLITS if split in measured]
    if not parts:
        return pd.DataFrame(columns=["file", "split", "probability", "call", "wrong", "error"])
    return pd.concat(parts, ignore_index=True)


def with_calls(films: pd.DataFrame, called: pd.DataFrame) -> pd.DataFrame:
    """Add ``probability, call, error`` to a table of films with ``file``.

    A film that the model was not measured on has an empty call and no number.
    """
    added = called[["file", "probability", "call", "error"]]
    return films.merge(added, on="file", how="left").fillna({"call": ""})


def errors(films: pd.DataFrame, call: str | None = None) -> pd.DataFrame:
    """Return the films that were called wrong, the surest mistakes first; all of them, or one kind of wrong call.

    Args:
        films: as `calls` returns them.
        call: `labels.MISSED` or `labels.FALSE_ALARM`.
    """
    chosen = films[films["wrong"] & ((films["call"] == call) if call else True)]
    return chosen.sort_values("confidence", ascending=False, kind="stable", ignore_index=True)


def readable(films: pd.DataFrame) -> pd.DataFrame:
    """Return `errors` for reading: ``Error, Probability, Film, Also wrong, File``."""
    return pd.DataFrame(
        {
            say("Error"): films["call"],
            say("Probability"): films["probability"],
            say("Film"): films["kind"],
            say("Also wrong"): [
                say("{wrong} of {others} models", wrong=wrong, others=others)
                for wrong, others in zip(films["others_wrong"], films["others"], strict=True)
            ],
            say("File"): films["file"],
        },
        dtype=object,
    ).astype({"Probability": float})


def by_everyone(films: pd.DataFrame) -> int:
    """Return how many films are called wrong by the model and by all others."""
    return int((films["wrong"] & (films["others_wrong"] == films["others"])).sum())


def film_facts(films: pd.DataFrame, root: Path) -> pd.DataFrame:
    """Read the films and return their ``size`` (pixels, width × height) and ``brightness`` (mean grey value, 0…255).

    Args:
        films: as `calls` returns them; a row a film.
        root: the folder that ``file`` is relative to.

    Raises:
        DatasetError: if a film is not there, or cannot be read.
    """
    if missing := [file for file in films["file"] if not (root / file).is_file()]:
        raise DatasetError(
            "{missing:,} of these {films:,} films are not in {root}, among them {first}. Name the "
            "folder of the dataset that the model was measured on.",
            missing=len(missing),
            films=len(films),
            root=root,
            first=missing[0],
        )
    measured = summary.measure(films.assign(split=""), root)
    return pd.DataFrame({"size": measured.width * measured.height, "brightness": measured.brightness}, films.index)


def rates(films: pd.DataFrame, facts: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return how often a model is wrong in each group of films, with Wilson's 95 % interval.

    Args:
        films: as `calls` returns them.
        facts: as `film_facts` returns them for the same films.

    Returns:
        ``grouping, group, films, errors, share, low, high``: by kind of film, by agreement of the models where there
        are several, by thirds of size and of brightness where the facts are known and differ.
    """
    groupings = {BY_KIND: _ordered(films["kind"], KINDS.values())}
    names: dict[str, Sentence] = {}
    if films["others"].max() > 0:
        differ = films["differ"].clip(upper=len(AGREEMENT) - 1).map(dict(enumerate(AGREEMENT)))
        groupings[BY_AGREEMENT] = _ordered(differ, AGREEMENT)
    if facts is not None:
        for grouping, values, unit in (
            (BY_SIZE, facts["size"] / 1e6, lambda size: say("{size:.2f} megapixels", size=size)),
            (BY_BRIGHTNESS, facts["brightness"], lambda grey: say("{grey:.0f} of 255", grey=grey)),
        ):
            groupings[grouping], words = thirds(values, unit)
            # A category is a text without its template.
            names |= {text: text for text in words}
    rows = []
    for grouping, groups in groupings.items():
        present = [group for group in groups.cat.categories if (groups == group).any()]
        if grouping in (BY_SIZE, BY_BRIGHTNESS) and len(present) < 2:
            continue
        for group in present:
            wrong = films["wrong"][groups == group]
            share = wilson(int(wrong.sum()), len(wrong))
            rows.append(
                (grouping, names.get(group, group), len(wrong), int(wrong.sum()), share.value, share.low, share.high)
            )
    return pd.DataFrame(rows, columns=["grouping", "group", "films", "errors", "share", "low", "high"])


def thirds(values: pd.Series, unit: Callable[[float], Sentence]) -> tuple[pd.Series, list[Sentence]]:
    """Return for each value which third it lies in, in words, and the words; fewer groups where many values are equal.

    Args:
        values: of the films.
        unit: writes a limit, as in ``120 of 255``.
    """
    first, second = (float(limit) for limit in np.quantile(values, [1 / 3, 2 / 3]))
    up_to = [say("Up to {limit}", limit=unit(limit)) for limit in (first, second)]
    names = [*up_to, say("Above {limit}", limit=unit(second))]
    groups = np.select([values <= first, values <= second], names[:2], names[2])
    return _ordered(pd.Series(groups, values.index), names), names


def readable_rates(table: pd.DataFrame) -> pd.DataFrame:
    """Return `rates` for reading: ``Films by, Group, Films, Called wrong, Share``."""
    shares = [
        Estimate(*figures).percent for figures in table[["share", "low", "high"]].itertuples(index=False, name=None)
    ]
    return pd.DataFrame(
        {
            say("Films by"): table["grouping"],
            say("Group"): table["group"],
            say("Films"): table["films"],
            say("Called wrong"): table["errors"],
            say("Share"): shares,
        }
    )


def _calls_of_others(
    card: ModelCard, others: Iterable[ModelCard], split: str, table: pd.DataFrame, folder: Path | None
) -> np.ndarray:
    """Return what each of the other models calls the films, (models, films) bool."""
    found = []
    for other in others:
        try:
            theirs = comparison.predictions(other, split, folder)
        except ModelError:
            # A damaged neighbour is reported where the models are listed, and must not hide this model's errors.
            continue
        if other.name != card.name and theirs["file"].equals(table["file"]):
            found.append(theirs["probability"].to_numpy(float) >= other.as_thresholds().decision)
    return np.array(found, bool).reshape(len(found), len(table))


def _ordered(groups: pd.Series, order: Iterable[str]) -> pd.Series:
    return groups.astype(pd.CategoricalDtype(list(dict.fromkeys([*order, *groups])), ordered=True))
