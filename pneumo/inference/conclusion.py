"""What is said of an answer where a share of the children have pneumonia: the answer there, and one count of children.

A model's limits hold for its sensitivity and specificity, whatever the share of pneumonia. So the share never turns
another answer into “likely” or “unlikely”. But where pneumonia is so rare that most films like this one may come from
children without it, “likely” says more than the validation films prove, and is taken back.
"""

from dataclasses import dataclass
from pathlib import Path

from pneumo.datasets.hospitals import HOME
from pneumo.errors import ModelError
from pneumo.evaluation.calibration import Answer
from pneumo.inference.similar_scores import SimilarFilms
from pneumo.labels import hospital_title
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.sentences import Sentence, say, say_names

# How common a clinician may say that pneumonia is among the children that she X-rays, 0…1.
SHARES = {
    0.05: say("rare (5 %)"),
    0.15: say("some (15 %)"),
    0.3: say("many (30 %)"),
    0.5: say("half"),
}
UNAIDED = say("Read the film as if there were no computer.")


@dataclass(frozen=True)
class Conclusion:
    """What is said of a film where a share of the children have pneumonia.

    Attributes:
        answer: ``likely``, ``uncertain`` or ``unlikely`` there.
        statement: one count of children, or why there is none.
        similar: the validation films that were counted, at that share; None where the film is compared with none.
        count: the number of children in the statement; empty where it has none.
    """

    answer: Answer
    statement: Sentence
    similar: SimilarFilms | None
    count: str = ""


def conclude(answer: Answer, similar: SimilarFilms | None, prevalence: float | None = None) -> Conclusion:
    """Say what an answer comes to where a share of the children have pneumonia.

    Args:
        answer: of the model.
        similar: the validation films that score like the film; None where it is compared with none.
        prevalence: 0…1 exclusive; that of `similar` where None.
    """
    own = similar.prevalence if similar else None
    if similar and prevalence is not None:
        similar = similar.at(prevalence)
    if answer == "uncertain":
        return Conclusion(answer, UNAIDED, similar)
    if similar is None:
        return Conclusion(answer, say("It cannot be said how often such an answer is right."), None)
    share, count = 100 * similar.prevalence, similar.of_100
    if answer == "likely" and count < 50:
        if similar.prevalence == own:
            few = say("Too few validation films score like this to prove the answer. {unaided}", unaided=UNAIDED)
            return Conclusion(answer, few, similar)
        why = say(
            "Where {share:.0f} of 100 X-rayed children have pneumonia, the model cannot prove that most children with "
            "a film like this have it. {unaided}",
            share=share,
            unaided=UNAIDED,
        )
        return Conclusion("uncertain", why, similar)
    if count < 1:
        none = say(
            "Where {share:.0f} of 100 X-rayed children have pneumonia, fewer than 1 of 100 with a film like this have "
            "it.",
            share=share,
        )
        return Conclusion(answer, none, similar, "< 1")
    about = say(
        "Where {share:.0f} of 100 X-rayed children have pneumonia, about {count:.0f} of 100 with a film like this have "
        "it.",
        share=share,
        count=count,
    )
    return Conclusion(answer, about, similar, f"{count:.0f}")


@dataclass(frozen=True)
class WrongAnswers:
    """How often a model was wrong with either answer on the official test films.

    Attributes:
        sick: test films with pneumonia.
        called_unlikely: how many of them were called unlikely.
        well: test films without pneumonia.
        called_likely: how many of them were called likely.
    """

    sick: int
    called_unlikely: int
    well: int
    called_likely: int


def wrong_answers(card: ModelCard, folder: Path | None = None) -> WrongAnswers | None:
    """Count a model's wrong answers on the official test films; None where it was not measured on them."""
    try:
        table = store.read_predictions(card.name, "test", folder)
    except ModelError:
        return None
    probability, limits = table["probability"].to_numpy(float), card.as_thresholds()
    sick = (table["label"] == "PNEUMONIA").to_numpy()
    return WrongAnswers(
        int(sick.sum()),
        int((probability[sick] < limits.low).sum()),
        int((~sick).sum()),
        int((probability[~sick] >= limits.high).sum()),
    )


def next_steps(answer: Answer, wrong: WrongAnswers | None, zone: Sentence | None = None) -> tuple[Sentence, ...]:
    """Say what to do after an answer.

    Args:
        answer: as it is told.
        wrong: of the model that gave it.
        zone: what the zone of the lungs is called that the heat map points to; None where it points to none.
    """
    child = say("Treat the child, not the number.")
    if answer == "uncertain":
        return (
            say("Your own reading alone counts."),
            say("Where the child and the film do not agree, ask a colleague."),
            child,
        )
    steps = []
    if answer == "likely":
        again = say("Look again at the film, and behind the heart.")
        steps = [say("Look again at the film, at the {zone} zone first.", zone=zone) if zone else again]
        if wrong and wrong.well:
            steps.append(
                say(
                    "It may be a false alarm: of {films} test films without pneumonia, the model called {wrong} "
                    "likely.",
                    films=wrong.well,
                    wrong=wrong.called_likely,
                )
            )
        return (*steps, child)
    missed = say("This does not rule pneumonia out.")
    if wrong and wrong.sick:
        missed = say(
            "This does not rule pneumonia out: of {films} test films with it, the model called {wrong} unlikely.",
            films=wrong.sick,
            wrong=wrong.called_unlikely,
        )
    return (missed, say("Early pneumonia may not show: if the child gets worse, film again."), child)


def limits(card: ModelCard) -> Sentence:
    """Say whom a model learned from, so that its answers to others are taken with care."""
    others = card.training.get("hospitals", {}).get("learned_from", ())
    if set(others) - {HOME}:
        return say(
            "The model learned from films of children of one to five years at one hospital, and from films of "
            "{others}. Other ages, machines and diseases are unknown to it.",
            others=say_names(hospital_title(name) for name in sorted(others) if name != HOME),
        )
    return say(
        "The model learned from films of children of one to five years at one hospital. Other ages, machines and "
        "diseases are unknown to it."
    )
