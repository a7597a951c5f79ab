import base64
import io

import numpy as np
import pytest
import synthetic
from PIL import Image

from pneumo import lungs
from pneumo.drawing import CASING, LINE, data_url, film_picture, outlined, overlay


@pytest.fixture
def pixels():
    return np.linspace(0, 1, 60 * 80, dtype=np.float32).reshape(60, 80)


def grey(pixels):
    return np.rint(pixels * 255).astype(np.uint8)[..., None].repeat(3, axis=2)


def test_an_overlay_without_opacity_is_the_film(pixels):
    np.testing.assert_array_equal(overlay(pixels, np.ones_like(pixels), 0), grey(pixels))


def test_cold_places_leave_the_film_as_it_is(pixels):
    heat = np.zeros_like(pixels)
    heat[:, 40:] = 1

    picture = overlay(pixels, heat, 0.7)

    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture[:, :40], grey(pixels)[:, :40])
    assert (picture[:, 40:] != grey(pixels)[:, 40:]).any(axis=2).all()


def test_the_hottest_place_hides_the_film_at_full_opacity(pixels):
    picture = overlay(pixels, np.ones_like(pixels), 1)

    # Inferno ends in a pale yellow, in this order of colours.
    assert (picture == picture[0, 0]).all()
    red, green, blue = picture[0, 0].astype(int)
    assert red > 240
    assert green > 240
    assert blue < 180


def test_half_opacity_mixes_film_and_colour_evenly(pixels):
    heat = np.ones_like(pixels)

    mixed = overlay(pixels, heat, 0.5).astype(float)

    np.testing.assert_allclose(
        mixed, (overlay(pixels, heat, 0.0) + overlay(pixels, heat, 1.0).astype(float)) / 2, atol=1
    )


def test_a_data_url_holds_the_picture_in_its_colours():
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[..., 0] = 200

    head, body = data_url(picture).split(",")

    assert head == "data:image/jpeg;base64"
    decoded = np.asarray(Image.open(io.BytesIO(base64.b64decode(body))))
    assert decoded.shape == picture.shape
    assert np.abs(decoded.astype(int) - picture).max() <= 6


@pytest.fixture(scope="module")
def lung_mask():
    return lungs.of_probability(synthetic.lung_mask(224, 224).astype(np.float32))


@pytest.mark.parametrize(("height", "width", "thickness"), [(160, 200, 1), (800, 700, 2)])
def test_the_outline_is_a_cased_line_around_the_lungs(lung_mask, height, width, thickness):
    picture = np.full((height, width, 3), 128, np.uint8)

    drawn = outlined(picture, lung_mask)

    line, casing = (np.all(drawn == colour, axis=2) for colour in (LINE, CASING))
    np.testing.assert_array_equal(line, lung_mask.outline(height, width, thickness))
    np.testing.assert_array_equal(line | casing, lung_mask.outline(height, width, thickness + 1))
    assert casing.any()
    assert (drawn[~(line | casing)] == 128).all()
    assert (picture == 128).all()


def test_a_film_becomes_a_grey_picture():
    picture = film_picture(np.array([[0.0, 0.5, 1.0]], np.float32))

    np.testing.assert_array_equal(picture, [[[0, 0, 0], [128, 128, 128], [255, 255, 255]]])
    assert picture.dtype == np.uint8
