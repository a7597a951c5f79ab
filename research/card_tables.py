"""Every table of README.md, MODEL_CARD.md and docs/figures.md, by its name.

``python -m research.card_tables`` prints them all, with names behind it those alone, and with ``--write`` puts them
between their markers in the documents, in seconds. Figures come from the cards of the shipped models, of which
tests/shipped/test_shipped.py proves that they are what the predictions give; what no card holds is computed from the
predictions.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from pneumo.cli.output import reports_errors, say
from pneumo.evaluation.intervals import Estimate
from pneumo.evaluation.metrics import Confusion, Metrics
from pneumo.explanation import agreement as explanation_table
from pneumo.inference import opacity
from pneumo.inference.opacity import BOXED_SPLIT as BOXED
from pneumo.inference.opacity import DRAWN_SPLIT as DRAWN
from pneumo.labels import FIGURES
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.model_store.store import SELECTION_SPLIT, SHIPPED
from pneumo.results import (
    comparison,
    curves,
    leaderboard,
    markdown_tables,
    model_facts,
    published,
    three_classes,
)
from pneumo.results.leaderboard import Measurement
from research import ablation, model_steps, site_calibration, split_agreement
from research.heat_maps import benchmark

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "MODEL_CARD.md", "docs/figures.md")
TABLE = re.compile(r"(<!-- table: ([\w-]+) -->\n)(.*?)(\n<!-- end of table -->)", re.DOTALL)

DEFAULT, ENSEMBLE = "everywhere", "ensemble"
# The best single network at home that learned from no other hospital.
HOME_ALONE = "mobilenetv2"
# From the first baseline to the best model.
STEPS = (
    "dense",
    "cnn",
    "cnn_deep",
    "cnn_search",
    "vgg19",
    HOME_ALONE,
    "mobilenetv2_lungs",
    "resnet50v2",
    DEFAULT,
    ENSEMBLE,
)
# The models that stand for published systems.
SEED_SYSTEMS = ("dense", "cnn", "cnn_deep", "cnn_search", "vgg19", "resnet50v2")
# Of the opacity map: words, split and figure of its card, and what it is called among the heat maps of `HOME_ALONE`;
# the boxes there are fewer and not comparable.
SEVERITY = (
    ("Opaque share, rank correlation with the drawn one", DRAWN, "rank_correlation", "opacities", "extent_correlation"),
    ("Opaque share, mean absolute error", DRAWN, "share_error", "", ""),
    ("Grade, kappa with linear weights", DRAWN, "grade_agreement", "", ""),
    ("Hottest place inside the drawn opacity", DRAWN, "hottest_in_opacity", "opacities", "pointing"),
    ("Share of the map inside the drawn opacity", DRAWN, "heat_in_opacity", "opacities", "energy"),
    ("Overlap (IoU) with the drawn opacity", DRAWN, "iou", "opacities", "iou"),
    ("Hottest place inside a box (NIH)", BOXED, "hottest_in_opacity", "", ""),
    ("Share of the map inside the lungs, official test films", "test", "heat_in_lungs", "lungs", "energy"),
)
LEADERBOARDS = (
    "test",
    "val",
    "val_shifted",
    "val_hard",
    "val_evened",
    "val_reframed",
    "val_lungs_only",
    "val_without_lungs",
    "val_surroundings_only",
    "hospital_external_nih",
    "hospital_external_nih_normal",
    "hospital_shenzhen",
    "hospital_jsrt",
    "hospital_jsrt_normal",
    "external_nih",
    "external_nih_reliable",
    "external_nih_under18",
)
# Where the first screen of the model card says how good the models are.
HOME_AND_AWAY = {
    "test": "Guangzhou, children: {films} test films",
    "hospital_external_nih": "NIH, mostly adults: {films} films that radiologists read",
    "hospital_external_nih_normal": "of these the {films} with an opacity or normal",
    "hospital_shenzhen": "Shenzhen, adults: {films} films, tuberculosis or normal",
    "hospital_jsrt": "JSRT, adults: {films} films without opacity, nodules among them",
}


def measurement(card: ModelCard, split: str, label: str | None = None) -> Measurement:
    """Return what a card says of its model on a split, as `leaderboard.measure` computes it from the predictions."""
    figures = card.metrics[split]
    return Measurement(
        label or card.title,
        card,
        Metrics(
            **{key: _estimate(figures[key]) for key in FIGURES},
            confusion=Confusion(**figures["confusion"]),
            threshold=figures["threshold"],
            films=figures["films"],
            patients=figures["patients"],
        ),
    )


def home_and_away() -> str:
    """Return how good models are at the hospital of the training films and elsewhere.

    They are the model by default, the ensemble, and the best one that learned from no other hospital.
    """
    rows = []
    for name in (DEFAULT, ENSEMBLE, HOME_ALONE):
        card = store.read_card(name, SHIPPED)
        for split, films in HOME_AND_AWAY.items():
            metrics = measurement(card, split).metrics
            given = leaderboard.decided(card, split, SHIPPED)
            figures = (metrics.auroc, metrics.sensitivity, metrics.specificity, given.coverage, given.error)
            shown = [str(each) if np.isfinite(each.value) else "–" for each in figures]
            rows.append((f"`{name}`", films.format(films=metrics.films), *shown))
    head = ["Model", "Films", "AUROC", "Sensitivity", "Specificity", "Answered", "Wrong answers"]
    return markdown_tables.table(pd.DataFrame(rows, columns=head))


def leaderboard_of(split: str) -> str:
    """Return the leaderboard of a split."""
    cards = store.catalogue(SHIPPED).cards
    names = model_facts.labels(cards)
    measured = [measurement(card, split, names[card.name]) for card in cards if split in card.metrics]
    shown = leaderboard.readable(leaderboard.table(measured))
    return markdown_tables.table(shown.drop(columns=["Precision", "AUPRC", "Stands for"]))


def answers() -> str:
    """Return how many films of the official test split get each answer of the model by default."""
    return markdown_tables.table(leaderboard.answers(store.read_card(DEFAULT, SHIPPED), "test", SHIPPED))


def decided() -> str:
    """Return how many films each model decides on, and how many of those it gets wrong."""
    cards = store.catalogue(SHIPPED).cards
    shown = pd.DataFrame({"Model": model_facts.labels(cards).values()})
    for split, title in ((SELECTION_SPLIT, "shifted validation"), ("test", "test")):
        measured = [leaderboard.decided(card, split, SHIPPED) for card in cards]
        shown[f"Decided, {title}"] = [str(each.coverage) for each in measured]
        shown[f"Wrong, {title}"] = [str(each.error) for each in measured]
    return markdown_tables.table(shown)


def classes() -> str:
    """Return how many films of each kind are called normal, bacterial and viral, and the share that is called right."""
    called = three_classes.calls(store.read_card(DEFAULT, SHIPPED), "test", SHIPPED)
    counted = three_classes.matrix(called).rename(columns=lambda each: f"Called {each[0].lower()}{each[1:]}")
    shown = markdown_tables.table(counted.rename_axis("Films").reset_index())
    return f"{shown}\n\nOf {len(called)} films the share called right is {three_classes.accuracy(called)}."


def severity() -> str:
    """Return what the opacity map is worth beside Grad-CAM and a blob in the middle of the film."""
    told = store.read_card(opacity.NAME, SHIPPED).metrics
    rows = []
    for words, split, figure, part, same in SEVERITY:
        others = (explanation_table.figure(HOME_ALONE, part, method, same, SHIPPED) for method in ("gradcam", "centre"))
        rows.append((words, str(Estimate(**told[split][figure])), *(str(other or "–") for other in others)))
    columns = ["Figure", "Opacity map", f"Grad-CAM of `{HOME_ALONE}`", "Centre of the film"]
    return markdown_tables.table(pd.DataFrame(rows, columns=columns))


def figures(name: str) -> str:
    """Return all figures of a model."""
    return model_facts.table(store.read_card(name, SHIPPED))


TABLES: dict[str, Callable[[], str]] = {
    "home-and-away": home_and_away,
    **{f"leaderboard-{split}": partial(leaderboard_of, split) for split in LEADERBOARDS},
    "answers": answers,
    "decided": decided,
    "operating-points": partial(curves.markdown, "test", SHIPPED),
    "comparison": partial(comparison.markdown, DEFAULT, SEED_SYSTEMS, "test", SHIPPED),
    "published": lambda: markdown_tables.table(published.readable(published.load())),
    **{f"figures-{name}": partial(figures, name) for name in ("pathogen", "opacity", "lungs", "gate")},
    "three-classes": classes,
    "severity": severity,
    "heat-maps": lambda: benchmark.markdown(explanation_table.read(DEFAULT, SHIPPED)),
    "heat-maps-home": lambda: benchmark.markdown(explanation_table.read(HOME_ALONE, SHIPPED)),
    "model-steps": partial(model_steps.markdown, STEPS, SHIPPED),
    "ablation": lambda: ablation.markdown(ablation.read(ROOT / ablation.FILE)),
    "split-agreement": partial(split_agreement.markdown, SHIPPED),
    "site-calibration": partial(site_calibration.markdown, (DEFAULT,), (), SHIPPED),
}


@cache
def table(name: str) -> str:
    """Return a table in Markdown.

    Args:
        name: key of `TABLES`.

    Raises:
        ValueError: if there is no such table.
        PneumoError: if a model lacks what it shows.
    """
    if name not in TABLES:
        raise ValueError(f"There is no table {name!r}. Choose among: {', '.join(TABLES)}.")
    return TABLES[name]()


def tables_in(text: str) -> dict[str, str]:
    """Return the tables of a document as they stand there, by name."""
    return {name: shown for _, name, shown, _ in TABLE.findall(text)}


def filled(text: str, names: list[str]) -> str:
    """Return a document with the tables of these names as they should be."""
    return TABLE.sub(
        lambda found: f"{found[1]}{table(found[2])}{found[4]}" if found[2] in names else found[0],
        text,
    )


def _estimate(figure: Mapping[str, Any]) -> Estimate:
    return Estimate(*(np.nan if figure[end] is None else figure[end] for end in ("value", "low", "high")))


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
@reports_errors
def card_tables(
    names: Annotated[list[str] | None, typer.Argument(help="Tables; all if left out.", metavar="[NAME]...")] = None,
    write: Annotated[bool, typer.Option("--write", help="Put them into the documents, between their markers.")] = False,
) -> None:
    """Print the tables of README.md, MODEL_CARD.md and docs/figures.md, or write them there."""
    wanted = names or list(TABLES)
    if not write:
        print("\n\n".join(f"<!-- table: {name} -->\n{table(name)}\n<!-- end of table -->" for name in wanted))
        return
    for name in wanted:
        table(name)
    for document in DOCUMENTS:
        path = ROOT / document
        before = path.read_text("utf-8")
        if (after := filled(before, wanted)) != before:
            path.write_text(after, "utf-8")
            say(f"Wrote {document}.")


if __name__ == "__main__":
    app(prog_name="python -m research.card_tables")
