import io

import numpy as np
import pytest
from PIL import Image
from toy import reported

from pneumo import DISCLAIMER
from pneumo.reports import overlay_png as report_picture
from pneumo.reports.overlay_png import LONGEST_SIDE, captioned, font_file, overlay, overlay_png


@pytest.fixture
def film():
    return reported.png_film()


def heat_of(film):
    heat = np.zeros(film.pixels.shape, np.float32)
    heat[100:140, 60:120] = 1
    return heat


def record_of(film, **changes):
    return reported.record_of(assessment=reported.answered(film), **changes)


def test_the_overlay_is_coloured_where_the_heat_is(film):
    drawn = overlay(film.pixels, heat_of(film), "Grad-CAM", "likely")

    coloured = np.ptp(drawn.picture.astype(int), axis=2) > 0
    assert drawn.picture.shape == (240, 300, 3)
    assert np.array_equal(coloured, heat_of(film) > 0)


def test_a_large_film_is_made_smaller_with_its_heat():
    film = reported.png_film(height=1000, width=2 * LONGEST_SIDE)

    assert overlay(film.pixels, heat_of(film), "Grad-CAM", "likely").picture.shape == (500, LONGEST_SIDE, 3)


@pytest.mark.parametrize(
    ("hot", "answer", "told", "untold"),
    [
        (True, "likely", "Heat map: Grad-CAM. The colours show where the score came from", "no sign of disease"),
        (True, "unlikely", "a bright spot is no sign of disease", "is empty"),
        (False, "unlikely", "Grad-CAM: nothing on this film raises the model's score", "bright"),
    ],
)
def test_the_overlay_says_how_to_read_it(film, hot, answer, told, untold):
    meaning = overlay(film.pixels, heat_of(film) * hot, "Grad-CAM", answer).meaning
    meaning = " ".join(meaning)

    assert told in meaning
    assert untold not in meaning


@pytest.mark.parametrize("width", [64, 300, 2000])
def test_the_caption_stands_below_the_picture_and_within_it(width):
    film = reported.png_film(height=200, width=width)
    drawn = overlay(film.pixels, heat_of(film), "Grad-CAM", "likely")

    picture = captioned(drawn, record_of(film))

    height, drawn_width = drawn.picture.shape[:2]
    band = picture[height:].max(axis=2)
    assert np.array_equal(picture[:height, :drawn_width], drawn.picture)
    assert band.max() == 255
    # Letters neither touch the edges nor run out of them.
    assert band[0].max() == band[-1].max() == band[:, 0].max() == band[:, -1].max() == 0


def test_the_png_says_what_it_is_and_where_it_comes_from(film):
    drawn = overlay(film.pixels, heat_of(film), "Grad-CAM", "likely")

    with Image.open(io.BytesIO(overlay_png(drawn, record_of(film)))) as picture:
        assert picture.size == (300, captioned(drawn, record_of(film)).shape[0])
        assert picture.text["Disclaimer"] == DISCLAIMER
        assert (picture.text["Model"], picture.text["Model-SHA256"]) == ("toy", "0" * 64)
        assert picture.text["Image-SHA256"] == "a" * 64
        assert picture.text["Description"].startswith(f"Pneumonia likely. {record_of(film).statement} Toy model")


def test_a_forced_answer_is_told_as_one(film):
    drawn = overlay(film.pixels, heat_of(film), "Grad-CAM", "likely")

    with Image.open(io.BytesIO(overlay_png(drawn, record_of(film, forced=True)))) as picture:
        assert "Assessed in spite of a refusal." in picture.text["Description"]


def test_the_font_is_there():
    for bold in (False, True):
        assert font_file(bold=bold).is_file()
    assert report_picture.font_file() != report_picture.font_file(bold=True)
