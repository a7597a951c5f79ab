import dataclasses
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binomtest

from pneumo.evaluation import curves, intervals
from pneumo.evaluation.intervals import Estimate, by_patient, mean_by_patient, wilson
from pneumo.evaluation.metrics import evaluate, spearman

MIB = 1024**2


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_equals_the_published_ones(successes, trials, low, high):
    interval = wilson(successes, trials)

    assert interval.value == successes / trials
    assert (interval.low, interval.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@given(trials=st.integers(2, 2000), share=st.floats(0, 1))
def test_wilsons_limits_are_where_the_score_test_just_rejects(trials, share):
    successes = min(max(round(share * trials), 1), trials - 1)
    observed = successes / trials

    interval = wilson(successes, trials)

    def score(proportion):
        return (observed - proportion) ** 2 * trials - 1.959963985**2 * proportion * (1 - proportion)

    assert interval.low == pytest.approx(brentq(score, 0, observed, xtol=1e-12), abs=1e-7)
    assert interval.high == pytest.approx(brentq(score, observed, 1, xtol=1e-12), abs=1e-7)


@given(trials=st.integers(1, 2000), share=st.floats(0, 1))
def test_wilsons_interval_is_scipys_alone_or_in_an_array(trials, share):
    successes = round(share * trials)
    expected = binomtest(successes, trials).proportion_ci(method="wilson")

    alone = wilson(successes, trials)

    assert (alone.low, alone.high) == (pytest.approx(expected.low, abs=1e-12), pytest.approx(expected.high, abs=1e-12))
    counts = (np.array([0, successes]), np.array([5, trials]))
    assert [each[1] for each in intervals.wilson_limits(*counts)] == list(dataclasses.astuple(alone))


def test_trials_need_not_be_whole():
    assert wilson(1.5, 4.5).value == pytest.approx(1 / 3)
    assert wilson(1, 3).low < wilson(1.5, 4.5).low < wilson(2, 6).low


def test_wilsons_interval_of_nothing_is_unknown():
    assert np.isnan(dataclasses.astuple(wilson(0, 0))).all()


def test_an_estimate_reads_as_a_figure_with_its_interval():
    assert str(Estimate(0.98649, 0.9771, 0.9934)) == "0.986 (0.977–0.993)"


def test_a_mean_is_that_over_films_and_leaves_out_the_unknown():
    values = np.array([0.9, 0.6, np.nan, 0.3])

    mean = mean_by_patient(values, np.array(["P", "P", "Q", "R"]), draws=200)

    assert mean.value == pytest.approx(0.6)
    # Patient P has two films, so a sample of two patients holds P twice, R twice, or all three films.
    assert (mean.low, mean.high) == (pytest.approx(0.3), pytest.approx(0.75))
    assert mean_by_patient(values, np.array(["P", "P", "Q", "R"]), draws=200) == mean


def test_the_mean_of_nothing_known_is_unknown():
    assert np.isnan(mean_by_patient(np.array([np.nan, np.nan]), np.array(["P", "Q"])).value)
    assert np.isnan(mean_by_patient(np.array([]), np.array([])).value)


@given(st.integers(0, 1000))
@settings(max_examples=10)
def test_the_interval_of_a_mean_is_that_of_the_clustered_standard_error(seed):
    rng = np.random.default_rng(seed)
    patients = np.repeat(np.arange(150), 3)
    values = np.repeat(rng.normal(0, 1, 150), 3)

    mean = mean_by_patient(values, patients, draws=2000, seed=seed)

    # Three equal films of a patient tell no more than one.
    half = 1.96 * values[::3].std(ddof=1) / np.sqrt(150)
    assert mean.high - mean.low == pytest.approx(2 * half, rel=0.12)
    assert mean.value == pytest.approx(values.mean())


def test_an_estimate_in_per_cent():
    assert Estimate(0.98649, 0.9771, 0.9934).percent == "98.6 % (97.7–99.3)"
    assert intervals.UNKNOWN.percent == "–"


@pytest.mark.parametrize("block", [1, 50, 1000, 10**9])
def test_the_bootstrap_does_not_depend_on_its_blocks(monkeypatch, block):
    rng = np.random.default_rng(5)
    labels, patients = rng.integers(0, 2, 60), rng.integers(0, 30, 60)
    probability = rng.random(60).round(1)
    expected = evaluate(labels, probability, patients, 0.5, draws=40)
    band = curves.roc(labels, probability, patients)
    intervals._drawn.cache_clear()

    monkeypatch.setattr(intervals, "_BLOCK", block)

    assert len(list(intervals.bootstrap_weights(patients, 40))) == -(-41 // max(1, block // 60))
    for name, figure in evaluate(labels, probability, patients, 0.5, draws=40).estimates().items():
        assert dataclasses.astuple(figure) == pytest.approx(dataclasses.astuple(expected.estimates()[name]), abs=1e-12)
    assert curves.roc(labels, probability, patients).equals(band)


def test_a_film_counts_as_often_as_its_patient_is_drawn():
    weights = np.concatenate(list(intervals.bootstrap_weights(np.array(["b", "a", "b", "c"]), 500)))

    assert weights.shape == (501, 4)
    assert weights[0].tolist() == [1, 1, 1, 1]
    assert (weights[:, 0] == weights[:, 2]).all()
    assert set(weights[:, [0, 1, 3]].sum(axis=1)) == {3}
    assert weights[1:].mean(axis=0) == pytest.approx(np.ones(4), abs=0.15)


def peak_memory(films):
    """Return the bytes that measuring so many films and drawing their curves needs at its peak."""
    rng = np.random.default_rng(0)
    labels, probability, patients = rng.integers(0, 2, films), rng.random(films), np.arange(films)
    intervals._drawn.cache_clear()
    tracemalloc.start()
    try:
        evaluate(labels, probability, patients, 0.5)
        mean_by_patient(probability, patients)
        curves.at_specificity(labels, probability, patients, 0.9)
        curves.roc(labels, probability, patients)
        curves.precision_recall(labels, probability, patients)
        curves.risk_coverage(labels, probability, patients, 0.5)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        intervals._drawn.cache_clear()


def test_memory_hardly_grows_with_the_films():
    assert peak_memory(3_000) < 130 * MIB


@pytest.mark.slow
def test_fifty_thousand_films_need_less_than_500_megabytes():
    assert peak_memory(50_000) < 500 * MIB


def test_the_rank_correlation_over_films_is_that_of_the_ranks():
    first, second = np.random.default_rng(1).integers(0, 5, (2, 30))

    assert spearman(first, second) == pytest.approx(pd.Series(first).corr(pd.Series(second), method="spearman"))
    assert np.isnan(spearman(first, np.ones(30)))


def test_the_interval_of_a_mean_is_near_that_of_the_faster_way():
    rng = np.random.default_rng(2)
    patients = np.repeat(np.arange(40), 2).astype(str)
    values = np.repeat(rng.random(40), 2)

    slow, fast = by_patient(np.mean, patients, values), mean_by_patient(values, patients)

    assert slow.value == pytest.approx(fast.value)
    assert (slow.low, slow.high) == pytest.approx((fast.low, fast.high), abs=0.02)
    # Two equal films of a child tell no more than one.
    narrower = by_patient(np.mean, np.arange(80).astype(str), values)
    assert narrower.high - narrower.low < slow.high - slow.low


def test_a_statistic_that_the_films_cannot_tell_has_no_interval():
    estimate = by_patient(spearman, np.array(["a", "b"]), np.ones(2), np.ones(2))

    assert np.isnan([estimate.value, estimate.low, estimate.high]).all()
