import dataclasses

import numpy as np
import pytest
from toy import sites, synthetic

from pneumo.errors import ModelError
from pneumo.inference import foreign
from pneumo.inference.classifier import Classifier
from pneumo.inference.foreign import KnownHospitals
from pneumo.model_store import store, weights
from pneumo.radiograph import Radiograph

FEATURES = 8


def known(limit=2.0, names=("here", "there")):
    """Two hospitals, at 0 and at 10 in all features, each with standard deviations of 0.5."""
    means = np.stack([np.full(FEATURES, 10.0 * place) for place in range(len(names))]).astype(np.float32)
    return KnownHospitals("conv", names, means, 2 * np.eye(FEATURES, dtype=np.float32), limit)


def film():
    picture = synthetic.film(np.random.default_rng(3), sick=True) / np.float32(255)
    return Radiograph(picture.astype(np.float32), "film.png", "f" * 64, "PNG", 8)


@pytest.fixture
def shipped(tmp_path):
    """The folder of a model that is written with its hospitals, and its card."""
    path = tmp_path / "toy" / "model.keras"
    weights.save(synthetic.small_model(), path)
    facts = foreign.write(known(), "toy", tmp_path)
    card = synthetic.card(sha256=weights.sha256(path), metrics={}, foreign=facts)
    store.write_card(card, tmp_path)
    return tmp_path, card


def test_the_distance_is_that_to_the_nearest_hospital_in_its_standard_deviations():
    features = np.stack([np.zeros(FEATURES), np.full(FEATURES, 10.5), np.full(FEATURES, 4.0)])

    np.testing.assert_allclose(known().distance(features), [0, 1, 8], rtol=1e-6)
    assert [known().is_foreign(each) for each in features] == [False, False, True]


def test_a_film_of_a_known_hospital_is_answered_as_without_the_comparison():
    model = synthetic.small_model()
    plain = Classifier(synthetic.card(), model).assess(film())
    compared = Classifier(synthetic.card(), model, known=known(limit=1e9)).assess(film())

    assert compared.probability == pytest.approx(plain.probability, abs=1e-6)
    assert (compared.answer, compared.reasons, compared.foreign) == (plain.answer, plain.reasons, False)


def test_a_foreign_film_gets_no_answer_and_is_told_why():
    card = synthetic.card(thresholds=synthetic.card().thresholds | {"low": 0.5, "high": 0.5})
    model = synthetic.small_model()
    answered = Classifier(card, model).assess(film())

    held_back = Classifier(card, model, known=known(limit=1e-6)).assess(film())

    assert (answered.answer, answered.uncertain_because) in [("likely", None), ("unlikely", None)]
    assert (held_back.answer, held_back.foreign, held_back.uncertain_because) == ("uncertain", True, "foreign")
    assert held_back.probability == pytest.approx(answered.probability, abs=1e-6)
    assert "unlike the films of the 2 hospitals" in held_back.reasons[0]
    assert held_back.of_refused_film().reasons == held_back.reasons


def test_an_answer_between_the_limits_has_another_reason():
    card = synthetic.card(thresholds=synthetic.card().thresholds | {"low": 0.0, "high": 1.0})

    assert Classifier(card, synthetic.small_model()).assess(film()).uncertain_because == "between_limits"


def test_the_features_are_the_moments_of_the_feature_maps():
    maps = np.random.default_rng(0).random((2, 5, 6, 3), np.float32)

    features = foreign.features(maps)

    assert features.shape == (2, 6)
    np.testing.assert_allclose(features[1, 2], maps[1, :, :, 2].mean(), rtol=1e-6)
    np.testing.assert_allclose(features[1, 5], maps[1, :, :, 2].std(), rtol=1e-5)


def test_hospitals_are_read_as_they_were_written(shipped):
    folder, card = shipped

    read = foreign.read(card, folder)

    assert (read.layer, read.names, read.limit) == ("conv", ("here", "there"), 2.0)
    np.testing.assert_array_equal(read.means, known().means)
    np.testing.assert_array_equal(read.whitening, known().whitening)
    assert Classifier.open("toy", folder).assess(film()).foreign in (True, False)


def test_where_the_model_is_calibrated_with_films_of_both_kinds_no_film_is_foreign(shipped):
    folder, card = shipped
    near = foreign.write(dataclasses.replace(known(), limit=1e-6), "toy", folder)
    card = dataclasses.replace(card, foreign=near)
    store.write_card(card, folder)

    assert Classifier.open("toy", folder).assess(film()).foreign
    assert not Classifier.open("toy", folder, site=sites.site(card, sick=20)).assess(film()).foreign
    held_back = Classifier.open("toy", folder, site=sites.site(card)).assess(film())
    assert held_back.foreign
    assert "St Mary" in held_back.reasons[1]


def test_a_model_without_hospitals_answers_every_film(tmp_path):
    assert foreign.read(synthetic.card(), tmp_path) is None


def test_a_missing_file_is_told_of_with_the_command_that_makes_it(shipped):
    folder, _ = shipped
    foreign.path_of("toy", folder).unlink()

    with pytest.raises(ModelError, match=r"is missing.*python -m pneumo foreign toy"):
        Classifier.open("toy", folder)


@pytest.mark.parametrize("damage", [b"", b"PK\3\4 and no more", b"\x93NUMPY", b"not an archive"])
def test_a_damaged_file_is_refused(shipped, damage):
    folder, card = shipped
    path = foreign.path_of("toy", folder)
    path.write_bytes(damage)

    with pytest.raises(ModelError, match=r"not the file that its card describes.*python -m pneumo foreign toy"):
        foreign.read(card, folder)
    described = dataclasses.replace(card, foreign=card.foreign | {"sha256": weights.sha256(path)})
    with pytest.raises(ModelError, match=r"is damaged.*python -m pneumo foreign toy"):
        foreign.read(described, folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"hospitals": ["here"]},
        {"hospitals": []},
        {"limit": 0},
        {"limit": "far"},
        {"limit": None},
        {"hospitals": None},
    ],
)
def test_a_card_that_does_not_fit_the_file_is_refused(shipped, changes):
    folder, card = shipped

    with pytest.raises(ModelError, match="is damaged"):
        foreign.read(dataclasses.replace(card, foreign=card.foreign | changes), folder)


def test_a_model_that_lacks_the_layer_is_refused():
    with pytest.raises(ModelError, match="has no layer gone"):
        Classifier(synthetic.card(), synthetic.small_model(), known=dataclasses.replace(known(), layer="gone"))
