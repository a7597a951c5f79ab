from functools import partial

import pytest
import streamlit as st
from toy import synthetic
from toy.opened import page, text

from pneumo.model_store import store
from pneumo.results import leaderboard, model_card

run = partial(page, "model_card")


def unbound(said):
    """Leave out the word joiners that hold an interval together."""
    return said.replace("\u2060", "")


def test_the_card_of_the_best_model_is_shown(models):
    app = run()

    card = store.read_card("good", models)
    assert not app.exception
    assert [app.subheader[0].value, app.subheader[-1].value] == ["At a glance", "Hashes"]
    assert "good".rjust(64, "0") in text(app)
    assert str(leaderboard.measure(card, "test", folder=models).metrics.auroc) in unbound(text(app))
    # ROC curve, confusion matrix, and three figures by epoch.
    assert len(app.get("vega_lite_chart")) == 5
    # That of the evaluation; what is folded is not there yet.
    [evaluation] = app.table
    assert "Official test split" in evaluation.value["Films"].iloc[0]


@pytest.mark.parametrize("guideline", ["CLAIM 2024", "TRIPOD+AI"])
def test_a_guideline_unfolds_its_items(models, guideline):
    listed = [
        each for each in model_card.checklist(store.read_card("good", models), models) if each.guideline == guideline
    ]
    app = run({f"model_card.items_{guideline}": True})

    assert not app.exception
    assert len(app.table[-1].value) == len(listed) > 10


def test_the_address_and_the_list_choose_the_model(models):
    app = run(model="POOR")
    assert "poor".rjust(64, "0") in text(app)

    app.selectbox(key="shared.model").set_value("middling").run()

    assert not app.exception
    assert "middling".rjust(64, "0") in text(app)


def test_the_networks_before_the_classifiers_have_cards_too(models):
    (models / "lungs").mkdir()
    metrics = {"test": {"films": 3, "dice": {"value": 0.9, "low": 0.8, "high": 1.0}}}
    card = synthetic.card(name="lungs", title="LUNGS", task="segmentation", calibration={}, metrics=metrics)
    store.write_card(card, models)

    app = run(model="LUNGS")

    assert not app.exception
    assert "0.900 (0.800–1.000)" in unbound(text(app))
    assert "no curves over epochs" in text(app)


def test_the_download_is_the_card(models, monkeypatch):
    given = []
    monkeypatch.setattr(st, "download_button", lambda label, data, **options: given.append((data, options)))

    run(model="POOR")

    ((document, options),) = given
    assert options["file_name"] == "poor.md"
    assert document.startswith("# POOR\n")
    assert "## TRIPOD+AI" in document


def test_a_broken_history_costs_a_sentence(models):
    (models / "good" / "history.csv").write_text("")

    app = run()

    assert not app.exception
    assert "history.csv is damaged" in text(app)
    assert app.subheader[-1].value == "Hashes"


def test_a_damaged_card_costs_a_sentence(models):
    store.write_card(synthetic.card(name="good", title="GOOD", training={"seconds": "long"}), models)

    app = run(model="GOOD")

    assert not app.exception
    assert "The card of good is damaged" in text(app)


def test_no_models_show_how_to_train_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PNEUMO_MODELS", str(tmp_path / "none"))

    app = run()

    assert not app.exception
    assert "python -m pneumo train" in text(app)


def test_a_shipped_model_of_every_kind_has_a_card(monkeypatch):
    monkeypatch.delenv("PNEUMO_MODELS", raising=False)
    kinds = {(card.task, bool(card.members)): card for card in map(store.read_card, store.names())}
    app = run()

    for card in kinds.values():
        app.selectbox(key="shared.model").set_value(card.name).run()
        assert not app.exception
        assert card.sha256 in text(app)


def test_the_calls_are_told_in_words_beside_their_charts(models):
    card = store.read_card("good", models)
    cells = leaderboard.measure(card, "test", folder=models).metrics.confusion

    assert model_card.matrix_text(cells) in text(run())


def test_commands_to_copy_are_unfolded_on_demand(models):
    assert not run().code

    app = run({"model_card.commands": True})

    assert [each.value for each in app.code] == list(
        model_card.commands(store.read_card("good", models), models).values()
    )


def test_the_search_and_the_ablation_are_drawn_where_a_model_has_them(monkeypatch):
    monkeypatch.delenv("PNEUMO_MODELS", raising=False)

    for name, title in (("cnn_search", "Trials of the search"), ("mobilenetv2", "What each part of the recipe")):
        app = run(model=name)
        assert not app.exception
        assert any(title in each.proto.spec for each in app.get("vega_lite_chart"))


def test_the_code_of_the_page_is_a_link_where_its_address_is_known(models, monkeypatch):
    assert "Code of this page: `pages/model_card.py`" in text(run())
    monkeypatch.setenv("PNEUMO_CODE", "https://example.org/code/")

    assert "[`pages/model_card.py`](https://example.org/code/pages/model_card.py)" in text(run())
