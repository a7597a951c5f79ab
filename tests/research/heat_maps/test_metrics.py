import numpy as np
import pytest
from scipy.stats import spearmanr

from pneumo.evaluation import intervals
from pneumo.preprocessing.network_input import SQUARE
from research.heat_maps.metrics import (
    BASELINES,
    STEPS,
    area_under,
    baseline,
    by_patient,
    energy_inside,
    hot_iou,
    points_inside,
    spearman,
    taken_away,
)

HEAT = np.array([[0.1, 0.2, 0.0], [0.5, 1.0, 0.2]])
EMPTY = np.zeros((2, 3))
MASK = np.array([[0, 0, 1], [0, 1, 1]], bool)


def test_the_figures_of_a_map_are_those_counted_by_hand():
    assert energy_inside(HEAT, MASK) == pytest.approx(1.2 / 2.0)
    assert points_inside(HEAT, MASK) == 1
    assert points_inside(HEAT, ~MASK) == 0
    # Hot are the 0.5 and the 1.0; of these and the three of the mask one is shared.
    assert hot_iou(HEAT, MASK) == pytest.approx(1 / 4)


def test_a_map_without_heat_finds_nothing():
    assert np.isnan(energy_inside(EMPTY, MASK))
    assert points_inside(EMPTY, np.ones((2, 3), bool)) == 0
    assert hot_iou(EMPTY, MASK) == 0


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


def test_the_rank_correlation_over_films_is_scipys():
    first, second = np.random.default_rng(1).integers(0, 5, (2, 30))

    assert spearman(first, second) == pytest.approx(spearmanr(first, second)[0])
    assert np.isnan(spearman(first, np.ones(30)))


def test_the_interval_of_a_mean_is_near_that_of_the_faster_way():
    rng = np.random.default_rng(2)
    patients = np.repeat(np.arange(40), 2).astype(str)
    values = np.repeat(rng.random(40), 2)

    slow, fast = by_patient(np.mean, patients, values), intervals.mean_by_patient(values, patients)

    assert slow.value == pytest.approx(fast.value)
    assert (slow.low, slow.high) == pytest.approx((fast.low, fast.high), abs=0.02)
    # Two equal films of a child tell no more than one.
    narrower = by_patient(np.mean, np.arange(80).astype(str), values)
    assert narrower.high - narrower.low < slow.high - slow.low


def test_a_statistic_that_the_films_cannot_tell_has_no_interval():
    estimate = by_patient(spearman, np.array(["a", "b"]), np.ones(2), np.ones(2))

    assert np.isnan([estimate.value, estimate.low, estimate.high]).all()
