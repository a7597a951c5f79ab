import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from pneumo.evaluation.intervals import Estimate
from pneumo.evaluation.metrics import Confusion, confusion, evaluate, evaluate_table


def random_films(seed, films=150, patients=90):
    """Labels, probabilities with many ties, and patients with several films."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, films)
    probability = np.round((0.6 * rng.random(films) + 0.4 * labels * rng.random(films)), 1)
    return labels, probability, rng.integers(0, patients, films)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("threshold", [0.3, 0.5])
def test_every_figure_is_that_of_scikit_learn(seed, threshold):
    labels, probability, patients = random_films(seed)
    called = probability >= threshold

    figures = evaluate(labels, probability, patients, threshold, draws=20)

    assert figures.auroc.value == pytest.approx(reference.roc_auc_score(labels, probability))
    assert figures.auprc.value == pytest.approx(reference.average_precision_score(labels, probability))
    assert figures.accuracy.value == pytest.approx(reference.accuracy_score(labels, called))
    assert figures.sensitivity.value == pytest.approx(reference.recall_score(labels, called))
    assert figures.specificity.value == pytest.approx(reference.recall_score(labels, called, pos_label=0))
    assert figures.precision.value == pytest.approx(reference.precision_score(labels, called))
    assert figures.f1.value == pytest.approx(reference.f1_score(labels, called))
    assert figures.brier.value == pytest.approx(reference.brier_score_loss(labels, probability))
    cells = figures.confusion
    assert [
        [cells.true_negative, cells.false_positive],
        [cells.false_negative, cells.true_positive],
    ] == reference.confusion_matrix(labels, called).tolist()
    assert (figures.films, figures.patients, figures.threshold) == (150, len(set(patients)), threshold)


def test_calibration_error_equals_a_hand_worked_table():
    # Fifteen bins: 0.10 lies in the second, 0.50 and 0.52 in the eighth, 0.90 in the fourteenth, 1 in the last.
    probability = np.array([0.10, 0.10, 0.50, 0.52, 0.90, 0.90, 0.90, 0.90, 1.0, 1.0])
    labels = np.array([0, 1, 0, 1, 1, 1, 1, 0, 1, 1])
    #   bin   films   mean probability   share of pneumonia   films x gap
    #     2       2               0.10                 0.50          0.80
    #     8       2               0.51                 0.50          0.02
    #    14       4               0.90                 0.75          0.60
    #    15       2               1.00                 1.00          0.00
    by_hand = (0.80 + 0.02 + 0.60 + 0.00) / 10

    figures = evaluate(labels, probability, np.arange(10), 0.5, draws=10)

    assert figures.ece.value == pytest.approx(by_hand)


def test_a_film_at_the_threshold_is_called_pneumonia():
    cells = confusion(np.array([1, 1, 0, 0]), np.array([0.5, 0.4999, 0.5, 0.4999]), 0.5)

    assert cells == Confusion(true_positive=1, false_negative=1, true_negative=1, false_positive=1)


def test_more_films_of_the_same_patients_narrow_nothing():
    labels, probability, patients = random_films(3)
    thrice = [np.tile(values, 3) for values in (labels, probability, patients)]

    once, by_patient = evaluate(labels, probability, patients, 0.5), evaluate(*thrice, 0.5)
    by_film = evaluate(thrice[0], thrice[1], np.arange(450), 0.5)

    for name in ("auroc", "auprc", "f1", "brier", "ece"):
        one, other = once.estimates()[name], by_patient.estimates()[name]
        assert dataclasses.astuple(other) == pytest.approx(dataclasses.astuple(one))
    width = once.auroc.high - once.auroc.low
    assert by_film.auroc.high - by_film.auroc.low < 0.75 * width


def test_the_bootstrap_agrees_with_one_that_draws_patients_one_by_one():
    labels, probability, patients = random_films(8, films=100, patients=40)
    rng = np.random.default_rng(1)
    films_of = [np.flatnonzero(patients == patient) for patient in np.unique(patients)]
    drawn = []
    for _ in range(1000):
        films = np.concatenate([films_of[patient] for patient in rng.integers(0, len(films_of), len(films_of))])
        sick, well = (probability[films][labels[films] == label] for label in (1, 0))
        drawn.append(np.mean((sick[:, None] > well) + 0.5 * (sick[:, None] == well)))

    interval = evaluate(labels, probability, patients, 0.5, draws=1000).auroc

    assert (interval.low, interval.high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.02)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_intervals_contain_their_figure_and_stay_possible(seed):
    figures = evaluate(*random_films(seed), 0.4, draws=200).estimates()

    for name, figure in figures.items():
        assert 0 <= figure.low <= figure.high <= 1, name
        # Resampling adds noise to each bin, so the bootstrap of a calibration error lies above it.
        if name != "ece":
            assert figure.low <= figure.value <= figure.high, name


def test_the_bootstrap_is_repeatable_and_follows_its_seed():
    films = random_films(4)

    assert evaluate(*films, 0.5, draws=50) == evaluate(*films, 0.5, draws=50)
    assert evaluate(*films, 0.5, draws=50, seed=1).auroc != evaluate(*films, 0.5, draws=50).auroc


@given(order=st.permutations(range(30)))
def test_the_order_of_the_films_does_not_matter(order):
    labels, probability, patients = random_films(2, films=30, patients=30)

    shuffled = evaluate(labels[order], probability[order], patients[order], 0.5, draws=20)

    plain = evaluate(labels, probability, patients, 0.5, draws=20)
    for name, figure in plain.estimates().items():
        assert dataclasses.astuple(shuffled.estimates()[name]) == pytest.approx(
            dataclasses.astuple(figure), nan_ok=True
        )


@pytest.mark.parametrize("label", [0, 1])
def test_what_one_class_cannot_tell_is_nan(label):
    figures = evaluate(np.full(6, label), np.linspace(0.3, 0.9, 6), np.arange(6), 0.5, draws=30)

    assert np.isnan(dataclasses.astuple(figures.auroc)).all()
    assert np.isnan(figures.specificity.value if label else figures.sensitivity.value)
    assert np.isfinite(figures.brier.value)
    assert figures.accuracy.value == pytest.approx(4 / 6 if label else 2 / 6)


def test_draws_that_miss_a_class_are_left_out():
    figures = evaluate(np.array([1, 0]), np.array([0.9, 0.1]), np.array(["a", "b"]), 0.5, draws=50)

    assert figures.auroc == Estimate(1.0, 1.0, 1.0)


def test_one_film_is_enough():
    figures = evaluate(np.array([1]), np.array([0.7]), np.array(["a"]), 0.5, draws=5)

    assert figures.brier.value == pytest.approx(0.09)
    assert figures.ece.value == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("labels", "probability", "patients", "complaint"),
    [
        ([], [], [], "not empty"),
        ([1, 0], [0.5], ["a", "b"], "one length"),
        ([1, 0], [0.5, 0.5], ["a"], "one length"),
        ([1, 2], [0.5, 0.5], ["a", "b"], "labels must be 0"),
        ([1, 0], [0.5, 1.1], ["a", "b"], "probabilities must lie"),
        ([1, 0], [-0.1, 0.5], ["a", "b"], "probabilities must lie"),
        ([1, 0], [np.nan, 0.5], ["a", "b"], "probabilities must lie"),
    ],
)
def test_impossible_arrays_are_refused(labels, probability, patients, complaint):
    with pytest.raises(ValueError, match=complaint):
        evaluate(np.array(labels), np.array(probability), np.array(patients), 0.5)


def test_a_table_of_predictions_is_evaluated_like_its_arrays():
    labels, probability, patients = random_films(6)
    table = pd.DataFrame(
        {
            "patient": [f"person{patient}" for patient in patients],
            "label": np.where(labels == 1, "PNEUMONIA", "NORMAL"),
            "probability": probability,
        }
    )

    figures = evaluate_table(table, 0.5)

    assert figures == evaluate(labels, probability, table["patient"].to_numpy(str), 0.5)
