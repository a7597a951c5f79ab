import dataclasses
import shutil
from pathlib import Path

import pytest
from toy import synthetic
from toy.opened import page, text

from pages.parts.shared.chart_with_table import HEADINGS
from pneumo.datasets import kaggle, samples, summary

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.usefixtures("shipped")


def run(*opened):
    """Open the page with the figures of some charts unfolded."""
    return page("dataset", {f"dataset.{chart}_figures": True for chart in opened})


def table(app, column):
    """Return the first table that has a column, by the columns' names in the code."""
    names = {heading: name for name, heading in HEADINGS.items() if column in HEADINGS}
    tables = (each.value.rename(columns=names) for each in (*app.dataframe, *app.table))
    return next(each for each in tables if column in each)


def numbers(app, column):
    """The numbers of a column, which stand there in groups of three digits."""
    return [int(cell.replace(",", "")) for cell in table(app, column)[column]]


def test_without_a_data_set_the_shipped_figures_are_shown(shipped):
    app = run()

    assert not app.exception
    assert app.title[0].value == "Dataset"
    assert "The figures come with pneumo" in text(app)
    assert app.text_input(key="shared.data_folder").value == ""


def test_the_counts_are_those_of_the_summary(shipped):
    app = run()

    expected = summary.readable_counts(summary.load(shipped).counts)
    assert list(table(app, "All films")) == list(expected)
    for column in ("Normal", "All films"):
        assert numbers(app, column) == expected[column].to_list()


def test_films_or_patients_are_drawn_with_a_table_and_a_file(shipped):
    app = run("counts", "films_per_patient")
    films = app.get("vega_lite_chart")[0].proto.spec
    app.segmented_control(key="dataset.count").set_value("patients").run()

    assert not app.exception
    assert app.get("vega_lite_chart")[0].proto.spec != films
    assert {button.key for button in app.download_button} == {"dataset.counts_csv", "dataset.films_per_patient_csv"}
    assert list(table(app, "kind")) == ["split", "kind", "films", "patients", "share"]


def test_films_are_drawn_by_width_and_height_unless_all_have_one_size(shipped):
    assert "All films are 200 × 160 pixels." in text(run())
    figures = summary.load(shipped)
    widths = range(len(figures.frames))
    summary.write(dataclasses.replace(figures, frames=figures.frames.assign(width=widths)), shipped)

    assert list(table(run("frames"), "width")) == ["class", "width", "height"]


def test_identical_films_are_counted_and_listed_where_they_are_at_hand(shipped, toy_data, monkeypatch):
    app = run()
    assert "2 files in 1 groups are identical" in text(app)
    assert numbers(app, "Children that their names tell") == [2]

    app.text_input(key="shared.data_folder").set_value(str(toy_data)).run()

    assert not app.exception
    assert table(app, "Patient after merging")["File"].to_list() == list(synthetic.IDENTICAL)


def test_the_sources_of_the_labels_are_told(shipped):
    assert "Two physicians" in str(run().table[-1].value.to_numpy())


def test_licence_and_citation_are_named(shipped):
    app = run()

    assert "Kermany" in text(app)
    assert "10.17632/rscbjbr9sj" in text(app)
    assert "CC BY 4.0" in text(app)


def test_a_typed_folder_is_counted(shipped, toy_data):
    app = run()

    app.text_input(key="shared.data_folder").set_value(str(toy_data.parent)).run()

    assert not app.exception
    assert f"{len(kaggle.scan(toy_data)):,} films in {toy_data}" in text(app)


def test_the_environment_presets_the_folder(shipped, toy_data, monkeypatch):
    monkeypatch.setenv("PNEUMO_DATA", str(toy_data))

    app = run()

    assert not app.exception
    assert app.text_input(key="shared.data_folder").value == str(toy_data)


@pytest.mark.parametrize("folder", ["/nowhere/at/all", "y" * 500])
def test_a_bad_folder_costs_a_sentence_and_falls_back(shipped, folder):
    app = run()

    app.text_input(key="shared.data_folder").set_value(folder).run()

    assert not app.exception
    assert "There is no folder" in text(app) or "cannot be opened" in text(app)
    assert "The figures come with pneumo" in text(app)


def test_a_damaged_film_costs_a_sentence(shipped, toy_data, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(toy_data, copy)
    (copy / "train" / "NORMAL" / "IM-0116-0001.jpeg").write_bytes(b"no picture")
    app = run()

    app.text_input(key="shared.data_folder").set_value(str(copy)).run()

    assert not app.exception
    assert "IM-0116-0001.jpeg is not a picture that pneumo knows" in text(app)


def test_a_data_set_too_small_to_divide_says_so(shipped, toy_data, tmp_path):
    for film in [*(toy_data / "test").rglob("*.jpeg")]:
        target = tmp_path / "small" / film.relative_to(toy_data)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(film, target)
    app = run()

    app.text_input(key="shared.data_folder").set_value(str(tmp_path / "small")).run()

    assert not app.exception
    assert "too small to be divided" in text(app)


def test_missing_figures_and_no_data_set_cost_a_sentence(shipped):
    (shipped / summary.INDEX).unlink()

    app = run()

    assert not app.exception
    assert "missing or damaged" in text(app)
    assert not app.dataframe
    assert not app.table


def test_missing_figures_do_not_matter_with_a_data_set(shipped, toy_data, monkeypatch):
    (shipped / summary.INDEX).unlink()
    monkeypatch.setenv("PNEUMO_DATA", str(toy_data))

    app = run()

    assert not app.exception
    assert sum(numbers(app, "All films")) == len(kaggle.scan(toy_data))


def test_the_repository_ships_what_the_page_shows(monkeypatch):
    monkeypatch.setattr(samples, "FOLDER", ROOT / "data_samples")

    app = run()

    assert not app.exception
    assert numbers(app, "All films") == [5216, 16, 624]
    assert sum(numbers(app, "Groups")) == 30
