"""The figures in the documents are those that the predictions give."""

import re
from pathlib import Path

import pytest

from pneumo import __version__
from pneumo.datasets import kaggle
from pneumo.explanation.table import read
from pneumo.model_store import store
from pneumo.results import comparison, curves, leaderboard, model_facts, published, three_classes
from research import model_steps
from research.heat_maps import benchmark

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"<!-- figures: (\w+) -->\n(.*?)\n<!-- end of figures -->", re.DOTALL)

ALL_FIGURES = re.compile(r"<!-- all figures: (\w+) -->\n(.*?)\n<!-- end of figures -->", re.DOTALL)
ANSWERS = re.compile(r"<!-- answers: (\w+) (\w+) -->\n(.*?)\n<!-- end of answers -->", re.DOTALL)
COMPARISON = re.compile(r"<!-- comparison: ([\w ]+) -->\n(.*?)\n<!-- end of comparison -->", re.DOTALL)
LADDER = re.compile(r"<!-- ladder: ([\w ]+) -->\n(.*?)\n<!-- end of ladder -->", re.DOTALL)
DECIDED = re.compile(r"<!-- decided -->\n(.*?)\n<!-- end of decided -->", re.DOTALL)
POINTS = re.compile(r"<!-- operating points: (\w+) -->\n(.*?)\n<!-- end of operating points -->", re.DOTALL)
THREE_CLASSES = re.compile(r"<!-- three classes: (\w+) (\w+) -->\n(.*?)\n<!-- end of three classes -->", re.DOTALL)
HEAT_MAPS = re.compile(r"<!-- heat maps: (\w+) -->\n(.*?)\n<!-- end of heat maps -->", re.DOTALL)
ABLATION = re.compile(r"<!-- ablation -->\n(.*?)\n<!-- end of ablation -->", re.DOTALL)
PUBLISHED = re.compile(r"<!-- published -->\n(.*?)\n<!-- end of published -->", re.DOTALL)


@pytest.mark.parametrize("document", ["README.md", "MODEL_CARD.md"])
def test_the_tables_of_figures_are_what_the_predictions_give(document):
    blocks = BLOCK.findall((ROOT / document).read_text("utf-8"))

    assert blocks
    for split, table in blocks:
        assert table == leaderboard.markdown(split), f"run `python -m pneumo models --markdown --split {split}`"


def test_the_tables_of_answers_are_what_the_predictions_give():
    blocks = ANSWERS.findall((ROOT / "MODEL_CARD.md").read_text("utf-8"))

    assert blocks
    for name, split, table in blocks:
        assert table == leaderboard.answers_markdown(name, split)


def test_the_comparison_with_the_published_systems_is_what_the_predictions_give():
    [(names, table)] = COMPARISON.findall((ROOT / "MODEL_CARD.md").read_text("utf-8"))
    first, *seconds = names.split()

    assert {card.name for card in store.catalogue().cards if card.seed_system} <= set(seconds)
    assert table == comparison.markdown(first, seconds), f"run `python -m pneumo compare {names} --markdown`"


def test_the_steps_to_the_best_model_are_what_the_predictions_give():
    [(names, table)] = LADDER.findall((ROOT / "MODEL_CARD.md").read_text("utf-8"))

    assert {card.name for card in store.catalogue().cards} == set(names.split())
    assert table == model_steps.markdown(names.split()), f"run `python -m pneumo.ladder {names}`"


def test_the_ingredients_are_what_their_runs_gave():
    from research.ablation import ablation

    [table] = ABLATION.findall((ROOT / "MODEL_CARD.md").read_text("utf-8"))

    assert table == ablation.markdown(ablation.read(ROOT / ablation.FILE)), "run `python -m pneumo ablate`"


def test_the_table_of_decided_films_is_what_the_predictions_give():
    [table] = DECIDED.findall((ROOT / "MODEL_CARD.md").read_text("utf-8"))

    assert table == leaderboard.decided_markdown(), "run `python -m pneumo.selective`"


def test_the_points_of_the_roc_curves_are_what_the_predictions_give():
    [(split, table)] = POINTS.findall((ROOT / "MODEL_CARD.md").read_text("utf-8"))

    assert table == curves.markdown(split), f"run `python -m pneumo.operating_point {split}`"


def test_the_three_classes_are_what_the_predictions_give():
    [(name, split, table)] = THREE_CLASSES.findall((ROOT / "MODEL_CARD.md").read_text("utf-8"))

    assert table == three_classes.markdown(name, split), f"run `python -m pneumo.pathogen {name} {split}`"


def test_the_figures_of_the_heat_maps_are_those_that_were_stored():
    [(name, table)] = HEAT_MAPS.findall((ROOT / "MODEL_CARD.md").read_text("utf-8"))

    assert table == benchmark.markdown(read(name))


def test_the_published_results_are_those_of_their_table():
    [table] = PUBLISHED.findall((ROOT / "MODEL_CARD.md").read_text("utf-8"))

    assert table == published.markdown(), "run `python -m pneumo.published`"


def test_the_figures_of_the_other_networks_are_those_of_their_cards():
    blocks = ALL_FIGURES.findall((ROOT / "MODEL_CARD.md").read_text("utf-8"))

    assert [name for name, _ in blocks] == ["pathogen", "lungs", "gate"]
    for name, table in blocks:
        assert table == model_facts.markdown(name), f"run `python -m pneumo models {name} --markdown`"


@pytest.mark.parametrize("split", ["test", "val"])
def test_the_model_card_counts_films_and_patients_as_the_predictions_do(split):
    cards = store.catalogue().cards
    extent = leaderboard.extent(leaderboard.measure(card, split) for card in cards)
    normal, pneumonia = (
        store.read_predictions(cards[0].name, split)["label"].eq(label).sum() for label in kaggle.LABELS
    )

    assert f"{extent}: {normal} normal, {pneumonia} with pneumonia." in (ROOT / "MODEL_CARD.md").read_text("utf-8")


def test_the_model_card_shows_every_split_that_was_measured():
    shown = {split for split, _ in BLOCK.findall((ROOT / "MODEL_CARD.md").read_text("utf-8"))}

    assert shown == set(leaderboard.splits(store.catalogue().cards))


def test_the_changelog_names_this_version():
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize("document", ["README.md", "MODEL_CARD.md", "CHANGELOG.md"])
def test_files_that_the_documents_point_to_exist(document):
    text = (ROOT / document).read_text("utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]

    assert [target for target in targets if not (ROOT / target).exists()] == []
