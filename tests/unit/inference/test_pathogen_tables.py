import pandas as pd

from pneumo.evaluation.intervals import wilson
from pneumo.inference import pathogen_tables
from pneumo.inference.pathogen import CLASSES

NORMAL, BACTERIAL, VIRAL = CLASSES


def told(*counts):
    rows = [pair for *pair, films in counts for _ in range(films)]
    return pd.DataFrame(rows, columns=["truth", "call"])


FILMS = told(
    (NORMAL, NORMAL, 9), (NORMAL, VIRAL, 1), (BACTERIAL, BACTERIAL, 4), (VIRAL, BACTERIAL, 2), (VIRAL, VIRAL, 4)
)


def test_every_label_is_counted_by_call_with_its_interval():
    cells = pathogen_tables.cells(FILMS)

    assert cells["truth"].unique().tolist() == cells["call"].unique().tolist() == ["Normal", "Bacterial", "Viral"]
    assert cells["films"].tolist() == [9, 0, 1, 0, 4, 0, 0, 2, 4]
    row = cells[(cells["truth"] == "Viral") & (cells["call"] == "Bacterial")].iloc[0]
    expected = wilson(2, 6)
    assert (row["share"], row["low"], row["high"]) == (expected.value, expected.low, expected.high)


def test_the_table_reads_a_label_a_row():
    table = pathogen_tables.readable(FILMS)

    assert table["Labelled"].tolist() == ["Normal", "Bacterial", "Viral"]
    assert table["Films"].tolist() == [10, 4, 6]
    assert table.loc[0, "Called normal"].startswith("90.0 % (")
    assert table.loc[2, "Called bacterial"].startswith("33.3 % (")


def test_the_sentence_names_the_commonest_confusion():
    said = pathogen_tables.reading(FILMS)

    assert said.startswith("Of 20 films 85.0 % (")
    assert "viral called bacterial: 2 of 6 films, 33.3 % (" in said


def test_films_that_are_all_called_right_have_no_confusion():
    assert "confusion" not in pathogen_tables.reading(told((NORMAL, NORMAL, 3), (VIRAL, VIRAL, 1)))


def test_a_label_without_films_is_left_out():
    table = told((NORMAL, NORMAL, 3), (VIRAL, NORMAL, 1))

    assert pathogen_tables.cells(table)["truth"].unique().tolist() == ["Normal", "Viral"]
    assert pathogen_tables.readable(table)["Films"].tolist() == [3, 1]
