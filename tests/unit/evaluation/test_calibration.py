import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumo.evaluation.calibration import (
    RULE_IN_SPECIFICITY,
    RULE_OUT_SENSITIVITY,
    Calibration,
    Thresholds,
    as_percent,
    at_prevalence,
    choose_thresholds,
    decided,
    fit,
    threshold_evidence,
)


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


@settings(max_examples=15)
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
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    films, share, skill = draw(st.integers(0, 1200)), draw(st.floats(0.1, 0.9)), draw(st.floats(0, 3))
    labels = np.array([0, 1, *(rng.random(films) < share)]).astype(int)
    # Few digits make ties; no film is certain to be sick.
    digits = draw(st.sampled_from([1, 2, 6]))
    probability = np.round(sigmoid(rng.normal(skill * (2 * labels - 1), 1.5)), digits)
    return labels, np.minimum(probability, 0.999999)


def wilson_low(successes, trials):
    z, share = 1.959963985, successes / trials
    centre, half = share + z**2 / (2 * trials), z * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return (centre - half) / (1 + z**2 / trials)


@given(validation_sets())
def test_thresholds_keep_their_promises_on_the_films_they_were_chosen_on(films):
    labels, probability = films

    limits = choose_thresholds(labels, probability)
    answers = np.array([limits.answer(value) for value in probability])

    assert 0 <= limits.low <= limits.decision <= limits.high <= 1
    for label, wrong, wanted in ((1, "unlikely", RULE_OUT_SENSITIVITY), (0, "likely", RULE_IN_SPECIFICITY)):
        errors, of = np.sum(answers[labels == label] == wrong), np.sum(labels == label)
        assert errors == 0 or wilson_low(of - errors, of) >= wanted


@given(validation_sets())
def test_thresholds_could_not_be_closer_without_breaking_a_promise(films):
    labels, probability = films
    positive, negative = probability[labels == 1], probability[labels == 0]

    limits = choose_thresholds(labels, probability)

    if limits.low < limits.decision:
        below = np.sum(positive <= limits.low)
        assert wilson_low(len(positive) - below, len(positive)) < RULE_OUT_SENSITIVITY
    if limits.high > limits.decision:
        above = np.sum(negative >= limits.high - 1.5e-6)
        assert wilson_low(len(negative) - above, len(negative)) < RULE_IN_SPECIFICITY


def test_thresholds_are_those_of_a_hand_worked_table():
    # By Wilson's interval 2 of 500 sick films may fall below (0.9855 > 0.98) and a fourth may not (0.9796), so the
    # fourth lowest is the limit; of 500 normal ones 7 may reach it (0.9714 > 0.97), and an eighth may not (0.9688).
    sick = np.concatenate([[0.11, 0.12, 0.13, 0.14, 0.15], np.full(495, 0.9)])
    normal = np.concatenate([np.full(490, 0.1), np.linspace(0.81, 0.9, 10)])
    labels, probability = np.repeat([1, 0], 500), np.concatenate([sick, normal])

    limits = choose_thresholds(labels, probability)

    assert limits == Thresholds(decision=0.5, low=0.14, high=0.830001)
    assert threshold_evidence(labels, probability, limits) == {
        "pneumonia_films": 500,
        "pneumonia_below_low": 3,
        "normal_films": 500,
        "normal_at_or_above_high": 7,
    }


def test_too_few_films_allow_no_error_at_all():
    labels = np.repeat([1, 0], 30)
    probability = np.concatenate([np.linspace(0.2, 0.9, 30), np.linspace(0.1, 0.8, 30)])

    limits = choose_thresholds(labels, probability)

    assert (limits.low, limits.high) == (0.2, 0.800001)


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


@pytest.mark.parametrize(
    ("probability", "told"),
    [
        (0.0, "under 0.1 %"),
        (0.000999, "under 0.1 %"),
        (0.001, "0.1 %"),
        (0.97251, "97.3 %"),
        (0.999, "99.9 %"),
        (0.999001, "over 99.9 %"),
        (1.0, "over 99.9 %"),
    ],
)
def test_nothing_is_told_as_impossible_or_certain(probability, told):
    assert as_percent(probability) == told


@pytest.mark.parametrize(
    ("probability", "told"), [(0.999, "over 96.3 %"), (0.963, "96.3 %"), (0.5, "50.0 %"), (0.01, "under 3.7 %")]
)
def test_no_more_is_told_than_is_proved(probability, told):
    assert as_percent(probability, (0.037, 0.963)) == told


@pytest.mark.parametrize(
    ("probability", "held_at", "prevalence", "restated"),
    [
        # Of 1000 children at 50 %, 450 sick and 50 healthy ones are at 0.9; at 10 % those are 90 and 90.
        (0.9, 0.5, 0.1, 0.5),
        (0.9, 0.1, 0.5, 81 / 82),
        (0.5, 0.5, 0.2, 0.2),
        (0.3, 0.25, 0.25, 0.3),
        (0.0, 0.5, 0.1, 0.0),
        (1.0, 0.5, 0.1, 1.0),
    ],
)
def test_a_probability_is_restated_by_the_odds_of_another_prevalence(probability, held_at, prevalence, restated):
    assert at_prevalence(probability, held_at, prevalence) == pytest.approx(restated)


@given(st.floats(0.001, 0.999), st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_prevalences_can_be_taken_one_after_the_other_and_back(probability, first, second, third):
    there = at_prevalence(at_prevalence(probability, first, second), second, third)

    assert there == pytest.approx(at_prevalence(probability, first, third))
    assert at_prevalence(there, third, first) == pytest.approx(probability)
    assert (at_prevalence(probability, first, second) > probability) == (second > first) or first == second


def test_it_agrees_with_a_calibration_fitted_at_the_other_prevalence():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 20_000)
    raw = sigmoid(rng.normal(2 * labels - 1, 1.0))

    even, rare = (float(fit(labels, raw, share).apply(np.array(0.7))) for share in (0.5, 0.1))

    assert at_prevalence(even, 0.5, 0.1) == pytest.approx(rare, abs=0.02)


@pytest.mark.parametrize(("probability", "held_at", "prevalence"), [(1.1, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 1)])
def test_a_share_out_of_range_is_not_restated(probability, held_at, prevalence):
    with pytest.raises(ValueError, match="lies"):
        at_prevalence(probability, held_at, prevalence)


def test_films_between_the_limits_are_not_decided_on():
    labels = np.array([1, 1, 1, 0, 0, 0, 0, 1])
    probability = np.array([0.8, 0.79, 0.1, 0.1, 0.2, 0.9, 0.19, 0.99])

    found = decided(labels, probability, Thresholds(decision=0.5, low=0.2, high=0.8))

    assert found.coverage.value == pytest.approx(6 / 8)
    assert found.error.value == pytest.approx(2 / 6)
    assert found.error.low < 2 / 6 < found.error.high


def test_where_nothing_is_decided_the_error_is_unknown():
    found = decided(np.array([0, 1]), np.array([0.5, 0.5]), Thresholds(decision=0.5, low=0.2, high=0.8))

    assert found.coverage.value == 0
    assert np.isnan(found.error.value)
