import pandas as pd
import pytest
from toy import synthetic

from pneumo.errors import ModelError
from pneumo.evaluation.metrics import Confusion
from pneumo.model_store import store
from pneumo.results import curves

# Two normal films and three with pneumonia; at 0.5 one of each is called wrong.
LABELS = ["NORMAL", "NORMAL", "PNEUMONIA", "PNEUMONIA", "PNEUMONIA"]
PROBABILITY = [0.1, 0.6, 0.4, 0.8, 0.9]


def write(folder, name="toy", labels=LABELS, probability=PROBABILITY, **changes):
    card = synthetic.card(name=name, **changes)
    table = pd.DataFrame({"label": labels, "probability": probability, "pathogen": ""})
    table["file"] = [f"test/{label}/{row}.jpeg" for row, label in enumerate(labels)]
    table["patient"] = [f"P{row}" for row in range(len(labels))]
    store.write_predictions(table, name, "test", folder)
    store.write_card(card, folder)
    return card


def test_the_operating_points_are_those_of_the_cards_thresholds(tmp_path):
    card = write(tmp_path, thresholds={"decision": 0.5, "low": 0.2, "high": 0.7})

    points = curves.draw(card, "test", "Toy", tmp_path).points

    assert points["roc"].to_numpy().tolist() == [pytest.approx([1 / 2, 2 / 3, 0.5])]
    assert points["precision_recall"].to_numpy().tolist() == [pytest.approx([2 / 3, 2 / 3, 0.5])]
    # 0.1, 0.8 and 0.9 get an answer, and all three are right.
    assert points["risk_coverage"][["x", "y"]].to_numpy().tolist() == [pytest.approx([3 / 5, 0])]


def test_the_roc_curve_passes_through_its_operating_point(tmp_path):
    drawn = curves.draw(write(tmp_path), "test", "Toy", tmp_path)

    point = drawn.points["roc"].iloc[0]

    assert ((drawn.roc["x"] == point["x"]) & (drawn.roc["y"] - point["y"]).abs().lt(1e-9)).any()


def test_curves_of_models_are_stacked_under_their_titles(tmp_path):
    both = [curves.draw(write(tmp_path, name), "test", name.upper(), tmp_path) for name in ("a", "b")]

    for curve in ("roc", "precision_recall", "risk_coverage", "reliability", "scores"):
        assert set(curves.stacked(both, curve)["model"]) == {"A", "B"}
    assert curves.operating_points(both, "roc")["model"].tolist() == ["A", "B"]


def test_films_of_one_class_have_no_roc_curve_but_a_risk(tmp_path):
    card = write(tmp_path, labels=["NORMAL"] * 3, probability=[0.1, 0.2, 0.7])

    drawn = curves.draw(card, "test", "Toy", tmp_path)

    assert curves.stacked([drawn], "roc").empty
    assert curves.operating_points([drawn], "roc").empty
    assert drawn.risk_coverage["y"].iloc[-1] == pytest.approx(1 / 3)


def test_a_model_that_answers_nothing_has_no_point(tmp_path):
    card = write(tmp_path, thresholds={"decision": 0.5, "low": 0.0, "high": 1.0})

    assert curves.draw(card, "test", "Toy", tmp_path).points["risk_coverage"].empty


def test_calls_are_counted_at_any_threshold(tmp_path):
    card = write(tmp_path)

    assert curves.calls(card, "test", folder=tmp_path) == Confusion(2, 1, 1, 1)
    assert curves.calls(card, "test", 0.7, tmp_path) == Confusion(2, 1, 2, 0)


def test_only_models_of_several_epochs_have_training_curves(tmp_path):
    cards = [write(tmp_path, name) for name in ("long", "short", "none")]
    (tmp_path / "long" / "history.csv").write_text("epoch,loss\n1,.7\n2,.5\n")
    (tmp_path / "short" / "history.csv").write_text("epoch,loss\n1,.7\n")

    labels = {card.name: card.name.upper() for card in cards}

    table = curves.training(cards, labels, tmp_path)
    assert table[["model", "epoch", "value"]].to_numpy().tolist() == [["LONG", 1, 0.7], ["LONG", 2, 0.5]]
    assert curves.training(cards[1:], labels, tmp_path).empty


def test_a_split_without_predictions_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match="not measured on val"):
        curves.draw(write(tmp_path), "val", "Toy", tmp_path)


def test_the_table_has_a_row_a_model_the_best_first(toy_models):
    rows = [line.split(" | ") for line in curves.markdown("test", toy_models).splitlines()[2:]]

    cards = {card.title: card for card in store.catalogue(toy_models).cards}
    assert {row[0].removeprefix("| ") for row in rows} == set(cards)
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), reverse=True)
    shown = curves.at_specificity([cards[rows[0][0].removeprefix("| ")]], "test", folder=toy_models)
    assert rows[0][1].startswith(f"{shown['sensitivity'].iloc[0]:.3f} (")


def test_a_split_that_no_model_was_measured_on_is_refused(toy_models):
    with pytest.raises(ModelError, match="evaluate NAME --split"):
        curves.markdown("external_nih", toy_models)


def test_the_films_are_those_of_the_predictions(tmp_path):
    card = synthetic.card(name="toy")
    table = pd.DataFrame({"label": ["NORMAL", "PNEUMONIA", "PNEUMONIA"], "probability": [0.2, 0.9, 0.6]})
    table = table.assign(pathogen="", file=["a", "b", "c"], patient=["a", "b", "c"])
    store.write_predictions(table, "toy", "test", tmp_path)

    read = curves.class_scores(card, "test", tmp_path)

    assert (read.sick.tolist(), read.well.tolist()) == ([0.6, 0.9], [0.2])
    store.write_predictions(table.assign(label="NORMAL"), "toy", "test", tmp_path)
    with pytest.raises(ValueError, match="one class"):
        curves.class_scores(card, "test", tmp_path)
