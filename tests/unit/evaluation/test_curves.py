import numpy as np
import pytest
from sklearn import metrics as reference

from pneumo.evaluation import curves
from pneumo.evaluation.intervals import wilson


@pytest.fixture
def films():
    """Labels, probabilities with ties, and patients with several films."""
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 2, 200)
    probability = np.round(np.clip(0.25 + 0.4 * labels + rng.normal(0, 0.25, 200), 0, 1), 2)
    return labels, probability, rng.integers(0, 120, 200)


def test_the_roc_curve_encloses_the_area(films):
    labels, probability, _ = films

    curve = curves.roc(*films)

    assert np.trapezoid(curve["y"], curve["x"]) == pytest.approx(reference.roc_auc_score(labels, probability))
    assert curve[["x", "y"]].iloc[[0, -1]].to_numpy().tolist() == [[0, 0], [1, 1]]
    assert curve["threshold"].is_monotonic_decreasing


def test_a_threshold_of_the_roc_curve_gives_its_point(films):
    labels, probability, _ = films

    row = curves.roc(*films).iloc[5]

    called = probability >= row["threshold"]
    assert row["y"] == pytest.approx(called[labels == 1].mean())
    assert row["x"] == pytest.approx(called[labels == 0].mean())


def test_the_precision_recall_curve_is_scikit_learns(films):
    labels, probability, _ = films

    curve = curves.precision_recall(*films)

    steps = np.diff(curve["x"], prepend=0)
    assert np.sum(steps * curve["y"]) == pytest.approx(reference.average_precision_score(labels, probability))
    row = curve.iloc[len(curve) // 2]
    assert row["y"] == pytest.approx(reference.precision_score(labels, probability >= row["threshold"]))


@pytest.mark.parametrize(
    "curve", [curves.roc, curves.precision_recall, lambda *films: curves.risk_coverage(*films, 0.5)]
)
def test_bands_are_ordered_reproducible_and_hold_most_of_the_curve(films, curve):
    first, second = curve(*films), curve(*films)

    assert first.equals(second)
    assert (first["low"] <= first["high"]).all()
    inside = (first["low"] <= first["y"] + 1e-12) & (first["y"] - 1e-12 <= first["high"])
    assert inside.mean() > 0.8


def test_a_band_is_narrower_where_every_film_is_of_another_patient(films):
    labels, probability, _ = (np.repeat(part, 4) for part in films)

    of_one, of_many = (curves.roc(labels, probability, each) for each in (np.arange(800) // 4, np.arange(800)))

    assert (of_many["high"] - of_many["low"]).mean() < 0.7 * (of_one["high"] - of_one["low"]).mean()


def test_the_band_of_a_perfect_model_is_the_curve():
    labels = np.arange(40) % 2

    curve = curves.roc(labels, 0.1 + 0.8 * labels, np.arange(40))

    assert curve["low"].tolist() == curve["high"].tolist() == [1.0] * len(curve)


@pytest.mark.parametrize("curve", [curves.roc, curves.precision_recall])
def test_samples_without_films_of_a_class_are_left_out_of_the_band(curve, monkeypatch):
    drawn = curve(np.array([1, 0, 0]), np.array([0.9, 0.2, 0.1]), np.arange(3))

    assert drawn[["low", "high"]].to_numpy().tolist() == [[1, 1]] * len(drawn)
    monkeypatch.setattr(curves, "BAND_DRAWS", 1)
    never = curve(np.array([1, 0]), np.array([0.9, 0.2]), np.array(["a", "b"]))
    assert never["low"].isna().all() or (never["low"] == 1).all()


def test_the_risk_of_all_films_is_the_error_rate_and_falls_where_confidence_tells(films):
    labels, probability, _ = films

    curve = curves.risk_coverage(*films, 0.4)

    assert curve["x"].iloc[-1] == 1
    assert curve["y"].iloc[-1] == pytest.approx(np.mean((probability >= 0.4) != labels))
    assert curve["x"].is_monotonic_increasing
    assert curve["x"].iloc[0] >= curves.LEAST_COVERAGE
    assert curve["y"].iloc[0] < curve["y"].iloc[-1]


def test_confidence_is_the_distance_of_the_logits():
    assert curves.confidence(np.array([0.5, 0.9, 0.1]), 0.5) == pytest.approx([0, np.log(9), np.log(9)])
    assert np.isfinite(curves.confidence(np.array([0.0, 1.0]), 0.3)).all()


def test_a_hand_worked_reliability_diagram():
    bins = curves.reliability(np.array([0, 1, 1, 1]), np.array([0.12, 0.18, 0.95, 1.0]))

    assert bins[["x", "y", "films"]].to_numpy() == pytest.approx(np.array([[0.15, 0.5, 2], [0.975, 1, 2]]))
    assert (bins["low"][0], bins["high"][0]) == (wilson(1, 2).low, wilson(1, 2).high)


def test_score_shares_add_up_in_each_class(films):
    shares = curves.score_shares(films[0], films[1])

    assert shares.groupby("class")["share"].sum().to_dict() == pytest.approx({"Normal": 1, "Pneumonia": 1})
    assert shares["films"].sum() == 200
    assert curves.score_shares(np.zeros(3), np.array([0.1, 0.2, 1.0]))["class"].unique().tolist() == ["Normal"]


@pytest.fixture
def ranked():
    """Labels, probabilities with ties, and patients with several films."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 300)
    probability = np.round(np.clip(0.3 + 0.3 * labels + rng.normal(0, 0.2, 300), 0, 1), 2)
    return labels, probability, rng.integers(0, 180, 300)


@pytest.mark.parametrize("specificity", [0.5, 0.8, 0.94, 0.99])
def test_no_threshold_finds_more_and_spares_as_many(ranked, specificity):
    labels, probability, _ = ranked

    point = curves.at_specificity(*ranked, specificity)

    found = {
        cut: np.mean(probability[labels == 1] >= cut)
        for cut in np.unique(probability)
        if np.mean(probability[labels == 0] < cut) >= specificity
    }
    assert point.reached.value == pytest.approx(max(found.values()))
    assert found[point.threshold] == pytest.approx(point.reached.value)
    assert point.reached.low < point.reached.value < point.reached.high


@pytest.mark.parametrize("sensitivity", [0.5, 0.9, 0.97])
def test_no_threshold_spares_more_and_finds_as_many(ranked, sensitivity):
    labels, probability, _ = ranked

    spared = [
        np.mean(probability[labels == 0] < cut)
        for cut in np.unique(probability)
        if np.mean(probability[labels == 1] >= cut) >= sensitivity
    ]

    assert curves.at_sensitivity(*ranked, sensitivity).value == pytest.approx(max(spared))


def test_a_share_that_is_met_exactly_counts():
    labels = np.array([0] * 50 + [1] * 50)
    probability = np.concatenate([np.linspace(0, 0.5, 47), [0.9] * 3, np.linspace(0.55, 0.8, 50)])

    point = curves.at_specificity(labels, probability, np.arange(100), 0.94)

    assert point.reached.value == 1
    assert point.threshold == pytest.approx(0.55)


def test_where_every_threshold_raises_too_many_alarms_nothing_is_found():
    labels, probability = np.array([0, 0, 1, 1, 1]), np.array([0.9, 0.1, 0.2, 0.3, 0.4])

    point = curves.at_specificity(labels, probability, np.arange(5), 0.9)

    assert point.reached.value == 0
    assert point.threshold == np.inf


def test_every_draw_finds_its_own_threshold(ranked):
    whole = curves.at_specificity(*ranked, 0.94)
    each_film_a_patient = curves.at_specificity(ranked[0], ranked[1], np.arange(300), 0.94)

    assert whole == curves.at_specificity(*ranked, 0.94)
    assert whole.reached.value == each_film_a_patient.reached.value
    assert whole.reached.low != each_film_a_patient.reached.low


def test_films_of_one_class_have_no_such_point(ranked):
    _, probability, patients = ranked

    with pytest.raises(ValueError, match="one class"):
        curves.at_specificity(np.ones(300), probability, patients, 0.94)
