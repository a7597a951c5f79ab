import dataclasses

import numpy as np
import pytest

from pneumo.evaluation import clinic
from pneumo.evaluation.clinic import ALL, MODEL, NONE, PRESETS, ClassScores, Clinic, outcome
from pneumo.evaluation.intervals import wilson
from pneumo.evaluation.metrics import Confusion

CELLS = Confusion(true_positive=90, false_negative=10, true_negative=160, false_positive=40)
PLACE = Clinic(prevalence=0.2, films=1000, miss_cost=50, alarm_cost=2, read_share=0.25)
EVEN_COSTS = Clinic(prevalence=0.2, films=1000, miss_cost=1, alarm_cost=1, read_share=0)
FILMS = ClassScores(sick=np.array([0.3, 0.6, 0.8, 0.9]), well=np.array([0.1, 0.2, 0.4, 0.7]))


def test_a_hand_worked_clinic():
    result = clinic.outcome(CELLS, PLACE)

    # Of 100 children 20 are ill, 18 of them found; of 80 well ones 16 raise an alarm.
    assert result.ppv.value == pytest.approx(18 / 34)
    assert result.npv.value == pytest.approx(64 / 66)
    # A doctor reads a quarter of the films anyway.
    assert result.missed_per_100.value == pytest.approx(1.5)
    assert result.alarms_per_100.value == pytest.approx(12)
    assert result.missed.value == pytest.approx(15)
    assert result.alarms.value == pytest.approx(120)
    assert result.cost.value == pytest.approx(15 * 50 + 120 * 2)


def test_missed_cases_and_false_alarms_carry_wilsons_interval():
    result, missed, alarms = clinic.outcome(CELLS, PLACE), wilson(10, 100), wilson(40, 200)

    assert (result.missed.low, result.missed.high) == pytest.approx((150 * missed.low, 150 * missed.high))
    assert (result.alarms.low, result.alarms.high) == pytest.approx((600 * alarms.low, 600 * alarms.high))


def test_predictive_values_have_about_the_interval_of_a_simulation():
    rng = np.random.default_rng(0)
    sensitivity, specificity = rng.beta(90.5, 10.5, 100_000), rng.beta(160.5, 40.5, 100_000)
    ppv = 0.2 * sensitivity / (0.2 * sensitivity + 0.8 * (1 - specificity))
    npv = 0.8 * specificity / (0.8 * specificity + 0.2 * (1 - sensitivity))

    result = clinic.outcome(CELLS, PLACE)

    assert (result.ppv.low, result.ppv.high) == pytest.approx(np.percentile(ppv, [2.5, 97.5]), abs=0.01)
    assert (result.npv.low, result.npv.high) == pytest.approx(np.percentile(npv, [2.5, 97.5]), abs=0.01)


def test_the_cost_has_about_the_interval_of_a_simulation():
    rng = np.random.default_rng(0)
    drawn = 150 * 50 * rng.beta(10.5, 90.5, 100_000) + 600 * 2 * rng.beta(40.5, 160.5, 100_000)

    result = clinic.outcome(CELLS, PLACE)

    assert (result.cost.low, result.cost.high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), rel=0.05)


def test_a_model_without_an_error_still_has_intervals():
    result = clinic.outcome(Confusion(50, 0, 50, 0), PLACE)

    assert result.ppv.value == result.npv.value == 1
    assert 0.5 < result.ppv.low < 1 and 0.9 < result.npv.low < 1
    assert result.cost.value == 0 < result.cost.high


def test_a_model_that_never_alarms_has_no_positive_predictive_value():
    result = clinic.outcome(Confusion(0, 50, 50, 0), PLACE)

    assert np.isnan(result.ppv.value)
    assert result.npv.value == pytest.approx(0.8)
    assert np.isnan(clinic.outcome(Confusion(50, 0, 0, 50), PLACE).npv.value)


def test_a_model_whose_alarms_are_all_false_has_the_value_0():
    assert clinic.outcome(Confusion(0, 50, 0, 50), PLACE).ppv.value == 0


def test_nothing_is_missed_where_a_doctor_reads_every_film():
    result = clinic.outcome(CELLS, dataclasses.replace(PLACE, read_share=1))

    assert result.missed.high == result.alarms.high == result.cost.high == 0
    assert result.ppv == clinic.outcome(CELLS, PLACE).ppv


def test_films_of_one_class_are_an_error():
    with pytest.raises(ValueError, match="one class"):
        clinic.outcome(Confusion(5, 1, 0, 0), PLACE)


def test_a_ratio_by_an_exact_figure_has_the_limits_of_the_other():
    one = tuple(np.array([part]) for part in (0.2, 0.1, 0.4))
    exact = tuple(np.array([0.5]) for _ in range(3))

    assert [part[0] for part in clinic.ratio(one, exact)] == pytest.approx([0.4, 0.2, 0.8])
    assert [part[0] for part in clinic.total(one, exact)] == pytest.approx([0.7, 0.6, 0.9])


def test_ppv_rises_and_npv_falls_with_the_share_of_pneumonia():
    values = clinic.predictive_values(CELLS)

    ppv, npv = (values[values["figure"] == figure]["value"] for figure in ("PPV", "NPV"))
    assert ppv.is_monotonic_increasing and npv.is_monotonic_decreasing
    assert len(ppv) == clinic.MOST_SHARE
    assert (values["low"] <= values["value"]).all() and (values["value"] <= values["high"]).all()


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_a_preset_is_a_clinic(preset):
    place = Clinic.of(preset.values)

    assert clinic.LEAST_SHARE / 100 <= place.prevalence <= clinic.MOST_SHARE / 100
    assert 0 <= place.read_share <= 1
    assert place.films == preset.values["films"]
    assert place.balance == pytest.approx(1 / (1 + place.miss_cost / place.alarm_cost))


def test_films_are_counted_at_any_threshold():
    assert FILMS.confusion(0.5) == Confusion(3, 1, 3, 1)
    assert FILMS.confusion(0.6) == Confusion(3, 1, 3, 1)
    assert FILMS.confusion(0.601) == Confusion(2, 2, 3, 1)
    miss, alarm = FILMS.rates(np.array([0.25, 0.5]))
    assert miss[0].tolist() == [0, 0.25] and alarm[0].tolist() == [0.5, 0.25]


def test_the_cost_of_each_threshold_is_that_of_its_calls():
    curve = clinic.cost_curve(FILMS, EVEN_COSTS).set_index("threshold")

    for threshold in (0.05, 0.5, 0.95):
        expected = outcome(FILMS.confusion(threshold), EVEN_COSTS).cost
        assert tuple(curve.loc[threshold]) == pytest.approx((expected.value, expected.low, expected.high))


@pytest.mark.parametrize("costs", [(1, 1), (100, 1), (1, 100), (5, 1)])
def test_no_threshold_is_cheaper_than_the_cheapest(costs):
    place = dataclasses.replace(EVEN_COSTS, miss_cost=costs[0], alarm_cost=costs[1])

    best = clinic.cheapest_threshold(FILMS, place)

    lowest = outcome(FILMS.confusion(best), place).cost.value
    assert lowest <= clinic.cost_curve(FILMS, place)["cost"].min() + 1e-9


def test_dear_misses_lower_the_cheapest_threshold():
    thresholds = [
        clinic.cheapest_threshold(FILMS, dataclasses.replace(EVEN_COSTS, miss_cost=cost)) for cost in (1, 4, 200)
    ]

    assert thresholds == sorted(thresholds, reverse=True)
    # Half-way between the highest normal film below the lowest one with pneumonia, and that.
    assert thresholds[-1] == pytest.approx(0.25)


def test_a_hand_worked_decision_curve():
    curve = clinic.decision_curve(FILMS, EVEN_COSTS, calibrated_for=0.2)
    at_half = curve[curve["threshold"] == 0.5].set_index("policy")

    # Of 20 pneumonias 15 are found; of 80 normal films 20 are treated, each weighing as much as a pneumonia.
    assert at_half.loc[MODEL, "benefit"] == pytest.approx(15 - 20)
    assert at_half.loc[NONE, "benefit"] == 0
    at_tenth = curve[curve["threshold"] == 0.1].set_index("policy")
    assert at_tenth.loc[ALL, "benefit"] == pytest.approx(20 - 80 / 9)
    assert (curve["low"].dropna() <= curve["benefit"][curve["low"].notna()]).all()


def test_the_probability_is_corrected_to_the_clinics_share():
    """A film of 0.6 where half are ill has odds of 1.5, so odds of 1.5 × 0.25 where a fifth are: 0.27."""
    curve = clinic.decision_curve(FILMS, EVEN_COSTS, calibrated_for=0.5)
    benefit = curve[curve["policy"] == MODEL].set_index("threshold")["benefit"]

    for threshold, found in ((0.27, 3), (0.28, 2)):
        assert benefit[threshold] == pytest.approx(5 * found - 20 * threshold / (1 - threshold))


def test_policies_that_do_harm_are_drawn_no_further():
    curve = clinic.decision_curve(FILMS, EVEN_COSTS, calibrated_for=0.5)

    assert curve["benefit"].min() >= -5
    assert curve["low"].min() >= -5
    assert curve[curve["policy"] == ALL]["threshold"].max() < 0.5


def test_outcomes_are_shown_with_their_intervals():
    result = outcome(FILMS.confusion(0.5), EVEN_COSTS)

    shown = clinic.readable({"Now": result})
    said = clinic.sentence(result, EVEN_COSTS)

    assert shown.loc["Missed a year", "Now"] == f"50 ({result.missed.low:.0f}–{result.missed.high:.0f})"
    assert shown.loc["Of alarms, true (PPV)", "Now"].startswith("42.9 % (")
    assert said.startswith("Of 100 films, 20 show pneumonia. 5.0 (")
    assert "In a year of 1,000 films" in said
    never = outcome(Confusion(0, 4, 4, 0), EVEN_COSTS)
    assert clinic.readable({"Never": never}).loc["Of alarms, true (PPV)", "Never"] == "–"


def test_without_the_model_what_no_doctor_reads_is_missed():
    place = Clinic(prevalence=0.3, films=1000, miss_cost=50, alarm_cost=5, read_share=0.2)

    assert clinic.without_model(place) == pytest.approx((240, 12_000))


@pytest.mark.parametrize(
    ("cells", "place", "said"),
    [
        (Confusion(95, 5, 90, 10), Clinic(0.3, 1000, 50, 5, 0), []),
        (Confusion(95, 5, 90, 10), Clinic(0.01, 1000, 500, 1, 0), ["Of 100 alarms only 9 are"]),
        (Confusion(50, 50, 90, 10), Clinic(0.5, 1000, 100, 1, 0), ["Treating all does better"]),
        (Confusion(95, 5, 10, 90), Clinic(0.5, 1000, 1, 100, 0), ["Treating none does better"]),
    ],
)
def test_calls_that_do_harm_are_said_to(cells, place, said):
    found = clinic.harms(cells, place)

    assert len(found) == len(said)
    assert all(text in harm for text, harm in zip(said, found, strict=True))
