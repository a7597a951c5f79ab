import dataclasses
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from toy import synthetic

from pneumo import radiograph
from pneumo.datasets import kaggle
from pneumo.errors import ImageError
from pneumo.preprocessing import network_input
from pneumo.preprocessing.network_input import (
    SQUARE,
    Augmentation,
    augmented_input,
    film_square,
    fit_within,
    model_input,
    shifted_input,
)
from pneumo.training import films

IDENTITY = Augmentation(min_area=1, max_stretch=1, brightness=0, contrast=0, gamma=0, flip=0)


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


@given(
    seed=st.integers(0, 2**32),
    size=st.integers(8, 96),
    augmentation=st.builds(
        Augmentation,
        min_area=st.floats(0.01, 1),
        max_stretch=st.floats(1, 3),
        brightness=st.floats(0, 1),
        contrast=st.floats(0, 1),
        gamma=st.floats(0, 0.9),
        flip=st.floats(0, 1),
    ),
)
def test_every_random_view_is_a_possible_input(square, seed, size, augmentation):
    view = augmented_input(square, size, augmentation, np.random.default_rng(seed))

    assert view.shape == (size, size, 1)
    assert view.dtype == np.float32
    assert np.isfinite(view).all()
    assert view.min() >= 0
    assert view.max() <= 1


@given(seed=st.integers(0, 2**32), size=st.sampled_from([32, 64, 160]))
def test_augmentation_by_nothing_is_the_plain_input(square, seed, size):
    view = augmented_input(square, size, IDENTITY, np.random.default_rng(seed))

    np.testing.assert_allclose(view, model_input(square, size), atol=1e-6)


def test_a_flip_mirrors_left_and_right(square):
    mirrored = Augmentation(min_area=1, max_stretch=1, brightness=0, contrast=0, gamma=0, flip=1)

    view = augmented_input(square, 64, mirrored, np.random.default_rng(0))

    np.testing.assert_allclose(view, model_input(square, 64)[:, ::-1], atol=1e-6)


def crops(cropping, count, **film):
    """Return the heights and the widths, in pixels of 224, that random crops keep of a film."""
    # The grey values of a ramp tell how much of a side a crop kept.
    ramp = np.linspace(0, 1, 224, dtype=np.float32)[:, None].repeat(224, axis=1)
    return (
        np.array(
            [
                np.ptp(augmented_input(picture, 224, cropping, np.random.default_rng(seed), **film)) * 223 + 1
                for seed in range(count)
            ]
        )
        for picture in (ramp, np.ascontiguousarray(ramp.T))
    )


def test_a_crop_keeps_the_area_and_the_stretch_that_it_may():
    cropping = Augmentation(min_area=0.5, max_stretch=1.25, brightness=0, contrast=0, gamma=0, flip=0)
    heights, widths = crops(cropping, 60)

    areas, ratios = heights * widths / 224**2, widths / heights
    assert areas.min() > 0.49
    assert areas.max() > 0.85
    assert areas.min() < 0.65
    assert 1 / 1.27 < ratios.min() < 0.95
    assert 1.05 < ratios.max() < 1.27


@pytest.mark.parametrize("aspect_ratio", [0.9, 1.23, 1.51, 2.4])
def test_a_crop_of_given_shape_keeps_it_and_fits(aspect_ratio):
    cropping = dataclasses.replace(IDENTITY, min_area=0.5)

    heights, widths = crops(cropping, 60, stretches=(1 / aspect_ratio, 2 / aspect_ratio))

    frames = aspect_ratio * widths / heights
    assert 0.98 < frames.min() < 1.1
    assert 1.85 < frames.max() < 2.05
    assert np.log(frames).mean() == pytest.approx(np.log(2) / 2, abs=0.08)
    assert max(widths.max(), heights.max()) <= 225


def test_detail_is_lost_along_rows_and_columns_apart():
    # Stripes two pixels wide: gone where the side across them is shrunk to a quarter.
    stripes = np.tile(np.repeat([0.2, 0.8], 2).astype(np.float32), (224, 56))
    coarse = dataclasses.replace(IDENTITY, detail=0.25)

    def contrasts(picture):
        return np.array(
            [augmented_input(picture, 224, coarse, np.random.default_rng(seed)).std() for seed in range(40)]
        )

    across, along = contrasts(stripes), contrasts(np.ascontiguousarray(stripes.T))
    for contrast in (across, along):
        assert contrast.min() < 0.06
        assert contrast.max() > 0.15
    assert np.corrcoef(across, along)[0, 1] < 0.5


def test_brightness_contrast_and_gamma_change_what_they_are_named_for(square):
    plain = model_input(square, 64)
    inner = (plain > 0.35) & (plain < 0.65)

    def view(**changes):
        options = {"min_area": 1, "max_stretch": 1, "brightness": 0, "contrast": 0, "gamma": 0, "flip": 0}
        return augmented_input(square, 64, Augmentation(**(options | changes)), np.random.default_rng(0))

    brighter, contrasted, bent = view(brightness=0.3), view(contrast=0.3), view(gamma=0.3)

    np.testing.assert_allclose(np.std((brighter - plain)[inner]), 0, atol=1e-6)
    assert abs(np.mean((brighter - plain)[inner])) > 0.01
    gain = ((contrasted - plain.mean()) / (plain - plain.mean()))[inner & (np.abs(plain - plain.mean()) > 0.02)]
    np.testing.assert_allclose(gain, gain[0], atol=1e-3)
    assert abs(gain[0] - 1) > 0.01
    exponent = np.log(bent[inner]) / np.log(plain[inner])
    np.testing.assert_allclose(exponent, exponent[0], atol=1e-3)
    assert abs(exponent[0] - 1) > 0.01


def test_the_shifted_view_belongs_to_the_name_of_a_file(square):
    view = shifted_input(square, 64, "train/NORMAL/IM-0115-0001.jpeg")

    np.testing.assert_array_equal(view, shifted_input(square, 64, "elsewhere/IM-0115-0001.jpeg"))
    assert np.abs(view - shifted_input(square, 64, "IM-0117-0001.jpeg")).max() > 0.05


def test_the_shifted_view_is_drawn_from_the_checksum_of_the_name(square):
    rng = np.random.default_rng(zlib.crc32(b"IM-0115-0001.jpeg"))

    expected = augmented_input(square, 64, network_input.SHIFT, rng)

    np.testing.assert_array_equal(shifted_input(square, 64, "IM-0115-0001.jpeg"), expected)


def test_shifted_views_are_never_mirrored():
    ramp = np.linspace(0, 1, SQUARE, dtype=np.float32)[None].repeat(SQUARE, axis=0)

    views = [shifted_input(ramp, 32, f"film-{number}.jpeg") for number in range(60)]

    assert all(view[:, -1].mean() > view[:, 0].mean() for view in views)


def test_a_file_has_as_many_views_as_are_drawn_each_its_own(square):
    views = [shifted_input(square, 32, "a.jpeg", network_input.HARD_SHIFT, draw) for draw in (0, 1, 2, 1)]

    np.testing.assert_array_equal(views[1], views[3])
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(views[first] - views[second]).max() > 0.05
    assert dataclasses.replace(network_input.SHARP_SHIFT, flip=0.5) == Augmentation()


def test_films_are_loaded_in_the_order_of_the_table(toy_data):
    table = kaggle.scan(toy_data).iloc[[5, 2, 40]]
    steps = []

    squares = films.load_squares(toy_data, table, lambda done, total: steps.append((done, total)))

    expected = film_square(radiograph.read(toy_data / table["file"].iloc[1]).pixels)
    assert squares.shape == (3, SQUARE, SQUARE)
    assert squares.dtype == np.uint8
    np.testing.assert_allclose(squares[1] / 255, expected, atol=0.5 / 255 + 1e-6)
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_a_film_that_cannot_be_read_is_named(toy_data, tmp_path):
    table = kaggle.scan(toy_data).iloc[:1]
    broken = tmp_path / table["file"].iloc[0]
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"\xff\xd8\xff broken")

    with pytest.raises(ImageError, match=broken.name):
        films.load_squares(tmp_path, table)


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
