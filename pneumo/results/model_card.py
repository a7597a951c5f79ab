"""A model's card for people, in the sections of Hugging Face's model cards (Mitchell et al. 2019), as Markdown."""

import re
from collections.abc import Iterable, Mapping

import pandas as pd

import pneumo
from pneumo.labels import SPLITS
from pneumo.model_store.card import CLASSIFICATION, ModelCard
from pneumo.results import card_figures, checklist, leaderboard, model_facts
from pneumo.results.checklist import Item
from pneumo.results.leaderboard import Measurement

_TASKS = {
    "classification": "tells pneumonia from normal films",
    "segmentation": "outlines the lungs on a film",
    "screening": "decides whether a picture is one that the models may judge",
    "pathogen": "says whether a film with pneumonia looks more like bacterial or viral pneumonia",
}
# What runs a network that is no classifier.
_COMMANDS = {
    "segmentation": "lungs films/ --out masks/",
    "screening": "check films/ --json",
    "pathogen": "evaluate pathogen --data data/chest_xray",
}
_TRAINING = (
    "Preparation of a film",
    "Recipe",
    "Augmentation",
    "Epochs",
    "Films",
    "Split rule",
    "Data fingerprint",
    "Rule",
    "Members",
    "Calibration",
    "Decision threshold",
    "Unlikely below",
    "Likely from",
)


def sections(card: ModelCard, measurements: Mapping[str, Measurement]) -> dict[str, str]:
    """Return the sections of a model's card, title → Markdown.

    Args:
        card: of the model.
        measurements: of a classifier, by split; none is read from its card.

    Raises:
        ModelError: if the card holds something else than it should.
    """
    facts = model_facts.card_facts(card)
    return {
        "Model details": _details(card, facts),
        "Uses": _uses(),
        "Bias, risks and limits": _limits(card, measurements),
        "How to start": _start(card),
        "Training": _listed({name: facts[name] for name in _TRAINING if name in facts}),
        "Evaluation": _evaluation(card, measurements),
        "Environmental impact": _environment(facts),
        "Citation": (
            "For the films, Kermany et al., *Cell* 2018, "
            "[doi:10.17632/rscbjbr9sj](https://doi.org/10.17632/rscbjbr9sj), CC BY 4.0. For the model, pneumo "
            f"{pneumo.__version__}, `{card.name}`, with the first digits of its "
            f"SHA-256: {card.sha256[:12]}."
        ),
    }


def markdown(card: ModelCard, parts: Mapping[str, str], listed: Iterable[Item]) -> str:
    """Return a whole card as one Markdown document.

    Args:
        card: of the model.
        parts: as `sections` returns them.
        listed: as `checklist.items` returns them.
    """
    lines = [f"# {card.title}", f"> {pneumo.DISCLAIMER}"]
    for title, text in parts.items():
        lines += [f"## {title}", text]
    listed = list(listed)
    for guideline in dict.fromkeys(each.guideline for each in listed):
        of_one = [each for each in listed if each.guideline == guideline]
        table = leaderboard.markdown_table(checklist.readable(of_one))
        lines += [f"## {guideline}", f"{checklist.summary(of_one)}.", table]
    return "\n\n".join(lines) + "\n"


def unbroken(text: str) -> str:
    """Return a text whose intervals no browser breaks in two: a narrow column is no place to end a line."""
    return re.sub(r"(?<=\d)–(?=\d)", "\u2060–\u2060", text)


def evaluation_table(measurements: Mapping[str, Measurement]) -> pd.DataFrame:
    """Return a model's figures for reading, a row a split that it was measured on, in the order of `labels.SPLITS`."""
    splits = [split for split in SPLITS if split in measurements]
    if not splits:
        return pd.DataFrame()
    numbers = pd.concat([leaderboard.table([measurements[split]]) for split in splits], ignore_index=True)
    shown = leaderboard.readable(numbers).drop(columns=["Model", "Parameters", "Size", "Test opened", "Stands for"])
    shown.insert(0, "Films", [f"{SPLITS[split].title} ({measurements[split].metrics.films:,})" for split in splits])
    return shown


def _details(card: ModelCard, facts: Mapping[str, str]) -> str:
    return _listed(
        {
            "What it does": _TASKS[card.task],
            "Kind": card.family,
            "Architecture": facts.get("Architecture", ""),
            "Weights": f"{card.parameters:,}; {card.size_bytes / 1e6:.1f} MB",
            "Started from": card.initial_weights,
            "Stands for the published system": card.seed_system or "none",
            "Official test split opened": model_facts.times(len(card.test_openings)),
            "Made by": f"pneumo {pneumo.__version__}, MIT licence",
            "SHA-256 of model.keras": card.sha256,
        }
    )


def _uses() -> str:
    return (
        "**Direct**: to study how such models behave, to compare them, and to learn how one is made and measured.\n\n"
        "**Out of scope**: the care of a patient; films of adults; side views; any disease but pneumonia; a decision "
        "without a clinician who reads the film."
    )


def _limits(card: ModelCard, measurements: Mapping[str, Measurement]) -> str:
    points = [
        "The films are of children of one to five years at one hospital. Machine, framing and film size differ between "
        "the classes there, and part of what the model knows may be that.",
        "Age, sex and ethnicity of the children are not in the data set, so nothing can be said of fairness.",
    ]
    if card.task == CLASSIFICATION:
        prevalence = card.as_calibration().prevalence
        points.append(
            f"Its probability holds where {100 * prevalence:.0f} % of the films show pneumonia, and has to be "
            "corrected elsewhere; the page At your clinic does."
        )
    if "external_nih" in measurements:
        auroc = measurements["external_nih"].metrics.auroc
        points.append(f"At another hospital, on films mostly of adults, its AUROC is {auroc}; 0.5 is chance.")
    return _bullets(points)


def _start(card: ModelCard) -> str:
    command = _COMMANDS.get(card.task, f"predict film.png --model {card.name}")
    # A page loads a highlighter for every language there is when it meets a block of code.
    return f"`python -m pneumo {command}`"


def _evaluation(card: ModelCard, measurements: Mapping[str, Measurement]) -> str:
    if card.task != CLASSIFICATION:
        return card_figures.table(card)
    table = evaluation_table(measurements)
    if table.empty:
        return f"Not measured yet. Run `python -m pneumo evaluate {card.name} --data DIR`."
    notes = _bullets(
        f"**{SPLITS[split].title}**: {SPLITS[split].description}" for split in SPLITS if split in measurements
    )
    return (
        f"{leaderboard.markdown_table(table)}\n\nIn brackets the 95 % interval: Wilson's for shares of films, a "
        f"bootstrap over patients for the rest.\n\n{notes}"
    )


def _environment(facts: Mapping[str, str]) -> str:
    known = {name: facts[name] for name in ("Training time", "Hardware", "Software") if name in facts}
    return _listed({**known, "Energy and carbon": "not measured"})


def _listed(facts: Mapping[str, str]) -> str:
    return _bullets(f"**{name}**: {text}" for name, text in facts.items() if text)


def _bullets(points: Iterable[str]) -> str:
    return "\n".join(f"- {point}" for point in points)
