import keras
import numpy as np
import pytest
from toy import synthetic

from pneumo.evaluation.calibration import Calibration
from pneumo.inference import foreign
from pneumo.inference.foreign import KnownHospitals
from pneumo.model_store import runtime, weights
from pneumo.networks import ensemble
from pneumo.networks.ensemble import Member, Switch
from pneumo.preprocessing import crops, network_input


def member(name, seed, view, slope=1.0, intercept=0.0, size=32):
    return Member(name, view, synthetic.small_model(seed, size=size), Calibration(slope, intercept))


@pytest.fixture(scope="module")
def members():
    return [
        member("whole", 1, crops.FILM, slope=1.5, intercept=-0.4),
        member("lungs", 2, crops.LUNGS, slope=0.7, intercept=0.3),
        member("again", 3, crops.LUNGS),
    ]


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).random((4, 32, 32, 2), np.float32)


def logit(probability):
    return np.log(probability / (1 - probability))


def by_hand(members, pictures):
    total = 0.0
    for each in members:
        channel = 0 if each.view == crops.FILM else 1
        seen = pictures[..., channel : channel + 1]
        both = [logit(each.model.predict_on_batch(way)[:, 0]) for way in (seen, seen[:, :, ::-1])]
        total = total + each.calibration.slope * np.mean(both, axis=0) + each.calibration.intercept
    return 1 / (1 + np.exp(-total / len(members)))


def test_it_gives_the_mean_of_its_members_calibrated_logits_both_ways(members, pictures):
    joined = ensemble.build(members)

    np.testing.assert_allclose(joined.predict_on_batch(pictures)[:, 0], by_hand(members, pictures), atol=1e-5)
    assert ensemble.views_of(members) == [crops.FILM, crops.LUNGS]


def test_it_is_stored_and_loaded_like_any_other_model(members, pictures, tmp_path):
    joined = ensemble.build(members)
    weights.save(joined, tmp_path / "model.keras")

    loaded = weights.load(tmp_path / "model.keras")

    np.testing.assert_allclose(loaded.predict_on_batch(pictures), joined.predict_on_batch(pictures), atol=2e-3)
    assert isinstance(loaded.get_layer("again"), keras.Model)
    assert loaded.count_params() == joined.count_params()


def test_the_members_are_left_as_they_are(members, pictures):
    before = [each.model.predict_on_batch(pictures[..., :1]) for each in members]

    ensemble.build(members)

    for each, expected in zip(members, before, strict=True):
        np.testing.assert_array_equal(each.model.predict_on_batch(pictures[..., :1]), expected)


def test_one_model_alone_sees_each_film_both_ways(members, pictures):
    alone = ensemble.build(members[:1], unit="bacterial", name="alone")

    np.testing.assert_allclose(
        alone.predict_on_batch(pictures[..., :1])[:, 0], by_hand(members[:1], pictures), atol=1e-5
    )
    assert (alone.name, alone.layers[-1].name) == ("alone", "bacterial")


@pytest.fixture(scope="module")
def switch(members, pictures):
    """What gives the films that lie farther from two of them than most to the members that see the lungs."""
    features = foreign.features(_maps(members[1], pictures[..., 1:]))
    whitening = np.triu(np.random.default_rng(1).normal(size=(8, 8))).astype(np.float32)
    known = KnownHospitals("conv", ("here", "there"), features[0] + np.array([[0], [5]], np.float32), whitening, 1.0)
    limit = float(np.median(known.distance(features)))
    return Switch(("whole",), ("lungs", "again"), "lungs", "conv", known.means, whitening, limit)


def _maps(of, pictures):
    return keras.Model(of.model.input, of.model.get_layer("conv").output).predict_on_batch(pictures)


def test_a_film_is_answered_by_the_members_for_films_like_it(members, pictures, switch):
    probability, how_foreign, embedding = ensemble.build(members, switch=switch).predict_on_batch(pictures)

    known = KnownHospitals(switch.layer, ("here", "there"), switch.means, switch.whitening, switch.limit)
    features = foreign.features(_maps(members[1], pictures[..., 1:]))
    np.testing.assert_array_equal(how_foreign[:, 0] > 0.5, known.distance(features) > switch.limit)
    assert set(how_foreign[:, 0] > 0.5) == {True, False}
    at_home, elsewhere = (logit(by_hand(some, pictures)) for some in (members[:1], members[1:]))
    expected = at_home + how_foreign[:, 0] * (elsewhere - at_home)
    np.testing.assert_allclose(logit(probability[:, 0]), expected, atol=1e-4)
    np.testing.assert_allclose(embedding, _maps(members[0], pictures[..., :1]).mean(axis=(1, 2)), atol=1e-5)


def test_both_runtimes_agree_on_what_tells_foreign_films_itself(members, pictures, switch, tmp_path):
    weights.save(ensemble.build(members, switch=switch), tmp_path / "model.keras")

    theirs = weights.load(tmp_path / "model.keras").predict_on_batch(pictures)
    ours = runtime.open_network(tmp_path / "model.keras").run(pictures).results

    assert not isinstance(runtime.open_network(tmp_path / "model.keras"), runtime._KerasNetwork)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)


def test_no_model_is_no_ensemble():
    with pytest.raises(ValueError, match="at least one"):
        ensemble.build([])


def test_a_member_of_a_smaller_input_sees_the_view_shrunk(members, pictures):
    small = member("small", 4, crops.FILM, size=16)

    joined = ensemble.build([members[0], small])

    shrunk = np.stack([network_input.model_input(each[..., 0], 16) for each in pictures])
    large, other = (
        [logit(each.model.predict_on_batch(way)[:, 0]) for way in (seen, seen[:, :, ::-1])]
        for each, seen in ((members[0], pictures[..., :1]), (small, shrunk))
    )
    expected = (1.5 * np.mean(large, axis=0) - 0.4 + np.mean(other, axis=0)) / 2
    # The network shrinks by interpolation, the library by area.
    np.testing.assert_allclose(logit(joined.predict_on_batch(pictures)[:, 0]), expected, atol=0.02)
    assert joined.input_shape == (None, 32, 32, 1)
    assert joined.get_layer("small").layers[-1].name == "logit"
