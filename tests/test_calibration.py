import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumo.calibration import Calibration, Thresholds, choose_thresholds, fit


def sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


@pytest.mark.parametrize(("slope", "intercept"), [(0.6, 0.8), (1.0, 0.0), (1.7, -1.2)])
def test_a_known_slope_and_intercept_are_recovered(slope, intercept):
    rng = np.random.default_rng(0)
    logit = rng.normal(0, 2, 40_000)
    labels = (rng.random(40_000) < sigmoid(slope * logit + intercept)).astype(int)

    fitted = fit(labels, sigmoid(logit), prevalence=labels.mean())

    assert fitted.slope == pytest.approx(slope, abs=0.06)
    assert fitted.intercept == pytest.approx(intercept, abs=0.06)


@given(prevalence=st.floats(0.05, 0.95), share=st.floats(0.1, 0.9))
def test_the_calibrated_mean_is_the_stated_prevalence_whatever_the_share_in_the_data(prevalence, share):
    rng = np.random.default_rng(1)
    labels = (np.arange(2000) < 2000 * share).astype(int)
    raw = sigmoid(rng.normal(2 * labels - 1, 1.5))

    fitted = fit(labels, raw, prevalence)

    weight = np.where(labels == 1, prevalence / labels.mean(), (1 - prevalence) / (1 - labels.mean()))
    assert np.average(fitted.apply(raw), weights=weight) == pytest.approx(prevalence, abs=2e-3)
    assert fitted.prevalence == prevalence


def test_another_prevalence_shifts_the_logit_by_its_odds():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 20_000)
    raw = sigmoid(rng.normal(2 * labels - 1, 1.0))

    even, rare = fit(labels, raw, 0.5), fit(labels, raw, 0.1)

    assert rare.intercept - even.intercept == pytest.approx(np.log(0.1 / 0.9), abs=0.1)
    assert rare.slope == pytest.approx(even.slope, abs=0.1)


def test_the_slope_of_separated_films_stays_finite():
    fitted = fit(np.array([0] * 20 + [1] * 20), np.array([0.4] * 20 + [0.6] * 20))

    assert 1 < fitted.slope < 50


def test_a_calibration_is_the_sigmoid_of_a_line_rounded_to_six_decimals():
    raw = np.array([[0.2, 0.5], [0.9, 0.999]])

    calibrated = Calibration(1.5, -0.7).apply(raw)

    expected = sigmoid(1.5 * np.log(raw / (1 - raw)) - 0.7)
    np.testing.assert_allclose(calibrated, expected, atol=5.1e-7)
    np.testing.assert_array_equal(calibrated, np.round(calibrated, 6))


@given(raw=st.lists(st.floats(0, 1), min_size=2, max_size=20), slope=st.floats(0.1, 5), intercept=st.floats(-5, 5))
def test_a_calibration_keeps_the_order_and_the_range_even_at_the_edges(raw, slope, intercept):
    calibrated = Calibration(slope, intercept).apply(np.sort(raw))

    assert np.isfinite(calibrated).all()
    assert (np.diff(calibrated) >= 0).all()
    assert calibrated.min() >= 0
    assert calibrated.max() <= 1


@st.composite
def validation_sets(draw):
    labels = np.array([0, 1, *draw(st.lists(st.integers(0, 1), min_size=0, max_size=150))])
    # Few digits make ties; no normal film is certain to be sick.
    digits = draw(st.sampled_from([1, 2, 6]))
    values = st.floats(0, 0.999999)
    probability = draw(st.lists(values, min_size=len(labels), max_size=len(labels)))
    return labels, np.minimum(np.round(probability, digits), 0.999999)


@given(validation_sets())
def test_thresholds_keep_their_promises_on_the_films_they_were_chosen_on(films):
    labels, probability = films

    limits = choose_thresholds(labels, probability)
    answers = np.array([limits.answer(value) for value in probability])

    assert 0 <= limits.low <= limits.decision <= limits.high <= 1
    assert np.mean(answers[labels == 1] == "unlikely") <= 0.02
    assert np.mean(answers[labels == 0] == "likely") <= 0.02


@given(validation_sets())
def test_thresholds_could_not_be_closer_without_breaking_a_promise(films):
    labels, probability = films

    limits = choose_thresholds(labels, probability)

    if limits.low < limits.decision:
        assert np.mean(probability[labels == 1] <= limits.low) > 0.02
    if limits.high > limits.decision:
        assert np.mean(probability[labels == 0] >= limits.high - 1.5e-6) > 0.02


def test_thresholds_are_those_of_a_hand_worked_table():
    # Of 100 sick films two may fall below, so the third lowest is the limit; of 100 normal ones two may reach it.
    sick = np.concatenate([[0.11, 0.12, 0.13, 0.14], np.full(96, 0.9)])
    normal = np.concatenate([np.full(96, 0.1), [0.84, 0.85, 0.86, 0.87]])

    limits = choose_thresholds(np.repeat([1, 0], 100), np.concatenate([sick, normal]))

    assert limits == Thresholds(decision=0.5, low=0.13, high=0.850001)


def test_films_that_are_far_apart_leave_nothing_uncertain():
    limits = choose_thresholds(np.repeat([1, 0], 50), np.repeat([0.95, 0.05], 50))

    assert (limits.low, limits.high) == (0.5, 0.5)
    assert [limits.answer(value) for value in (0.499999, 0.5)] == ["unlikely", "likely"]


@pytest.mark.parametrize(
    ("probability", "answer"),
    [
        (0.0, "unlikely"),
        (0.199999, "unlikely"),
        (0.2, "uncertain"),
        (0.5, "uncertain"),
        (0.799999, "uncertain"),
        (0.8, "likely"),
        (1.0, "likely"),
    ],
)
def test_answers_at_the_exact_limits(probability, answer):
    assert Thresholds(decision=0.5, low=0.2, high=0.8).answer(probability) == answer
