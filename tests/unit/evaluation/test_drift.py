import numpy as np
import pytest
from scipy import stats

from pneumo.evaluation import drift


def test_the_index_is_that_of_a_table_worked_by_hand():
    reference = np.arange(100) / 100
    # All films lie in the upper half: five tenths hold a fifth of them each, five hold none.
    films = np.repeat([0.55, 0.65, 0.75, 0.85, 0.95], 20)
    full, empty, expected = 20.5 / 105, 0.5 / 105, 10.5 / 105
    by_hand = 5 * ((full - expected) * np.log(full / expected) + (empty - expected) * np.log(empty / expected))
    assert drift.population_stability(reference, films) == pytest.approx(by_hand)
    assert drift.population_stability(reference, reference) == 0


def test_tenths_hold_a_tenth_each_and_repeated_values_make_fewer():
    assert drift.tenths(np.arange(100), np.arange(100)) == pytest.approx(0.1)
    assert len(drift.tenths(np.repeat([0.0, 1.0], [45, 55]), np.zeros(5))) == 3
    assert drift.tenths(np.arange(10), np.arange(1000)).sum() == pytest.approx(1)


def test_chance_exceeds_the_limits_as_often_as_they_say():
    rng = np.random.default_rng(0)
    reference, draws, p = rng.normal(size=2000), [rng.normal(size=400) for _ in range(400)], 0.05
    limit = stats.chi2.isf(p, 9) * (1 / 2000 + 1 / 400)
    above = np.mean([drift.population_stability(reference, films) > limit for films in draws])
    farther = np.mean(
        [drift.kolmogorov_smirnov(reference, films) > drift.distance_limit(2000, 400, p) for films in draws]
    )
    assert 0.01 < above < 0.1 and 0.01 < farther < 0.1


def test_a_small_index_is_no_alarm_however_many_films_there_are():
    assert drift.stability_limit(10**6, 10**6, 0.05) == drift.LARGE_PSI
    assert drift.stability_limit(200, 100, 1e-5) > drift.LARGE_PSI


def test_the_distance_is_the_greatest_gap_of_two_distributions():
    assert drift.kolmogorov_smirnov(np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6])) == 0.5


def test_two_shares_are_compared_by_fishers_exact_test():
    # The lady tasting tea: 34 of 70 tables are as unlikely as three of four right.
    assert drift.share_difference((3, 4), (1, 4)) == pytest.approx(34 / 70)
