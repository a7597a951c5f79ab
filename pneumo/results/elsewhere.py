"""How a model does at hospitals that it did not learn from, beside its own, and whether it does far worse there."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pneumo import labels
from pneumo.datasets.external import RELIABLE
from pneumo.evaluation.metrics import Confusion
from pneumo.labels import EXTERNAL_SPLIT
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.model_store.store import SELECTION_SPLIT
from pneumo.results import curves
from pneumo.sentences import Sentence, say, say_names

# A balanced accuracy lower by more than this, beyond what chance explains, is far lower.
FAR = 0.1


@dataclass(frozen=True)
class Calls:
    """What a model calls the films of one or more splits, at its decision threshold.

    Attributes:
        splits: the films.
        cells: films of all these splits by truth and call; both classes occur.
    """

    splits: tuple[str, ...]
    cells: Confusion

    def __str__(self) -> Sentence:
        """Return the calls in words, as ``89 of 100 found, 86 false alarms per 100 (252 films, NIH)``."""
        found, alarms = self.cells.sensitivity.of_100, self.cells.alarms.of_100
        return say(
            "{found} of 100 found, {alarms} false alarms per 100 ({films:,} films, {hospitals})",
            found=found,
            alarms=alarms,
            films=self.films,
            hospitals=self.hospitals,
        )

    @property
    def films(self) -> int:
        """Of all splits."""
        return self.cells.sick + self.cells.well

    @property
    def hospitals(self) -> Sentence:
        """The names of the hospitals, where they are not the model's own."""
        return say_names(dict.fromkeys(labels.hospital_title(labels.hospital_of(split)) for split in self.splits))


def at_home(card: ModelCard, folder: Path | None = None) -> Calls | None:
    """Return a model's calls at its own hospital: on the official test films, else on shifted validation films.

    None where it was not measured on them.

    Raises:
        ModelError: if predictions are damaged.
    """
    return next((each for split in ("test", SELECTION_SPLIT) if (each := _calls(card, [split], folder))), None)


def at_others(card: ModelCard, folder: Path | None = None) -> Calls | None:
    """Return a model's calls at other hospitals, by the evidence that is worth most; None where there is none.

    Best are hospitals whose films a person read; a hospital that the model learned from counts where its figures are
    those of a run that left it out. Then come `external.RELIABLE`, and last labels by software.

    Raises:
        ModelError: if predictions are damaged.
    """
    learned = set(card.training.get("hospitals", {}).get("learned_from", ()))
    measured = store.measured_splits(card.name, folder)
    seen = learned - left_out_runs(card)
    read = [split for split in filter(labels.is_hospital_split, measured) if labels.hospital_of(split) not in seen]
    # Whoever learned from the hospital of the external films saw those very films.
    external = [] if EXTERNAL_SPLIT in learned else [[RELIABLE], [EXTERNAL_SPLIT]]
    return next((each for splits in (read, *external) if (each := _calls(card, splits, folder))), None)


def left_out_runs(card: ModelCard) -> set[str]:
    """Return the hospitals where a model's figures are those of a run that left the hospital out."""
    return set(card.training.get("hospitals", {}).get("runs", ()))


def is_far_below(own: Calls, others: Calls) -> bool:
    """Tell whether the balanced accuracy at other hospitals is lower by more than `FAR`, whatever chance did."""
    at_own, there = own.cells.balanced_accuracy, others.cells.balanced_accuracy
    return there.value < at_own.value - FAR and there.high < at_own.low


def warning(card: ModelCard, folder: Path | None = None) -> Sentence | None:
    """Return a warning where a model does far worse at other hospitals than at its own; None where it does not.

    Raises:
        ModelError: if predictions are damaged.
    """
    own, others = at_home(card, folder), at_others(card, folder)
    if own is None or others is None or not is_far_below(own, others):
        return None
    return say(
        "**{title} does far worse at other hospitals.** On {films} films of {hospitals} it found {found} of 100 films "
        "with an opacity and raised {alarms} false alarms per 100 films without one; at its own hospital {own_found} "
        "and {own_alarms}. Measure it on your own films first: “{page}”.",
        title=card.title,
        films=others.films,
        hospitals=others.hospitals,
        found=others.cells.sensitivity.of_100,
        alarms=others.cells.alarms.of_100,
        own_found=own.cells.sensitivity.of_100,
        own_alarms=own.cells.alarms.of_100,
        page=say("Check your data"),
    )


def _calls(card: ModelCard, splits: Iterable[str], folder: Path | None) -> Calls | None:
    measured = store.measured_splits(card.name, folder)
    counted = {split: curves.calls(card, split, folder=folder) for split in splits if split in measured}
    both = {split: cells for split, cells in counted.items() if cells.sick and cells.well}
    return Calls(tuple(both), sum(both.values(), Confusion(0, 0, 0, 0))) if both else None
