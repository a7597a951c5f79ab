import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import special
from sklearn.linear_model import LogisticRegression

from pneumo.evaluation import site_calibration
from pneumo.evaluation.calibration import logit
from pneumo.evaluation.site_calibration import FEWEST_NORMAL, FEWEST_PNEUMONIA, calibrate, recalibrate, two_groups

OWN_LOW = 0.2


def films(normal, sick=(), low=OWN_LOW):
    """Labels and the model's own probabilities, the latter from logits."""
    places = np.concatenate([normal, sick])
    return np.repeat([0, 1], [len(normal), len(sick)]), special.expit(places), low


def drawn(normal, sick=0, apart=2.0, seed=0):
    rng = np.random.default_rng(seed)
    return films(rng.normal(0, 1, normal), rng.normal(apart, 1, sick))


def test_the_decision_from_normal_films_is_one_of_them():
    # Ranks 1…30: 31 · 0.90 = 27.9, so the 28th is the last that is below; 31 · 0.25 = 7.75, so 6 lie below the 7th.
    labels, own, _ = films(np.linspace(-3, 3, 30))

    calibration, limits = recalibrate(labels, own, own_low=0.99)

    probability = calibration.apply(own)
    assert np.sum(probability >= limits.decision) == 2
    assert probability[27] == 0.5
    assert np.sum(probability < limits.low) == 6
    assert np.sum(probability >= limits.high) == 0
    assert limits.high == pytest.approx(probability[-1], abs=2e-6)


def test_one_standard_deviation_of_the_normal_films_is_one_unit_of_the_logit():
    normal = np.linspace(-3, 3, 30)

    calibration, _ = recalibrate(*films(normal))

    assert calibration.slope == pytest.approx(1 / normal.std(ddof=1))


def test_the_shares_of_new_films_are_those_of_order_statistics():
    found = calibrate(*drawn(30))

    # The 28th and the 30th of 30: beta distributions of (28, 3) and (30, 1); of the last, 0.025 ** (1 / 30).
    assert (found.specificity.value, found.normal_below_high.value) == (28 / 31, 30 / 31)
    assert found.normal_below_high.low == pytest.approx(0.025 ** (1 / 30))
    assert found.normal_below_high.high == pytest.approx(0.975 ** (1 / 30))
    assert found.specificity.low == pytest.approx(0.779, abs=0.001)
    assert np.isnan([found.sensitivity.value, found.pneumonia_from_low.value]).all()


def test_the_specificity_that_is_told_is_that_of_new_films():
    """Whatever the distribution: here a skewed one, whose 90 % point no normal distribution would find."""
    rng = np.random.default_rng(0)
    kept = []
    for _ in range(400):
        labels, own, low = films(rng.exponential(1, 30))
        calibration, limits = recalibrate(labels, own, low)
        kept.append(np.mean(calibration.apply(special.expit(rng.exponential(1, 500))) < limits.decision))
    interval = calibrate(*drawn(30)).specificity

    assert np.mean(kept) == pytest.approx(28 / 31, abs=0.01)
    assert np.mean((np.array(kept) >= interval.low) & (np.array(kept) <= interval.high)) == pytest.approx(
        0.95, abs=0.03
    )


def test_the_interval_of_the_decision_holds_the_true_point_and_is_open_where_films_set_no_limit():
    held = [calibrate(*drawn(60, seed=seed)).own["decision"] for seed in range(60)]
    # 61 · 0.9 = 54.9: the 55th of 60 stands for the point that 55 / 61 of all films are below.
    truth = special.expit(special.ndtri(55 / 61))

    assert np.mean([each.low <= truth <= each.high for each in held]) >= 0.9
    assert all(each.low < each.value < each.high for each in held)
    assert calibrate(*drawn(30)).own["high"].high == 1


def test_unlikely_goes_no_further_than_the_models_own_limit_nor_than_a_film_with_pneumonia():
    normal = np.linspace(-3, 3, 30)

    def called_unlikely(own_low, sick=()):
        labels, own, _ = films(normal, sick)
        calibration, limits = recalibrate(labels, own, own_low)
        return calibration.apply(own[labels == 0]) < limits.low

    assert called_unlikely(own_low=0.99).sum() == 6
    assert called_unlikely(own_low=special.expit(-2.5)).sum() == 3
    assert called_unlikely(own_low=0.99, sick=[-2.7, 1.0]).sum() == 2


@pytest.mark.parametrize("sick", [FEWEST_PNEUMONIA, 45])
def test_with_films_of_both_kinds_the_probability_is_a_penalised_logistic_regression(sick):
    labels, own, low = drawn(35, sick)
    places, normal = logit(own), logit(own)[labels == 0]
    standard = (places - normal.mean()) / normal.std(ddof=1)
    weight = np.where(labels == 1, 0.5 / labels.mean(), 0.5 / (1 - labels.mean()))
    expected = LogisticRegression(C=1.0, tol=1e-10).fit(standard[:, None], labels, weight)

    calibration, limits = recalibrate(labels, own, low)

    assert calibration.slope == pytest.approx(expected.coef_[0, 0] / normal.std(ddof=1), rel=1e-4)
    assert calibration.apply(own) == pytest.approx(expected.predict_proba(standard[:, None])[:, 1], abs=1e-4)
    assert limits.decision == 0.5
    assert np.sum(calibration.apply(own)[labels == 1] < limits.low) == 0


def test_with_films_of_both_kinds_sensitivity_and_specificity_are_of_films_left_out():
    labels, own, low = drawn(40, 30, apart=1.5)
    found = calibrate(labels, own, low)
    called = []
    for out in range(len(labels)):
        others = np.arange(len(labels)) != out
        calibration, _ = recalibrate(labels[others], own[others], low)
        called.append(calibration.apply(own[[out]])[0] >= 0.5)
    called = np.array(called)

    assert found.sensitivity.value == pytest.approx(called[labels == 1].mean())
    assert found.specificity.value == pytest.approx(1 - called[labels == 0].mean())
    assert found.own["decision"].low < found.own["decision"].value < found.own["decision"].high
    assert found.slope.low < found.slope.value < found.slope.high


places = st.lists(st.floats(-12, 12), min_size=FEWEST_NORMAL, max_size=60)


@settings(max_examples=25)
@given(places, st.lists(st.floats(-12, 12), max_size=40), st.floats(0.01, 0.5))
def test_any_films_give_finite_thresholds_in_order(normal, sick, low):
    labels, own, low = films(np.array(normal), np.array(sick), low)
    assume(len(sick) < FEWEST_PNEUMONIA or recalibrate(labels, own, low)[0].slope > 0)

    found = calibrate(labels, own, low)

    limits = found.thresholds
    assert 0 <= limits.low <= limits.decision <= limits.high <= 1
    assert np.isfinite([found.calibration.slope, found.calibration.intercept]).all()
    assert found.evidence["normal_at_or_above_high"] == 0
    if len(sick) < FEWEST_PNEUMONIA:
        assert all(each.low <= each.value <= each.high for each in found.own.values())
        assert found.calibration.slope > 0
        assert np.mean(found.calibration.apply(own[labels == 0]) < limits.decision) >= site_calibration.SPECIFICITY


def test_films_of_one_kind_are_one_group_and_pneumonias_among_them_stand_apart():
    rng = np.random.default_rng(0)
    normal, few = rng.normal(-4, 1, 30), rng.normal(5, 1, 4)

    assert two_groups(special.expit(normal)) is None
    assert two_groups(special.expit(np.append(normal, few))).nonzero()[0].tolist() == [30, 31, 32, 33]
    assert two_groups(special.expit(-np.append(normal, few))).nonzero()[0].tolist() == [30, 31, 32, 33]
    assert two_groups(np.full(30, 0.5)) is None


def test_how_well_kinds_are_told_apart_is_known_from_enough_films():
    told = site_calibration.told_apart

    assert np.isnan(told(*drawn(30, FEWEST_PNEUMONIA - 1)[:2]).value)
    assert told(*drawn(30, 30, apart=3.0)[:2]).low > 0.8
    assert told(*drawn(30, 30, apart=0.0)[:2]).low < 0.5
