"""The documents say what the models' cards and predictions say, and name commands, files and sections that exist."""

import importlib
import re
import shlex
from pathlib import Path

import click
import pytest
import typer.main

from pneumo import __version__
from pneumo.cli.app import app
from pneumo.datasets import kaggle
from pneumo.model_store import store
from pneumo.model_store.store import SHIPPED
from pneumo.results import leaderboard
from research import card_tables

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    "README.md",
    "MODEL_CARD.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/archive.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")),
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "research").rglob("README.md")),
]
# In a document a command stands alone on its line, with a comment behind it, or between backticks.
COMMAND = re.compile(r"^(python -m [^#\n]+)|`(python -m [^`\n]+)`", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def text_of(document: str) -> str:
    return (ROOT / document).read_text("utf-8")


def commands_in(text: str) -> list[str]:
    return [(alone or quoted).strip() for alone, quoted in COMMAND.findall(text)]


def command_of(line: str) -> tuple[click.Command, list[str]]:
    """Return the command that a line calls, and its arguments."""
    _, _, module, *arguments = shlex.split(line.replace("…", ""))
    if module == "pneumo":
        command = typer.main.get_command(app)
    else:
        folder = (ROOT / module.replace(".", "/")).is_dir()
        command = typer.main.get_command(importlib.import_module(f"{module}.__main__" if folder else module).app)
    while hasattr(command, "commands") and arguments and not arguments[0].startswith(("-", "{")):
        assert arguments[0] in command.commands, f"{line}: there is no command {arguments[0]}"
        command, arguments = command.commands[arguments[0]], arguments[1:]
    return command, arguments


@pytest.mark.parametrize("document", card_tables.DOCUMENTS)
def test_the_tables_of_a_document_are_what_the_models_give(document):
    shown = card_tables.tables_in(text_of(document))

    assert shown
    for name, table in shown.items():
        assert table == card_tables.table(name), f"run `python -m research.card_tables {name} --write`"


@pytest.mark.parametrize("document", card_tables.DOCUMENTS)
def test_a_document_has_no_table_without_markers_that_belong_together(document):
    text = text_of(document)
    found = [name for _, name, _, _ in card_tables.TABLE.findall(text)]

    assert len(found) == len(set(found)) == text.count("<!-- table") == text.count("<!-- end of")


def test_every_table_stands_in_a_document():
    shown = {name for document in card_tables.DOCUMENTS for name in card_tables.tables_in(text_of(document))}

    assert shown == set(card_tables.TABLES)


def test_no_model_and_no_split_is_left_out_of_the_tables():
    cards = store.catalogue(SHIPPED).cards

    assert {card.name for card in cards} == set(card_tables.STEPS)
    assert {card.name for card in cards if card.seed_system} == set(card_tables.SEED_SYSTEMS)
    assert set(leaderboard.splits(cards, SHIPPED)) == set(card_tables.LEADERBOARDS)


def test_the_first_screen_recommends_what_the_figures_recommend():
    default, alone = (store.read_card(name, SHIPPED) for name in (card_tables.DEFAULT, card_tables.HOME_ALONE))
    surroundings, test = "val_surroundings_only", "test"

    assert store.default_name(SHIPPED) == default.name
    assert default.metrics[surroundings]["auroc"]["value"] < 0.5
    assert f"still reaches {alone.metrics[surroundings]['auroc']['value']:.3f}" in text_of("MODEL_CARD.md")
    assert alone.metrics[test]["auroc"]["value"] > default.metrics[test]["auroc"]["value"]


@pytest.mark.parametrize("split", ["test", "val"])
def test_the_documents_count_films_and_patients_as_the_predictions_do(split):
    cards = store.catalogue(SHIPPED).cards
    extent = leaderboard.extent(card_tables.measurement(card, split) for card in cards)
    labels = store.read_predictions(cards[0].name, split, SHIPPED)["label"]
    normal, pneumonia = (labels.eq(label).sum() for label in kaggle.LABELS)

    stated = f"{extent}: {normal} normal, {pneumonia} with pneumonia."
    assert stated in text_of("MODEL_CARD.md") + text_of("docs/figures.md")


def assert_the_command_exists(line: str) -> None:
    command, arguments = command_of(line)
    known = {name for parameter in command.params for name in parameter.opts} | {"--help"}

    assert command.help, line
    assert {word for word in arguments if word.startswith("--")} <= known, line


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_commands_of_a_document_exist_with_their_options(document):
    for line in commands_in(text_of(document)):
        assert_the_command_exists(line)


@pytest.mark.parametrize("folder", ["pneumo", "pages", "research"])
def test_the_commands_that_messages_and_comments_name_exist_with_their_options(folder):
    for path in (ROOT / folder).rglob("*.py"):
        for _, line in COMMAND.findall(path.read_text("utf-8")):
            if line:
                assert_the_command_exists(line.replace('"', ""))


def test_the_readme_shows_every_command():
    def leaves(command: click.Command) -> set[str]:
        if not hasattr(command, "commands"):
            return {command.get_short_help_str()}
        return set().union(*(leaves(each) for each in command.commands.values()))

    shown = {command_of(line)[0].get_short_help_str() for line in commands_in(text_of("README.md"))}

    assert leaves(typer.main.get_command(app)) <= shown


def test_every_study_stands_in_the_list_of_studies():
    studies = {
        path.stem if path.suffix else path.name
        for path in (ROOT / "research").iterdir()
        if not path.name.startswith("_") and (path.suffix == ".py" or (path / "__main__.py").is_file())
    }
    listed = set(re.findall(r"^\| `python -m research\.(\w+)`", text_of("research/README.md"), re.MULTILINE))

    assert listed == studies


def test_the_readme_has_a_line_for_every_package_and_module_of_the_library():
    parts = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in (ROOT / "pneumo").iterdir()
        if not path.name.startswith((".", "_")) and (path.suffix == ".py" or (path / "__init__.py").is_file())
    }
    tree = text_of("README.md").split("\npneumo/ ")[1].split("\nresearch/ ")[0]

    assert set(re.findall(r"^  (\S+) +\S", tree, re.MULTILINE)) == parts


def test_the_changelog_names_this_version():
    assert f"## {__version__}" in text_of("CHANGELOG.md")


def anchors(document: Path) -> set[str]:
    """Return what the sections of a document are called in links to them, as GitHub does it."""
    headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_and_sections_that_the_documents_point_to_exist(document):
    here = ROOT / document
    for target in LINK.findall(text_of(document)):
        if "://" in target:
            continue
        name, _, section = target.partition("#")
        file = (here.parent / name).resolve() if name else here

        assert file.exists(), target
        assert not section or section in anchors(file), target
