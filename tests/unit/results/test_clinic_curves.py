import dataclasses

import numpy as np
import pandas as pd
import pytest
from toy import synthetic

from pages.parts.charts.clinic import cost_plot, decision_plot, predictive_plot
from pneumo.evaluation.clinic import Clinic, outcome, predictive_values
from pneumo.evaluation.metrics import Confusion
from pneumo.model_store import store
from pneumo.results import clinic_curves
from pneumo.results.clinic_curves import ALL, MODEL, NONE, Films

PLACE = Clinic(prevalence=0.2, films=1000, miss_cost=1, alarm_cost=1, read_share=0)
FILMS = Films(sick=np.array([0.3, 0.6, 0.8, 0.9]), well=np.array([0.1, 0.2, 0.4, 0.7]))


def test_films_are_counted_at_any_threshold():
    assert FILMS.confusion(0.5) == Confusion(3, 1, 3, 1)
    assert FILMS.confusion(0.6) == Confusion(3, 1, 3, 1)
    assert FILMS.confusion(0.601) == Confusion(2, 2, 3, 1)
    miss, alarm = FILMS.rates(np.array([0.25, 0.5]))
    assert miss[0].tolist() == [0, 0.25] and alarm[0].tolist() == [0.5, 0.25]


def test_the_cost_of_each_threshold_is_that_of_its_calls():
    curve = clinic_curves.cost_curve(FILMS, PLACE).set_index("threshold")

    for threshold in (0.05, 0.5, 0.95):
        expected = outcome(FILMS.confusion(threshold), PLACE).cost
        assert tuple(curve.loc[threshold]) == pytest.approx((expected.value, expected.low, expected.high))


@pytest.mark.parametrize("costs", [(1, 1), (100, 1), (1, 100), (5, 1)])
def test_no_threshold_is_cheaper_than_the_cheapest(costs):
    place = dataclasses.replace(PLACE, miss_cost=costs[0], alarm_cost=costs[1])

    best = clinic_curves.cheapest_threshold(FILMS, place)

    lowest = outcome(FILMS.confusion(best), place).cost.value
    assert lowest <= clinic_curves.cost_curve(FILMS, place)["cost"].min() + 1e-9


def test_dear_misses_lower_the_cheapest_threshold():
    thresholds = [
        clinic_curves.cheapest_threshold(FILMS, dataclasses.replace(PLACE, miss_cost=cost)) for cost in (1, 4, 200)
    ]

    assert thresholds == sorted(thresholds, reverse=True)
    # Half-way between the highest normal film below the lowest one with pneumonia, and that.
    assert thresholds[-1] == pytest.approx(0.25)


def test_a_hand_worked_decision_curve():
    curve = clinic_curves.decision_curve(FILMS, PLACE, calibrated_for=0.2)
    at_half = curve[curve["threshold"] == 0.5].set_index("policy")

    # Of 20 pneumonias 15 are found; of 80 normal films 20 are treated, each weighing as much as a pneumonia.
    assert at_half.loc[MODEL, "benefit"] == pytest.approx(15 - 20)
    assert at_half.loc[NONE, "benefit"] == 0
    at_tenth = curve[curve["threshold"] == 0.1].set_index("policy")
    assert at_tenth.loc[ALL, "benefit"] == pytest.approx(20 - 80 / 9)
    assert (curve["low"].dropna() <= curve["benefit"][curve["low"].notna()]).all()


def test_the_probability_is_corrected_to_the_clinics_share():
    """A film of 0.6 where half are ill has odds of 1.5, so odds of 1.5 × 0.25 where a fifth are: 0.27."""
    curve = clinic_curves.decision_curve(FILMS, PLACE, calibrated_for=0.5)
    benefit = curve[curve["policy"] == MODEL].set_index("threshold")["benefit"]

    for threshold, found in ((0.27, 3), (0.28, 2)):
        assert benefit[threshold] == pytest.approx(5 * found - 20 * threshold / (1 - threshold))


def test_policies_that_do_harm_are_drawn_no_further():
    curve = clinic_curves.decision_curve(FILMS, PLACE, calibrated_for=0.5)

    assert curve["benefit"].min() >= -5
    assert curve["low"].min() >= -5
    assert curve[curve["policy"] == ALL]["threshold"].max() < 0.5


def test_the_films_are_those_of_the_predictions(tmp_path):
    card = synthetic.card(name="toy")
    table = pd.DataFrame({"label": ["NORMAL", "PNEUMONIA", "PNEUMONIA"], "probability": [0.2, 0.9, 0.6]})
    table = table.assign(pathogen="", file=["a", "b", "c"], patient=["a", "b", "c"])
    store.write_predictions(table, "toy", "test", tmp_path)

    read = clinic_curves.films(card, "test", tmp_path)

    assert (read.sick.tolist(), read.well.tolist()) == ([0.6, 0.9], [0.2])
    store.write_predictions(table.assign(label="NORMAL"), "toy", "test", tmp_path)
    with pytest.raises(ValueError, match="one class"):
        clinic_curves.films(card, "test", tmp_path)


def test_outcomes_are_told_with_their_intervals():
    result = outcome(FILMS.confusion(0.5), PLACE)

    shown = clinic_curves.readable({"Now": result})
    told = clinic_curves.sentence(result, PLACE)

    assert shown.loc["Missed a year", "Now"] == f"50 ({result.missed.low:.0f}–{result.missed.high:.0f})"
    assert shown.loc["Of alarms, true (PPV)", "Now"].startswith("42.9 % (")
    assert told.startswith("Of 100 films, 20 show pneumonia. 5.0 (")
    assert "In a year of 1,000 films" in told
    never = outcome(Confusion(0, 4, 4, 0), PLACE)
    assert clinic_curves.readable({"Never": never}).loc["Of alarms, true (PPV)", "Never"] == "–"


def test_every_chart_is_sound_and_titled():
    values = predictive_values(FILMS.confusion(0.5))
    costs = clinic_curves.cost_curve(FILMS, PLACE)
    benefits = clinic_curves.decision_curve(FILMS, PLACE, 0.5)

    for chart in (
        predictive_plot(values, 0.2),
        cost_plot(costs, 0.5, 0.3),
        cost_plot(costs, 0.5, None),
        decision_plot(benefits, [MODEL, ALL, NONE], 0.1),
    ):
        spec = chart.to_dict()  # altair checks it against the schema of Vega-Lite
        assert spec["title"]
        assert "background" not in spec


def test_a_cheapest_threshold_that_is_not_known_is_not_drawn():
    costs = clinic_curves.cost_curve(FILMS, PLACE)

    known, unknown = (str(cost_plot(costs, 0.5, best).to_dict()) for best in (0.3, None))

    assert "Cheapest threshold" in known and "Cheapest threshold" not in unknown
