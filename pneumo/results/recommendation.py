"""Which model to use, in a few sentences: the default model, what it finds, and whether any other is better."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pneumo import labels
from pneumo.model_store.card import ModelCard
from pneumo.results import comparison, elsewhere, model_facts
from pneumo.results.comparison import Comparison
from pneumo.results.elsewhere import Calls
from pneumo.sentences import Sentence, say, say_list

HOW_IT_IS_CHOSEN = say(
    "The model to use is the single network with the best mean AUROC over the validation "
    "films that were cropped and exposed anew and, where models were measured there, the "
    "films of other hospitals that a person read; the official test split chose nothing. "
    "Another model is shown to be better where the 95 % interval of a paired difference in "
    "AUROC or in accuracy leaves out zero and reaches beyond 0.02; the page Compare has them "
    "all."
)


@dataclass(frozen=True)
class Recommendation:
    """The model to use where none is named, and what speaks for and against it.

    Attributes:
        title: the model's.
        own: what it calls at its own hospital.
        others: what it calls at other hospitals; None where it was not measured there.
        by_other_runs: whether figures of `others` are those of runs that left a hospital out, which it learned from.
        rivals: how many other models were measured on the films of `own`.
        better: comparisons with those that are shown to be better there.
        better_there: titles of those of them that it is shown to be better than at other hospitals.
    """

    title: str
    own: Calls
    others: Calls | None
    by_other_runs: bool
    rivals: int
    better: list[Comparison]
    better_there: list[str]

    @property
    def at_home(self) -> Sentence:
        """What it finds at its own hospital."""
        return say(
            "Of 100 children with pneumonia it finds {found}; of 100 healthy children it raises a false alarm for "
            "{alarms}.",
            found=self.own.cells.sensitivity.of_100,
            alarms=self.own.cells.alarms.of_100,
        )

    @property
    def at_others(self) -> Sentence:
        """What it finds at other hospitals."""
        if self.others is None:
            return say("It was not measured at another hospital.")
        how = say(", measured by runs that left each out") if self.by_other_runs else ""
        return say(
            "At hospitals that it did not learn from ({hospitals}{how}) it finds {found} of 100 films with an opacity, "
            "and raises a false alarm for {alarms} of 100 without one.",
            hospitals=self.others.hospitals,
            how=how,
            found=self.others.cells.sensitivity.of_100,
            alarms=self.others.cells.alarms.of_100,
        )

    @property
    def against(self) -> Sentence:
        """Whether another model is shown to be better; empty where there is no other."""
        if not self.rivals:
            return say("")
        if not self.better and self.rivals == 1:
            return say("The other model is not shown to be better.")
        if not self.better:
            return say("None of the {rivals} other models is shown to be better.", rivals=self.rivals)
        better = {"models": say_list(each.second_title for each in self.better)}
        if not self.better_there:
            return say("On these films, shown to be better: {models}.", **better)
        return say(
            "On these films, shown to be better: {models}. At other hospitals it is shown to be better than {there}.",
            **better,
            there=say_list(self.better_there),
        )


def recommend(cards: Sequence[ModelCard], folder: Path | None = None) -> Recommendation | None:
    """Return the recommendation of the first of the models, the one that is used where none is named.

    None where it was not measured at its own hospital.

    Args:
        cards: of the classifiers, as the catalogue orders them.
        folder: the folder of model folders.

    Raises:
        ModelError: if predictions are damaged.
    """
    card, own = cards[0], elsewhere.at_home(cards[0], folder)
    if own is None:
        return None
    titles, names = model_facts.labels(cards), [each.name for each in cards[1:]]
    others = elsewhere.at_others(card, folder)
    (split,) = own.splits
    pairs = comparison.against(card.name, names, split, folder)
    better = [pair for pair in pairs if pair.second_is_better]
    worse_there = {
        pair.second
        for away in (others.splits if others else ())
        for pair in comparison.against(card.name, [each.second for each in better], away, folder)
        if pair.first_is_better
    }
    return Recommendation(
        titles[card.name],
        own,
        others,
        others is not None and any(labels.hospital_of(each) in elsewhere.left_out_runs(card) for each in others.splits),
        len(pairs),
        better,
        [titles[name] for name in names if name in worse_there],
    )


def sources(found: Recommendation) -> pd.DataFrame:
    """Return the figures behind a recommendation for reading: ``Films, Found, False alarms``, with 95 % intervals."""
    calls = [found.own, *([found.others] if found.others else [])]
    return pd.DataFrame(
        {
            say("Films"): [
                say(
                    "{splits} ({films:,})",
                    splits=say_list(labels.split_of(split).title for split in each.splits),
                    films=each.films,
                )
                for each in calls
            ],
            say("Pneumonias found"): [each.cells.sensitivity.percent for each in calls],
            say("False alarms among normal films"): [each.cells.alarms.percent for each in calls],
        },
        dtype=object,
    )
