import base64
import io

import cv2
import numpy as np
import pytest
from PIL import Image
from toy import synthetic

from pneumo.explanation import regions
from pneumo.explanation.drawing import (
    CASING,
    COLOUR_MAPS,
    LINE,
    LINE_WIDTH,
    colour_table,
    data_url,
    film_picture,
    film_url,
    heat_url,
    outline_points,
    outlined,
    overlay,
    region_shapes,
)
from pneumo.inference import lungs


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


def decoded(url):
    head, body = url.split(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))))


def test_the_address_of_a_film_keeps_every_grey_value(pixels):
    np.testing.assert_array_equal(decoded(film_url(pixels)), grey(pixels)[..., 0])


@pytest.mark.parametrize("rows", [7, 14, 28])
def test_a_heat_map_is_sent_small_and_loses_nothing(rows):
    coarse = np.random.default_rng(1).random((rows, rows), np.float32)
    heat = cv2.resize(coarse, (800, 640), interpolation=cv2.INTER_CUBIC).clip(0, 1)

    sent = decoded(heat_url(heat))

    assert sent.shape == (160, 200)
    shown = cv2.resize(sent, (800, 640), interpolation=cv2.INTER_CUBIC)
    assert np.abs(shown / 255 - heat).max() < 0.04


def test_a_small_heat_map_is_sent_as_it_is(pixels):
    np.testing.assert_array_equal(decoded(heat_url(pixels)), grey(pixels)[..., 0])


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_every_colour_map_grows_brighter_so_that_it_is_read_without_hues(name):
    table = colour_table(name)

    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    share = table / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    # Rounded to eight bits, a colour may be darker than the one before by less than an eye sees.
    assert np.diff(luminance).min() > -0.001
    assert luminance[-1] - luminance[0] > 0.7


def test_the_overlay_is_drawn_in_opencvs_inferno():
    ramp = np.linspace(0, 1, 256, dtype=np.float32)[np.newaxis]

    opencv = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[np.newaxis], cv2.COLORMAP_INFERNO)[0, :, ::-1]
    np.testing.assert_array_equal(colour_table(), opencv)
    np.testing.assert_allclose(overlay(np.zeros_like(ramp), ramp, 1)[0], opencv * ramp[0, :, None], atol=0.51)


def test_an_unknown_colour_map_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"'jet'.*inferno, viridis, grey, hot"):
        colour_table("jet")


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


def filled(lines, height, width, beyond=0):
    """The pixels within closed lines, and a margin of `beyond` pixels around the picture."""
    points = [np.rint(np.array(line) * (width, height) - 0.5 + beyond).astype(np.int32) for line in lines]
    picture = np.zeros((height + 2 * beyond, width + 2 * beyond), np.uint8)
    return cv2.fillPoly(picture, points, 1) > 0


@pytest.mark.parametrize(("height", "width"), [(160, 200), (800, 700)])
def test_the_points_of_the_outline_enclose_the_lungs(lung_mask, height, width):
    lines = outline_points(lung_mask, height, width)

    drawn, mask = filled(lines, height, width), lung_mask.at(height, width)
    assert len(lines) == 2
    assert sum(map(len, lines)) < 600
    assert (drawn & mask).sum() / (drawn | mask).sum() > 0.97


def test_the_outline_of_a_lung_that_the_frame_cuts_off_runs_outside_it(lung_mask):
    cut = lungs.of_probability(synthetic.lung_mask(224, 224, middles=(0.05, 0.6)).astype(np.float32))

    [(left, _), (right, _)] = sorted(
        (min(x for x, _ in line), max(x for x, _ in line)) for line in outline_points(cut, 400, 400)
    )

    assert left < -LINE_WIDTH
    assert right > 0
    assert all(0 < x < 1 and 0 < y < 1 for line in outline_points(lung_mask, 400, 400) for x, y in line)


def test_no_lungs_have_no_outline():
    assert outline_points(lungs.of_probability(np.zeros((224, 224), np.float32)), 300, 300) == []


def test_hot_regions_are_told_as_shares_of_the_picture():
    row, column = np.mgrid[:60, :80]
    heat = np.exp(-((row - 30) ** 2 + (column - 20) ** 2) / 50).astype(np.float32)
    [region] = regions.hot_regions(heat)

    [shape] = region_shapes([region], 60, 80)

    drawn = filled([shape["line"]], 60, 80)
    hottest = regions.hottest(heat)
    assert (drawn & hottest).sum() / (drawn | hottest).sum() > 0.9
    left, top, right, bottom = region.box
    assert shape["box"] == pytest.approx([left / 80, top / 60, right / 80, bottom / 60], abs=1e-4)
    assert shape["words"] == str(region)
    assert region_shapes((), 60, 80) == []


def test_a_film_becomes_a_grey_picture():
    picture = film_picture(np.array([[0.0, 0.5, 1.0]], np.float32))

    np.testing.assert_array_equal(picture, [[[0, 0, 0], [128, 128, 128], [255, 255, 255]]])
    assert picture.dtype == np.uint8


def test_a_data_url_holds_the_picture_in_its_colours():
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[..., 0] = 200

    head, body = data_url(picture).split(",")

    assert head == "data:image/jpeg;base64"
    decoded = np.asarray(Image.open(io.BytesIO(base64.b64decode(body))))
    assert decoded.shape == picture.shape
    assert np.abs(decoded.astype(int) - picture).max() <= 6
