import keras
import numpy as np
import pytest
from toy import synthetic

from pneumo.evaluation.calibration import Calibration
from pneumo.model_store import weights
from pneumo.networks import ensemble
from pneumo.networks.ensemble import Member
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
    # The network shrinks with a triangle filter, the library by area.
    np.testing.assert_allclose(logit(joined.predict_on_batch(pictures)[:, 0]), expected, atol=0.02)
    assert joined.input_shape == (None, 32, 32, 1)
    assert joined.get_layer("small").layers[-1].name == "logit"
