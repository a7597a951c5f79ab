import cv2
import numpy as np
import pandas as pd
import pytest
from toy import synthetic

from pages.parts.charts import style
from pneumo.errors import DatasetError, ModelError
from pneumo.evaluation.intervals import wilson
from pneumo.labels import FALSE_ALARM, MISSED, RIGHT
from pneumo.model_store import store
from pneumo.results import failures
from pneumo.results.failures import AGREEMENT, BY_AGREEMENT, BY_BRIGHTNESS, BY_KIND, BY_SIZE

FILES = ["test/NORMAL/a.jpeg", "test/NORMAL/b.jpeg", "test/PNEUMONIA/c.jpeg", "test/PNEUMONIA/d.jpeg"]


def write(folder, name, probability, files=FILES):
    table = pd.DataFrame({"file": files, "patient": files, "probability": probability})
    table["label"] = ["NORMAL", "NORMAL", "PNEUMONIA", "PNEUMONIA"]
    table["pathogen"] = ["", "", "bacteria", "virus"]
    store.write_predictions(table, name, "test", folder)
    card = synthetic.card(name=name)
    store.write_card(card, folder)
    return card


@pytest.fixture
def cards(tmp_path):
    return [
        write(tmp_path, "one", [0.1, 0.99, 0.4, 0.9]),  # a false alarm, surer than the missed pneumonia
        write(tmp_path, "two", [0.1, 0.8, 0.6, 0.9]),
        write(tmp_path, "three", [0.7, 0.9, 0.7, 0.9]),
    ]


def test_the_surest_mistake_comes_first(cards, tmp_path):
    films = failures.calls(cards[0], "test", cards, tmp_path)

    mistakes = failures.errors(films)
    assert mistakes["file"].tolist() == [FILES[1], FILES[2]]
    assert mistakes["call"].tolist() == [FALSE_ALARM, MISSED]
    assert failures.errors(films, MISSED)["file"].tolist() == [FILES[2]]
    shown = failures.readable(mistakes)
    assert shown["Also wrong"].tolist() == ["2 of 2 models", "0 of 2 models"]
    assert shown["Film"].tolist() == ["Normal", "Bacterial pneumonia"]


def test_agreement_counts_the_minority(cards, tmp_path):
    films = failures.calls(cards[0], "test", cards, tmp_path).set_index("file")

    assert films["differ"].tolist() == [1, 0, 1, 0]
    assert failures.by_everyone(films) == 1


def test_models_measured_on_other_films_are_not_set_beside_it(cards, tmp_path):
    write(tmp_path, "two", [0.1, 0.8, 0.6, 0.9], [*FILES[:3], "test/PNEUMONIA/e.jpeg"])
    (tmp_path / "three" / "predictions" / "test.csv").write_text("")
    films = failures.calls(cards[0], "test", cards[:2], tmp_path)

    assert set(films["others"]) == {0}
    assert set(failures.rates(films)["grouping"]) == {BY_KIND}


def test_rates_are_of_the_groups_films(cards, tmp_path):
    table = failures.rates(failures.calls(cards[0], "test", cards, tmp_path))

    kinds = table[table["grouping"] == BY_KIND]
    assert kinds[["group", "films", "errors"]].to_numpy().tolist() == [
        ["Normal", 2, 1],
        ["Bacterial pneumonia", 1, 1],
        ["Viral pneumonia", 1, 0],
    ]
    share = wilson(1, 2)
    assert kinds[["share", "low", "high"]].iloc[0].tolist() == [share.value, share.low, share.high]
    agreed = table[table["grouping"] == BY_AGREEMENT]
    assert agreed[["group", "films", "errors"]].to_numpy().tolist() == [[AGREEMENT[0], 2, 1], [AGREEMENT[1], 2, 1]]
    assert failures.readable_rates(table)["Share"][0] == f"50.0 % ({100 * share.low:.1f}–{100 * share.high:.1f})"


def test_films_are_measured_and_grouped_by_thirds(cards, tmp_path):
    for place, file in enumerate(FILES):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / file), np.full((100, 200), 40 * place, np.uint8))
    films = failures.calls(cards[0], "test", cards, tmp_path)

    facts = failures.film_facts(films, tmp_path)
    table = failures.rates(films, facts)

    assert facts["brightness"].tolist() == pytest.approx([0, 40, 80, 120], abs=1)
    assert facts["size"].tolist() == [20_000] * 4
    assert BY_SIZE not in set(table["grouping"])
    bright = table[table["grouping"] == BY_BRIGHTNESS]
    assert bright["group"].tolist() == ["Up to 40 of 255", "Up to 80 of 255", "Above 80 of 255"]
    assert bright[["films", "errors"]].to_numpy().tolist() == [[2, 1], [1, 1], [1, 0]]
    style.rate_plot(bright, BY_BRIGHTNESS).to_dict()  # altair checks it against the schema of Vega-Lite


def test_films_that_are_not_there_are_told_of(cards, tmp_path):
    films = failures.calls(cards[0], "test", cards, tmp_path)

    with pytest.raises(DatasetError, match=r"4 of these 4 films are not in .*a\.jpeg.*Name the folder"):
        failures.film_facts(films, tmp_path / "nowhere")


def test_thirds_of_equal_values_are_one_group():
    assert failures.thirds(pd.Series([2.0, 2.0, 2.0]), "{:.0f}".format)[0].unique().tolist() == ["Up to 2"]


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
    calls = failures.calls_on_films(synthetic.card(), models)

    assert calls["call"].to_list() == [RIGHT, FALSE_ALARM, RIGHT, MISSED]
    assert calls["error"].to_list() == pytest.approx([0.49, 0.5, 0.5, 0.9])
    assert set(calls["split"]) == {"val"}


def test_both_splits_are_read(models):
    table = pd.DataFrame(ROWS[:1], columns=store.PREDICTION_COLUMNS).assign(file="test/NORMAL/e.jpeg")
    store.write_predictions(table, "toy", "test", models)

    calls = failures.calls_on_films(synthetic.card(), models)

    assert calls.set_index("file").loc["test/NORMAL/e.jpeg", "split"] == "test"
    assert len(calls) == 5


def test_films_get_their_call_and_others_none(models):
    films = pd.DataFrame({"file": ["x.jpeg", "train/PNEUMONIA/d.jpeg"]})

    called = failures.with_calls(films, failures.calls_on_films(synthetic.card(), models))

    assert called["call"].to_list() == ["", MISSED]
    assert called["probability"].isna().to_list() == [True, False]


def test_a_model_that_was_not_measured_has_no_calls(tmp_path):
    assert failures.calls_on_films(synthetic.card(), tmp_path).empty


def test_damaged_predictions_are_a_model_error(models):
    path = models / "toy" / "predictions" / "val.csv"
    path.write_text(path.read_text().replace("0.490000", "much"))

    with pytest.raises(ModelError, match="damaged"):
        failures.calls_on_films(synthetic.card(), models)
