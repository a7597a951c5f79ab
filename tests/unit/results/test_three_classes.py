import pandas as pd
import pytest
from toy import synthetic

from pneumo.errors import ModelError
from pneumo.evaluation.intervals import wilson
from pneumo.model_store import store
from pneumo.model_store.card import PATHOGEN
from pneumo.results import three_classes
from pneumo.results.three_classes import BACTERIAL, NORMAL, VIRAL


def write(films, folder):
    """Write the predictions ``p`` of a classifier and ``q`` of the network for pathogens; return their cards."""
    cards = {}
    for name, column, changes in (("cnn", "p", {}), ("pathogen", "q", {"task": PATHOGEN})):
        cards[name] = synthetic.card(name=name, thresholds={"decision": 0.5, "low": 0.2, "high": 0.8}, **changes)
        store.write_predictions(films.assign(probability=films[column]), name, "val", folder)
        store.write_card(cards[name], folder)
    return cards


def films_called(*counts):
    rows = [pair for *pair, films in counts for _ in range(films)]
    return pd.DataFrame(rows, columns=["truth", "call"])


FILMS = films_called(
    (NORMAL, NORMAL, 9), (NORMAL, VIRAL, 1), (BACTERIAL, BACTERIAL, 4), (VIRAL, BACTERIAL, 2), (VIRAL, VIRAL, 4)
)


def test_every_label_is_counted_by_call_with_its_interval():
    cells = three_classes.cells(FILMS)

    assert cells["truth"].unique().tolist() == cells["call"].unique().tolist() == ["Normal", "Bacterial", "Viral"]
    assert cells["films"].tolist() == [9, 0, 1, 0, 4, 0, 0, 2, 4]
    row = cells[(cells["truth"] == "Viral") & (cells["call"] == "Bacterial")].iloc[0]
    expected = wilson(2, 6)
    assert (row["share"], row["low"], row["high"]) == (expected.value, expected.low, expected.high)


def test_the_table_reads_a_label_a_row():
    table = three_classes.readable(FILMS)

    assert table["Labelled"].tolist() == ["Normal", "Bacterial", "Viral"]
    assert table["Films"].tolist() == [10, 4, 6]
    assert table.loc[0, "Called normal"].startswith("90.0 % (")
    assert table.loc[2, "Called bacterial"].startswith("33.3 % (")


def test_the_sentence_names_the_commonest_confusion():
    said = three_classes.sentence(FILMS)

    assert said.startswith("Of 20 films 85.0 % (")
    assert "viral called bacterial: 2 of 6 films, 33.3 % (" in said


def test_films_that_are_all_called_right_have_no_confusion():
    assert "confusion" not in three_classes.sentence(films_called((NORMAL, NORMAL, 3), (VIRAL, VIRAL, 1)))


def test_a_label_without_films_is_left_out():
    table = films_called((NORMAL, NORMAL, 3), (VIRAL, NORMAL, 1))

    assert three_classes.cells(table)["truth"].unique().tolist() == ["Normal", "Viral"]
    assert three_classes.readable(table)["Films"].tolist() == [3, 1]


def test_three_classes_come_from_both_networks(tmp_path):
    rows = [
        ("a", "NORMAL", "", 0.1, 0.9),
        ("b", "NORMAL", "", 0.9, 0.2),
        ("c", "PNEUMONIA", "bacteria", 0.9, 0.9),
        ("d", "PNEUMONIA", "virus", 0.9, 0.9),
        ("e", "PNEUMONIA", "virus", 0.9, 0.1),
        ("f", "PNEUMONIA", "bacteria", 0.1, 0.9),
        ("g", "PNEUMONIA", "", 0.9, 0.9),
    ]
    films = pd.DataFrame(rows, columns=["file", "label", "pathogen", "p", "q"]).assign(patient=list("ABCDEFG"))
    cards = write(films, tmp_path)

    called = three_classes.calls(cards["cnn"], "val", tmp_path)

    assert called["file"].tolist() == list("abcdef")
    assert three_classes.matrix(called).to_numpy().tolist() == [[1, 0, 1], [1, 1, 0], [0, 1, 1]]
    assert three_classes.accuracy(called).value == pytest.approx(3 / 6)


def test_films_that_only_one_network_knows_are_an_error(tmp_path):
    films = pd.DataFrame({"file": ["a", "b"], "label": "NORMAL", "pathogen": "", "p": 0.1, "q": 0.5, "patient": "P"})
    cards = write(films, tmp_path)
    store.write_predictions(films.assign(probability=0.5).iloc[1:], "pathogen", "val", tmp_path)

    with pytest.raises(ModelError, match="measure it again"):
        three_classes.calls(cards["cnn"], "val", tmp_path)


def test_the_matrix_has_all_classes_in_order():
    counted = three_classes.matrix(films_called((NORMAL, NORMAL, 1)))

    assert tuple(counted.index) == tuple(counted.columns) == (NORMAL, BACTERIAL, VIRAL)
    assert counted.to_numpy().tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
