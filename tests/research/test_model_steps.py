import dataclasses

import pytest
from toy import synthetic

from pneumo.errors import ModelError
from pneumo.evaluation.intervals import Estimate
from pneumo.model_store import store
from research import model_steps

AREAS = {"val": (0.9, 0.85, 0.95), "val_shifted": (0.8, 0.75, 0.85), "test": (0.7, 0.65, 0.75)}


@pytest.fixture
def models(tmp_path):
    """A folder with the cards of `cnn` and `dense`, which were measured on all splits that a step shows."""
    metrics = {
        split: {key: dict(zip(("value", "low", "high"), area, strict=True)) for key in ("auroc", "accuracy")}
        for split, area in AREAS.items()
    }
    training = {"recipe": {"epochs": 20}, "epochs_run": 2}
    for name in ("cnn", "dense"):
        (tmp_path / name).mkdir()
        card = synthetic.card(name=name, title=f"A {name}", initial_weights="random", metrics=metrics)
        store.write_card(dataclasses.replace(card, training=training), tmp_path)
    return tmp_path


def cells(table, row):
    return [cell.strip() for cell in table.splitlines()[row + 2].strip("|").split("|")]


def test_a_step_has_the_figures_of_its_card(models):
    table = model_steps.markdown(["dense", "cnn"], models)

    assert cells(table, 1) == [
        "A cnn",
        "random weights",
        "whole film",
        f"all layers, 2 epochs at {store.read_card('cnn', models).input['size']} px",
        *(str(Estimate(*AREAS[split])) for split in model_steps.SPLITS),
        str(Estimate(*AREAS["test"])),
        "`train cnn`",
    ]
    assert cells(table, 0)[0] == "A dense"


@pytest.mark.parametrize(
    ("changed", "column", "shown"),
    [
        ({"initial_weights": "vgg19_imagenet_notop.weights.h5 (sha256 ab)"}, 1, "vgg19"),
        ({"initial_weights": "ImageNet (keras.applications)"}, 1, "ImageNet (keras.applications)"),
        ({"training": {"recipe": {"strengths": [1.0]}}}, 3, "its last unit"),
        ({"training": {"recipe": {}, "epochs_run": 3, "search": {"trials": 12}}}, 8, "`search`"),
        ({"members": [{"name": "a"}, {"name": "b"}]}, 1, "a, b"),
        ({"members": [{"name": "a"}, {"name": "b"}]}, 3, "nothing: joins its members"),
    ],
)
def test_what_is_special_about_a_step_is_shown(models, changed, column, shown):
    store.write_card(dataclasses.replace(store.read_card("cnn", models), **changed), models)

    assert cells(model_steps.markdown(["cnn"], models), 0)[column] == shown


def test_a_card_that_tells_no_training_is_named(models):
    store.write_card(dataclasses.replace(store.read_card("cnn", models), training={}), models)

    with pytest.raises(ModelError, match="cnn does not tell how it was trained"):
        model_steps.markdown(["cnn"], models)


def test_a_split_that_was_not_measured_is_named(models):
    card = store.read_card("cnn", models)
    store.write_card(dataclasses.replace(card, metrics={"val": card.metrics["val"]}), models)

    with pytest.raises(ModelError, match="cnn was not measured on val_shifted"):
        model_steps.markdown(["cnn"], models)
