import numpy as np
import pytest

from pneumo.evaluation.calibration import Thresholds
from pneumo.model_store import store
from pneumo.results import selective
from pneumo.results.selective import decided

LIMITS = Thresholds(decision=0.5, low=0.2, high=0.8)


def test_films_between_the_limits_are_not_decided_on():
    labels = np.array([1, 1, 1, 0, 0, 0, 0, 1])
    probability = np.array([0.8, 0.79, 0.1, 0.1, 0.2, 0.9, 0.19, 0.99])

    told = decided(labels, probability, LIMITS)

    assert told.coverage.value == pytest.approx(6 / 8)
    assert told.error.value == pytest.approx(2 / 6)
    assert told.error.low < 2 / 6 < told.error.high


def test_where_nothing_is_decided_the_error_is_unknown():
    told = decided(np.array([0, 1]), np.array([0.5, 0.5]), LIMITS)

    assert told.coverage.value == 0
    assert np.isnan(told.error.value)


def test_the_table_has_a_row_a_model(toy_models):
    rows = selective.markdown(toy_models).splitlines()[2:]

    cards = store.catalogue(toy_models).cards
    assert len(rows) == len(cards)
    for row, card in zip(rows, cards, strict=True):
        told = selective.of_model(card, "test", toy_models)
        assert row.endswith(f"| {told.coverage} | {told.error} |")
