"""Names and meanings, for people, of classes, kinds of film, answers, calls, splits and figures: each in one table."""

from collections.abc import Collection
from dataclasses import dataclass

from pneumo.sentences import say


@dataclass(frozen=True)
class Split:
    """Films that models are measured on.

    Attributes:
        title: for people.
        description: what they are, for people.
        group: one of `GROUPS`.
        higher_is_better: False where a good model has nothing to go by.
    """

    title: str
    description: str
    group: str
    higher_is_better: bool = True


@dataclass(frozen=True)
class Figure:
    """A figure of `metrics.Metrics`: its name and what it says, for people."""

    title: str
    meaning: str
    higher_is_better: bool = True


CLASSES: dict[str, str] = {"NORMAL": say("Normal"), "PNEUMONIA": say("Pneumonia")}
# By label and pathogen, as the tables of films and of predictions have them.
KINDS: dict[tuple[str, str], str] = {
    ("NORMAL", ""): say("Normal"),
    ("PNEUMONIA", "bacteria"): say("Bacterial pneumonia"),
    ("PNEUMONIA", "virus"): say("Viral pneumonia"),
    ("PNEUMONIA", ""): say("Pneumonia, cause not named"),
}
# The same as they stand within a sentence.
KIND_WORDS = {
    "Normal": say("normal"),
    "Pneumonia": say("pneumonia"),
    "Bacterial pneumonia": say("bacterial pneumonia"),
    "Viral pneumonia": say("viral pneumonia"),
    "Pneumonia, cause not named": say("pneumonia, cause not named"),
}
# The three answers, surest of pneumonia first, and what stands in their place where there is none.
ANSWER_WORDS = {
    "likely": say("Pneumonia likely"),
    "uncertain": say("Cannot say"),
    "unlikely": say("Pneumonia unlikely"),
}
STATUS_WORDS = {"refused": say("Refused"), "error": say("Not readable")}
# A call at the decision threshold, beside the label.
MISSED, FALSE_ALARM, RIGHT = say("Missed pneumonia"), say("False alarm"), say("Called right")
CALLS = (MISSED, FALSE_ALARM, RIGHT)

# The folders of the dataset. Models are trained and validated on films of the first two, divided anew.
OFFICIAL_SPLITS: dict[str, str] = {"train": say("Training"), "val": say("Validation"), "test": say("Test")}
# The films of another hospital.
EXTERNAL_SPLIT = "external_nih"
SAME, ALTERED, ELSEWHERE, NO_FILMS = (
    say("Same hospital"),
    say("Altered films"),
    say("Other hospitals"),
    say("Other pictures"),
)
GROUPS = (SAME, ALTERED, ELSEWHERE, NO_FILMS)
SPLITS = {
    "test": Split(
        say("Official test split"),
        say(
            "The dataset's own test films, of children who are in no other split, opened only after "
            "each model's configuration was frozen."
        ),
        SAME,
    ),
    "val": Split(
        say("Validation"),
        say("Films of children held out of the training data, in whole blocks of neighbouring patient numbers."),
        SAME,
    ),
    "val_shifted": Split(
        say("Cropped and exposed anew"),
        say(
            "The validation films, cropped and exposed as another hospital might have done; models, "
            "epochs and thresholds are chosen here."
        ),
        ALTERED,
    ),
    "val_hard": Split(
        say("Cropped, exposed and blurred"),
        say(
            "The validation films, cropped, exposed and blurred about as in training, at aspect "
            "ratios drawn alike for both classes; the ensemble is chosen here."
        ),
        ALTERED,
    ),
    "val_evened": Split(
        say("Width to height at random"),
        say(
            "The validation films, cropped and exposed about as in training, at aspect ratios drawn "
            "alike for both classes and with all detail; the ensemble is calibrated here."
        ),
        ALTERED,
    ),
    "val_reframed": Split(
        say("Width to height of the other class"),
        say(
            "The validation films, each cropped to the aspect ratio of a film of the other class: a "
            "model that reads the aspect ratio is wrong here."
        ),
        ALTERED,
    ),
    "val_lungs_only": Split(
        say("Lungs alone"),
        say(
            "The validation films with all but the lungs made black: what a model can still tell, it "
            "reads in the lungs."
        ),
        ALTERED,
    ),
    "val_without_lungs": Split(
        say("Lungs hidden"),
        say(
            "The validation films with the lungs made black. A test to lose: what a model can still "
            "tell, it does not read in the lungs, but from their outline, the rest of the film, or "
            "how it was taken."
        ),
        ALTERED,
        higher_is_better=False,
    ),
    "val_surroundings_only": Split(
        say("Lungs behind a grey box"),
        say(
            "The validation films with their lungs behind one grey rectangle, the same for all. A "
            "test to lose: what a model can still tell, it does not read in the lungs."
        ),
        ALTERED,
        higher_is_better=False,
    ),
    "external_nih_reliable": Split(
        say("NIH, pneumonia seen by a person"),
        say(
            "Of the films of another hospital the normal ones, and those with pneumonia that a "
            "person marked or confirmed."
        ),
        ELSEWHERE,
    ),
    EXTERNAL_SPLIT: Split(
        say("NIH, labels by software"),
        say(
            "Films of another country and mostly of adults (NIH ChestX-ray14), labelled by software "
            "that read the reports: how far the models carry beyond the hospital and the ages that "
            "they were made for. No model that is measured here was trained or tuned on them."
        ),
        ELSEWHERE,
    ),
    "external_nih_under18": Split(
        say("NIH, under 18 years"),
        say("Of the films of another hospital those of patients under 18 years."),
        ELSEWHERE,
    ),
    "opacity_masks": Split(
        say("Adults of many hospitals"),
        say("Films of adults, most of them with COVID-19, each with a lung mask."),
        ELSEWHERE,
    ),
    "opacity_boxes": Split(
        say("NIH, boxes"),
        say("Films of another hospital on which radiologists drew boxes around opacities."),
        ELSEWHERE,
    ),
    "out_of_distribution": Split(
        say("No frontal chest films"),
        say("Radiographs of other parts of the body, and other pictures: the gate should refuse them."),
        NO_FILMS,
    ),
}
_HOSPITAL, _NORMAL = "hospital_", "_normal"
_LONGEST_INITIALS = 4


def hospital_split(hospital: str) -> str:
    """Return the name of the split of a hospital's films that a person read."""
    return f"{_HOSPITAL}{hospital}"


def is_hospital_split(name: str) -> bool:
    """Tell whether a name is one of `hospital_split`."""
    return name.startswith(_HOSPITAL) and not name.endswith(_NORMAL)


def without_other_disease(split: str) -> str:
    """Return the name of the part of a `hospital_split` whose films without an opacity show no other disease either."""
    return f"{split}{_NORMAL}"


def hospital_of(name: str) -> str:
    """Return the hospital of a split of other hospitals, as its folder is called; empty for other splits."""
    if name.startswith(_HOSPITAL):
        return name.removeprefix(_HOSPITAL).removesuffix(_NORMAL)
    return EXTERNAL_SPLIT if name.startswith(EXTERNAL_SPLIT) else ""


def hospital_title(name: str) -> str:
    """Return the name for people of a hospital, given as its folder is called: short names are initials."""
    name = name.removeprefix("external_")
    return name.upper() if len(name) <= _LONGEST_INITIALS else name.capitalize()


def in_groups(names: Collection[str]) -> list[str]:
    """Return the splits among some names in the order of `GROUPS`, those that a person read at a hospital first."""
    read = sorted(name for name in names if name.startswith(_HOSPITAL))
    known = [*read, *(name for name in SPLITS if name in names)]
    return sorted(known, key=lambda name: GROUPS.index(split_of(name).group))


def split_of(name: str) -> Split:
    """Return a split's title and description, also of one of `hospital_split`.

    Raises:
        KeyError: if there is no such split.
    """
    if not name.startswith(_HOSPITAL):
        return SPLITS[name]
    hospital = hospital_title(hospital_of(name))
    if not is_hospital_split(name):
        return Split(
            say("{hospital}, opacity or normal", hospital=hospital),
            say(
                "Of the films of {hospital} that a person read those with an opacity, and those called "
                "normal: films that show another disease and no opacity are left out.",
                hospital=hospital,
            ),
            ELSEWHERE,
        )
    return Split(
        say("{hospital}, read by a person", hospital=hospital),
        say(
            "The films of {hospital} that a person read, with an opacity or without. A model that "
            "learned from that hospital has the figures of a run here that left it out.",
            hospital=hospital,
        ),
        ELSEWHERE,
    )


def in_sentence(name: str) -> str:
    """Return a split's title as it stands within a sentence, with its group where that must be told."""
    split = split_of(name)
    return say("validation films ({films})", films=split.title) if split.group == ALTERED else split.title


FIGURES = {
    "auroc": Figure(
        say("AUROC"), say("how often a film with pneumonia gets a higher probability than a normal one; 0.5 is chance")
    ),
    "accuracy": Figure(say("Accuracy"), say("the share of films called right")),
    "sensitivity": Figure(say("Sensitivity"), say("the share of films with pneumonia that are called pneumonia")),
    "specificity": Figure(say("Specificity"), say("the share of normal films that are called normal")),
    "precision": Figure(say("Precision"), say("the share of films called pneumonia that show it")),
    "f1": Figure("F1", say("the harmonic mean of precision and sensitivity")),
    "auprc": Figure(
        say("AUPRC"), say("precision averaged over all sensitivities; chance is the share of pneumonia in the split")
    ),
    "brier": Figure(
        say("Brier"), say("the mean squared error of the probability; lower is better"), higher_is_better=False
    ),
    "ece": Figure(
        say("ECE"),
        say("how far probabilities lie from the shares that came true; lower is better"),
        higher_is_better=False,
    ),
}
