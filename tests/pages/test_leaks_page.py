from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pneumo import dataset_leaks, leak_tables, samples

PAGE = Path(__file__).parents[2] / "pages" / "leaks.py"


def run(**query):
    app = AppTest.from_file(PAGE, default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def text(app):
    return "\n".join(str(element.value) for kind in (app.markdown, app.caption) for element in kind)


def table(app, column):
    return next(each.value for each in app.dataframe if column in each.value)


def test_the_floor_is_told_beside_the_best_model(no_data_set):
    app = run()
    leaks = dataset_leaks.load(samples.FOLDER)

    assert not app.exception
    assert f"**{leak_tables.floor_text(leaks)}**" in text(app)
    floors = table(app, "sees")
    assert len(floors) == len(leaks.floors) + 1
    assert floors["value"].iloc[-1] > floors["value"].iloc[0]
    assert {button.key for button in app.download_button} >= {"floors_csv", "traits_csv", "shifts_csv", "embedding_csv"}


@pytest.mark.parametrize("trait", ["brightness", "lung_height", "marks_above"])
def test_a_trait_is_chosen_by_hand_or_in_the_address(no_data_set, trait):
    app = run()
    app.selectbox(key="trait").set_value(trait).run()
    by_hand = table(app, "q1")

    assert not app.exception
    assert by_hand.equals(leak_tables.trait_rows(dataset_leaks.load(samples.FOLDER), trait))
    title = leak_tables.traits(dataset_leaks.load(samples.FOLDER))[trait]
    assert table(run(trait=title), "q1").equals(by_hand)


def test_the_map_is_coloured_by_split_or_by_kind(no_data_set):
    app = run()
    app.segmented_control(key="by").set_value("kind").run()

    assert not app.exception
    assert len(table(app, "x")) == len(dataset_leaks.load(samples.FOLDER).points)


def test_without_models_the_floors_stand_alone(no_data_set, tmp_path, monkeypatch):
    monkeypatch.setenv("PNEUMO_MODELS", str(tmp_path))

    app = run()

    assert not app.exception
    assert list(table(app, "sees")["name"]) == list(dataset_leaks.FLOORS)


def test_missing_figures_cost_a_sentence(shipped):
    app = run()

    assert not app.exception
    assert "python -m pneumo data leaks" in text(app)
    assert not app.dataframe
