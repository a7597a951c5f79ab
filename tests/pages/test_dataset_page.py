import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pneumo import dataset, dataset_summary, dataset_tables, samples

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "pages" / "dataset.py"


@pytest.fixture(autouse=True)
def no_data_set(monkeypatch):
    monkeypatch.delenv("PNEUMO_DATA", raising=False)


@pytest.fixture
def shipped(tmp_path, toy_data, monkeypatch):
    """A folder of shipped figures and one composite, whatever the repository holds."""
    folder = tmp_path / "data_samples"
    dataset_summary.write(dataset_summary.summarise(toy_data), folder)
    shutil.copy(toy_data / "train" / "NORMAL" / "IM-0115-0001.jpeg", folder / "normal_1.png")
    sample = samples.Sample(folder / "normal_1.png", "NORMAL", "", 12, "Normal 1", "Drawn.")
    samples.save_index([sample], folder)
    monkeypatch.setattr(samples, "FOLDER", folder)
    monkeypatch.setattr(samples.load_samples, "__defaults__", (folder,))
    return folder


def run():
    return AppTest.from_file(PAGE, default_timeout=60).run()


def text(app):
    return "\n".join(str(element.value) for kind in (app.markdown, app.caption) for element in kind)


def captions(app):
    return [caption for image in app.get("image") for caption in image.captions]


def test_without_a_data_set_the_shipped_figures_and_composites_are_shown(shipped):
    app = run()

    assert not app.exception
    assert app.title[0].value == "Dataset"
    assert "The figures come with pneumo" in text(app)
    assert "Normal 1: composite of 12 films of different patients" in captions(app)
    assert app.text_input(key="data_folder").value == ""


def test_the_counts_are_those_of_the_summary(shipped):
    shown = run().dataframe[0].value

    expected = dataset_tables.readable_counts(dataset_summary.load(shipped).counts)
    assert shown.to_dict("list") == expected.to_dict("list")


def test_licence_and_citation_are_named(shipped):
    app = run()

    assert "Kermany" in text(app)
    assert "10.17632/rscbjbr9sj" in text(app)
    assert "CC BY 4.0" in text(app)


def test_a_typed_folder_shows_real_films(shipped, toy_data):
    app = run()

    app.text_input(key="data_folder").set_value(str(toy_data.parent)).run()

    assert not app.exception
    films = dataset.scan(toy_data)
    assert f"{len(films):,} films in {toy_data}" in text(app)
    assert {Path(file).name for file in films["file"]} & set(captions(app))


def test_the_environment_presets_the_folder(shipped, toy_data, monkeypatch):
    monkeypatch.setenv("PNEUMO_DATA", str(toy_data))

    app = run()

    assert not app.exception
    assert app.text_input(key="data_folder").value == str(toy_data)
    assert "person" not in "".join(captions(app))
    assert any("IM-" in caption for caption in captions(app))


def test_films_follow_split_and_kind_and_the_button_draws_others(shipped, toy_data, monkeypatch):
    monkeypatch.setenv("PNEUMO_DATA", str(toy_data))
    app = run()

    app.selectbox(key="kind").set_value("Viral pneumonia").run()
    first = [caption for caption in captions(app) if "virus" in caption]
    app.button(key="shuffle").click().run()
    second = [caption for caption in captions(app) if "virus" in caption]
    app.segmented_control(key="split").set_value("val").run()

    assert not app.exception
    assert len(first) == len(second) == 12
    assert first != second
    assert "There is no such film in this split." in text(app)


@pytest.mark.parametrize("folder", ["/nowhere/at/all", "y" * 500])
def test_a_bad_folder_costs_a_sentence_and_falls_back(shipped, folder):
    app = run()

    app.text_input(key="data_folder").set_value(folder).run()

    assert not app.exception
    assert "no data set in the Kaggle layout" in text(app) or "cannot be opened" in text(app)
    assert "The figures come with pneumo" in text(app)


def test_a_damaged_film_costs_a_sentence(shipped, toy_data, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(toy_data, copy)
    (copy / "train" / "NORMAL" / "IM-0116-0001.jpeg").write_bytes(b"no picture")
    app = run()

    app.text_input(key="data_folder").set_value(str(copy)).run()

    assert not app.exception
    assert "IM-0116-0001.jpeg is not a readable picture" in text(app)


def test_a_film_that_vanishes_costs_a_sentence(shipped, toy_data, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(toy_data, copy)
    app = run()
    app.text_input(key="data_folder").set_value(str(copy)).run()

    for film in (copy / "test" / "NORMAL").iterdir():
        film.write_bytes(b"no picture")
    app.segmented_control(key="split").set_value("test").run()

    assert not app.exception
    assert "IM-0001-0001.jpeg" in text(app)


def test_a_data_set_too_small_to_divide_says_so(shipped, toy_data, tmp_path):
    for film in [*(toy_data / "test").rglob("*.jpeg")]:
        target = tmp_path / "small" / film.relative_to(toy_data)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(film, target)
    app = run()

    app.text_input(key="data_folder").set_value(str(tmp_path / "small")).run()

    assert not app.exception
    assert "too small to be divided" in text(app)
    assert "too few training films" in text(app)


def test_missing_figures_and_no_data_set_cost_a_sentence(shipped):
    (shipped / dataset_summary.INDEX).unlink()

    app = run()

    assert not app.exception
    assert "missing or damaged" in text(app)
    assert not app.dataframe


def test_missing_figures_do_not_matter_with_a_data_set(shipped, toy_data, monkeypatch):
    (shipped / dataset_summary.INDEX).unlink()
    monkeypatch.setenv("PNEUMO_DATA", str(toy_data))

    app = run()

    assert not app.exception
    assert len(app.dataframe) == 3


def test_missing_composites_cost_a_sentence(shipped):
    (shipped / samples.INDEX).unlink()

    app = run()

    assert not app.exception
    assert "no list of samples" in text(app)


def test_the_repository_ships_what_the_page_shows():
    app = run()

    assert not app.exception
    assert list(app.dataframe[0].value["All films"]) == [5216, 16, 624]
    assert any("composite of" in caption for caption in captions(app))
