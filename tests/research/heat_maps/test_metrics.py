import numpy as np
import pytest

from pneumo.preprocessing.network_input import SQUARE
from research.heat_maps.metrics import (
    BASELINES,
    STEPS,
    area_under,
    baseline,
    hot_iou,
    taken_away,
)

HEAT = np.array([[0.1, 0.2, 0.0], [0.5, 1.0, 0.2]])
MASK = np.array([[0, 0, 1], [0, 1, 1]], bool)


def test_the_overlap_of_what_is_hot_is_that_counted_by_hand():
    # Hot are the 0.5 and the 1.0; of these and the three of the mask one is shared.
    assert hot_iou(HEAT, MASK) == pytest.approx(1 / 4)
    assert hot_iou(np.zeros((2, 3)), MASK) == 0


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_is_a_heat_map_that_is_the_same_each_time(name):
    heat = baseline(name, 3)

    assert heat.shape == (SQUARE, SQUARE)
    assert heat.dtype == np.float32
    assert heat.min() >= 0
    assert heat.max() == pytest.approx(1)
    np.testing.assert_array_equal(heat, baseline(name, 3))


def test_the_random_map_differs_from_film_to_film_and_the_centre_stays():
    assert abs(np.corrcoef(baseline("random", 1).ravel(), baseline("random", 2).ravel())[0, 1]) < 0.9
    row, column = np.unravel_index(baseline("centre", 0).argmax(), (SQUARE, SQUARE))
    assert {row, column} <= {SQUARE // 2 - 1, SQUARE // 2}


def test_the_hottest_places_go_first_and_come_first():
    film, healthy = np.ones((2, SQUARE, SQUARE), np.float32) * np.array([1, 0], np.float32)[:, None, None]
    heat = np.linspace(1, 0, SQUARE * SQUARE).reshape(SQUARE, SQUARE)

    deleted, inserted = taken_away(film, heat, healthy, 0)

    assert len(deleted) == len(inserted) == STEPS + 1
    np.testing.assert_array_equal(deleted, 1 - inserted)
    np.testing.assert_allclose(inserted.mean(axis=(1, 2)), np.linspace(0, 1, STEPS + 1), atol=1e-4)
    tenth = SQUARE // STEPS
    assert (inserted[1, :tenth] == 1).all()
    assert (inserted[1, tenth + 1 :] == 0).all()


def test_places_that_are_equally_hot_go_in_random_order_and_not_from_the_top():
    film, healthy = np.ones((SQUARE, SQUARE), np.float32), np.zeros((SQUARE, SQUARE), np.float32)

    _, inserted = taken_away(film, np.zeros((SQUARE, SQUARE)), healthy, 0)

    first = inserted[1] == 1
    assert baseline("random", 0)[first].min() >= baseline("random", 0)[~first].max()


def test_the_area_under_a_curve_is_that_of_its_trapezoids():
    assert area_under(np.ones(STEPS + 1)) == pytest.approx(1)
    assert area_under(np.linspace(1, 0, STEPS + 1)) == pytest.approx(0.5)
