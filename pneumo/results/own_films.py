"""A model measured on the test films of a dataset that a reader brings; nothing is written, no card is changed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from pneumo.datasets import kaggle, medmnist
from pneumo.errors import DatasetError
from pneumo.evaluation.metrics import Metrics, evaluate_table
from pneumo.inference.reading import Models, read_film
from pneumo.labels import FIGURES
from pneumo.sentences import Sentence, say

if TYPE_CHECKING:
    from pneumo.inference.classifier import Classifier

SPLIT = "test"
# Films of each split of PneumoniaMNIST (Yang et al., Scientific Data 2023).
PNEUMONIAMNIST = {"train": 4708, "val": 524, "test": 624}


@dataclass(frozen=True, eq=False)
class OwnMeasurement:
    """What a model made of test films.

    Attributes:
        metrics: at the decision threshold of the model's card.
        predictions: ``file, patient, label, pathogen, probability``, a row a film.
        unreadable: files that could not be read and are left out.
    """

    metrics: Metrics
    predictions: pd.DataFrame
    unreadable: tuple[str, ...]


def films_to_measure(path: Path) -> tuple[pd.DataFrame, list[bytes | Path]]:
    """List the test films of a dataset.

    Args:
        path: of a folder in the Kaggle layout, or of a MedMNIST file.

    Returns:
        ``file, patient, label, pathogen``, and the bytes or the path of each film in that order.

    Raises:
        DatasetError: if it is neither, or has no test films of both classes.
    """
    if medmnist.is_file_of(path):
        pictures = medmnist.read(path)
        table = medmnist.table(pictures)
        films = table[table["split"] == SPLIT].reset_index(drop=True)
        films = films.assign(patient=films["file"], pathogen="")
        sources: list[bytes | Path] = [medmnist.png(picture) for picture in pictures.images.get(SPLIT, ())]
    else:
        root = kaggle.find_root(path)
        table = kaggle.scan(root)
        films = table[table["split"] == SPLIT].reset_index(drop=True)
        sources = [root / file for file in films["file"]]
    if set(films["label"]) != set(kaggle.LABELS):
        raise DatasetError(
            "{name} has no test films of both classes, and a model is measured on both. Add them.", name=path.name
        )

    return films[["file", "patient", "label", "pathogen"]], sources


def measure(
    classifier: "Classifier", path: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> OwnMeasurement:
    """Let a model assess every test film of a dataset, without asking the gate.

    Args:
        classifier: the model.
        path: as in `films_to_measure`.
        progress: is told the number of films assessed and of all films.

    Raises:
        DatasetError: as in `films_to_measure`, or if too few films can be read.
    """
    films, sources = films_to_measure(path)
    models, probability = Models(classifier, gate=None), []
    for file, source in zip(films["file"], sources, strict=True):
        reading = read_film(source, file, models)
        probability.append(reading.assessment.probability if reading.assessment else None)
        progress(len(probability), len(films))
    films = films.assign(probability=pd.Series(probability, dtype=float))
    known = films.dropna(subset=["probability"]).reset_index(drop=True)
    if set(known["label"]) != set(kaggle.LABELS):
        raise DatasetError(
            "Of the test films in {name} one class cannot be read at all. Check the files.", name=path.name
        )
    metrics = evaluate_table(known, classifier.card.as_thresholds().decision)
    return OwnMeasurement(metrics, known, tuple(films.loc[films["probability"].isna(), "file"]))


def readable(here: Metrics, official: Metrics | None = None) -> pd.DataFrame:
    """Return the figures of a measurement with their intervals, beside those on the official test films.

    Returns:
        ``Figure, These films`` and, where `official` is given, ``Official test``; one row a figure of `FIGURES`.
    """
    columns = {"These films": here} | ({"Official test": official} if official else {})
    return pd.DataFrame(
        {say("Figure"): [figure.title for figure in FIGURES.values()]}
        | {title: [str(getattr(metrics, key)) for key in FIGURES] for title, metrics in columns.items()},
        dtype=object,
    )


def origin(counts: pd.DataFrame) -> Sentence:
    """Say what the films of a dataset are to the models that come with pneumo, as far as their numbers tell.

    Args:
        counts: ``split, label, films``.
    """
    by_class = {(row.split, row.label): row.films for row in counts.itertuples()}
    by_split = counts.groupby("split")["films"].sum().to_dict()
    if by_split == PNEUMONIAMNIST:
        return say(
            "PneumoniaMNIST holds the films that the models of pneumo come from: its training and "
            "validation pictures are films that they learned from or were chosen by, and its test "
            "pictures are the official test films, made small and cut to their middle square. The "
            "figures tell what that costs a model. They are no test on new children."
        )
    if by_class == kaggle.PUBLISHED_FILMS:
        return say(
            "These are the published films that the models of pneumo learned from, and their test "
            "films are the official ones: the figures should be those of the Leaderboard, and are no "
            "test on new children."
        )
    return say(
        "The models of pneumo learned from the films of Kermany et al. 2018. If some of yours "
        "are among those, the figures say less than they seem to; on films of other children "
        "they are an independent test."
    )
