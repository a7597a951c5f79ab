import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs

import pytest
from toy.opened import page, text

from pages.parts.data import called_now, catalogue
from pneumo.datasets import kaggle, samples
from pneumo.errors import ModelError

run = partial(page, "gallery")

pytestmark = pytest.mark.usefixtures("shipped", "called_models")


def shown(app):
    return [button.key.removeprefix("gallery.open_") for button in app.button if button.key.startswith("gallery.open_")]


@pytest.fixture
def with_data(toy_data, monkeypatch):
    monkeypatch.setenv("PNEUMO_DATA", str(toy_data))
    return toy_data


def test_without_a_data_set_the_composites_are_shown():
    app = run()

    assert not app.exception
    assert shown(app) == ["normal_1.png"]
    assert "Name the folder of the dataset" in text(app)
    assert "Pneumonia less normal: from" in text(app)


def test_a_typed_folder_shows_its_films_a_page_at_a_time(toy_data):
    app = run()
    app.text_input(key="shared.data_folder").set_value(str(toy_data)).run()
    films = kaggle.scan(toy_data)["file"].to_list()

    assert not app.exception
    first = shown(app)
    app.pagination(key="gallery.page").set_value(2).run()

    assert first == films[:24]
    assert shown(app) == films[24:48]


def test_split_kind_and_patient_choose_films_and_go_back_to_the_first_page(with_data):
    app = run()
    app.pagination(key="gallery.page").set_value(3).run()

    app.segmented_control(key="gallery.split").set_value("train").run()
    assert shown(app) == [file for file in catalogue.of_data_set(with_data).films["file"] if "train" in file][:24]
    app.multiselect(key="gallery.kind").set_value(["Viral pneumonia"]).run()
    viral = shown(app)
    app.text_input(key="gallery.patient").set_value("person203").run()

    assert not app.exception
    assert viral
    assert all("virus" in file for file in viral)
    assert {Path(file).name.split("_")[0] for file in shown(app)} == {"person203"}


def test_a_choice_that_no_film_meets_says_so(with_data):
    app = run()
    app.text_input(key="gallery.patient").set_value("nobody").run()

    assert not app.exception
    assert "There is no such film" in text(app)
    assert shown(app) == []


def test_widths_are_a_choice_where_films_differ(with_data, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(with_data, copy)
    shutil.copy(samples.FOLDER / "mean_normal.png", copy / "train" / "NORMAL" / "IM-0999-0001.png")
    app = run()
    assert not app.slider
    app.text_input(key="shared.data_folder").set_value(str(copy)).run()

    app.slider(key="width").set_value((210, 224)).run()

    assert not app.exception
    assert shown(app) == ["train/NORMAL/IM-0999-0001.png"]


def test_films_are_chosen_by_what_a_model_got_wrong(with_data):
    app = run()
    app.selectbox(key="gallery.model").set_value("toy").run()
    every = shown(app)
    app.multiselect(key="gallery.call").set_value(["Missed pneumonia"]).run()
    missed = shown(app)
    app.multiselect(key="gallery.call").set_value(["Called right"]).run()

    assert not app.exception
    wrong = [file for file in every if "NORMAL" in file]
    assert every[:8] == wrong == [f"test/NORMAL/{name}" for name in sorted(Path(file).name for file in wrong)]
    assert missed == []
    assert {Path(file).parts[1] for file in shown(app)} == {"PNEUMONIA"}
    assert "✓ Called right, 0.900" in text(app)


def test_right_and_wrong_calls_are_framed_and_a_click_opens_the_film_in_predict_by_the_same_model(with_data):
    app = run(split="Test", model="toy")

    links = app.get("page_link")
    assert not app.exception
    assert "✗ False alarm, 0.900" in text(app)
    assert {link.proto.page for link in links} == {""}
    assert parse_qs(links[0].proto.query_string) == {"open": [shown(app)[0]], "model": ["toy"]}
    assert links[0].proto.label == f"Open {Path(shown(app)[0]).stem} in Predict"


class Stub:
    """Calls every film pneumonia."""

    def assess(self, film):
        return SimpleNamespace(probability=0.8)


def test_films_that_the_model_was_not_measured_on_are_read_when_they_are_shown(monkeypatch):
    monkeypatch.setattr(called_now, "load", lambda name: Stub())
    app = run(model="toy")

    assert not app.exception
    assert shown(app) == ["normal_1.png"]
    assert "✗ False alarm, 0.800" in text(app)
    assert "Composites are averages" in text(app)


def test_a_model_that_cannot_be_loaded_costs_a_sentence(monkeypatch):
    def missing(name):
        raise ModelError("models/toy holds no weights.")

    monkeypatch.setattr(called_now, "load", missing)
    app = run(model="toy")

    assert not app.exception
    assert "models/toy holds no weights." in text(app)


def test_the_choice_is_taken_from_the_address(with_data):
    app = run(split="Test", kind="Normal", page="1")

    assert not app.exception
    assert len(shown(app)) == 8
    assert all(file.startswith("test/NORMAL/") for file in shown(app))


def test_a_nonsense_address_shows_all_films(with_data):
    app = run(split="Tset", kind="Abnormal", page="99", model="none", call="maybe")

    assert not app.exception
    assert len(shown(app)) == 24


def test_a_film_is_opened_with_its_header_and_calls_and_closed_again(with_data):
    app = run(split="Test")
    app.button(key="gallery.open_test/NORMAL/IM-0001-0001.jpeg").click().run()

    assert not app.exception
    assert app.query_params["film"] == "test/NORMAL/IM-0001-0001.jpeg"
    assert "200 × 160 pixels" in str(app.table[0].value)
    assert app.dataframe[0].value["Call"].to_list() == ["False alarm"]
    app.button(key="gallery.close_film").click().run()
    assert "film" not in app.query_params
    assert shown(app)


@pytest.mark.keras
def test_the_lungs_are_drawn_only_when_asked_for(with_data):
    app = run(film="train/NORMAL/IM-0115-0001.jpeg")
    before = app.get("image")[0].proto.imgs[0].url

    assert "No model was measured on this film" in text(app)
    app.toggle(key="gallery.outline").set_value(True).run()

    assert not app.exception
    assert app.get("image")[0].proto.imgs[0].url != before


@pytest.mark.parametrize("file", ["nowhere.jpeg", "../../etc/passwd", ""])
def test_an_address_of_a_film_that_is_not_there_says_so_or_shows_all(with_data, file):
    app = run(film=file)

    assert not app.exception
    assert "is not in the chosen dataset" in text(app) or (file == "" and len(shown(app)) == 24)


def test_a_damaged_film_costs_a_sentence(with_data, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(with_data, copy)
    (copy / "test" / "NORMAL" / "IM-0001-0001.jpeg").write_bytes(b"no picture")
    app = run(split="Test")

    app.text_input(key="shared.data_folder").set_value(str(copy)).run()

    assert not app.exception
    assert "IM-0001-0001.jpeg" in text(app)
    app.query_params["film"] = "test/NORMAL/IM-0001-0001.jpeg"
    app.run()
    assert not app.exception
    assert "IM-0001-0001.jpeg" in text(app)


@pytest.mark.parametrize("folder", ["/nowhere/at/all", "y" * 500])
def test_a_bad_folder_costs_a_sentence_and_falls_back(folder):
    app = run()

    app.text_input(key="shared.data_folder").set_value(folder).run()

    assert not app.exception
    assert "There is no folder" in text(app) or "cannot be opened" in text(app)
    assert shown(app) == ["normal_1.png"]


def test_missing_composites_cost_a_sentence(shipped):
    (shipped / samples.INDEX).unlink()

    app = run()

    assert not app.exception
    assert "no list of samples" in text(app)
