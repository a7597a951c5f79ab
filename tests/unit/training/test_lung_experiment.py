import dataclasses
import json
import shutil

import cv2
import keras
import numpy as np
import pandas as pd
import pytest
from toy import synthetic
from toy.command_line import pneumo

from pneumo.cli import output
from pneumo.datasets import external, kaggle
from pneumo.errors import DatasetError, ModelError
from pneumo.evaluation import intervals
from pneumo.inference.classifier import Classifier
from pneumo.model_store import store
from pneumo.model_store.card import SEGMENTATION
from pneumo.model_store.weights import sha256
from pneumo.networks import lung_unet
from pneumo.training import lungs, task
from pneumo.training.films import Stage


def small_network(weights):
    """A three-layer network that takes what is dark for lung; it stands in for the U-Net, which takes a minute."""
    film = keras.Input((32, 32, 1))
    x = keras.layers.Conv2D(1, 1, name="grey")(film)
    model = keras.Model(film, keras.layers.Activation("sigmoid")(x))
    model.get_layer("grey").set_weights([np.full((1, 1, 1, 1), -20.0, np.float32), np.full(1, 10.0, np.float32)])
    return model


@pytest.fixture(scope="module", autouse=True)
def in_small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lung_unet, "build", small_network)
        yield


@pytest.fixture(scope="module")
def trained(toy_data, tmp_path_factory):
    """The folders of a run where every test film is unreadable: data, masks, models, checkpoints."""
    work = tmp_path_factory.mktemp("lungs")
    shutil.copytree(toy_data, work / "chest_xray")
    synthetic.write_lung_masks(toy_data, work / "lung_masks")
    for film in (work / "chest_xray" / "test").rglob("*.jpeg"):
        film.write_bytes(b"poison " + film.name.encode())
    task.train(
        "lungs",
        work / "chest_xray",
        work / "models",
        weights="none",
        epochs=1,
        checkpoints=work / "runs/lungs",
    )
    return work


@pytest.fixture
def models(trained, tmp_path):
    """A copy of the trained model that a test may change."""
    shutil.copytree(trained / "models", tmp_path / "models")
    return tmp_path / "models"


def test_training_never_reads_a_test_film(trained, toy_data):
    folder = trained / "models"
    card = store.read_card("lungs", folder)

    assert set(card.metrics) == {"val"} == set(store.measured_splits("lungs", folder))
    assert card.test_openings == []
    assert card.training["data_fingerprint"] == kaggle.fingerprint(
        pd.concat(kaggle.development_split(kaggle.scan(toy_data)))
    )


def test_the_card_describes_the_file_and_the_run(trained, toy_data):
    folder = trained / "models"
    file = folder / "lungs" / "model.keras"
    parts = kaggle.development_split(kaggle.scan(toy_data))

    card, model = store.load("lungs", folder, SEGMENTATION)

    assert (card.sha256, card.size_bytes) == (sha256(file), file.stat().st_size)
    assert card.parameters == model.count_params()
    assert model.input_shape == (None, card.input["size"], card.input["size"], card.input["channels"])
    assert (card.task, card.labels, card.cam_layer) == ("segmentation", ["background", "lung"], None)
    assert card.thresholds["decision"] == 0.5
    assert card.initial_weights == "random"
    assert card.training["films"] == {"train": len(parts.train), "validation": len(parts.validation)}
    assert card.training["epochs_run"] == card.training["recipe"]["epochs"] == card.training["epoch_kept"] == 1
    assert card.training["recipe"]["augmentation"] == lungs.AUGMENTATION
    assert card.training["masks"].endswith("drawn lungs")
    assert len(store.read_history("lungs", folder)) == 1


def test_the_masks_are_part_of_what_a_run_is_known_by(trained, tmp_path):
    masks = trained / "lung_masks"
    table = lungs.with_masks(kaggle.scan(trained / "chest_xray"), masks)
    shutil.copytree(masks, tmp_path / "masks")
    fingerprint = lungs._masks_fingerprint(tmp_path / "masks", table)
    (tmp_path / "masks" / table["mask"][0]).write_bytes(b"redrawn")

    assert fingerprint == lungs._masks_fingerprint(masks, table)
    assert fingerprint != lungs._masks_fingerprint(tmp_path / "masks", table)


@pytest.mark.parametrize(
    ("columns", "words"), [("v7_id", "V7 Labs, CC BY 4.0"), ("artist", "1 drawn lungs")], ids=["V7", "others"]
)
def test_the_card_names_who_drew_the_masks_where_that_is_known(tmp_path, columns, words):
    (tmp_path / "labels.csv").write_text(f"kermany_file,mask,{columns}\na.jpeg,a.png,1\n")

    assert words in lungs._describe(tmp_path)


def test_every_figure_of_the_card_is_what_the_written_table_gives(trained):
    folder = trained / "models"
    measured = lungs.TASK.predictions("lungs", "val", folder)
    figures = store.read_card("lungs", folder).metrics["val"]

    assert figures == lungs.summarise(measured)
    assert figures["dice"]["value"] > 0.9
    assert figures["dice"]["value"] == pytest.approx(measured["dice"].mean(), abs=1e-6)
    assert figures["films"] == len(measured)
    assert figures["patients"] == measured["patient"].nunique()


def test_figures_are_means_over_films_with_intervals_over_patients():
    measured = pd.DataFrame(
        {
            "file": list("abcd"),
            "patient": ["P", "P", "Q", "R"],
            "label": "NORMAL",
            "dice": [0.9, 0.8, 1.0, 0.0],
            "iou": [0.8, 0.7, 1.0, 0.0],
            "boundary_distance": [2.0, 4.0, 0.0, np.nan],
        }
    )

    figures = lungs.summarise(measured)

    expected = intervals.mean_by_patient(measured["dice"].to_numpy(), measured["patient"].to_numpy())
    assert figures["dice"] == pytest.approx(dataclasses.asdict(expected), abs=1e-6)
    assert figures["boundary_distance"]["value"] == 2
    assert (figures["films"], figures["patients"], figures["failed"]) == (4, 3, 1)


def write_adults(folder):
    (folder / "images").mkdir(parents=True)
    (folder / "lung").mkdir()
    lines, rng = ["file,label,lung_mask"], np.random.default_rng(0)
    for name, label, (height, width) in [("b", "UNKNOWN", (300, 260)), ("a", "PNEUMONIA", (180, 400))]:
        cv2.imwrite(str(folder / "images" / f"{name}.png"), synthetic.film(rng, False, height, width))
        mask = 255 * synthetic.lung_mask(height, width).astype(np.uint8)
        cv2.imwrite(str(folder / "lung" / f"{name}.png"), mask)
        lines.append(f"images/{name}.png,{label},lung/{name}.png")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


def test_films_of_adults_are_measured_on_the_squashed_film(models, tmp_path):
    write_adults(tmp_path / "adults")

    card = task.evaluate("lungs", tmp_path / "adults", "opacity_masks", models)

    measured = lungs.TASK.predictions("lungs", "opacity_masks", models)
    films = lungs.load(tmp_path / "adults", tmp_path / "adults", external.with_lungs(tmp_path / "adults"))
    assert measured["file"].tolist() == ["images/a.png", "images/b.png"]
    assert card.metrics["opacity_masks"]["films"] == card.metrics["opacity_masks"]["patients"] == 2
    assert card.test_openings == []
    for mask in films.masks:
        assert np.mean((mask >= 128) == synthetic.lung_mask(224, 224)) > 0.99


@pytest.mark.parametrize(
    ("table", "complaint"), [(None, "labels.csv is missing"), ("file,label\na.png,NORMAL\n", "lacks lung_mask")]
)
def test_a_folder_of_adults_without_a_sound_table_is_refused(models, tmp_path, table, complaint):
    if table:
        (tmp_path / "labels.csv").write_text(table)

    with pytest.raises(DatasetError, match=complaint):
        task.evaluate("lungs", tmp_path, "opacity_masks", models)


def test_the_lungs_are_measured_from_the_command_line(trained, models, toy_data, tmp_path):
    write_adults(tmp_path / "adults")

    test = pneumo(
        *("evaluate", "lungs", "--data", toy_data, "--masks", trained / "lung_masks"),
        *("--models", models, "--json"),
    )
    adults = pneumo("evaluate", "lungs", "--data", tmp_path / "adults", "--split", "opacity_masks", "--models", models)

    assert (test.exit_code, adults.exit_code) == (0, 0)
    card = store.read_card("lungs", models)
    assert json.loads(test.stdout) == {"model": "lungs", "split": "test", **card.metrics["test"]}
    assert "on opacity_masks, 2 films" in adults.stdout
    assert "Boundary distance" in adults.stdout


def test_an_epoch_is_told_by_its_dice(capsys):
    row = {"epoch": 2, "loss": 0.25, "val_dice": 0.9578, "seconds": 61.0}
    stage = Stage("epoch 2 of 10", 10, 50, row)

    output.show_stage(lambda what, done, total: None, stage)

    assert "epoch 2: loss 0.2500, validation Dice 0.9578, 61 s" in capsys.readouterr().err


def test_what_cannot_be_measured_is_refused_with_the_remedy(models, trained, tmp_path):
    data = trained / "chest_xray"

    with pytest.raises(ValueError, match=r"'val_shifted'.*val, test, opacity_masks"):
        task.evaluate("lungs", data, "val_shifted", models)
    with pytest.raises(ModelError, match="There is no model 'lungs'"):
        task.evaluate("lungs", data, "val", tmp_path)
    with pytest.raises(DatasetError, match="--masks"):
        task.evaluate("lungs", data, "val", models, masks=tmp_path)
    with pytest.raises(ValueError, match=r"no weights file nowhere\.h5"):
        task.train("lungs", data, tmp_path, weights="nowhere.h5")


def test_the_lung_network_is_no_classifier(models, toy_models, toy_data):
    shutil.copytree(toy_models / "dense", models / "dense")
    shutil.copytree(models / "lungs", models / "cnn")

    assert [card.name for card in store.catalogue(models).cards] == ["dense"]
    assert store.default_name(models) == "dense"
    for misuse in (
        lambda: Classifier.open("cnn", models),
        lambda: task.evaluate("cnn", toy_data, "val", models),
    ):
        with pytest.raises(ModelError, match=r"'cnn' is for segmentation, not for classification\. .*one of: dense\."):
            misuse()
