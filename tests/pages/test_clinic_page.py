from functools import partial

import pytest
from toy.opened import page, text

from pneumo.evaluation import clinic
from pneumo.evaluation.clinic import PRESETS, Clinic
from pneumo.model_store import store
from pneumo.results import curves, elsewhere

run = partial(page, "clinic")


def expected(models, name, split, values):
    card = store.read_card(name, models)
    place = Clinic.of(values)
    cells = curves.class_scores(card, split, models).confusion(card.thresholds["decision"])
    return clinic.sentence(clinic.outcome(cells, place), place)


def test_the_page_opens_with_triage_on_the_test_split(models):
    app = run()

    assert not app.exception
    assert expected(models, "good", "test", PRESETS["triage"].values) in text(app)
    assert PRESETS["triage"].description in text(app)
    assert "an example and no measurement" in text(app)


@pytest.mark.parametrize(
    ("curve", "said"),
    [("Predictive values", "all-clear"), ("Cost of a year", "false alarms, a high one"), ("Net benefit", "treats")],
)
def test_the_address_opens_a_curve_that_explains_itself(models, curve, said):
    app = run(curve=curve)

    assert not app.exception
    assert len(app.get("vega_lite_chart")) == 1
    assert said in text(app)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_moves_every_slider(models, name):
    app = run(share="44")

    app.button(key=f"clinic.{name}").click().run()

    assert not app.exception
    assert {key: app.slider(key=key).value for key in PRESETS[name].values} == PRESETS[name].values
    assert expected(models, "good", "test", PRESETS[name].values) in text(app)


@pytest.mark.parametrize(
    ("key", "value"), [("share", 60), ("films", 100), ("miss_cost", 500), ("alarm_cost", 90), ("read", 80)]
)
def test_every_slider_changes_the_outcome(models, key, value):
    app = run()
    before = app.table[0].value

    app.slider(key=key).set_value(value).run()

    assert not app.exception
    assert not app.table[0].value.equals(before)
    assert expected(models, "good", "test", PRESETS["triage"].values | {key: value}) in text(app)
    assert "Your own values" in text(app)


def test_the_address_holds_everything(models):
    app = run(split="Validation", model="POOR", share="7", films="700", miss_cost="9", read="11")

    values = {"share": 7, "films": 700, "miss_cost": 9, "alarm_cost": 5, "read": 11}
    assert not app.exception
    assert expected(models, "poor", "val", values) in text(app)


def test_the_cheapest_threshold_is_chosen_on_validation_films(models):
    card = store.read_card("good", models)
    best = clinic.cheapest_threshold(
        curves.class_scores(card, "val_shifted", models), Clinic.of(PRESETS["triage"].values)
    )

    assert f"Cheapest on validation films, {best:.3f}" in run().table[0].value.columns


def test_a_model_without_validation_films_has_no_cheapest_threshold(models, write_model):
    (models / "good" / "predictions" / "val_shifted.csv").unlink()

    app = run()

    assert not app.exception
    assert "There is no cheapest threshold" in text(app)
    assert len(app.table[0].value.columns) == 1


def test_films_of_one_class_cannot_tell(tmp_path, monkeypatch, write_model):
    write_model(tmp_path, "toy", splits=("external_nih",), one_class=True)
    monkeypatch.setenv("PNEUMO_MODELS", str(tmp_path))

    app = run()

    assert not app.exception
    assert "These films show one class only" in text(app)


def test_broken_predictions_cost_a_sentence(models):
    (models / "good" / "predictions" / "test.csv").write_text("file,patient\n")

    app = run()

    assert not app.exception
    assert "evaluate the model anew" in text(app)


def test_a_model_that_does_far_worse_elsewhere_is_warned_of(models, write_model):
    assert not run().warning
    write_model(models, "good", splits=("hospital_shenzhen",), noise=90.0)

    (warning,) = run().warning

    assert warning.value == elsewhere.warning(store.read_card("good", models), models)
    assert "40 films of Shenzhen" in warning.value


def test_children_stand_in_large_print_with_the_model_and_without_it(models):
    app = run()

    place = Clinic.of(PRESETS["triage"].values)
    card = store.read_card("good", models)
    expected = clinic.outcome(curves.class_scores(card, "test", models).confusion(0.5), place)
    assert [each.value for each in app.metric] == [
        f"{expected.missed.value:,.0f}",
        f"{expected.alarms.value:,.0f}",
        "1,050",
        "0",
    ]


def test_a_setting_that_does_harm_says_so_in_red(models):
    assert not run().error

    app = run(model="MIDDLING", share="1", miss_cost="1", alarm_cost="500")

    assert not app.exception
    assert all(each.value.startswith("**Harm.**") for each in app.error)
    assert any("Treating none does better" in each.value for each in app.error)
