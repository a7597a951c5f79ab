import dataclasses
import math

import pytest
from toy import synthetic
from typer.testing import CliRunner

from pneumo.evaluation import metrics
from pneumo.model_store.card import tidy
from research import card_tables

DOCUMENT = """Before

<!-- table: one -->
| old |
<!-- end of table -->

<!-- table: two -->
| old |
<!-- end of table -->
"""


@pytest.fixture
def documents(tmp_path, monkeypatch):
    """Two documents, with two tables that are out of date."""
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text(DOCUMENT)
    monkeypatch.setattr(card_tables, "ROOT", tmp_path)
    monkeypatch.setattr(card_tables, "DOCUMENTS", ("a.md", "b.md"))
    monkeypatch.setattr(card_tables, "TABLES", {"one": lambda: "| new 1 |", "two": lambda: "| new \\2 |"})
    card_tables.table.cache_clear()
    yield tmp_path
    card_tables.table.cache_clear()


def called(*arguments):
    return CliRunner().invoke(card_tables.app, arguments)


def test_all_tables_are_printed_with_their_markers_and_nothing_is_written(documents):
    result = called()

    assert result.stdout == DOCUMENT.removeprefix("Before\n\n").replace("old", "new 1", 1).replace("old", "new \\2")
    assert (documents / "a.md").read_text() == DOCUMENT


def test_a_table_that_is_named_is_written_into_every_document_and_the_others_stay(documents):
    result = called("two", "--write")

    assert result.exit_code == 0, result.stderr
    for name in ("a.md", "b.md"):
        assert card_tables.tables_in((documents / name).read_text()) == {"one": "| old |", "two": "| new \\2 |"}
        assert name in result.stderr


def test_what_is_written_is_found_again_and_written_once(documents):
    called("--write")

    again = called("--write")

    assert "Wrote" not in again.stderr
    assert (documents / "a.md").read_text().startswith("Before\n\n<!-- table: one -->\n| new 1 |\n<!-- end")


def test_a_table_that_does_not_exist_is_named_and_nothing_is_written(documents):
    result = called("one", "three", "--write")

    assert result.exit_code == 2
    assert "no table 'three'. Choose among: one, two" in " ".join(result.stderr.split())
    assert (documents / "a.md").read_text() == DOCUMENT


def test_a_card_gives_the_measurement_that_its_predictions_gave():
    measured = metrics.evaluate([0, 0, 1], [0.1, 0.8, 0.9], ["a", "b", "c"], 0.5)
    card = synthetic.card(metrics={"val": tidy(dataclasses.asdict(measured))})

    found = card_tables.measurement(card, "val").metrics

    for key, figure in measured.estimates().items():
        assert vars(found.estimates()[key]) == pytest.approx(vars(figure), abs=1e-6)
    assert (found.confusion, found.threshold, found.films, found.patients) == (measured.confusion, 0.5, 3, 3)


def test_a_figure_that_the_films_cannot_tell_has_no_value():
    measured = metrics.evaluate([1, 1], [0.8, 0.9], ["a", "b"], 0.5)
    card = synthetic.card(metrics={"val": tidy(dataclasses.asdict(measured))})

    assert math.isnan(card_tables.measurement(card, "val").metrics.auroc.value)
