import numpy as np
import pytest
from toy import synthetic

from pneumo.training import foreign
from pneumo.training.films import Films


def drawn(seed, count, brightness=0.0):
    rng = np.random.default_rng(seed)
    films = [synthetic.film(rng, bool(film % 2), 224, 224) * (1 - brightness) for film in range(count)]
    return np.stack(films).astype(np.uint8)


@pytest.fixture
def described(monkeypatch):
    """The hospitals of an untrained model whose films differ in noise, and that model."""
    monkeypatch.setattr(foreign, "LAYER", "conv")
    model = synthetic.small_model()
    squares = np.concatenate([drawn(0, 30), drawn(1, 10)])
    labels = np.tile([0.0, 1.0], 20).astype(np.float32)
    names = tuple(f"{film}.png" for film in range(40))
    learned = Films(squares, labels, names, hospitals=np.repeat(["west", "east"], [30, 10]))
    validation = Films(drawn(2, 20), labels[:20], tuple(f"v{film}.png" for film in range(20)))
    return foreign.describe(model, learned, validation), model


def test_nearly_all_validation_films_are_nearer_than_the_limit(described):
    known, model = described
    network = foreign.features_network(model, "conv")
    validation = Films(drawn(2, 20), np.zeros(20, np.float32), tuple(f"v{film}.png" for film in range(20)))

    distances = known.distance(foreign.features_of(network, validation, shifted=False))

    assert known.names == ("east", "west")
    assert np.mean(distances <= known.limit) == pytest.approx(foreign.KEPT, abs=0.051)


def test_pictures_of_another_kind_are_farther_than_the_limit(described):
    known, model = described
    network = foreign.features_network(model, "conv")
    noise = np.random.default_rng(0).integers(0, 256, (5, 224, 224), np.uint8)

    distances = known.distance(
        foreign.features_of(network, Films(noise, np.zeros(5, np.float32), tuple("abcde")), False)
    )

    assert (distances > known.limit).all()


def test_the_covariance_is_about_the_mean_of_each_hospital():
    rng = np.random.default_rng(0)
    of = np.repeat(["a", "b"], 2000)
    scales = np.array([1.0, 2.0, 0.5])
    plain = rng.normal(size=(4000, 3)) * scales + np.where(of == "a", 0.0, 50.0)[:, np.newaxis]

    known = foreign.fit(plain, plain, of, "conv")

    np.testing.assert_allclose(known.means, [[0, 0, 0], [50, 50, 50]], atol=0.2)
    away = known.distance(np.array([[0, 0, 0], [50, 52, 50], [0, 0, 5]], float))
    # The shifted view, here the film itself, counts a tenth of a film more, at a smaller weight.
    spread = np.sqrt((1 + foreign.SHIFTED_WEIGHT) / 2)
    np.testing.assert_allclose(away, np.array([0, 1, 10]) / np.sqrt(3) / spread, rtol=0.06, atol=0.06)


def test_a_feature_that_never_varies_is_no_obstacle():
    features = np.random.default_rng(0).normal(size=(50, 4))
    features[:, 2] = 0

    known = foreign.fit(features, features, np.repeat(["a"], 50), "conv")

    assert np.isfinite(known.whitening).all()
    assert np.isfinite(known.distance(features)).all()


def test_a_large_hospital_is_described_by_some_of_its_films(monkeypatch):
    monkeypatch.setattr(foreign, "MOST_FILMS", 4)

    np.testing.assert_array_equal(foreign._evenly(np.arange(10, 20)), [10, 13, 16, 19])
    np.testing.assert_array_equal(foreign._evenly(np.arange(3)), [0, 1, 2])
