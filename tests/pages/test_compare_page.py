from functools import partial

import pytest
from toy.opened import page, text

from pneumo.evaluation.intervals import Estimate
from pneumo.model_store import store
from pneumo.results import comparison, curves

run = partial(page, "compare")


def titles(app):
    return [chart.proto.spec for chart in app.get("vega_lite_chart")]


def test_the_two_best_models_are_compared_on_the_test_split(models):
    app = run()

    assert not app.exception
    assert app.multiselect(key="shared.models").value == ["good", "middling"]
    assert str(comparison.compare("good", "middling", "test", models)) in text(app)
    assert "Not measured on these films: POOR." in text(app)


@pytest.mark.parametrize(
    ("query", "charts"),
    [
        ({}, 2),
        ({"section": "Reliability and risk"}, 2),
        ({"section": "Scores"}, 2),
        ({"section": "Calls"}, 2),
        ({"section": "Training"}, 3),
    ],
)
def test_the_address_opens_a_section_and_no_other_is_drawn(models, query, charts):
    app = run(**query)

    assert not app.exception
    assert len(titles(app)) == charts


def test_the_address_holds_films_and_models(models):
    app = run(split="Validation", models=["POOR", "GOOD"])

    assert app.selectbox(key="shared.split").value == "val"
    assert app.multiselect(key="shared.models").value == ["poor", "good"]
    assert str(comparison.compare("poor", "good", "val", models)) in text(app)


def test_every_pair_gets_a_verdict(models):
    app = run(split="Validation", models=["GOOD", "MIDDLING", "POOR"])

    for pair in comparison.all_pairs(["good", "middling", "poor"], "val", models):
        assert str(pair) in text(app)


def test_one_model_is_not_enough(models):
    app = run()

    app.multiselect(key="shared.models").set_value(["good"]).run()

    assert not app.exception
    assert "Choose at least two models" in text(app)
    assert not titles(app)


def test_the_reader_chooses_the_specificity_that_all_models_are_held_to(models):
    app = run(split="Validation")
    told = app.table[0].value

    app.slider(key="specificity").set_value(75).run()

    assert not app.exception
    held = app.table[0].value
    points = curves.at_specificity([store.read_card("good", models)], "val", 0.75, models)
    good = str(Estimate(*points[["sensitivity", "low", "high"]].iloc[0]))
    assert held["Model"].tolist() == ["GOOD", "MIDDLING"]
    assert held["Sensitivity"].iloc[0] == good
    assert held["Sensitivity"].iloc[1] > told["Sensitivity"].iloc[1]


def test_a_shared_threshold_changes_the_calls(models):
    app = run(section="Calls")
    own = titles(app)

    app.segmented_control(key="compare.thresholds").set_value("shared").run()
    app.slider(key="threshold").set_value(0.9).run()

    assert not app.exception
    assert any("from 0.900" in spec for spec in titles(app))
    assert not any("from 0.900" in spec for spec in own)


def test_the_training_curves_follow_the_films(models):
    app = run(section="Training")
    before = titles(app)

    app.segmented_control(key="compare.curve_films").set_value("Training").run()

    assert not app.exception
    # The training films have no AUROC in the histories.
    assert len(titles(app)) == len(before) - 1


def test_a_broken_history_costs_a_sentence(models):
    (models / "good" / "history.csv").write_text("")

    app = run(section="Training")

    assert not app.exception
    assert "history.csv is damaged" in text(app)


def test_models_measured_on_other_films_get_curves_but_no_verdict(models, write_model):
    write_model(models, "good", films=30)

    app = run()

    assert not app.exception
    assert "not measured on the same films" in text(app)
    assert titles(app)


def test_broken_predictions_cost_a_sentence(models):
    (models / "good" / "predictions" / "test.csv").write_text("file,patient\n")

    app = run()

    assert not app.exception
    assert "evaluate the model anew" in text(app)
    assert "Choose at least two models" in text(app)


def test_films_of_one_class_have_no_roc_curve(tmp_path, monkeypatch, write_model):
    for name in ("one", "other"):
        write_model(tmp_path, name, splits=("external_nih",), one_class=True)
    monkeypatch.setenv("PNEUMO_MODELS", str(tmp_path))

    app = run()

    assert not app.exception
    assert "ROC curves: these films show one class only" in text(app)
    assert "cannot be compared" in text(app)


@pytest.mark.parametrize("measured", [False, True])
def test_an_empty_folder_says_what_to_do(tmp_path, monkeypatch, measured, write_model):
    if measured:
        write_model(tmp_path, "new", splits=())
    monkeypatch.setenv("PNEUMO_MODELS", str(tmp_path))

    app = run()

    assert not app.exception
    assert ("python -m pneumo evaluate" if measured else "python -m pneumo train") in text(app)


def test_the_shipped_models_are_compared_without_error(monkeypatch):
    monkeypatch.delenv("PNEUMO_MODELS", raising=False)

    assert not run().exception


def test_more_than_two_models_get_a_matrix_and_two_get_none(models):
    assert not any("GOOD" in each.value.index for each in run(section="Scores", split="Validation").table)

    app = run(section="Scores", split="Validation", models=["GOOD", "MIDDLING", "POOR"])

    pairs = comparison.all_pairs(["good", "middling", "poor"], "val", models)
    assert app.table[0].value.to_numpy().tolist() == comparison.matrix(pairs).to_numpy().tolist()


def test_published_systems_stand_beside_models_on_the_official_test_alone(models):
    app = run(section="Scores")
    app.multiselect(key="systems").set_value(["VGG16 (Rajaraman 2018)"]).run()

    assert not app.exception
    assert set(app.table[0].value["System"]) == {"GOOD", "MIDDLING", "VGG16"}
    assert len(run(section="Scores", split="Validation").multiselect) == 1
