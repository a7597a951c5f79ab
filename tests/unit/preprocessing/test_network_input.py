import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from toy import synthetic

from pneumo import radiograph
from pneumo.preprocessing.network_input import (
    SQUARE,
    film_square,
    fit_within,
    model_input,
)


def drawn(height=400, width=500, seed=3):
    return (synthetic.film(np.random.default_rng(seed), True, height, width) / 255).astype(np.float32)


@pytest.fixture(scope="module")
def square():
    return film_square(drawn())


def test_a_square_lies_between_zero_and_one_at_the_published_size(square):
    assert square.shape == (SQUARE, SQUARE)
    assert square.dtype == np.float32
    assert (square.min(), square.max()) == (0, 1)


def test_the_percentiles_of_the_window_become_black_and_white():
    film = np.linspace(0.2, 0.6, SQUARE * SQUARE, dtype=np.float32).reshape(SQUARE, SQUARE)

    square = film_square(film)

    low, high = np.percentile(film, 1), np.percentile(film, 99)
    stretched = np.clip((film - low) / (high - low), 0, 1)
    # Films are held in 8 bits for training, and a film makes the same input when it is predicted.
    np.testing.assert_allclose(square, stretched, atol=0.501 / 255)
    np.testing.assert_array_equal(square, np.rint(square * 255).astype(np.uint8) / np.float32(255))


@given(gain=st.floats(0.1, 1), offset=st.floats(0, 0.5))
def test_linear_exposure_does_not_change_the_square(gain, offset):
    film = drawn(240, 260)

    exposed = film_square(film * np.float32(gain) + np.float32(offset))
    # A grey value at the middle between two of 8 bits may be rounded either way.
    np.testing.assert_allclose(exposed, film_square(film), atol=1.01 / 255)
    assert (exposed != film_square(film)).mean() < 0.01


def test_a_squashed_training_copy_and_its_original_meet_the_model_alike(tmp_path):
    original = synthetic.film(np.random.default_rng(0), True, 1100, 1500)
    small = np.asarray(Image.fromarray(original).resize((SQUARE, SQUARE), Image.Resampling.BOX))
    (tmp_path / "original.png").write_bytes(cv2.imencode(".png", original)[1].tobytes())
    (tmp_path / "copy.jpeg").write_bytes(synthetic.jpeg(small))

    inputs = [
        model_input(film_square(radiograph.read(tmp_path / name).pixels), 160) for name in ("original.png", "copy.jpeg")
    ]

    assert np.abs(inputs[0] - inputs[1]).mean() < 0.005
    assert np.abs(inputs[0] - inputs[1]).max() < 0.08


@pytest.mark.shared
def test_real_originals_and_their_published_copies_meet_the_model_alike(shared_data):
    differences = []
    for original in sorted((shared_data / "originals").glob("*/*"))[::6]:
        copy = shared_data / "chest_xray" / "train" / original.parent.name / original.name
        one, other = (film_square(radiograph.read(path).pixels) for path in (original, copy))
        differences.append(np.abs(one - other).mean())

    assert len(differences) == 10
    assert max(differences) < 0.03


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_flat_film_becomes_black_and_not_nan(value):
    assert not film_square(np.full((100, 90), value, np.float32)).any()


def test_a_film_smaller_than_the_square_is_enlarged_smoothly():
    film = np.linspace(0, 1, 64, dtype=np.float32)[:, None].repeat(80, axis=1)

    square = film_square(film)

    assert (np.diff(square[:, 0]) >= 0).all()
    assert len(np.unique(square[:, 0])) > 64


@given(size=st.integers(8, 300))
def test_an_input_has_the_size_that_the_model_asks_for(square, size):
    given_input = model_input(square, size)

    assert given_input.shape == (size, size, 1)
    assert given_input.dtype == np.float32
    assert given_input.min() >= 0
    # Averages of areas are sums of float32.
    assert given_input.max() <= 1 + 1e-6


def test_an_input_of_half_the_size_averages_areas(square):
    means = square.reshape(SQUARE // 2, 2, SQUARE // 2, 2).mean(axis=(1, 3))

    np.testing.assert_allclose(model_input(square, SQUARE // 2)[..., 0], means, atol=1e-6)


@given(height=st.integers(10, 300), width=st.integers(10, 300), side=st.integers(20, 200))
def test_a_film_is_shrunk_to_a_screen_in_its_own_shape(height, width, side):
    film = np.random.default_rng(0).random((height, width), np.float32)

    shown = fit_within(film, side)

    if max(height, width) <= side:
        np.testing.assert_array_equal(shown, film)
    else:
        assert max(shown.shape) == side
        assert shown.shape == pytest.approx((height * side / max(film.shape), width * side / max(film.shape)), abs=0.6)
        assert abs(shown.mean() - film.mean()) < 0.02
