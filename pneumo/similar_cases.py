"""Cases like this one: the validation films nearest to a film in a classifier's embedding, one of each child.

Near means alike to the classifier, which was trained to tell pneumonia from normal films; `case_agreement` says how
far the labels of near films can be relied on. Distances are cosine distances, 0…2: one less the cosine of the angle.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pneumo.dataset_tables import KINDS
from pneumo.film_index import NEAREST, FilmIndex, directions
from pneumo.sentences import Sentence, say

# A film farther from all others than this share of the validation films are from their nearest is like none of them.
FOREIGN = 0.99
# Farther than this share of them, it is like few.
UNUSUAL = 0.9
# The kinds of films as they stand within a sentence.
KIND_WORDS = {
    "Normal": say("normal"),
    "Bacterial pneumonia": say("bacterial pneumonia"),
    "Viral pneumonia": say("viral pneumonia"),
    "Pneumonia, cause not named": say("pneumonia, cause not named"),
}


@dataclass(frozen=True, eq=False)
class Distances:
    """How far films of different children lie apart in an index.

    Attributes:
        pairs: (pairs,) float32, ascending, of all two films of different children.
        nearest: (films,) float32, ascending, of each film to the nearest film of another child.
    """

    pairs: np.ndarray
    nearest: np.ndarray


@dataclass(frozen=True)
class Case:
    """A validation film that is like another film.

    Attributes:
        file: path below the root of the data set.
        patient: whose film it is.
        kind: a value of `dataset_tables.KINDS`.
        distance: cosine distance, 0…2.
        closer_than: share of `Distances.pairs` that lie farther apart, 0…1.
    """

    file: str
    patient: str
    kind: str
    distance: float
    closer_than: float

    def __str__(self) -> Sentence:
        """Say how near it is, as in ``Closer than 98.3 % of pairs``."""
        if self.closer_than > 0.999:
            return say("Closer than almost all pairs")
        return say("Closer than {percent:.1f} % of pairs", percent=100 * self.closer_than)


@dataclass(frozen=True)
class Cases:
    """The validation films most like a film.

    Attributes:
        cases: the nearest first, of as many children.
        farther: share of the validation films whose nearest film of another child is farther away than the first case
            is from this film, 0…1.
    """

    cases: tuple[Case, ...]
    farther: float

    @property
    def is_foreign(self) -> bool:
        """Whether nothing like the film is among the validation films."""
        return self.farther < 1 - FOREIGN

    @property
    def kinds(self) -> dict[str, int]:
        """How many of the cases are of each kind, the commonest first."""
        return dict(Counter(case.kind for case in self.cases).most_common())

    @property
    def nearness(self) -> Sentence:
        """How near the nearest of them is, in a sentence."""
        if self.is_foreign:
            return say(
                "Nothing like this film is among the validation films: it is farther from all of them than {share} of "
                "them are from their nearest film of another child. The model was not tested on films like it, and the "
                "cases below say little about it.",
                share=in_percent(FOREIGN),
            )
        nearer = 1 - self.farther
        if nearer > UNUSUAL:
            return say(
                "Of the validation films {share} have a film of another child nearer to them than the first of these "
                "is to this film, so compare with care.",
                share=in_percent(nearer),
            )
        return say(
            "Of the validation films {share} have a film of another child nearer to them than the first of these is to "
            "this film.",
            share=in_percent(nearer),
        )

    def __str__(self) -> Sentence:
        """Say of what kinds they are, as in ``The 6 … most like this one … are labelled: 6 normal.``"""
        kinds = [say("{count} {kind}", count=count, kind=KIND_WORDS[kind]) for kind, count in self.kinds.items()]
        return say(
            "The {count} validation films most like this one, of as many children, are labelled: {kinds}.",
            count=len(self.cases),
            kinds=listed(kinds),
        )


def find(index: FilmIndex, distances: Distances, features: np.ndarray, count: int = NEAREST) -> Cases:
    """Look up the films nearest to a film, one of each child.

    Args:
        index: of the classifier.
        distances: as `usual_distances` returns them for the same index.
        features: (features,) where the film lies in the embedding, of any length.
        count: how many, at the most the number of children in the index.

    Raises:
        ValueError: if `count` is out of range, or the embedding is another classifier's.
    """
    patients, children = np.unique(index.patients, return_inverse=True)
    if not 1 <= count <= len(patients):
        raise ValueError(f"The index holds {len(patients)} children: ask for 1 to {len(patients)} films, not {count}.")
    if features.shape != index.embedding.shape[1:]:
        raise ValueError(
            f"The index is of films with {index.embedding.shape[1]} features, and this one has {features.shape}. "
            "Use the classifier that the index was made for."
        )
    away = _distances(index.embedding, directions(features[np.newaxis]))[:, 0]
    chosen = one_of_each(away, children, count)
    cases = tuple(
        Case(
            file=str(index.files[film]),
            patient=str(index.patients[film]),
            kind=KINDS[str(index.labels[film]), str(index.pathogens[film])],
            distance=float(away[film]),
            closer_than=_share_above(distances.pairs, away[film]),
        )
        for film in chosen
    )
    return Cases(cases, _share_above(distances.nearest, away[chosen[0]]))


def usual_distances(index: FilmIndex) -> Distances:
    """Measure how far the films of an index lie apart."""
    away, other = all_distances(index)
    upper = np.triu(other, 1)
    return Distances(np.sort(away[upper]), np.sort(np.where(other, away, np.inf).min(axis=1)))


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    # Rounding may carry the cosine past 1.
    return (1 - first @ second.T).clip(0)


def all_distances(index: FilmIndex) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances of all films, and which two are of different children; both (films, films)."""
    _, children = np.unique(index.patients, return_inverse=True)
    return _distances(index.embedding, index.embedding), children[:, np.newaxis] != children


def one_of_each(away: np.ndarray, children: np.ndarray, count: int) -> np.ndarray:
    """Return the places of the nearest film of each of the nearest children, the nearest first."""
    order = np.argsort(away, kind="stable")
    _, first = np.unique(children[order], return_index=True)
    return order[np.sort(first)[:count]]


def _share_above(ascending: np.ndarray, value: float) -> float:
    return 1 - float(np.searchsorted(ascending, value, side="right")) / len(ascending)


def in_percent(share: float) -> Sentence:
    """Write a share for people; that of a few films is never told as all or none."""
    if share >= 0.995:
        return say("over {percent} %", percent=99)
    if share < 0.01:
        return say("under {percent} %", percent=1)
    return say("{percent:.0f} %", percent=100 * share)


def listed(parts: Sequence[Sentence]) -> Sentence:
    """Join the parts of a list."""
    joined = parts[0]
    for part in parts[1:]:
        joined = say("{before}, {after}", before=joined, after=part)
    return joined
