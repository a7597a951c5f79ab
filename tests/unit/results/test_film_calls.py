import pandas as pd
import pytest
from toy import synthetic

from pneumo.errors import ModelError
from pneumo.model_store import store
from pneumo.results import film_calls
from pneumo.results.film_calls import FALSE_ALARM, MISSED, RIGHT

ROWS = [
    ("train/NORMAL/a.jpeg", "a", "NORMAL", "", 0.49),
    ("train/NORMAL/b.jpeg", "b", "NORMAL", "", 0.5),
    ("train/PNEUMONIA/c.jpeg", "c", "PNEUMONIA", "virus", 0.5),
    ("train/PNEUMONIA/d.jpeg", "d", "PNEUMONIA", "bacteria", 0.1),
]


@pytest.fixture
def models(tmp_path):
    (tmp_path / "toy").mkdir()
    store.write_card(synthetic.card(), tmp_path)
    table = pd.DataFrame(ROWS, columns=store.PREDICTION_COLUMNS)
    store.write_predictions(table, "toy", "val", tmp_path)
    store.write_predictions(table.assign(probability=1.0), "toy", "val_shifted", tmp_path)
    return tmp_path


def test_films_are_called_at_the_decision_threshold(models):
    calls = film_calls.read(synthetic.card(), models)

    assert calls["call"].to_list() == [RIGHT, FALSE_ALARM, RIGHT, MISSED]
    assert calls["error"].to_list() == pytest.approx([0.49, 0.5, 0.5, 0.9])
    assert set(calls["split"]) == {"val"}


def test_both_splits_are_read(models):
    table = pd.DataFrame(ROWS[:1], columns=store.PREDICTION_COLUMNS).assign(file="test/NORMAL/e.jpeg")
    store.write_predictions(table, "toy", "test", models)

    calls = film_calls.read(synthetic.card(), models)

    assert calls.set_index("file").loc["test/NORMAL/e.jpeg", "split"] == "test"
    assert len(calls) == 5


def test_films_get_their_call_and_others_none(models):
    films = pd.DataFrame({"file": ["x.jpeg", "train/PNEUMONIA/d.jpeg"]})

    called = film_calls.with_calls(films, film_calls.read(synthetic.card(), models))

    assert called["call"].to_list() == ["", MISSED]
    assert called["probability"].isna().to_list() == [True, False]


def test_wrong_calls_are_read_with_the_worst_first(models):
    table = film_calls.readable(film_calls.read(synthetic.card(), models))

    assert table.to_dict("records") == [
        {"Film": "d.jpeg", "Films of": "Validation", "Call": MISSED, "Probability": "0.100"},
        {"Film": "b.jpeg", "Films of": "Validation", "Call": FALSE_ALARM, "Probability": "0.500"},
    ]


def test_a_model_that_was_not_measured_has_no_calls(tmp_path):
    assert film_calls.read(synthetic.card(), tmp_path).empty


def test_damaged_predictions_are_a_model_error(models):
    path = models / "toy" / "predictions" / "val.csv"
    path.write_text(path.read_text().replace("0.490000", "much"))

    with pytest.raises(ModelError, match="damaged"):
        film_calls.read(synthetic.card(), models)
