import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from pneumo.evaluation.calibration import Thresholds
from pneumo.training.films import Films
from research import foreign_films
from research.foreign_films import Rule, answers, nearest_neighbours, table, told_by_network


def test_answers_are_wrong_on_the_other_side_of_the_limits():
    probability = np.array([0.9, 0.9, 0.1, 0.1, 0.5])

    decided, wrong = answers(probability, np.array([1, 0, 1, 0, 1]), Thresholds(0.5, 0.2, 0.8))

    assert decided.tolist() == [True, True, True, True, False]
    assert wrong.tolist() == [False, True, True, False, False]


def test_the_table_counts_what_stays_is_decided_and_is_wrong():
    away = np.arange(10.0)
    decided, wrong = away != 1, np.isin(away, (2, 7))
    # Nine tenths of the films at home lie within 4.5.
    rule = Rule("distance", np.linspace(0, 5, 101), away)

    shown = table([rule], decided, wrong, kept=0.9).set_index("Rule")

    without, with_rule = shown.loc["no rule"], shown.loc["distance"]
    assert (without["Decided"], without["Wrong of the decided"]) == ("0.900", "2 of 9")
    assert (with_rule["Not foreign"], with_rule["Decided"]) == ("0.500", "0.400")
    assert with_rule["Wrong of the decided"] == "1 of 4"
    assert with_rule["risk at 20%"] == "0.50"
    assert with_rule["risk at 2%"] == "–"
    assert without["risk at 20%"] == "–"


def test_films_that_are_as_far_as_each_other_are_not_ranked():
    decided, wrong = np.ones(10, bool), np.arange(10) < 5
    rule = Rule("saturated", np.linspace(0, 1, 101), np.repeat([0.5, 1.0], [4, 6]))

    shown = table([rule], decided, wrong, kept=0.9).set_index("Rule").loc["saturated"]

    assert (shown["risk at 20%"], shown["risk at 40%"]) == ("–", "1.00")
    assert shown["Wrong of the decided"] == "4 of 4"


def test_a_network_that_tells_foreign_films_itself_is_asked_for_that():
    film = keras.Input((16, 16, 1))
    brightness = keras.layers.GlobalAveragePooling2D()(film)
    network = keras.Model(film, [1 - brightness, brightness])
    squares = np.stack([np.full((224, 224), level, np.uint8) for level in (0, 51, 204)])
    dark, bright = Films(squares[:2], np.zeros(2, int), ("a", "b")), Films(squares[2:], np.zeros(1, int), ("c",))

    (rule,) = told_by_network(network, dark, bright)

    np.testing.assert_allclose([*rule.at_home, *rule.away], [0, 0.2, 0.8], atol=0.01)


def test_neighbours_are_counted_by_the_angle_between_embeddings():
    known = np.array([[1.0, 0.0], [10.0, 0.1], [0.0, 1.0]])

    near, far = nearest_neighbours(known, np.array([[3.0, 0.0], [-1.0, -1.0]]), 2)

    assert near == pytest.approx(0, abs=1e-3)
    assert far > 1


def test_a_run_that_left_no_hospital_out_says_what_to_do(toy_models, toy_data):
    result = CliRunner().invoke(
        foreign_films.app,
        [str(toy_models), "--data", str(toy_data), "--hospitals", str(toy_data), "--name", "dense"],
    )

    assert result.exit_code == 2
    assert "--leave-out" in result.stderr
