import numpy as np
import pytest

from pages.parts.charts.probability_scale import probability_scale, scale_in_words
from pneumo.evaluation.calibration import Thresholds, as_percent
from pneumo.inference.similar_scores import ValidationScores

LIMITS = Thresholds(decision=0.5, low=0.1, high=0.9)


def scores():
    rng = np.random.default_rng(0)
    sick = np.arange(300) < 200
    probability = 1 / (1 + np.exp(-rng.normal(np.where(sick, 3, -3), 1)))
    return ValidationScores(probability, sick, np.arange(300).astype(str))


def layers(probability, limits=LIMITS):
    """Return the drawn layers, each with its rows."""
    drawn = probability_scale(probability, as_percent(probability), limits, scores()).to_dict()
    return [(layer, drawn["datasets"][layer["data"]["name"]]) for layer in drawn["layer"]]


@pytest.mark.parametrize(
    ("probability", "place"), [(0.5, 0.0), (0.9, np.log(9)), (0.0, -np.log(999)), (1.0, np.log(999))]
)
def test_the_film_stands_at_its_logit_and_never_off_the_scale(probability, place):
    *_, (_, mark), (_, head) = layers(probability)

    assert mark == head == [{"film": pytest.approx(place)}]


def test_sick_films_lie_above_the_line_and_normal_ones_below_it_in_unlike_colours():
    (bars, rows), *_ = layers(0.5)

    assert sum(row["side"] for row in rows if row["films"] == "With pneumonia") == pytest.approx(1)
    assert sum(row["side"] for row in rows if row["films"] == "Normal") == pytest.approx(-1)
    assert len(set(bars["encoding"]["color"]["scale"]["range"])) == 2


def test_the_limits_of_the_answers_are_drawn_and_the_answers_between_them_named():
    _, (limits, rows), *_ = layers(0.5)

    assert [row["limit"] for row in rows] == pytest.approx([-np.log(9), np.log(9)])
    axis = limits["encoding"]["x"]["axis"]
    assert axis["values"] == pytest.approx([-(np.log(999) + np.log(9)) / 2, 0, (np.log(999) + np.log(9)) / 2])
    assert all(f"'{name}'" in axis["labelExpr"] for name in ("unlikely", "cannot say", "likely"))


def test_an_answer_without_room_is_not_named():
    _, (limits, _), *_ = layers(0.5, Thresholds(decision=0.5, low=0.5, high=0.5))

    assert "cannot say" not in limits["encoding"]["x"]["axis"]["labelExpr"]
    assert len(limits["encoding"]["x"]["axis"]["values"]) == 2


def test_the_scale_is_described_in_words():
    said = scale_in_words(as_percent(0.973), LIMITS)

    assert "This film at 97.3 %" in said
    assert "Under 10.0 % the answer is unlikely, from 90.0 % on it is likely" in said
