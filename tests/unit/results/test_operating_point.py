import numpy as np
import pytest

from pneumo.errors import ModelError
from pneumo.model_store import store
from pneumo.results import operating_point


@pytest.fixture
def films():
    """Labels, probabilities with ties, and patients with several films."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 300)
    probability = np.round(np.clip(0.3 + 0.3 * labels + rng.normal(0, 0.2, 300), 0, 1), 2)
    return labels, probability, rng.integers(0, 180, 300)


@pytest.mark.parametrize("specificity", [0.5, 0.8, 0.94, 0.99])
def test_no_threshold_finds_more_and_spares_as_many(films, specificity):
    labels, probability, _ = films

    point = operating_point.at_specificity(*films, specificity)

    found = {
        cut: np.mean(probability[labels == 1] >= cut)
        for cut in np.unique(probability)
        if np.mean(probability[labels == 0] < cut) >= specificity
    }
    assert point.reached.value == pytest.approx(max(found.values()))
    assert found[point.threshold] == pytest.approx(point.reached.value)
    assert point.reached.low < point.reached.value < point.reached.high


@pytest.mark.parametrize("sensitivity", [0.5, 0.9, 0.97])
def test_no_threshold_spares_more_and_finds_as_many(films, sensitivity):
    labels, probability, _ = films

    spared = [
        np.mean(probability[labels == 0] < cut)
        for cut in np.unique(probability)
        if np.mean(probability[labels == 1] >= cut) >= sensitivity
    ]

    assert operating_point.at_sensitivity(*films, sensitivity).value == pytest.approx(max(spared))


def test_a_share_that_is_met_exactly_counts():
    labels = np.array([0] * 50 + [1] * 50)
    probability = np.concatenate([np.linspace(0, 0.5, 47), [0.9] * 3, np.linspace(0.55, 0.8, 50)])

    point = operating_point.at_specificity(labels, probability, np.arange(100), 0.94)

    assert point.reached.value == 1
    assert point.threshold == pytest.approx(0.55)


def test_where_every_threshold_raises_too_many_alarms_nothing_is_found():
    labels, probability = np.array([0, 0, 1, 1, 1]), np.array([0.9, 0.1, 0.2, 0.3, 0.4])

    point = operating_point.at_specificity(labels, probability, np.arange(5), 0.9)

    assert point.reached.value == 0
    assert point.threshold == np.inf


def test_every_draw_finds_its_own_threshold(films):
    whole = operating_point.at_specificity(*films, draws=400)
    each_film_a_patient = operating_point.at_specificity(films[0], films[1], np.arange(300), draws=400)

    assert whole == operating_point.at_specificity(*films, draws=400)
    assert whole.reached.value == each_film_a_patient.reached.value
    assert whole.reached.low != each_film_a_patient.reached.low


def test_films_of_one_class_have_no_such_point(films):
    _, probability, patients = films

    with pytest.raises(ValueError, match="one class"):
        operating_point.at_specificity(np.ones(300), probability, patients)


def test_the_table_has_a_row_a_model_the_best_first(toy_models):
    rows = [line.split(" | ") for line in operating_point.markdown("test", toy_models).splitlines()[2:]]

    cards = {card.title: card for card in store.catalogue(toy_models).cards}
    assert {row[0].removeprefix("| ") for row in rows} == set(cards)
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), reverse=True)
    told = operating_point.table([cards[rows[0][0].removeprefix("| ")]], "test", folder=toy_models)
    assert rows[0][1].startswith(f"{told['sensitivity'].iloc[0]:.3f} (")


def test_a_split_that_no_model_was_measured_on_is_refused(toy_models):
    with pytest.raises(ModelError, match="evaluate NAME --split"):
        operating_point.markdown("external_nih", toy_models)
