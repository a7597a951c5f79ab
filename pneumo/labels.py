"""The names and meanings, for people, of the splits that models are measured on, of the figures, and of the answers."""

from dataclasses import dataclass

from pneumo.sentences import say


@dataclass(frozen=True)
class Split:
    """A split that models are measured on: its name and what it is, for people."""

    title: str
    description: str


@dataclass(frozen=True)
class Figure:
    """A figure of `metrics.Metrics`: its name and what it says, for people."""

    title: str
    meaning: str
    higher_is_better: bool = True


SPLITS = {
    "test": Split(
        "Official test",
        "The data set's own test films, of children who are in no other split, opened only after each model's "
        "configuration was frozen.",
    ),
    "val": Split(
        "Validation",
        "Films of children held out of the training data, in whole blocks of neighbouring patient numbers.",
    ),
    "val_shifted": Split(
        "Validation, shifted",
        "The validation films, cropped and exposed as another hospital might have done; models, epochs and "
        "thresholds are chosen here.",
    ),
    "val_hard": Split(
        "Validation, shifted hard",
        "The validation films, cropped, exposed and blurred as roughly as in training, in frames drawn alike for both "
        "classes; the ensemble is chosen here.",
    ),
    "val_evened": Split(
        "Frames evened",
        "The validation films, cropped and exposed as roughly as in training, in frames drawn alike for both classes "
        "and with all detail; the ensemble is calibrated here.",
    ),
    "val_reframed": Split(
        "Frames swapped",
        "The validation films, each cropped to the width and height of a film of the other class: what a model tells "
        "from the frame of a film it gets wrong here.",
    ),
    "val_lungs_only": Split(
        "Lungs only",
        "The validation films with all but the lungs made black: what a model still tells it reads in the lungs.",
    ),
    "val_without_lungs": Split(
        "Lungs hidden",
        "The validation films with the lungs made black: what a model still tells it does not read in the lungs, but "
        "from their outline, the rest of the film, or how it was taken.",
    ),
    "external_nih": Split(
        "Another hospital (NIH)",
        "Films of another country and mostly of adults (NIH ChestX-ray14): how far the models carry beyond the "
        "hospital and the ages that they were made for. No model was trained or tuned on them.",
    ),
    "external_nih_reliable": Split(
        "NIH, reliable labels",
        "Of the films of another hospital the normal ones, and those with pneumonia that a person marked or confirmed.",
    ),
    "external_nih_under18": Split(
        "NIH, under 18",
        "Of the films of another hospital those of patients under 18 years.",
    ),
}
FIGURES = {
    "auroc": Figure(
        "AUROC", "how often a film with pneumonia gets a higher probability than a normal one; 0.5 is chance"
    ),
    "accuracy": Figure("Accuracy", "the share of films called right"),
    "sensitivity": Figure("Sensitivity", "the share of films with pneumonia that are called pneumonia"),
    "specificity": Figure("Specificity", "the share of normal films that are called normal"),
    "precision": Figure("Precision", "the share of films called pneumonia that show it"),
    "f1": Figure("F1", "the harmonic mean of precision and sensitivity"),
    "auprc": Figure(
        "AUPRC", "precision averaged over all sensitivities; chance is the share of pneumonia in the split"
    ),
    "brier": Figure("Brier", "the mean squared error of the probability; lower is better", higher_is_better=False),
    "ece": Figure(
        "ECE", "how far probabilities lie from the shares that came true; lower is better", higher_is_better=False
    ),
}
ANSWER_WORDS = {
    "likely": say("Pneumonia likely"),
    "uncertain": say("Cannot say"),
    "unlikely": say("Pneumonia unlikely"),
}
# What stands in the place of an answer where there is none.
STATUS_WORDS = {"refused": say("Refused"), "error": say("Not readable")}
