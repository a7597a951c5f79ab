import dataclasses
import shutil

import pytest

from pneumo.errors import ModelError
from pneumo.model_store import store
from pneumo.results import leaderboard
from research import model_steps


@pytest.fixture
def models(toy_models, tmp_path):
    shutil.copytree(toy_models, tmp_path / "models")
    return tmp_path / "models"


def cells(table, row):
    return [cell.strip() for cell in table.splitlines()[row + 2].strip("|").split("|")]


def test_a_step_has_the_figures_that_its_predictions_give(models):
    table = model_steps.markdown(["dense", "cnn"], models)

    card = store.read_card("cnn", models)
    expected = {split: leaderboard.measure(card, split, folder=models).metrics for split in model_steps.SPLITS}
    assert cells(table, 1) == [
        card.title,
        "random weights",
        "whole film",
        "all layers, 2 epochs at 128 px",
        *(str(expected[split].auroc) for split in model_steps.SPLITS),
        str(expected["test"].accuracy),
        "`train cnn`",
    ]
    assert cells(table, 0)[0] == store.read_card("dense", models).title


@pytest.mark.parametrize(
    ("changed", "column", "told"),
    [
        ({"initial_weights": "vgg19_imagenet_notop.weights.h5 (sha256 ab)"}, 1, "vgg19"),
        ({"initial_weights": "ImageNet (keras.applications)"}, 1, "ImageNet (keras.applications)"),
        ({"training": {"recipe": {"strengths": [1.0]}}}, 3, "its last unit"),
        ({"training": {"recipe": {}, "epochs_run": 3, "search": {"trials": 12}}}, 8, "`search`"),
        ({"members": [{"name": "a"}, {"name": "b"}]}, 1, "a, b"),
        ({"members": [{"name": "a"}, {"name": "b"}]}, 3, "nothing: mean of the logits"),
    ],
)
def test_what_is_special_about_a_step_is_told(models, changed, column, told):
    store.write_card(dataclasses.replace(store.read_card("cnn", models), **changed), models)

    assert cells(model_steps.markdown(["cnn"], models), 0)[column] == told


def test_a_card_that_tells_no_training_is_named(models):
    store.write_card(dataclasses.replace(store.read_card("cnn", models), training={}), models)

    with pytest.raises(ModelError, match="cnn does not tell how it was trained"):
        model_steps.markdown(["cnn"], models)
