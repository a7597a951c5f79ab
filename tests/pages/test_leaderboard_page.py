import io
import re
from functools import partial

import pandas as pd
import pytest
import streamlit as st
from toy import synthetic
from toy.opened import page, text

from pneumo import labels
from pneumo.model_store import store, weights
from pneumo.results import leaderboard, published, recommendation
from pneumo.results.leaderboard import COLUMNS

run = partial(page, "leaderboard")


def table(app):
    return next(each.proto.body for each in app.get("html") if "<table" in each.proto.body)


def systems(app):
    """Return the models in the table, from top to bottom, without what others published."""
    names = re.findall(r'<th scope="row">([^<]+)(?:</th>|<small><span class="mark">rec)', table(app))
    return [name for name in names if name.isupper()]


def test_the_page_opens_on_the_test_split(models):
    app = run()

    assert not app.exception
    assert app.title[0].value == "Leaderboard"
    assert app.selectbox(key="shared.split").value == "test"
    assert "Opened once: GOOD, MIDDLING." in text(app)
    assert "Not measured on these films: POOR." in text(app)
    assert "not a medical device" in text(app)


def test_the_table_shows_what_evaluation_computes(models):
    shown = table(run())

    card = store.read_card("good", models)
    expected = leaderboard.measure(card, "test", folder=models).metrics
    cells = expected.confusion
    for figure, unit in ((expected.accuracy, " %"), (cells.missed, ""), (cells.alarms, "")):
        value, low, high = (f"{100 * each:.1f}" for each in (figure.value, figure.low, figure.high))
        assert f"{value}{unit}<small>{low}–{high}</small>" in shown


def test_all_figures_are_a_switch_away(models):
    assert len(re.findall(r'<th scope="col"', table(run()))) == 7

    shown = table(run(all="true"))

    assert len(re.findall(r'<th scope="col"', shown)) == len(COLUMNS) + 1
    brier = leaderboard.measure(store.read_card("good", models), "test", folder=models).metrics.brier
    assert f"{brier.value:.3f}<small>{brier.low:.3f}–{brier.high:.3f}</small>" in shown


def test_the_answer_comes_first(models):
    app = run()

    found = recommendation.recommend(store.catalogue(models).cards, models)
    assert app.markdown[0].value == "#### Use GOOD"
    assert found.at_home in app.markdown[1].value
    assert "measured at another hospital" in text(app)
    assert "recommended" in table(app)


def test_where_lungs_are_hidden_lower_is_better_and_comes_first(models, write_model):
    for name, noise in (("good", 0.5), ("poor", 90.0)):
        write_model(models, name, splits=("val_without_lungs",), noise=noise)

    app = run(split="val_without_lungs")

    assert not app.exception
    assert systems(app) == ["POOR", "GOOD"]
    assert "A test to lose: lower is better." in text(app)
    assert not app.toggle(key="all").value and len(app.get("toggle")) == 1


def test_published_rows_stand_only_beside_the_official_test(models):
    assert ">published<" not in table(run(split="Validation", published="true"))


def test_every_split_can_be_shown_and_every_column_be_sorted_by(models):
    app = run()

    for split in ("val", "val_shifted", "test"):
        about = labels.split_of(split)
        app.segmented_control(key="shared.films").set_value(about.group).run()
        app.selectbox(key="shared.split").set_value(split).run()
        assert not app.exception
        assert about.description in text(app)
    for key, column in COLUMNS.items():
        app.selectbox(key="leaderboard.sort").set_value(key).run()
        assert not app.exception
        assert column.meaning in text(app)


def test_a_split_that_nobody_measured_is_not_offered(models):
    app = run()
    assert list(app.segmented_control(key="shared.films").options) == ["Same hospital", "Altered films"]
    assert list(app.selectbox(key="shared.split").options) == ["Official test split", "Validation"]

    app.segmented_control(key="shared.films").set_value("Altered films").run()

    assert not app.exception
    assert list(app.selectbox(key="shared.split").options) == ["Cropped and exposed anew"]
    assert app.query_params["split"] == "val_shifted"


def test_the_order_follows_the_column(models):
    app = run(split="Validation")
    assert systems(app) == ["GOOD", "MIDDLING", "POOR"]

    store.write_card(synthetic.card(name="poor", title="POOR", sha256="p" * 64, parameters=1), models)
    app.selectbox(key="leaderboard.sort").set_value("parameters").run()

    assert systems(app)[0] == "POOR"


def test_models_are_chosen_and_searched(models):
    app = run(split="Validation")

    app.multiselect(key="shared.models").set_value(["poor", "good"]).run()
    assert systems(app) == ["GOOD", "POOR"]
    app.text_input(key="search").set_value("oo").run()
    assert systems(app) == ["GOOD", "POOR"]
    app.text_input(key="search").set_value("nothing of the kind").run()
    assert not app.exception
    assert "No row holds this text" in text(app)


def test_columns_and_published_rows_are_chosen(models):
    app = run(published="true")
    assert table(app).count(">published<") == len(published.load())
    assert published.HOW_TO_READ in text(app)

    app.toggle(key="published").set_value(False).run()
    app.multiselect(key="leaderboard.columns").set_value(["brier"]).run()

    assert not app.exception
    assert ">published<" not in table(app)
    assert published.HOW_TO_READ not in text(app)
    assert re.findall(r'<th scope="col"[^>]*>([^<]+)', table(app)) == ["Model", "Brier"]


def test_the_address_holds_the_view(models):
    app = run(split="Validation", sort="Brier", models=["GOOD", "POOR"], search="oo", all="true")

    assert app.selectbox(key="shared.split").value == "val"
    assert app.selectbox(key="leaderboard.sort").value == "brier"
    assert app.multiselect(key="shared.models").value == ["good", "poor"]
    assert systems(app) == ["GOOD", "POOR"]
    assert app.toggle(key="all").value


def test_two_to_five_chosen_models_can_be_taken_to_the_comparison(models):
    app = run(split="Validation")
    assert not app.get("page_link")
    assert "Choose 2 to 5 models" in text(app)

    app.multiselect(key="shared.models").set_value(["poor", "good"]).run()

    assert not app.exception
    (link,) = app.get("page_link")
    assert link.proto.page == "compare"
    assert link.proto.query_string == "models=poor&models=good&split=val"


@pytest.mark.keras
def test_latency_is_measured_where_it_is_asked_for(models):
    for name in ("good", "middling"):
        path = models / name / "model.keras"
        weights.save(synthetic.small_model(), path)
        sha256 = weights.sha256(path) if name == "good" else "0" * 64
        store.write_card(synthetic.card(name=name, title=name.upper(), sha256=sha256), models)
    app = run()
    assert table(app).count("not measured here") == 2

    app.button(key="leaderboard.latency").click().run()

    assert not app.exception
    assert len(re.findall(r">\d+ ms<", table(app))) == 1
    assert "is not the file that its card describes" in text(app)


def test_the_download_has_values_bounds_and_published_rows(models, monkeypatch):
    given = []
    monkeypatch.setattr(st, "download_button", lambda label, data, **options: given.append((data, options)))

    assert not run(published="true").exception

    ((content, options),) = given
    rows = pd.read_csv(io.StringIO(content))
    row = rows[rows["kind"] == "model"].iloc[0]
    assert options["file_name"] == "leaderboard_test.csv"
    assert row["auroc_low"] <= row["auroc"] <= row["auroc_high"]
    assert {f"{figure}{end}" for figure in labels.FIGURES for end in ("", "_low", "_high")} <= set(row.index)
    assert (rows["kind"] == "published").sum() == len(published.load())


def test_the_download_button_is_there(models):
    assert "CSV" in run().download_button(key="leaderboard.download").label


def test_new_predictions_are_measured_anew(models, write_model):
    app = run()
    before = table(app)

    write_model(models, "good", noise=6.0)

    assert table(app.run()) != before


def test_a_broken_card_costs_a_sentence(models):
    (models / "broken").mkdir()
    (models / "broken" / "card.json").write_text("{")

    app = run()

    assert not app.exception
    assert "broken/card.json is no complete model card" in text(app)
    assert systems(app) == ["GOOD", "MIDDLING"]


def test_broken_predictions_cost_a_sentence(models):
    (models / "middling" / "predictions" / "test.csv").write_text("file,patient\n")

    app = run()

    assert not app.exception
    assert "evaluate the model anew" in text(app)
    assert systems(app) == ["GOOD"]


def test_films_of_one_class_have_no_auroc(tmp_path, monkeypatch, write_model):
    write_model(tmp_path, "toy", splits=("external_nih",), one_class=True)
    monkeypatch.setenv("PNEUMO_MODELS", str(tmp_path))

    app = run(all="true")

    assert not app.exception
    assert '<td data-label="AUROC" class="unknown">–</td>' in table(app)


@pytest.mark.parametrize("known", [False, True])
def test_an_empty_folder_says_what_to_do(tmp_path, monkeypatch, known, write_model):
    if known:
        write_model(tmp_path, "new", splits=())
    monkeypatch.setenv("PNEUMO_MODELS", str(tmp_path))

    app = run()

    assert not app.exception
    assert ("python -m pneumo evaluate" if known else "python -m pneumo train") in text(app)
    assert not app.segmented_control


def test_the_shipped_models_are_shown_without_error(monkeypatch):
    monkeypatch.delenv("PNEUMO_MODELS", raising=False)

    assert not run().exception
