import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from toy import synthetic

from pneumo import radiograph
from pneumo.datasets import kaggle
from pneumo.errors import ModelError
from pneumo.inference.classifier import Classifier
from pneumo.inference.pathogen import Differentiator, leaning
from pneumo.model_store import store
from pneumo.model_store.card import PATHOGEN
from pneumo.training import pathogen as pathogen_training
from pneumo.training import task


@pytest.fixture(scope="module")
def trained(toy_data, toy_models, tmp_path_factory):
    """A folder of models with a network for pathogens that was trained from `cnn`; its test films were not read."""
    work = tmp_path_factory.mktemp("pathogen")
    shutil.copytree(toy_models, work / "models")
    shutil.copytree(toy_data, work / "data")
    for film in (work / "data" / "test").rglob("*.jpeg"):
        film.write_bytes(b"poison " + film.name.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pathogen_training, "PATHOGEN_START", "cnn")
        patch.setattr(pathogen_training, "PATHOGEN_SIZE", 128)
        start = store.read_card("cnn", work / "models")
        facts = start.training | {"data_fingerprint": _fingerprint(work / "data")}
        store.write_card(dataclasses.replace(start, training=facts), work / "models")
        task.train("pathogen", work / "data", work / "models", epochs=1, checkpoints=work / "runs")
    return work / "models"


@pytest.fixture
def models(trained, tmp_path):
    """A copy of the folder that a test may change."""
    shutil.copytree(trained, tmp_path / "models")
    return tmp_path / "models"


def _fingerprint(data):
    return kaggle.fingerprint(pd.concat(kaggle.development_split(kaggle.scan(data))))


def test_it_learns_from_films_with_pneumonia_and_reads_no_test_film(trained, toy_data):
    parts = kaggle.development_split(kaggle.scan(toy_data))

    card = store.read_card("pathogen", trained)

    assert card.task == PATHOGEN
    assert card.training["films"] == {
        "train": int((parts.train["pathogen"] != "").sum()),
        "validation": int((parts.validation["pathogen"] != "").sum()),
    }
    assert set(card.metrics) == {"val", "val_shifted"}
    assert card.test_openings == []
    assert card.initial_weights == f"cnn (sha256 {store.read_card('cnn', trained).sha256})"
    assert "pathogen" not in {each.name for each in store.catalogue(trained).cards}


def test_its_figures_are_of_bacterial_against_viral_films_alone(models, toy_data):
    card = task.evaluate("pathogen", toy_data, "test", models)

    predictions = store.read_predictions("pathogen", "test", models)
    known = predictions[predictions["pathogen"] != ""]
    assert set(predictions["label"]) == {"NORMAL", "PNEUMONIA"}
    assert card.metrics["test"]["films"] == len(known)
    expected = roc_auc_score(known["pathogen"] == "bacteria", known["probability"])
    assert card.metrics["test"]["auroc"]["value"] == pytest.approx(expected, abs=1e-6)
    assert [opening["sha256"] for opening in card.test_openings] == [card.sha256]
    with pytest.raises(ValueError, match="'external_nih'"):
        task.evaluate("pathogen", toy_data, "external_nih", models)


def test_a_start_that_learned_from_other_films_is_refused(models, toy_data, monkeypatch):
    monkeypatch.setattr(pathogen_training, "PATHOGEN_START", "cnn")

    with pytest.raises(ModelError, match="trained on another split"):
        task.train("pathogen", toy_data, models, fold=1)


@pytest.mark.parametrize(
    ("probability", "kind", "words"),
    [
        (0.8, "bacterial", "more like bacterial pneumonia"),
        (0.79, "unclear", "Neither"),
        (0.2, "viral", "more like viral"),
    ],
)
def test_a_leaning_is_told_where_it_is_clear(trained, probability, kind, words):
    told = leaning(store.read_card("pathogen", trained), probability)

    assert told.kind == kind
    assert words in str(told)


def test_only_a_film_that_is_likely_to_show_pneumonia_leans(trained, toy_data):
    film = radiograph.read(sorted((toy_data / "train" / "PNEUMONIA").glob("*bacteria*"))[0])
    assessment = Classifier.open("cnn", trained).assess(film)
    differentiator = Differentiator.open(trained)

    told = differentiator.lean(dataclasses.replace(assessment, answer="likely"))

    assert told is not None
    assert 0 < told.bacterial < 1
    assert differentiator.lean(dataclasses.replace(assessment, answer="uncertain")) is None
    assert differentiator.lean(dataclasses.replace(assessment, answer="unlikely")) is None


def test_a_film_and_its_mirror_image_lean_alike(trained, toy_data):
    film = radiograph.read(sorted((toy_data / "train" / "PNEUMONIA").glob("*bacteria*"))[0])
    assessment = dataclasses.replace(Classifier.open("cnn", trained).assess(film), answer="likely")
    mirrored = dataclasses.replace(film, pixels=np.ascontiguousarray(film.pixels[:, ::-1]))
    differentiator = Differentiator.open(trained)

    both = [differentiator.lean(dataclasses.replace(assessment, radiograph=each)) for each in (film, mirrored)]

    assert both[0].bacterial == pytest.approx(both[1].bacterial, abs=1e-4)


def test_what_a_start_knows_is_kept_at_another_size():
    start = synthetic.small_model(seed=1, size=32)

    network = pathogen_training._beginner(start, 48)

    assert network.input_shape == (None, 48, 48, 1)
    for mine, known in zip(network.get_weights()[:-2], start.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(mine, known)
    assert not np.array_equal(network.get_weights()[-2], start.get_weights()[-2])
