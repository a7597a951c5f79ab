import io
from functools import partial

import pandas as pd
import pytest
import streamlit as st
from toy import synthetic
from toy.opened import page, text

from pneumo.labels import FALSE_ALARM, MISSED
from pneumo.model_store import store
from pneumo.model_store.card import PATHOGEN
from pneumo.results import failures, three_classes

run = partial(page, "failures")


THREE = {"section": "Normal, bacterial or viral"}


@pytest.fixture(autouse=True)
def no_data(monkeypatch):
    monkeypatch.delenv("PNEUMO_DATA", raising=False)


@pytest.fixture
def cards(models):
    return [store.read_card(name, models) for name in ("middling", "good")]


def test_the_mistakes_are_those_of_the_predictions(models, cards):
    app = run(model="MIDDLING")

    films = failures.calls(cards[0], "test", cards, models)
    expected = failures.readable(failures.errors(films))
    assert not app.exception
    assert app.dataframe[0].value["File"].tolist() == expected["File"].tolist() != []
    assert f"{len(expected)} of 40 films are called wrong" in text(app)
    assert f"{failures.by_everyone(films)} of them are called wrong by every model" in text(app)


@pytest.mark.parametrize(("choice", "error"), [("missed", MISSED), ("alarms", FALSE_ALARM)])
def test_one_kind_of_mistake_can_be_shown(models, cards, choice, error):
    app = run(model="MIDDLING")

    app.segmented_control(key="failures.errors").set_value(choice).run()

    expected = failures.errors(failures.calls(cards[0], "test", cards, models), error)
    assert not app.exception
    assert app.dataframe[0].value["File"].tolist() == expected["file"].tolist() != []


def test_the_address_holds_the_view(models):
    app = run(model="POOR", split="Validation", errors="False alarms")

    assert app.selectbox(key="shared.model").value == "poor"
    assert app.selectbox(key="shared.split").value == "val"
    assert set(app.dataframe[0].value["Error"]) == {FALSE_ALARM}


def test_a_model_without_a_mistake_says_so(models, write_model):
    write_model(models, "good", noise=0.01)

    app = run()

    assert not app.exception
    assert "There is no such mistake." in text(app)


def test_films_are_shown_and_measured_where_the_data_set_is(models, toy_data, monkeypatch):
    monkeypatch.setenv("PNEUMO_DATA", str(toy_data))
    files = sorted(path.relative_to(toy_data).as_posix() for path in (toy_data / "test").rglob("*.jpeg"))
    sick = ["PNEUMONIA" in file for file in files]
    table = pd.DataFrame({"file": files, "patient": files, "pathogen": "", "probability": 0.9})
    table["label"] = ["PNEUMONIA" if each else "NORMAL" for each in sick]
    store.write_predictions(table, "good", "test", models)

    app = run()

    assert not app.exception
    assert len(app.get("image")) == sick.count(False)
    groups = run(section="Groups of films")
    assert failures.BY_BRIGHTNESS in set(groups.dataframe[0].value["Films by"])


def test_the_groups_ask_for_the_films_that_they_need(models):
    app = run(section="Groups of films")

    assert not app.exception
    assert len(app.get("vega_lite_chart")) == app.dataframe[0].value["Films by"].nunique()
    assert "Name the folder of the dataset" in text(app)


def test_another_data_set_costs_a_sentence(models, toy_data):
    app = run()

    app.text_input(key="shared.data_folder").set_value(str(toy_data)).run()
    assert not app.exception
    assert "films are not in" in text(app)
    app.text_input(key="shared.data_folder").set_value("/nowhere/at/all").run()
    assert not app.exception
    assert ":material/warning:" in text(app)


def test_the_download_holds_the_mistakes(models, monkeypatch):
    given = []
    monkeypatch.setattr(st, "download_button", lambda label, data, **options: given.append((data, options)))

    app = run(model="MIDDLING")

    ((content, options),) = given
    assert options["file_name"] == "mistakes_middling_test.csv"
    assert pd.read_csv(io.StringIO(content))["File"].tolist() == app.dataframe[0].value["File"].tolist()


def test_normal_bacterial_and_viral_are_told_apart(models, write_model):
    write_model(models, "pathogen", noise=2.0, task=PATHOGEN)

    app = run(model="MIDDLING", **THREE)

    card = store.read_card("middling", models)
    called = three_classes.calls(card, "test", models)
    assert not app.exception
    assert three_classes.sentence(called) in text(app)
    cells = app.table[0].value.map(lambda cell: str(cell).replace("\u2060", ""))
    assert cells.to_numpy().tolist() == three_classes.readable(called).astype(str).to_numpy().tolist()
    assert len(app.get("vega_lite_chart")) == 1


@pytest.mark.parametrize(
    ("splits", "said"), [((), "python -m pneumo train pathogen"), (("val",), "at the top: Validation")]
)
def test_films_without_a_call_of_the_cause_cost_a_sentence(models, write_model, splits, said):
    if splits:
        write_model(models, "pathogen", splits=splits, task=PATHOGEN)

    app = run(split="Official test split", **THREE)

    assert not app.exception
    assert said in text(app)


def test_the_three_answers_are_counted(models):
    assert run(section="Three answers").table[0].value["All"].sum() == 40


def test_broken_predictions_cost_a_sentence(models):
    (models / "good" / "predictions" / "test.csv").write_text("file,patient\n")

    app = run()

    assert not app.exception
    assert "evaluate the model anew" in text(app)


def test_an_unmeasured_model_says_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "toy").mkdir()
    store.write_card(synthetic.card(), tmp_path)
    monkeypatch.setenv("PNEUMO_MODELS", str(tmp_path))

    app = run()

    assert not app.exception
    assert "python -m pneumo evaluate" in text(app)


def test_the_recommended_model_is_marked_in_the_list(models):
    app = run()

    assert app.selectbox(key="shared.model").options == ["GOOD (recommended)", "MIDDLING"]
