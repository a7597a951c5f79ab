import dataclasses
import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from pneumo import radiograph
from pneumo.cli import app
from pneumo.errors import ModelError
from pneumo.explanation.explainer import Explainer
from pneumo.inference import lungs
from pneumo.inference.classifier import Classifier
from pneumo.model_store import store
from pneumo.networks import classifiers
from pneumo.preprocessing import crops
from pneumo.training import ensemble, recipes
from pneumo.training.classifier import HIDDEN
from pneumo.training.linear_probe import Probe
from pneumo.training.task import evaluate, train


@pytest.fixture(scope="module")
def models(toy_data, toy_models, tmp_path_factory):
    """A folder with `cnn`, with `cnn_lungs`, a probe that sees the lungs alone, and with the ensemble of both."""
    out = tmp_path_factory.mktemp("joined") / "models"
    for name in ("cnn", "lungs", "gate"):
        shutil.copytree(toy_models / name, out / name)
    with pytest.MonkeyPatch.context() as patch:
        of_lungs = dataclasses.replace(classifiers.REGISTRY["cnn"], name="cnn_lungs", view=crops.LUNGS)
        patch.setitem(classifiers.REGISTRY, "cnn_lungs", of_lungs)
        patch.setitem(recipes.RECIPES, "cnn_lungs", Probe(views=1, strengths=(1.0,)))
        patch.setattr(ensemble, "ENSEMBLE", ("cnn", "cnn_lungs"))
        train("cnn_lungs", toy_data, out)
        evaluate("cnn_lungs", toy_data, "test", out)
        result = CliRunner().invoke(app.app, ["train", "ensemble", "--data", str(toy_data), "--out", str(out)])
        assert result.exit_code == 0, result.output
        evaluate("ensemble", toy_data, "test", out)
    return out


@pytest.mark.parametrize(("name", "seen"), [("cnn_lungs", ["lungs"]), ("ensemble", ["film", "lungs"])])
def test_a_film_gets_the_probability_that_was_measured(models, toy_data, name, seen):
    classifier = Classifier.open(name, models)
    rows = store.read_predictions(name, "test", models).iloc[::5]

    for row in rows.itertuples():
        assessment = classifier.assess(radiograph.read(toy_data / row.file))
        assert assessment.probability == pytest.approx(row.probability, abs=0.01)
        assert len(assessment.parts) == len(seen)
        assert crops.share(assessment.parts[-1]) < 1
    assert classifier.card.input["views"] == seen
    calibrated_on = {"val_evened"} if name == "ensemble" else set()
    assert set(classifier.card.metrics) == {"val", "val_shifted", "test"} | calibrated_on


def test_lungs_that_are_known_are_not_sought_again(models, toy_data, monkeypatch):
    classifier = Classifier.open("cnn_lungs", models)
    film = radiograph.read(toy_data / store.read_predictions("cnn_lungs", "test", models)["file"][0])
    found = classifier.assess(film)
    known = classifier._segmenter.segment(np.zeros((224, 224), np.float32) + np.eye(224, dtype=np.float32))
    monkeypatch.setattr(classifier._segmenter, "segment", None)

    again = classifier.assess(film, known)

    assert again.parts != found.parts


def test_a_film_without_lungs_is_seen_whole_and_says_so(models):
    film = radiograph.Radiograph(np.eye(120, dtype=np.float32), "line.png", "f" * 64, "PNG", 8)
    no_lungs = lungs.of_probability(np.zeros((224, 224), np.float32))

    assessment = Classifier.open("ensemble", models).assess(film, no_lungs)

    assert assessment.parts == (crops.WHOLE, crops.WHOLE)
    assert assessment.reasons[-1] == "No lungs were found on the film; the model saw all of it."


def test_a_member_that_was_not_trained_yet_is_named_with_what_to_do(toy_data, tmp_path, monkeypatch):
    monkeypatch.setattr(ensemble, "ENSEMBLE", ("cnn", "cnn_of_tomorrow"))

    with pytest.raises(ModelError, match="python -m pneumo train cnn_of_tomorrow"):
        train("ensemble", toy_data, tmp_path)


def test_it_is_calibrated_on_views_whose_frames_tell_nothing(models, toy_data):
    card = store.read_card("ensemble", models)

    assert card.calibration["fitted_on"] == "val_evened"
    assert card.thresholds["chosen_on"]["decision"].endswith("calibrated on val_evened")
    before = store.read_predictions("ensemble", "val_evened", models)
    assert not before["probability"].equals(store.read_predictions("ensemble", "val_shifted", models)["probability"])
    again = evaluate("ensemble", toy_data, "val_evened", models)
    assert store.read_predictions("ensemble", "val_evened", models).equals(before)
    assert again.metrics["val_evened"] == card.metrics["val_evened"]


def test_its_card_names_its_members(models):
    card = store.read_card("ensemble", models)
    members = [store.read_card(name, models) for name in ("cnn", "cnn_lungs")]

    assert [(each["name"], each["sha256"]) for each in card.members] == [(each.name, each.sha256) for each in members]
    assert [each["view"] for each in card.members] == card.input["views"] == ["film", "lungs"]
    assert card.training["data_fingerprint"] == members[0].training["data_fingerprint"]
    assert card.parameters == sum(each.parameters for each in members) + 3


def test_it_is_explained_and_predicts_from_the_command_line(models, toy_data, tmp_path):
    film = toy_data / store.read_predictions("cnn", "test", models)["file"].iloc[-1]
    classifier = Classifier.open("ensemble", models)

    heat = Explainer(classifier).heat_map(classifier.assess(radiograph.read(film)))
    result = CliRunner().invoke(
        app.app,
        ["predict", str(film), "--model", "ensemble", "--models", str(models), "--json", "--heatmap", str(tmp_path)],
    )

    assert heat.values.max() in (0, 1)
    record = json.loads(result.stdout)
    assert record["status"] == "ok"
    assert (tmp_path / f"{film.stem}.png").is_file()


def test_members_of_another_split_are_not_joined(models, toy_data, monkeypatch):
    monkeypatch.setattr(ensemble, "ENSEMBLE", ("cnn", "cnn_lungs"))

    with pytest.raises(ModelError, match="cnn was trained on another split"):
        train("ensemble", toy_data, models, fold=1)


@pytest.mark.parametrize("split", HIDDEN)
def test_models_are_measured_on_films_of_which_a_part_is_black(models, toy_data, tmp_path, split):
    shutil.copytree(models, tmp_path / "models")

    card = evaluate("cnn", toy_data, split, tmp_path / "models")

    seen, whole = (store.read_predictions("cnn", each, tmp_path / "models") for each in (split, "val"))
    assert seen["file"].tolist() == whole["file"].tolist()
    assert (seen["probability"] - whole["probability"]).abs().max() > 1e-4
    assert set(card.metrics) >= {"val", split}
    assert card.test_openings == store.read_card("cnn", models).test_openings
