import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st
import synthetic
from streamlit.testing.v1 import AppTest

from pneumo import figures, leaderboard, model_store, published

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "pages" / "leaderboard.py"
HISTORY = "epoch,loss,accuracy,val_loss,val_accuracy,val_auroc,shifted_loss,shifted_accuracy,shifted_auroc,seconds\n"


def write_model(folder, name, splits=("test", "val"), noise=1.0, one_class=False, **changes):
    rng = np.random.default_rng(3)
    sick = np.zeros(30, int) if one_class else np.arange(30) % 2
    for split in splits:
        probability = 1 / (1 + np.exp(-4 * (sick - 0.5) - rng.normal(0, noise, 30)))
        table = pd.DataFrame({"label": np.where(sick, "PNEUMONIA", "NORMAL"), "probability": probability})
        table = table.assign(pathogen="", file=[f"{split}/{row}.png" for row in range(30)])
        model_store.write_predictions(table.assign(patient=[f"P{row // 2}" for row in range(30)]), name, split, folder)
    (folder / name / "history.csv").write_text(HISTORY + "1,.7,.6,.6,.7,.8,.6,.6,.7,9\n2,.5,.7,.6,.7,.8,.6,.7,.8,9\n")
    card = synthetic.card(name=name, **({"title": name.upper(), "sha256": name.rjust(64, "0")} | changes))
    model_store.write_card(card, folder)
    return card


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Two models, only one of which opened the test split."""
    write_model(tmp_path, "good", noise=0.5, test_openings=[{"date": "2026-11-21", "sha256": "0"}])
    write_model(tmp_path, "poor", splits=("val", "val_shifted"), noise=4.0)
    monkeypatch.setenv("PNEUMO_MODELS", str(tmp_path))
    return tmp_path


def run(query=()):
    app = AppTest.from_file(PAGE, default_timeout=60)
    for key, value in dict(query).items():
        app.query_params[key] = value
    return app.run()


def text(app):
    return "\n".join(str(element.value) for kind in (app.markdown, app.caption) for element in kind)


def test_the_page_opens_on_the_test_split(models):
    app = run()

    assert not app.exception
    assert app.title[0].value == "Leaderboard"
    assert app.segmented_control(key="split").value == "test"
    assert "opened once by GOOD" in text(app)
    assert "Not measured on these films: POOR." in text(app)
    assert "not a medical device" in text(app)


def test_the_table_shows_what_evaluation_computes(models):
    shown = run().dataframe[0].value

    card = model_store.read_card("good", models)
    expected = leaderboard.measure(card, "test", folder=models).metrics
    assert shown["AUROC"][0] == str(expected.auroc)
    assert shown["Specificity"][0] == str(expected.specificity)


def test_every_split_and_every_figure_can_be_shown(models):
    app = run()

    for split in ("val", "val_shifted", "test"):
        app.segmented_control(key="split").set_value(split).run()
        assert not app.exception
        assert figures.SPLITS[split].description in text(app)
    for figure, about in figures.FIGURES.items():
        app.selectbox(key="figure").set_value(figure).run()
        assert not app.exception
        assert about.meaning in text(app)


def test_a_split_that_nobody_measured_is_not_offered(models):
    assert list(run().segmented_control(key="split").options) == ["Official test", "Validation", "Validation, shifted"]


def test_the_order_follows_the_figure(models):
    app = run({"split": "Validation"})

    app.selectbox(key="figure").set_value("brier").run()

    assert list(app.dataframe[0].value["Model"]) == ["GOOD", "POOR"]


def test_the_address_holds_split_and_figure(models):
    app = run({"split": "Validation", "figure": "Sensitivity"})

    assert app.segmented_control(key="split").value == "val"
    assert app.selectbox(key="figure").value == "sensitivity"


def test_the_facts_follow_the_chosen_model(models):
    app = run()

    for name in ("good", "poor"):
        app.selectbox(key="model").set_value(name).run()
        assert not app.exception
        assert name.rjust(64, "0") in text(app)


def test_the_download_has_values_and_bounds(models, monkeypatch):
    given = []
    monkeypatch.setattr(st, "download_button", lambda label, data, **options: given.append((data, options)))

    assert not run().exception

    ((content, options),) = given
    row = pd.read_csv(io.StringIO(content)).iloc[0]
    assert options["file_name"] == "leaderboard_test.csv"
    assert row["auroc_low"] <= row["auroc"] <= row["auroc_high"]
    assert {f"{figure}{end}" for figure in figures.FIGURES for end in ("", "_low", "_high")} <= set(row.index)


def test_the_download_button_is_there(models):
    assert "CSV" in run().download_button(key="download").label


def test_new_predictions_are_measured_anew(models):
    app = run()
    before = app.dataframe[0].value["AUROC"][0]

    write_model(models, "good", noise=6.0)

    assert app.run().dataframe[0].value["AUROC"][0] != before


def test_a_broken_card_costs_a_sentence(models):
    (models / "broken").mkdir()
    (models / "broken" / "card.json").write_text("{")

    app = run()

    assert not app.exception
    assert "broken/card.json is no complete model card" in text(app)
    assert list(app.dataframe[0].value["Model"]) == ["GOOD"]


def test_broken_predictions_cost_a_sentence(models):
    (models / "poor" / "predictions" / "test.csv").write_text("file,patient\n")

    app = run()

    assert not app.exception
    assert "evaluate the model anew" in text(app)
    assert list(app.dataframe[0].value["Model"]) == ["GOOD"]


def test_a_broken_history_costs_a_sentence(models):
    (models / "good" / "history.csv").write_text("")
    app = run()

    app.selectbox(key="model").set_value("good").run()

    assert not app.exception
    assert "history.csv is damaged" in text(app)


def test_films_of_one_class_have_no_auroc(tmp_path, monkeypatch):
    write_model(tmp_path, "toy", splits=("external_nih",), one_class=True)
    monkeypatch.setenv("PNEUMO_MODELS", str(tmp_path))

    app = run()

    assert not app.exception
    assert "These films cannot tell the AUROC" in text(app)


def test_no_models_show_how_to_train_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PNEUMO_MODELS", str(tmp_path / "none"))

    app = run()

    assert not app.exception
    assert "python -m pneumo train" in text(app)
    assert not app.segmented_control


def test_unmeasured_models_show_how_to_measure(tmp_path, monkeypatch):
    (tmp_path / "toy").mkdir()
    model_store.write_card(synthetic.card(), tmp_path)
    monkeypatch.setenv("PNEUMO_MODELS", str(tmp_path))

    app = run()

    assert not app.exception
    assert "python -m pneumo evaluate" in text(app)


@pytest.mark.parametrize("split", ["Official test", "Validation"])
def test_published_results_stand_below_the_figures_whichever_films_are_chosen(models, split):
    app = run({"split": split})

    headings = [each.value for each in app.subheader]
    assert headings.index("All figures") < headings.index("Published results")
    shown = app.dataframe[1].value
    assert len(shown) == len(published.load())
    assert set(shown["Figures"]) == {"published"}
    assert published.HOW_TO_READ in text(app)


def test_the_shipped_models_are_shown_without_error(monkeypatch):
    monkeypatch.delenv("PNEUMO_MODELS", raising=False)

    assert not run().exception
