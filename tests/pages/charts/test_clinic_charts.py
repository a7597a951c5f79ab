import numpy as np

from pages.parts.charts.clinic import cost_plot, decision_plot, predictive_plot
from pneumo.evaluation import clinic
from pneumo.evaluation.clinic import ALL, MODEL, NONE, ClassScores, Clinic, predictive_values

PLACE = Clinic(prevalence=0.2, films=1000, miss_cost=1, alarm_cost=1, read_share=0)
FILMS = ClassScores(sick=np.array([0.3, 0.6, 0.8, 0.9]), well=np.array([0.1, 0.2, 0.4, 0.7]))


def test_every_chart_is_sound_and_titled():
    values = predictive_values(FILMS.confusion(0.5))
    costs = clinic.cost_curve(FILMS, PLACE)
    benefits = clinic.decision_curve(FILMS, PLACE, 0.5)

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
    costs = clinic.cost_curve(FILMS, PLACE)

    known, unknown = (str(cost_plot(costs, 0.5, best).to_dict()) for best in (0.3, None))

    assert "Cheapest threshold" in known and "Cheapest threshold" not in unknown
