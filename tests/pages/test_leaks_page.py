import shutil

import pytest
from toy.opened import page, text

from pages.parts.shared.chart_with_table import HEADINGS
from pneumo.datasets import samples, shortcuts

BASELINES, TRAITS, SHIFTS, EMBEDDING = "baselines", "traits", "shifts", "embedding"


def run(*opened, **query):
    """Open the page by its address, with the figures of some charts unfolded."""
    return page("leaks", {f"leaks.{chart}_figures": True for chart in opened}, **query)


def table(app, column):
    """Return the first table that has a column, by the columns' names in the code."""
    names = {heading: name for name, heading in HEADINGS.items() if column in HEADINGS}
    return next(each for each in (each.value.rename(columns=names) for each in app.dataframe) if column in each)


def test_the_baseline_is_told_beside_the_best_model(no_data_set):
    app = run(BASELINES)
    leaks = shortcuts.load(samples.FOLDER)

    assert not app.exception
    assert f"**{shortcuts.baseline_text(leaks)}**" in text(app)
    rows = table(app, "sees")
    assert len(rows) == len(leaks.baselines) + 1
    assert rows["value"].iloc[-1] > rows["value"].iloc[0]
    assert {button.key for button in app.download_button} == {"leaks.baselines_csv"}


@pytest.mark.parametrize(
    ("section", "charts"),
    [
        ("Traits by class", [TRAITS]),
        ("Sizes and grey values", ["size_width", "size_height", "size_aspect_ratio", "intensity"]),
        ("From training to test", [SHIFTS]),
        ("Map of the films", [EMBEDDING]),
    ],
)
def test_every_section_draws_its_charts_and_gives_their_figures(no_data_set, section, charts):
    app = run(*charts, section=section)

    assert not app.exception
    assert len(app.get("vega_lite_chart")) == 1 + len(charts)
    assert {button.key for button in app.download_button} == {f"leaks.{chart}_csv" for chart in charts}


@pytest.mark.parametrize("trait", ["brightness", "lung_height", "marks_above"])
def test_a_trait_is_chosen_by_hand_or_in_the_address(no_data_set, trait):
    app = run(TRAITS)
    app.selectbox(key="leaks.trait").set_value(trait).run()
    by_hand = table(app, "q1")

    assert not app.exception
    assert by_hand.equals(shortcuts.trait_rows(shortcuts.load(samples.FOLDER), trait))
    title = shortcuts.trait_titles(shortcuts.load(samples.FOLDER))[trait]
    assert table(run(TRAITS, trait=title), "q1").equals(by_hand)


def test_the_map_is_coloured_by_split_or_by_kind(no_data_set):
    app = run(EMBEDDING, section="Map of the films")
    app.segmented_control(key="leaks.by").set_value("kind").run()

    assert not app.exception
    assert len(table(app, "x")) == len(shortcuts.load(samples.FOLDER).points)


def test_without_models_the_baselines_stand_alone(no_data_set, tmp_path, monkeypatch):
    monkeypatch.setenv("PNEUMO_MODELS", str(tmp_path))

    app = run(BASELINES)

    assert not app.exception
    assert list(table(app, "sees")["name"]) == list(shortcuts.BASELINES)


def test_a_folder_of_ones_own_is_measured_at_a_click(no_data_set, toy_data):
    app = run(BASELINES, EMBEDDING, section="Map of the films")
    app.text_input(key="shared.data_folder").set_value(str(toy_data)).run()
    shipped = shortcuts.load(samples.FOLDER)
    assert len(table(app, "sees")) == len(shipped.baselines) + 1
    assert "not of this folder" in text(app)

    app.button(key="leaks.measure").click().run()

    leaks = shortcuts.measure(toy_data)
    assert not app.exception
    assert table(app, "sees").to_numpy().tolist() == shortcuts.baselines(leaks).to_numpy().tolist()
    assert shortcuts.baselines_text(leaks) in text(app)
    assert f"All figures are of the {len(leaks.points)} films in {toy_data}" in text(app)
    assert len(table(app, "x")) == len(leaks.points)
    app.text_input(key="shared.data_folder").set_value("").run()
    assert len(table(app, "sees")) == len(shipped.baselines) + 1


def test_films_that_the_figures_are_of_need_no_measuring(shipped, toy_data, monkeypatch):
    shortcuts.write(shortcuts.measure(toy_data), samples.FOLDER)
    monkeypatch.setenv("PNEUMO_DATA", str(toy_data))

    app = run()

    assert not app.exception
    assert "films in this folder" in text(app)
    assert "leaks.measure" not in {button.key for button in app.button}


def test_a_folder_that_cannot_be_measured_costs_a_sentence(no_data_set, toy_data, tmp_path):
    copy = shutil.copytree(toy_data, tmp_path / "copy")
    (copy / "train" / "NORMAL" / "IM-0116-0001.jpeg").write_bytes(b"no picture")
    app = run()

    app.text_input(key="shared.data_folder").set_value(str(copy)).run()
    app.button(key="leaks.measure").click().run()

    assert not app.exception
    assert "IM-0116-0001.jpeg" in app.error[0].value


def test_missing_figures_cost_a_sentence(shipped):
    app = run()

    assert not app.exception
    assert "python -m pneumo data leaks" in text(app)
    assert not app.dataframe
