import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from toy import sites, synthetic

from pneumo.errors import ModelError
from pneumo.inference.classifier import Classifier
from pneumo.model_store import store, weights
from pneumo.preprocessing.network_input import film_square, model_input
from pneumo.radiograph import Radiograph


def radiograph_of(pixels, **said):
    return Radiograph(np.asarray(pixels, np.float32), "film.png", "f" * 64, "PNG", 8, **said)


def drawn(seed=0, **said):
    rng = np.random.default_rng(seed)
    return radiograph_of(synthetic.film(rng, sick=bool(seed % 2)) / 255, **said)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A three-layer model, saved and reloaded."""
    path = tmp_path_factory.mktemp("model") / "model.keras"
    weights.save(synthetic.small_model(), path)
    return weights.load(path)


@pytest.fixture(scope="module")
def raw_score(model):
    """By hand, the score that the model gives the film drawn from seed 3."""
    given = model_input(film_square(drawn(3).pixels), 32)
    return float(keras.ops.convert_to_numpy(model(given[None], training=False))[0, 0])


def test_an_assessment_is_its_pieces_applied_by_hand(model, raw_score):
    calibration = {"slope": 1.5, "intercept": 0.4, "prevalence": 0.5, "fitted_on": "val_shifted"}
    film = drawn(3)

    assessment = Classifier(synthetic.card(calibration=calibration), model).assess(film)

    by_hand = 1 / (1 + np.exp(-(1.5 * np.log(raw_score / (1 - raw_score)) + 0.4)))
    assert assessment.probability == pytest.approx(by_hand, abs=2e-6)
    assert isinstance(assessment.probability, float)
    assert assessment.radiograph is film
    assert assessment.card.name == "toy"
    np.testing.assert_array_equal(assessment.model_input, model_input(film_square(film.pixels), 32))


def with_limits(low, high):
    return synthetic.card(thresholds=synthetic.card().thresholds | {"low": low, "high": high})


@pytest.mark.parametrize(
    ("low_shift", "high_shift", "answer"),
    [(-0.1, 0.0, "likely"), (-0.1, 1e-6, "uncertain"), (0.0, 0.1, "uncertain"), (1e-6, 0.1, "unlikely")],
)
def test_answers_change_exactly_at_the_limits(model, low_shift, high_shift, answer):
    probability = Classifier(synthetic.card(), model).assess(drawn(3)).probability
    card = with_limits(probability + low_shift, probability + high_shift)

    assert Classifier(card, model).assess(drawn(3)).answer == answer


@pytest.mark.parametrize(
    ("limits", "answer", "numbers"),
    [
        ((0.1, 0.1), "likely", ["10.0 %", "203", "3 came"]),
        ((0.95, 0.95), "unlikely", ["95.0 %", "601", "7 came"]),
        ((0.123, 0.954), "uncertain", ["12.3 %", "95.4 %"]),
    ],
)
def test_the_reasons_name_the_probability_the_limits_and_what_was_seen(model, limits, answer, numbers):
    assessment = Classifier(with_limits(*limits), model).assess(drawn(3))

    assert assessment.answer == answer
    assert f"{100 * assessment.probability:.1f} %" in assessment.reasons[0]
    assert [number for number in numbers if number not in assessment.reasons[0]] == []


def test_what_the_reader_noted_is_among_the_reasons(model):
    film = drawn(3, notes=("The picture was turned.", "It was inverted."))

    assert Classifier(synthetic.card(), model).assess(film).reasons[1:] == film.notes


def test_a_film_without_contrast_gets_a_finite_answer(model):
    assessment = Classifier(synthetic.card(), model).assess(radiograph_of(np.full((100, 90), 0.5)))

    assert 0 <= assessment.probability <= 1


def test_four_threads_get_the_answers_that_one_gets(model):
    films = [drawn(seed) for seed in range(10)]
    alone = Classifier(synthetic.card(), model)
    expected = [alone.assess(film).probability for film in films]
    # A fresh model has not yet built its prediction function.
    fresh = keras.models.clone_model(model)
    fresh.set_weights(model.get_weights())
    shared, start = Classifier(synthetic.card(), fresh), threading.Barrier(4)

    def assess_all(_):
        start.wait()
        return [shared.assess(film).probability for film in films]

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(assess_all, range(4)))

    assert len(set(expected)) == 10
    for result in results:
        assert result == pytest.approx(expected, abs=2e-6)


def test_a_warm_model_answers_as_a_cold_one(model):
    warm = Classifier(synthetic.card(), model)
    warm.warm_up()

    assert warm.assess(drawn(1)).probability == Classifier(synthetic.card(), model).assess(drawn(1)).probability


def test_a_classifier_opens_the_named_model_or_the_best(toy_models):
    best = store.catalogue(toy_models).cards[0].name

    assert Classifier.open("dense", toy_models).card.name == "dense"
    assert Classifier.open(folder=toy_models).card.name == best
    with pytest.raises(ModelError, match="Choose one of: cnn, dense"):
        Classifier.open("lenet", toy_models)


@pytest.mark.parametrize(
    ("middle", "sick", "answer", "why"),
    [
        (-6.0, 0, "likely", "of 40 normal films there 0 came that high"),
        (0.0, 0, "uncertain", "between the limits"),
        (9.0, 0, "unlikely", "no film with pneumonia from there has tested that limit"),
        (9.0, 25, "unlikely", "of 25 films with pneumonia there 0 came that low"),
    ],
)
def test_a_model_calibrated_for_a_hospital_answers_by_it_and_names_it(model, raw_score, middle, sick, answer, why):
    place = float(np.log(raw_score / (1 - raw_score)))
    card = synthetic.card(thresholds=synthetic.card().thresholds | {"low": 0.5, "decision": 0.5})
    site = sites.site(card, "St Mary", sick, middle=place + middle)

    assessment = Classifier(card, model, site=site).assess(drawn(3))

    fitted = site.found.calibration
    assert assessment.probability == pytest.approx(
        1 / (1 + np.exp(-(fitted.slope * place + fitted.intercept))), abs=2e-5
    )
    assert assessment.answer == answer
    assert assessment.card.as_thresholds() == site.found.thresholds
    assert why in assessment.reasons[0] and "St Mary" in assessment.reasons[0]
    named = f"Calibrated for St Mary on 40 normal films and {sick} with pneumonia ({site.made})."
    assert assessment.reasons[1] == named
    assert named in assessment.of_refused_film().reasons
