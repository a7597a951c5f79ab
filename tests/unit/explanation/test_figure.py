from types import SimpleNamespace

import numpy as np
import pytest
from toy import synthetic

from pneumo import DISCLAIMER
from pneumo.explanation import drawing, figure
from pneumo.explanation.explainer import HeatMap
from pneumo.inference.reading import Models, Reading
from pneumo.radiograph import Radiograph


@pytest.fixture
def heat(monkeypatch):
    values = np.zeros((40, 60), np.float32)
    values[10:20, 30:45] = 1
    monkeypatch.setattr(
        figure, "explain", lambda reading, method: HeatMap(values, method or "gradcam", "conv", values, None)
    )
    return values


def answered(name: str = "film.png") -> Reading:
    pixels = np.random.default_rng(0).random((40, 60), np.float32)
    film = Radiograph(pixels, name, "f" * 64, "PNG", 8)
    models = Models(SimpleNamespace(card=synthetic.card()), None)
    assessment = SimpleNamespace(answer="likely", probability=0.9, percent="90.0 %", reasons=())
    return Reading(name, b"", models, film, None, assessment)


def test_the_film_stands_beside_its_heat_map_with_a_scale(heat):
    reading = answered()

    drawn = figure.heat_map_figure(reading, "layercam")

    film, map_, scale = drawn.axes
    np.testing.assert_array_equal(film.images[0].get_array(), drawing.film_picture(reading.radiograph.pixels))
    np.testing.assert_array_equal(
        map_.images[0].get_array(), drawing.overlay(reading.radiograph.pixels, heat, figure.SHADE)
    )
    assert (film.get_title(), map_.get_title()) == ("Film", "LayerCAM")
    assert all("pixels" in label for axes in (film, map_) for label in (axes.get_xlabel(), axes.get_ylabel()))
    assert "hottest place" in scale.get_ylabel()
    assert drawn.get_suptitle() == "film.png: Pneumonia likely, 90.0 %"
    assert drawn.get_supxlabel() == DISCLAIMER


def test_a_notebook_shows_the_figure_as_png(heat):
    assert figure.heat_map_figure(answered())._repr_png_().startswith(b"\x89PNG")


def test_a_dollar_sign_in_a_name_begins_no_formula(heat):
    name = r"$\film$ $x.png"

    drawn = figure.heat_map_figure(answered(name))

    assert drawn._repr_png_()
    assert drawn.get_suptitle().startswith(name)


def test_a_film_without_an_answer_has_no_heat_map():
    reading = Reading("film.png", b"", Models(SimpleNamespace(card=synthetic.card()), None))

    with pytest.raises(ValueError, match=r"film.png was not assessed"):
        figure.heat_map_figure(reading)
