"""Where the validation films lie in a classifier's embedding: ``models/<name>/similar.npz``.

The embedding of a film is what the network hands to its last unit. No film that the network was trained on, and none
of the test split, is in an index.

Cases like this one: the validation films nearest to a film in a classifier's embedding, one of each child.

Near means alike to the classifier, which was trained to tell pneumonia from normal films; `case_agreement` says how
far the labels of near films can be relied on. Distances are cosine distances, 0…2: one less the cosine of the angle.

How often the films nearest to a validation film are labelled as it is: what the likeness of cases is worth.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pneumo.datasets.kaggle import LABELS, PATHOGENS
from pneumo.errors import ModelError
from pneumo.evaluation import intervals
from pneumo.evaluation.intervals import Estimate
from pneumo.labels import KIND_WORDS, KINDS
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.sentences import Sentence, say

# How many similar films are shown: on a desktop so many thumbnails stand beside each other.
NEAREST = 6
_TEXTS = ("files", "patients", "labels", "pathogens")


@dataclass(frozen=True, eq=False)
class FilmIndex:
    """The validation films of a classifier.

    Attributes:
        sha256: of the ``model.keras`` that the embedding is of.
        layer: whose output the embedding is.
        files: (films,) path below the root of the data set.
        patients: (films,) as in `kaggle.scan`.
        labels: (films,) of `kaggle.LABELS`.
        pathogens: (films,) of `kaggle.PATHOGENS`, or ``""``.
        embedding: (films, features) float32, each row of length 1, or 0 where the network hands on nothing.
    """

    sha256: str
    layer: str
    files: np.ndarray
    patients: np.ndarray
    labels: np.ndarray
    pathogens: np.ndarray
    embedding: np.ndarray


def directions(features: np.ndarray) -> np.ndarray:
    """Scale embeddings, (films, features), to length 1, float32; of those only the direction is compared."""
    values = np.asarray(features, np.float32)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def path_of(name: str, folder: Path | None = None) -> Path:
    """Return where the index of a model lies, or would lie."""
    return (folder or store.models_folder()) / name / store.SIMILAR


def write(index: FilmIndex, name: str, folder: Path | None = None) -> Path:
    """Write the index of a model into its folder, the embedding as float16, and return its path."""
    path = path_of(name, folder)
    arrays: dict[str, np.ndarray] = {key: getattr(index, key).astype(np.str_) for key in _TEXTS}
    arrays |= {key: np.array(getattr(index, key), np.str_) for key in ("sha256", "layer")}
    arrays["embedding"] = index.embedding.astype(np.float16)
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    return path


def read(card: ModelCard, folder: Path | None = None) -> FilmIndex:
    """Read the index of a model; nothing in the file is ever run.

    Raises:
        ModelError: if there is none, it is damaged, or it is of other weights than the card's.
    """
    path = path_of(card.name, folder)
    remedy = say("Make it with `python -m pneumo similar {name} --data DIR`.", name=card.name)
    if not path.is_file():
        raise ModelError("There is no index of the validation films of {name}. {remedy}", name=card.name, remedy=remedy)
    try:
        with np.load(path, allow_pickle=False) as stored:
            texts = {key: stored[key] for key in _TEXTS}
            embedding = stored["embedding"]
            index = FilmIndex(str(stored["sha256"]), str(stored["layer"]), embedding=directions(embedding), **texts)
        _check(index)
    except store.DAMAGED_ARRAYS as error:
        raise ModelError("{path} is damaged ({error}). {remedy}", path=path, error=error, remedy=remedy) from error
    if index.sha256 != card.sha256:
        raise ModelError(
            "{path} is of other weights than {name} has now. {remedy}", path=path, name=card.name, remedy=remedy
        )
    return index


def _check(index: FilmIndex) -> None:
    """Raise a ValueError where the parts of an index do not fit together."""
    films = len(index.embedding)
    if index.embedding.ndim != 2 or not np.isfinite(index.embedding).all():
        raise ValueError("the embedding is no table of numbers")
    for key in _TEXTS:
        values = getattr(index, key)
        if values.shape != (films,) or values.dtype.kind != "U":
            raise ValueError(f"{key} is not one text a film")
    if not np.isin(index.labels, LABELS).all() or not np.isin(index.pathogens, ("", *PATHOGENS)).all():
        raise ValueError("a film has an unknown label or pathogen")
    if len(np.unique(index.patients)) <= NEAREST:
        raise ValueError(f"it holds no more than {NEAREST} children")


# A film farther from all others than this share of the validation films are from their nearest is like none of them.
FOREIGN = 0.99
# Farther than this share of them, it is like few.
UNUSUAL = 0.9


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
        kind: a value of `labels.KINDS`.
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


@dataclass(frozen=True)
class Agreement:
    """How often the films nearest to a validation film are labelled as it is, the film's own child left out.

    Attributes:
        label: share of the nearest films that are normal, or show pneumonia, as the film does.
        kind: share of the nearest films that are of the same kind: normal, bacterial or viral.
        kinds: `kind` by the kind of the film.
        label_by_chance: the share that films of other children drawn at random would have.
        kind_by_chance: the same of `kind`.
        count: how many nearest films were taken.
        films: how many films were looked up.
        patients: how many children they are of.
    """

    label: Estimate
    kind: Estimate
    kinds: dict[str, Estimate]
    label_by_chance: float
    kind_by_chance: float
    count: int
    films: int
    patients: int

    def __str__(self) -> Sentence:
        """Say it in a few sentences."""
        kinds = [
            say("{kind} {share}", kind=KIND_WORDS[kind], share=in_percent(share.value))
            for kind, share in self.kinds.items()
        ]
        return say(
            "Measured on the {films:,} validation films: of the {count} films nearest to each, all of other children, "
            "{label} share its label, normal or pneumonia ({label_by_chance} would by chance), and {kind} its kind, "
            "normal, bacterial or viral ({kind_by_chance} by chance). By kind of film: {kinds}.",
            films=self.films,
            count=self.count,
            label=_with_interval(self.label),
            label_by_chance=in_percent(self.label_by_chance),
            kind=_with_interval(self.kind),
            kind_by_chance=in_percent(self.kind_by_chance),
            kinds=listed(kinds),
        )


def agreement(index: FilmIndex, count: int = NEAREST) -> Agreement:
    """Measure how often the films nearest to a film of the index are labelled as it is.

    The films of the child itself are left out, and one film of each other child is taken, as `find` does. Intervals
    are bootstrapped over the children that are looked up (`intervals.mean_by_patient`).

    Args:
        index: of a classifier.
        count: how many nearest films, fewer than there are children.

    Raises:
        ValueError: if `count` is out of range.
    """
    patients, children = np.unique(index.patients, return_inverse=True)
    if not 1 <= count < len(patients):
        raise ValueError(f"The index holds {len(patients)} children: ask for 1 to {len(patients) - 1} films each.")
    kinds = np.array([KINDS[pair] for pair in zip(index.labels.tolist(), index.pathogens.tolist(), strict=True)])
    nearest = np.array(list(_nearest_of_others(index, children, count)))
    same_label = (index.labels[nearest] == index.labels[:, np.newaxis]).mean(axis=1)
    same_kind = (kinds[nearest] == kinds[:, np.newaxis]).mean(axis=1)
    return Agreement(
        label=intervals.mean_by_patient(same_label, index.patients),
        kind=intervals.mean_by_patient(same_kind, index.patients),
        kinds={
            kind: intervals.mean_by_patient(same_kind[kinds == kind], index.patients[kinds == kind])
            for kind in KINDS.values()
            if (kinds == kind).any()
        },
        label_by_chance=_by_chance(index.labels, children),
        kind_by_chance=_by_chance(kinds, children),
        count=count,
        films=len(index.files),
        patients=len(patients),
    )


def _nearest_of_others(index: FilmIndex, children: np.ndarray, count: int) -> Iterator[np.ndarray]:
    away, other = all_distances(index)
    for row, allowed in zip(away, other, strict=True):
        films = np.flatnonzero(allowed)
        yield films[one_of_each(row[films], children[films], count)]


def _by_chance(values: np.ndarray, children: np.ndarray) -> float:
    other = children[:, np.newaxis] != children
    same = values[:, np.newaxis] == values
    return float(((same & other).sum(axis=1) / other.sum(axis=1)).mean())


def _with_interval(share: Estimate) -> Sentence:
    return say(
        "{share} (95 % interval {low:.0f} to {high:.0f})",
        share=in_percent(share.value),
        low=100 * share.low,
        high=100 * share.high,
    )
