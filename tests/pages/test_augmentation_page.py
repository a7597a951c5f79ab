import shutil
from functools import partial

import numpy as np
import pytest
from toy import synthetic
from toy.opened import page, text

from pages.parts.data import called_now
from pneumo.model_store import store

run = partial(page, "augmentation")
# The card of the model was written before there was a choice of detail.
RECIPE = {
    "min_area": 0.7,
    "max_stretch": 1.2,
    "brightness": 0.1,
    "contrast": 0.2,
    "gamma": 0.0,
    "flip": 0.0,
    "detail": 1.0,
}

pytestmark = pytest.mark.usefixtures("shipped", "called_models")


def pictures(app):
    return [image.proto.imgs[0].url for image in app.get("image")]


def sliders(app):
    return {slider.key: slider.value for slider in app.slider}


def test_a_composite_is_drawn_with_the_recipe_of_the_model():
    app = run()

    assert not app.exception
    assert sliders(app) == RECIPE
    assert len(pictures(app)) == 13
    assert "These are the ranges of Toy model." in text(app)


class Stub:
    """Gives each picture a probability of its own."""

    def probabilities(self, pictures):
        assert pictures.shape[0] == 13 and pictures.shape[3] == 1
        return np.linspace(0.2, 0.8, len(pictures))


def test_what_the_model_says_of_each_draw_stands_below_it(monkeypatch):
    monkeypatch.setattr(called_now, "load", lambda name: Stub())

    app = run()

    assert not app.exception
    captions = [image.proto.imgs[0].caption for image in app.get("image")]
    assert captions[0] == "As it is predicted: 0.200"
    assert captions[12] == "Draw 12: 0.800"
    assert "over the draws from 0.250 to 0.800" in text(app)


def test_a_model_that_cannot_be_loaded_leaves_the_draws_without_predictions():
    app = run()

    assert not app.exception
    assert app.get("image")[0].proto.imgs[0].caption == "As it is predicted"


@pytest.mark.parametrize("name", list(RECIPE))
def test_every_slider_changes_the_views_and_is_told(name):
    app = run()
    before = pictures(app)
    value = app.slider(key=name).max if name not in ("min_area", "detail") else app.slider(key=name).min

    app.slider(key=name).set_value(value).run()

    assert not app.exception
    assert pictures(app)[0] == before[0]
    assert pictures(app)[1:] != before[1:]
    assert "Changed from the recipe" in text(app)


def test_the_seed_draws_others_and_the_recipe_comes_back():
    app = run()
    before = pictures(app)
    app.number_input(key="seed").set_value(7).run()
    assert pictures(app) != before
    app.number_input(key="seed").set_value(0).run()
    assert pictures(app) == before

    app.slider(key="gamma").set_value(0.5).run()
    app.button(key="augmentation.reset").click().run()

    assert not app.exception
    assert sliders(app) == RECIPE
    assert pictures(app) == before


@pytest.mark.keras
def test_another_model_brings_its_recipe_and_the_lungs_on_request(called_models):
    (called_models / "other").mkdir()
    other = RECIPE | {"min_area": 0.3, "flip": 0.5}
    card = synthetic.card(
        name="other",
        title="Other model",
        training={"recipe": {"augmentation": other}},
        input={"size": 40, "channels": 1, "views": ["lungs"]},
    )
    store.write_card(card, called_models)
    app = run(model="Toy model")
    assert not app.toggle

    app.selectbox(key="shared.model").set_value("other").run()
    whole = pictures(app)
    app.toggle(key="augmentation.cut").set_value(True).run()

    assert not app.exception
    assert sliders(app) == other
    assert "40 × 40 pixels" in text(app)
    assert pictures(app) != whole


def test_a_film_of_the_data_set_is_chosen_in_the_address(toy_data, monkeypatch):
    monkeypatch.setenv("PNEUMO_DATA", str(toy_data))

    app = run(film="train/NORMAL/IM-0116-0001.jpeg", gamma="0.4")

    assert not app.exception
    assert app.selectbox(key="film").value == "train/NORMAL/IM-0116-0001.jpeg"
    assert not [film for film in app.selectbox(key="film").options if film.startswith("test/")]
    assert sliders(app)["gamma"] == 0.4


def test_a_damaged_film_costs_a_sentence(shipped):
    (shipped / "normal_1.png").write_bytes(b"no picture")

    app = run()

    assert not app.exception
    assert "normal_1.png" in text(app)
    assert pictures(app) == []


def test_models_without_a_recipe_cost_a_sentence(called_models):
    store.write_card(synthetic.card(training={}), called_models)

    app = run()

    assert not app.exception
    assert "No model here tells" in text(app)


def test_test_films_alone_cost_a_sentence(toy_data, tmp_path, monkeypatch):
    shutil.copytree(toy_data / "test", tmp_path / "only" / "test")
    monkeypatch.setenv("PNEUMO_DATA", str(tmp_path / "only"))

    app = run()

    assert not app.exception
    assert "test films only" in text(app)
