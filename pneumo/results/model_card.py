"""A model's card for people, as Markdown, and what the reporting guidelines CLAIM 2024 and TRIPOD+AI ask of it.

The sections are those of Hugging Face's model cards (Mitchell et al. 2019).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import pneumo
from pneumo import labels
from pneumo.errors import PneumoError
from pneumo.evaluation.metrics import Confusion
from pneumo.labels import EXTERNAL_SPLIT
from pneumo.model_store import store
from pneumo.model_store.card import CLASSIFICATION, ModelCard
from pneumo.model_store.store import SELECTION_SPLIT
from pneumo.results import elsewhere, leaderboard, markdown_tables, model_facts, published
from pneumo.results.leaderboard import Measurement
from pneumo.sentences import Sentence, of_table, say, say_lines

_TASKS = {
    "classification": say("tells pneumonia from normal films"),
    "segmentation": say("outlines the lungs on a film"),
    "screening": say("decides whether a picture is one that the models may assess"),
    "pathogen": say("says whether a film with pneumonia looks more like bacterial or viral pneumonia"),
    "opacity": say("maps where a film is opaque, and tells how much of each lung is"),
}
# What runs a network that is no classifier.
_COMMANDS = {
    "segmentation": "lungs films/ --out masks/",
    "screening": "check films/ --json",
    "pathogen": "evaluate pathogen --data data/chest_xray",
    "opacity": "predict films/ --json --heatmap maps/",
}
_TRAINING = (
    say("Preparation of a film"),
    say("Recipe"),
    say("Augmentation"),
    say("Epochs"),
    say("Films"),
    say("Split rule"),
    say("Rule"),
    say("Members"),
    say("Calibration"),
    say("Decision threshold"),
    say("Unlikely below"),
    say("Likely from"),
)


# What a card writes between a file of weights and its hash.
_HASH = " (sha256 "
CHECKLIST = Path(__file__).with_name("checklist.csv")
COLUMNS = ["guideline", "item", "asks", "status", "needs", "reason"]
MET, IN_PART, NOT_MET, NOT_APPLICABLE = "met", "in part", "not met", "does not apply"
STATUSES = {
    MET: say("✓ met"),
    IN_PART: say("◐ in part"),
    NOT_MET: say("✗ not met"),
    NOT_APPLICABLE: say("– does not apply"),
}
Splits = set[str]


@dataclass(frozen=True)
class Need:
    """What an item needs of a model.

    Attributes:
        holds: whether a model with this card, measured on these splits, has it.
        otherwise: the status of the item for other models.
        reason: and why.
    """

    holds: Callable[[ModelCard, Splits], bool]
    otherwise: str
    reason: str


NEEDS = {
    "test": Need(
        lambda _, splits: "test" in splits, NOT_MET, say("the model was not measured on the official test split")
    ),
    "external": Need(
        lambda _, splits: any(map(labels.hospital_of, splits)),
        NOT_MET,
        say("the model was not measured at another hospital"),
    ),
    "shifted": Need(
        lambda _, splits: SELECTION_SPLIT in splits, NOT_MET, say("the model was not measured on altered films")
    ),
    "members": Need(lambda card, _: bool(card.members), NOT_APPLICABLE, say("the model is a single network")),
    "heat_map": Need(
        lambda card, _: bool(card.cam_layer or card.members),
        NOT_MET,
        say("there is no heat map for this kind of network"),
    ),
}


@dataclass(frozen=True)
class Item:
    """An item of a guideline: what it asks, its status for a model (a key of `STATUSES`), and where or why not."""

    guideline: str
    number: str
    asks: str
    status: str
    reason: str


def sections(card: ModelCard, measurements: Mapping[str, Measurement], folder: Path | None = None) -> dict[str, str]:
    """Return the sections of a model's card, title → Markdown; hashes come last.

    Args:
        card: of the model.
        measurements: of a classifier, by split; none is read from its card.
        folder: the folder of model folders.

    Raises:
        ModelError: if the card holds something else than it should.
    """
    facts = model_facts.card_facts(card)
    return {
        say("At a glance"): _glance(card, folder),
        say("Model details"): _details(card, facts),
        say("Uses"): _uses(),
        say("Bias, risks and limits"): _limits(card, measurements),
        say("How to start"): _start(card, folder),
        say("Training"): markdown_tables.named({name: facts[name] for name in _TRAINING if name in facts}),
        say("Evaluation"): _evaluation(card, measurements),
        say("Environmental impact"): _environment(facts),
        say("Citation"): say(
            "For the films, Kermany et al., *Cell* 2018, [doi:10.17632/rscbjbr9sj]({link}), CC BY 4.0. For the model, "
            "pneumo {version}, `{name}`, with the first digits of its SHA-256: {digits}.",
            link="https://doi.org/10.17632/rscbjbr9sj",
            version=pneumo.__version__,
            name=card.name,
            digits=card.sha256[:12],
        ),
        say("Hashes"): markdown_tables.named(
            {
                say("model.keras (SHA-256)"): card.sha256,
                say("Films (fingerprint)"): card.training.get("data_fingerprint", ""),
                say("Started from"): card.initial_weights if _HASH in card.initial_weights else "",
            }
        ),
    }


def commands(card: ModelCard, folder: Path | None = None) -> dict[str, str]:
    """Return the commands that use a model, make it, measure it, and compare it, by what they do."""
    used = _COMMANDS.get(card.task, f"predict film.png --model {card.name}")
    made = _training(card.name, card.training if not card.members else {})
    if card.architecture == "cnn_search":
        made = "search --data data/chest_xray"
    elif "imagenet" in card.initial_weights.lower():
        made += " --weights imagenet"
    shipped = store.names(folder)
    parts = [_training(each["name"], each["training"]) for each in card.members if each["name"] not in shipped]
    made = " && python -m pneumo ".join([*parts, made])
    found = {
        say("Use"): used,
        say("Make"): made,
        say("Measure"): f"evaluate {card.name} --data data/chest_xray --split test",
    }
    others = [each.name for each in store.catalogue(folder).cards if each.name != card.name]
    if card.task == CLASSIFICATION and others:
        found[say("Compare")] = f"compare {card.name} {others[0]}"
    return {title: f"python -m pneumo {command}" for title, command in found.items()}


def _training(name: str, training: Mapping[str, Any]) -> str:
    elsewhere = " --hospitals data/hospitals" if "hospitals" in training else ""
    return f"train {name} --data data/chest_xray{elsewhere}"


def matrix_text(cells: Confusion) -> Sentence:
    """Say in words what a confusion matrix counts."""
    return say(
        "Of {sick:,} films with pneumonia it finds {found:,} and misses {missed:,}; of {well:,} normal films it calls "
        "{cleared:,} normal and raises {alarms:,} false alarms.",
        sick=cells.sick,
        found=cells.true_positive,
        missed=cells.false_negative,
        well=cells.well,
        cleared=cells.true_negative,
        alarms=cells.false_positive,
    )


def rates_text(cells: Confusion) -> Sentence:
    """Say what sensitivity and specificity are, with those of a confusion matrix."""
    return say(
        "Sensitivity, {sensitivity}: the share of the films with pneumonia that it finds. Specificity, {specificity}: "
        "the share of the normal films that it calls normal.",
        sensitivity=cells.sensitivity.percent,
        specificity=cells.specificity.percent,
    )


def markdown(card: ModelCard, parts: Mapping[str, str], listed: Iterable[Item]) -> str:
    """Return a whole card as one Markdown document.

    Args:
        card: of the model.
        parts: as `sections` returns them.
        listed: as `checklist` returns them.
    """
    lines = [f"# {card.title}", f"> {pneumo.DISCLAIMER}"]
    for title, text in parts.items():
        lines += [f"## {title}", text]
    listed = list(listed)
    for guideline in dict.fromkeys(each.guideline for each in listed):
        of_one = [each for each in listed if each.guideline == guideline]
        table = markdown_tables.table(readable_checklist(of_one))
        lines += [f"## {guideline}", f"{checklist_summary(of_one)}.", table]
    return "\n\n".join(lines) + "\n"


def checklist(card: ModelCard, folder: Path | None = None, path: Path = CHECKLIST) -> list[Item]:
    """Return the items of CLAIM 2024 and TRIPOD+AI with their status for a model, in the order of the guidelines.

    Tejani et al. 2024, Radiology: Artificial Intelligence 6:e240300; Collins et al. 2024, BMJ 385:e078378. The numbers
    are theirs; the words are ours.

    Raises:
        PneumoError: if the list is missing or damaged.
    """
    splits = set(store.measured_splits(card.name, folder))
    return [_item(row, card, splits, path) for row in published.shipped_rows(path, COLUMNS)]


def readable_checklist(listed: list[Item]) -> pd.DataFrame:
    """Return items for reading: ``Item, Asks, Status, Where, or why not``."""
    return pd.DataFrame(
        {
            say("Item"): [each.number for each in listed],
            say("Asks"): [each.asks for each in listed],
            say("Status"): [STATUSES[each.status] for each in listed],
            say("Where, or why not"): [each.reason for each in listed],
        }
    )


def checklist_summary(listed: list[Item]) -> Sentence:
    """Return how many items have which status, as in ``30 of 44 met, 8 in part, 4 not met, 2 do not apply``."""
    counts = {status: sum(each.status == status for each in listed) for status in STATUSES}
    return say(
        "{met} of {all} met, {in_part} in part, {not_met} not met, {beside} not applicable",
        met=counts[MET],
        all=len(listed),
        in_part=counts[IN_PART],
        not_met=counts[NOT_MET],
        beside=counts[NOT_APPLICABLE],
    )


def evaluation_table(measurements: Mapping[str, Measurement]) -> pd.DataFrame:
    """Return a model's figures for reading, a row a split, as `labels.in_groups` orders them."""
    splits = labels.in_groups(measurements)
    if not splits:
        return pd.DataFrame()
    numbers = pd.concat([leaderboard.table([measurements[split]]) for split in splits], ignore_index=True)
    shown = leaderboard.readable(numbers).drop(columns=["Model", "Parameters", "Size", "Test opened", "Stands for"])
    shown.insert(
        0,
        say("Films"),
        pd.Series(
            [
                say(
                    "{splits} ({films:,})",
                    splits=labels.split_of(split).title,
                    films=measurements[split].metrics.films,
                )
                for split in splits
            ],
            dtype=object,
        ),
    )
    return shown


def evaluation_notes(measurements: Mapping[str, Measurement]) -> Sentence:
    """Say, as Markdown, how to read the `evaluation_table` and what its films are."""
    intervals = say(
        "In brackets the 95 % interval: Wilson's for shares of films, a bootstrap over patients for the rest."
    )
    splits = [labels.split_of(split) for split in labels.in_groups(measurements)]
    return say_lines([intervals, "", markdown_tables.named({split.title: split.description for split in splits})])


def _glance(card: ModelCard, folder: Path | None) -> Sentence:
    points: dict[str, str] = {
        say("What for"): say(
            "It {task}, frontal films of children of one to five years. For study alone.", task=_TASKS[card.task]
        )
    }
    if card.task == CLASSIFICATION:
        own, others = elsewhere.at_home(card, folder), elsewhere.at_others(card, folder)
        if own:
            given = leaderboard.decided(card, own.splits[0], folder)
            points[say("How good")] = say(
                "At its own hospital ({split}, {films:,} films) it finds {found} of 100 pneumonias and raises {alarms} "
                "false alarms per 100 normal films. With three answers it says “cannot say” of {unsure} films in 100.",
                split=labels.in_sentence(own.splits[0]),
                films=own.films,
                found=own.cells.sensitivity.of_100,
                alarms=own.cells.alarms.of_100,
                unsure=100 - given.coverage.of_100,
            )
        points[say("Elsewhere")] = say("Not measured at another hospital.")
        if others:
            points[say("Elsewhere")] = say(
                "At other hospitals ({hospitals}, {films:,} films) it finds {found} of 100, with {alarms} false alarms "
                "per 100.",
                hospitals=others.hospitals,
                films=others.films,
                found=others.cells.sensitivity.of_100,
                alarms=others.cells.alarms.of_100,
            )
    points[say("Not for")] = say(
        "The care of a patient; adults; side views; any disease but pneumonia; another hospital's films before it was "
        "measured on them."
    )
    return markdown_tables.named(points)


def _details(card: ModelCard, facts: Mapping[str, str]) -> Sentence:
    return markdown_tables.named(
        {
            say("What it does"): _TASKS[card.task],
            say("Kind"): card.family,
            say("Architecture"): facts.get("Architecture", ""),
            say("Weights"): say(
                "{parameters:,}; {size:.1f} MB", parameters=card.parameters, size=card.size_bytes / 1e6
            ),
            say("Started from"): card.initial_weights.split(_HASH)[0],
            say("Stands for the published system"): card.seed_system or "–",
            say("Official test split opened"): model_facts.times(len(card.test_openings)),
            say("Made by"): say("pneumo {version}, MIT licence", version=pneumo.__version__),
        }
    )


def _uses() -> Sentence:
    return markdown_tables.named(
        {
            say("Direct"): say(
                "to study how such models behave, to compare them, and to learn how one is made and measured."
            ),
            say("Out of scope"): say(
                "the care of a patient; films of adults; side views; any disease but pneumonia; a decision without a "
                "clinician who reads the film."
            ),
        }
    )


def _limits(card: ModelCard, measurements: Mapping[str, Measurement]) -> Sentence:
    points = [
        say(
            "The films are of children of one to five years at one hospital. Machine, framing and film size differ "
            "between the classes there, and part of what the model knows may be that."
        ),
        say("Age, sex and ethnicity of the children are not in the dataset, so nothing can be said of fairness."),
    ]
    if card.task == CLASSIFICATION:
        points.append(
            say(
                "Its probability holds where {share:.0f} % of the films show pneumonia, and has to be corrected "
                "elsewhere; the page At your clinic does.",
                share=100 * card.as_calibration().prevalence,
            )
        )
    if EXTERNAL_SPLIT in measurements:
        points.append(
            say(
                "At another hospital, on films mostly of adults, its AUROC is {auroc}; 0.5 is chance.",
                auroc=str(measurements[EXTERNAL_SPLIT].metrics.auroc),
            )
        )
    return markdown_tables.bullets(points)


def _start(card: ModelCard, folder: Path | None) -> Sentence:
    # A page loads a highlighter for every language there is when it meets a block of code.
    return markdown_tables.named({title: f"`{command}`" for title, command in commands(card, folder).items()})


def _evaluation(card: ModelCard, measurements: Mapping[str, Measurement]) -> Sentence:
    if card.task != CLASSIFICATION:
        return model_facts.table(card)
    table = evaluation_table(measurements)
    if table.empty:
        return say("Not measured yet. Run `python -m pneumo evaluate {name} --data DIR`.", name=card.name)
    return say_lines([markdown_tables.table(table), "", evaluation_notes(measurements)])


def _environment(facts: Mapping[str, str]) -> Sentence:
    known = {name: facts[name] for name in ("Training time", "Hardware", "Software") if name in facts}
    return markdown_tables.named(
        {**{of_table(name): text for name, text in known.items()}, say("Energy and carbon"): say("not measured")}
    )


def _item(row: dict, card: ModelCard, splits: Splits, path: Path) -> Item:
    status, reason, needs = row["status"], row["reason"], row["needs"]
    if status not in STATUSES or (needs and needs not in NEEDS) or not reason:
        raise PneumoError(
            "{name}, {guideline} {item}: no such status '{status}' or need '{needs}', or no reason.",
            name=path.name,
            guideline=row["guideline"],
            item=row["item"],
            status=status,
            needs=needs,
        )
    if needs and not NEEDS[needs].holds(card, splits):
        status, reason = NEEDS[needs].otherwise, NEEDS[needs].reason
    return Item(row["guideline"], row["item"], row["asks"], status, reason)
