"""How often the films nearest to a validation film are labelled as it is: what the likeness of cases is worth."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pneumo import evaluation
from pneumo.dataset_tables import KINDS
from pneumo.evaluation import Estimate
from pneumo.film_index import NEAREST, FilmIndex
from pneumo.sentences import Sentence, say
from pneumo.similar_cases import KIND_WORDS, all_distances, in_percent, listed, one_of_each


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
    are bootstrapped over the children that are looked up (`evaluation.mean_by_patient`).

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
        label=evaluation.mean_by_patient(same_label, index.patients),
        kind=evaluation.mean_by_patient(same_kind, index.patients),
        kinds={
            kind: evaluation.mean_by_patient(same_kind[kinds == kind], index.patients[kinds == kind])
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
