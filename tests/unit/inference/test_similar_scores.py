import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import synthetic

from pneumo.errors import ModelError
from pneumo.evaluation import intervals
from pneumo.evaluation.calibration import at_prevalence
from pneumo.inference import similar_scores
from pneumo.inference.similar_scores import NEIGHBOURS, ValidationScores, distribution, read_scores, similar_films
from pneumo.model_store import store


def sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


def scores_of(probability, sick, patients=None):
    sick = np.asarray(sick, bool)
    named = np.arange(len(sick)).astype(str) if patients is None else np.asarray(patients, str)
    return ValidationScores(np.asarray(probability, float), sick, named)


@pytest.fixture(scope="module")
def many():
    """5000 films, four in five with pneumonia; their probabilities hold where half of the films show it."""
    rng = np.random.default_rng(0)
    sick = rng.random(5000) < 0.8
    # Normal with means ±1 and variance 1, so that the logit at even odds is twice the value.
    return scores_of(sigmoid(2 * rng.normal(np.where(sick, 1, -1), 1)), sick)


def test_it_counts_the_hundred_films_that_are_nearest_in_the_logit():
    # Film 0 at logit 0, film 1 at 0.006, … film 999 at 5.994: the nearest to 3.003 are films 451 to 550.
    logit = np.arange(1000) * 0.006
    sick = np.arange(1000) >= 500

    found = similar_films(scores_of(sigmoid(logit), sick), sigmoid(3.003), 0.5)

    assert (found.films, found.patients, found.pneumonia) == (100, 100, 51)
    assert (found.lowest, found.highest) == (pytest.approx(sigmoid(2.706)), pytest.approx(sigmoid(3.3)))
    assert found.share.value == pytest.approx(0.51)
    by_scipy = intervals.wilson(51, 100)
    assert (found.share.low, found.share.high) == (pytest.approx(by_scipy.low), pytest.approx(by_scipy.high))


def test_the_count_is_weighted_to_the_prevalence():
    # By hand: 80 of the 100 neighbours are sick, in a set where 80 % are; so their scores tell nothing.
    sick = np.tile([True] * 4 + [False], 100)
    scores = scores_of(np.repeat([0.1, 0.3, 0.5, 0.7, 0.9], 100), sick)

    even, rare = (similar_films(scores, 0.5, share) for share in (0.5, 0.1))

    assert even.pneumonia == rare.pneumonia == 80
    assert even.share.value == pytest.approx(0.5)
    assert rare.share.value == pytest.approx(0.1)
    interval = intervals.wilson(80, 100)
    assert rare.share.low == pytest.approx(at_prevalence(interval.low, 0.8, 0.1))
    assert rare.share.high == pytest.approx(at_prevalence(interval.high, 0.8, 0.1))


@pytest.mark.parametrize("probability", [0.05, 0.2, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("prevalence", [0.5, 0.1])
def test_calibrated_scores_get_about_the_count_that_they_promise(many, probability, prevalence):
    found = similar_films(many, probability, prevalence)

    truth = at_prevalence(probability, 0.5, prevalence)
    assert found.share.low <= truth <= found.share.high


def test_the_interval_holds_as_often_as_it_says():
    rng, held, draws = np.random.default_rng(1), 0, 300
    for _ in range(draws):
        sick = rng.random(1000) < 0.8
        drawn = scores_of(sigmoid(2 * rng.normal(np.where(sick, 1, -1), 1)), sick)
        share = similar_films(drawn, 0.7, 0.5).share
        held += share.low <= 0.7 <= share.high

    # Three standard deviations of the count of 300 draws.
    assert held / draws >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / draws)


def test_films_of_one_child_count_for_one():
    sick, probability = np.tile([True, False], 300), np.repeat([0.1, 0.2, 0.5, 0.6, 0.8, 0.9], 100)
    alone = similar_films(scores_of(probability, sick), 0.5, 0.5)
    # Four films a child among the hundred nearest.
    together = similar_films(scores_of(probability, sick, np.arange(600) // 4), 0.5, 0.5)

    assert (alone.patients, together.patients) == (100, 25)
    assert together.share.value == alone.share.value
    by_children = intervals.wilson(12, 24)
    assert together.share.high - together.share.low == pytest.approx(by_children.high - by_children.low, abs=0.01)


def test_a_score_beyond_all_others_is_compared_with_the_outermost():
    logit = np.linspace(-6, 6, 1000)
    scores = scores_of(sigmoid(logit), logit > 0)

    found = similar_films(scores, 1.0, 0.5)

    assert found.pneumonia == found.films == NEIGHBOURS
    assert found.share.value == 1
    assert 0.9 < found.share.low < 0.97
    assert str(found).startswith("Of 100 films that score like this, 96 show pneumonia (95 % interval 96 to 100)")


def test_no_more_is_told_than_the_films_prove():
    logit = np.linspace(-6, 6, 1000)
    scores = scores_of(sigmoid(logit), logit > 0)

    highest, lowest, middle = (similar_films(scores, probability, 0.5) for probability in (1.0, 0.0, sigmoid(0.3)))

    # Of a hundred films without an exception, the limits of Wilson's interval.
    assert highest.of_100 == pytest.approx(100 * intervals.wilson(100, 100).low)
    assert lowest.of_100 == pytest.approx(100 * intervals.wilson(0, 100).high)
    assert middle.of_100 == pytest.approx(100 * middle.share.value)


def test_a_count_is_restated_for_another_place_as_if_it_had_been_counted_there(many):
    at_half, at_tenth = (similar_films(many, 0.9, share) for share in (0.5, 0.1))

    there = at_half.at(0.1)

    assert there.share.value == pytest.approx(at_tenth.share.value)
    assert (there.provable, there.of_100) == (pytest.approx(at_tenth.provable), pytest.approx(at_tenth.of_100))
    assert there.prevalence == 0.1


def test_films_as_near_as_the_last_count_too_and_those_that_are_told_alike_are_alike():
    # 300 films over 99.9 % at scores of their own, 700 normal films far below.
    probability = np.concatenate([np.linspace(0.9991, 0.999999, 300), np.linspace(0.01, 0.5, 700)])

    found = similar_films(scores_of(probability, np.arange(1000) < 300), 0.99999, 0.5)

    assert (found.films, found.pneumonia) == (300, 300)


def test_it_is_said_in_whole_films():
    logit = np.arange(1000) * 0.006

    told = str(similar_films(scores_of(sigmoid(logit), np.arange(1000) >= 500), sigmoid(3.003), 0.5))

    assert told == "Of 100 films that score like this, 51 show pneumonia (95 % interval 41 to 61)."


@given(st.floats(0, 1), st.floats(0.01, 0.6), st.integers(10, 400), st.integers(0, 2**32))
def test_the_share_lies_in_its_interval_whatever_the_films(probability, prevalence, films, seed):
    rng = np.random.default_rng(seed)
    sick = np.append(rng.random(films) < 0.5, [True, False])
    scores = scores_of(np.round(rng.random(films + 2), 2), sick, rng.integers(0, 50, films + 2))

    found = similar_films(scores, probability, prevalence)

    assert 0 <= found.share.low <= found.share.value <= found.share.high <= 1
    assert min(NEIGHBOURS, int((films + 2) * 0.2)) <= found.films <= films + 2
    assert 0 <= found.pneumonia <= found.films
    assert 1 <= found.patients <= found.films


def test_the_distribution_of_each_kind_adds_up_to_one():
    scores = scores_of([0.0, 0.5, 0.5001, 0.99999, 1.0], [False, False, True, True, True])

    table = distribution(scores)

    assert table.groupby("films")["share"].sum().to_dict() == pytest.approx({"With pneumonia": 1, "Normal": 1})
    sick = table[table["films"] == "With pneumonia"]
    assert sick["share"].iloc[-1] == pytest.approx(2 / 3)
    assert sick["share"].iloc[similar_scores.BINS // 2] == pytest.approx(1 / 3)
    assert table[table["films"] == "Normal"]["share"].iloc[0] == pytest.approx(1 / 2)
    assert (table["high"] > table["low"]).all()


@pytest.mark.parametrize("name", [card.name for card in store.catalogue(store.SHIPPED).cards])
def test_every_shipped_model_has_films_to_compare_with_and_their_count_agrees_with_its_calibration(name):
    card = store.read_card(name, store.SHIPPED)

    scores = read_scores(card, store.SHIPPED)

    assert len(scores.sick) == card.metrics["val_shifted"]["films"]
    shares = {
        probability: similar_films(scores, probability, card.calibration["prevalence"]).share
        for probability in (0.02, 0.5, 0.98)
    }
    # A line through the logit cannot follow every model's scores, least of all in the middle, where few films are.
    for probability in (0.02, 0.98):
        assert shares[probability].low - 0.05 <= probability <= shares[probability].high + 0.05
    assert shares[0.02].value < 0.2 < shares[0.5].value < 0.8 < shares[0.98].value


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("NORMAL", 0.1)] * 20, "too few"),
        ([("NORMAL", 0.1), ("PNEUMONIA", 0.9)], "too few"),
        ([("NORMAL", 0.1), ("PNEUMONIA", 7.0)] * 20, "no probabilities"),
        ([("NORMAL", "?"), ("PNEUMONIA", 0.9)] * 20, "damaged"),
    ],
    ids=["one class", "two films", "out of range", "no number"],
)
def test_predictions_that_nothing_can_be_read_from_are_told_of(tmp_path, rows, told):
    folder = tmp_path / "toy" / "predictions"
    folder.mkdir(parents=True)
    table = pd.DataFrame(rows, columns=["label", "probability"])
    table.assign(file="a.png", patient="p", pathogen="").to_csv(folder / "val_shifted.csv", index=False)

    with pytest.raises(ModelError, match=told):
        read_scores(synthetic.card(), tmp_path)


def test_a_model_without_validation_predictions_is_told_of(tmp_path):
    with pytest.raises(ModelError, match="was not measured on val_shifted"):
        read_scores(synthetic.card(), tmp_path)
