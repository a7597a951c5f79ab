import time

import numpy as np
import pandas as pd
import pytest

from pneumo import architectures, dataset, evaluation, experiment, model_store, preprocessing, radiograph
from pneumo.model_store import CLASSIFICATION, SEGMENTATION, SELECTION_SPLIT, SHIPPED

MIB = 1024**2
FOLDERS = sorted(path.name for path in SHIPPED.glob("*") if path.is_dir() and not path.name.startswith("."))
NAMES = model_store.names(SHIPPED, CLASSIFICATION)

pytestmark = pytest.mark.skipif(not FOLDERS, reason="models/ is empty: no model is shipped yet")


@pytest.fixture(params=NAMES or ["none"])
def card(request):
    return model_store.read_card(request.param, SHIPPED)


def test_every_folder_holds_a_sound_card():
    catalogue = model_store.catalogue(SHIPPED)

    assert catalogue.problems == {}
    assert sorted(card.name for card in catalogue.cards) == NAMES
    assert [model_store.read_card(name, SHIPPED).name for name in FOLDERS] == FOLDERS


def test_all_models_together_stay_small():
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < 160 * MIB


def test_the_card_is_of_the_architecture_that_it_names(card):
    architecture = architectures.REGISTRY[card.architecture]

    assert card.title
    assert (card.family, card.seed_system, card.cam_layer) == (
        architecture.family,
        architecture.seed_system,
        architecture.cam_layer,
    )
    assert card.labels == ["NORMAL", "PNEUMONIA"]
    assert set(card.input) >= {"size", "channels", "crop", "scaling"}
    assert set(card.training) >= {
        "data",
        "data_fingerprint",
        "split_rule",
        "recipe",
        "seconds",
        "hardware",
        "software",
        "epochs_run",
        "epoch_kept",
    }


def test_the_file_is_the_one_of_the_card_and_loads(card):
    file = SHIPPED / card.name / "model.keras"

    loaded_card, model = model_store.load(card.name, SHIPPED)

    assert loaded_card == card
    assert (card.sha256, card.size_bytes) == (model_store.file_sha256(file), file.stat().st_size)
    assert card.size_bytes < 50 * MIB
    assert card.parameters == model.count_params()
    assert model.input_shape == (None, card.input["size"], card.input["size"], card.input["channels"])
    assert model.output_shape == (None, 1)
    if card.cam_layer:
        assert len(model.get_layer(card.cam_layer).output.shape) == 4


def test_every_figure_is_what_the_predictions_give(card):
    assert set(card.metrics) == set(model_store.measured_splits(card.name, SHIPPED))
    for split, figures in card.metrics.items():
        predictions = model_store.read_predictions(card.name, split, SHIPPED)
        computed = experiment.metrics_record(evaluation.evaluate_table(predictions, card.thresholds["decision"]))
        assert figures.keys() == computed.keys()
        for key, figure in computed.items():
            assert figures[key] == pytest.approx(figure, abs=2e-6), (split, key)


def test_validation_and_test_are_measured_on_different_patients(card):
    validation, shifted, test = (
        model_store.read_predictions(card.name, split, SHIPPED) for split in ("val", SELECTION_SPLIT, "test")
    )

    assert validation["file"].tolist() == shifted["file"].tolist()
    assert not set(validation["patient"]) & set(test["patient"])
    assert not validation["file"].str.startswith("test/").any()
    assert test["file"].str.startswith("test/").all()
    assert test["label"].value_counts().to_dict() == {"PNEUMONIA": 390, "NORMAL": 234}
    for predictions in (validation, shifted, test):
        assert predictions["file"].is_unique
        assert predictions["probability"].between(0, 1).all()
        assert predictions["file"].map(dataset.pathogen_of).where(predictions["label"] == "PNEUMONIA", "").tolist() == (
            predictions["pathogen"].tolist()
        )


def test_the_test_split_was_opened_for_these_weights(card):
    assert card.sha256 in {opening["sha256"] for opening in card.test_openings}


def test_the_thresholds_are_in_order_and_keep_what_they_promise(card):
    limits = card.as_thresholds()
    predictions = model_store.read_predictions(card.name, SELECTION_SPLIT, SHIPPED)
    sick, well = (predictions.loc[predictions["label"] == label, "probability"] for label in ("PNEUMONIA", "NORMAL"))

    assert 0 <= limits.low <= limits.decision <= limits.high <= 1
    assert card.thresholds["evidence"] == {
        "pneumonia_films": len(sick),
        "pneumonia_below_low": int((sick < limits.low).sum()),
        "normal_films": len(well),
        "normal_at_or_above_high": int((well >= limits.high).sum()),
    }
    assert (sick >= limits.low).mean() >= 0.98
    assert (well < limits.high).mean() >= 0.97


def test_the_history_holds_the_epoch_that_was_kept(card):
    history = model_store.read_history(card.name, SHIPPED)

    assert set(history) >= {"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "val_auroc", "shifted_auroc"}
    assert len(history) == card.training["epochs_run"]
    assert history["shifted_auroc"].idxmax() <= card.training["epoch_kept"] - 1
    assert history.loc[card.training["epoch_kept"] - 1, "shifted_auroc"] == history["shifted_auroc"].max()


@pytest.mark.shared
def test_the_published_test_films_get_the_written_probabilities(card, shared_data):
    from pneumo.classifier import Classifier

    root = shared_data / "chest_xray"
    rows = model_store.read_predictions(card.name, "test", SHIPPED).iloc[::130]
    classifier = Classifier.open(card.name, SHIPPED)

    assessed = [classifier.assess(radiograph.read(root / file)).probability for file in rows["file"]]

    assert len(assessed) == 5
    pd.testing.assert_series_equal(
        pd.Series(assessed, index=rows.index, name="probability"), rows["probability"], atol=0.02, rtol=0
    )


@pytest.fixture(scope="module")
def lung_card():
    if "lungs" not in FOLDERS:
        pytest.skip("no lung network is shipped yet")
    return model_store.read_card("lungs", SHIPPED)


@pytest.fixture(scope="module")
def segmenter(lung_card):
    from pneumo.lungs import Segmenter

    return Segmenter(model_store.load("lungs", SHIPPED, SEGMENTATION)[1])


def test_the_lung_network_is_the_one_of_its_card(lung_card):
    file = SHIPPED / "lungs" / "model.keras"

    _, model = model_store.load("lungs", SHIPPED, SEGMENTATION)

    size = lung_card.input["size"]
    assert (lung_card.sha256, lung_card.size_bytes) == (model_store.file_sha256(file), file.stat().st_size)
    assert model.input_shape == model.output_shape == (None, size, size, 1)
    assert lung_card.parameters == model.count_params() < 2_000_000
    assert lung_card.labels == ["background", "lung"]
    assert "V7 Labs" in lung_card.training["masks"]
    assert {"data", "data_fingerprint", "split_rule", "recipe", "seconds", "software"} <= set(lung_card.training)


def test_the_figures_of_the_lungs_are_what_the_written_tables_give(lung_card):
    from pneumo import lung_experiment

    assert set(lung_card.metrics) == set(model_store.measured_splits("lungs", SHIPPED)) == set(lung_experiment.SPLITS)
    for split, figures in lung_card.metrics.items():
        computed = lung_experiment.summarise(lung_experiment.read_measured(split, SHIPPED))
        assert figures.keys() == computed.keys()
        for key, figure in computed.items():
            assert figures[key] == pytest.approx(figure, abs=2e-6), (split, key)


def test_the_lungs_are_drawn_as_well_as_promised(lung_card):
    test = lung_card.metrics["test"]

    assert test["dice"]["value"] >= 0.96
    assert (test["films"], test["failed"]) == (624, 0)
    assert lung_card.metrics["opacity_masks"]["films"] == 100
    assert [opening["sha256"] for opening in lung_card.test_openings] == [lung_card.sha256]


def test_the_lungs_were_judged_on_patients_that_nothing_was_learned_from(lung_card):
    from pneumo import lung_experiment

    validation, test = (lung_experiment.read_measured(split, SHIPPED) for split in ("val", "test"))

    assert not set(validation["patient"]) & set(test["patient"])
    assert test["file"].str.startswith("test/").all()
    assert len(validation) == lung_card.training["films"]["validation"]


def test_the_history_of_the_lungs_holds_the_epoch_that_was_kept(lung_card):
    history = model_store.read_history("lungs", SHIPPED)

    assert len(history) == lung_card.training["epochs_run"]
    assert history["val_dice"].idxmax() == lung_card.training["epoch_kept"] - 1
    assert history["val_dice"].max() == pytest.approx(lung_card.metrics["val"]["dice"]["value"], abs=2e-3)


def test_the_lungs_are_drawn_in_a_moment(segmenter):
    square = np.random.default_rng(0).random((preprocessing.SQUARE, preprocessing.SQUARE), np.float32)
    seconds = []
    for _ in range(25):
        started = time.perf_counter()
        segmenter.segment(square)
        seconds.append(time.perf_counter() - started)

    # 25 ms on two idle cores; a machine that runs other tests meanwhile may take its time.
    assert np.median(seconds[5:]) < 0.2


@pytest.mark.shared
def test_the_published_test_films_get_the_written_lungs(segmenter, shared_data):
    from pneumo import lung_experiment, lung_training

    root, masks = shared_data / "chest_xray", shared_data / "lung_masks"
    written = lung_experiment.read_measured("test", SHIPPED).iloc[::156]
    films = lung_training.load(root, masks, lung_training.with_masks(written[["file", "patient", "label"]], masks))

    measured = lung_training.measure(segmenter._model, films)

    assert len(measured) == 4
    np.testing.assert_allclose(measured["dice"], written["dice"], atol=0.01)
