import json
import shutil

import pytest
from toy import synthetic
from typer.testing import CliRunner

from pneumo import radiograph
from pneumo.cli import app
from pneumo.datasets import kaggle
from pneumo.errors import DatasetError, ModelError
from pneumo.inference.classifier import Classifier
from pneumo.inference.similar_cases import agreement, find, path_of, read, usual_distances
from pneumo.model_store import store
from pneumo.training.similar_cases import build


@pytest.fixture
def models(toy_models, tmp_path):
    return shutil.copytree(toy_models, tmp_path / "models")


@pytest.fixture
def indexed(models, toy_data):
    return build("cnn", toy_data, models)


def test_the_index_holds_the_validation_films_and_no_other(indexed, toy_data, models):
    parts = kaggle.development_split(kaggle.scan(toy_data))

    index = read(store.read_card("cnn", models), models)

    assert indexed.path == models / "cnn" / "similar.npz"
    for key in ("file", "patient", "label", "pathogen"):
        assert getattr(index, f"{key}s").tolist() == parts.validation[key].tolist()
    assert not set(index.patients) & set(parts.train["patient"])
    assert index.layer == Classifier.open("cnn", models).embedding_layer
    assert indexed.agreement == agreement(index)


def test_a_validation_film_that_is_assessed_finds_itself(indexed, toy_data, models):
    classifier = Classifier.open("cnn", models)
    distances = usual_distances(indexed.index)

    for file in indexed.index.files[::5]:
        assessed = classifier.assess(radiograph.read(toy_data / str(file)))
        found = find(indexed.index, distances, assessed.embedding)
        # The index holds what a film of 8 bits gives, in half precision.
        assert found.cases[0].distance < 1e-3
        twins = indexed.index.patients[indexed.index.files == file]
        assert found.cases[0].patient == twins[0]


def test_films_that_the_model_was_not_validated_on_are_refused(models, tmp_path):
    other = tmp_path / "other"
    synthetic.write_data_set(other)
    for path in (other / "train" / "NORMAL").glob("NORMAL2*"):
        path.rename(path.with_name(path.name.replace("NORMAL2-IM-05", "NORMAL2-IM-06")))

    with pytest.raises(DatasetError, match="not those that cnn was validated on"):
        build("cnn", other, models)

    assert not path_of("cnn", models).exists()


def test_a_model_that_was_not_measured_is_refused(models, toy_data):
    (models / "cnn" / "predictions" / "val.csv").unlink()

    with pytest.raises(ModelError, match="was not measured on val"):
        build("cnn", toy_data, models)


def test_networks_that_are_no_classifiers_are_refused(models, toy_data):
    with pytest.raises(ModelError, match="is for segmentation, not for classification"):
        build("lungs", toy_data, models)


def test_the_command_writes_the_indexes_and_prints_what_they_are_worth(models, toy_data):
    arguments = ["similar", "cnn", "dense", "--data", str(toy_data), "--models", str(models)]

    shown, as_json = (CliRunner().invoke(app.app, [*arguments, *more]) for more in ([], ["--json"]))

    assert (shown.exit_code, as_json.exit_code) == (0, 0)
    records = json.loads(as_json.stdout)
    assert [record["model"] for record in records] == ["cnn", "dense"]
    for record in records:
        card = store.read_card(record["model"], models)
        measured = agreement(read(card, models))
        assert record["model_sha256"] == card.sha256
        assert record["agreement"]["label"]["value"] == round(measured.label.value, 6)
        assert record["size_bytes"] == path_of(card.name, models).stat().st_size
        assert str(measured.kind) in shown.stdout
    assert "similar.npz" in shown.stderr
