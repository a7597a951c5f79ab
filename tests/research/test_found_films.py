import cv2
import numpy as np
import pytest

from pneumo.preprocessing import outlines
from research.found_films import __main__ as study
from research.found_films import pictures


def film():
    rough = np.random.default_rng(0).random((300, 400)).astype(np.float32)
    smooth = cv2.normalize(cv2.GaussianBlur(rough, (0, 0), 12), None, 60, 180, cv2.NORM_MINMAX)
    return smooth.astype(np.uint8)


@pytest.mark.parametrize("kind", pictures.SINGLE)
def test_the_film_lies_where_the_picture_says(kind):
    picture = pictures.SINGLE[kind](film(), np.random.default_rng(3))

    (corners,) = picture.corners
    found = outlines.cut_out(picture.pixels.astype(np.float32), study._corners(corners))

    height, width = found.shape
    expected = cv2.resize(film(), (width, height)).astype(np.float32)
    assert picture.kind == kind
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.9


def test_several_films_lie_apart():
    picture = pictures.several([film()] * 4, np.random.default_rng(1))

    corners = [study._corners(each) for each in picture.corners]
    assert len(corners) == 4
    assert all(outlines.overlap(corners[0], other)[1] == 0 for other in corners[1:])


@pytest.mark.parametrize("sides", ["across", "both"])
def test_a_letterbox_takes_the_share_that_was_asked_for(sides):
    picture = pictures.letterbox(film(), 0.5, sides, "white", np.random.default_rng(0))

    height, width = picture.pixels.shape
    assert width == 800
    assert height == (600 if sides == "both" else 300)
