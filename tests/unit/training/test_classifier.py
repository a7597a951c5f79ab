import copy
import dataclasses
import datetime
import shutil
from types import SimpleNamespace

import cv2
import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from toy import synthetic
from toy.training import untrained

from pneumo import radiograph
from pneumo.datasets import kaggle, lung_masks
from pneumo.errors import DatasetError, ModelError
from pneumo.evaluation.metrics import evaluate, evaluate_table
from pneumo.inference.foreign import read as read_known
from pneumo.model_store import store, weights
from pneumo.preprocessing import network_input
from pneumo.training import classifier, foreign, loop, task
from pneumo.training.loop import Recipe


@pytest.fixture
def models(toy_models, tmp_path):
    """A copy of the trained model `dense` that a test may change."""
    shutil.copytree(toy_models / "dense", tmp_path / "models" / "dense")
    return tmp_path / "models"


@pytest.fixture(scope="module")
def poisoned_run(toy_data, tmp_path_factory):
    """The model `dense`, trained anew where every test film is unreadable, and the stages it reported."""
    work, stages = tmp_path_factory.mktemp("poisoned"), []
    shutil.copytree(toy_data, work / "data")
    for film in (work / "data" / "test").rglob("*.jpeg"):
        film.write_bytes(b"poison " + film.name.encode())
    task.train("dense", work / "data", work / "models", epochs=2, checkpoints=work / "runs", progress=stages.append)
    return work / "models", stages


@pytest.mark.parametrize("split", ["val", "val_shifted"])
def test_training_never_reads_a_test_film(toy_models, poisoned_run, split):
    folder, _ = poisoned_run

    pd.testing.assert_frame_equal(
        store.read_predictions("dense", split, folder), store.read_predictions("dense", split, toy_models)
    )
    clean, poisoned = (store.read_card("dense", root) for root in (toy_models, folder))
    assert poisoned.thresholds == clean.thresholds
    assert poisoned.calibration == clean.calibration
    assert poisoned.training["data_fingerprint"] == clean.training["data_fingerprint"]


def test_a_model_comes_out_of_training_without_a_test_figure(poisoned_run):
    folder, _ = poisoned_run

    assert set(store.read_card("dense", folder).metrics) == {"val", "val_shifted"}
    assert store.measured_splits("dense", folder) == ["val", "val_shifted"]
    assert store.read_card("dense", folder).test_openings == []


def test_training_reports_the_films_it_reads_and_the_steps_it_trains(poisoned_run):
    _, stages = poisoned_run

    reading = [stage for stage in stages if stage.what == "reading films"]
    training = [stage for stage in stages if stage.what.startswith("epoch ")]
    assert sum(stage.done == stage.total for stage in reading) == 2
    assert training[-1].done == training[-1].total
    assert [stage.done for stage in training] == sorted(stage.done for stage in training)
    assert sum(stage.row is not None for stage in training) == 2


@pytest.mark.parametrize("name", ["cnn", "dense"])
def test_every_figure_of_a_card_is_what_its_predictions_give(toy_models, name):
    card = store.read_card(name, toy_models)

    assert set(card.metrics) == {"val", "val_shifted", "test"}
    for split, figures in card.metrics.items():
        predictions = store.read_predictions(name, split, toy_models)
        labels = predictions["label"] == "PNEUMONIA"
        called = predictions["probability"] >= card.thresholds["decision"]
        computed = evaluate_table(predictions, card.thresholds["decision"])
        assert figures["films"] == len(predictions)
        assert figures["patients"] == predictions["patient"].nunique()
        assert figures["accuracy"]["value"] == pytest.approx(np.mean(called == labels), abs=1e-6)
        assert figures["auroc"]["value"] == pytest.approx(roc_auc_score(labels, predictions["probability"]), abs=1e-6)
        for key, estimate in computed.estimates().items():
            assert figures[key]["low"] == pytest.approx(estimate.low, abs=1e-6, nan_ok=True), (split, key)
            assert figures[key]["high"] == pytest.approx(estimate.high, abs=1e-6, nan_ok=True), (split, key)


def test_predictions_are_those_of_the_shipped_file_on_the_films(toy_models, toy_data):
    card, model = store.load("cnn", toy_models)
    row = store.read_predictions("cnn", "test", toy_models).iloc[7]
    square = network_input.film_square(radiograph.read(toy_data / row["file"]).pixels)

    raw = model(network_input.model_input(square, 128)[None], training=False)

    expected = card.as_calibration().apply(keras.ops.convert_to_numpy(raw))[0, 0]
    # Films in memory are rounded to 256 grey values.
    assert row["probability"] == pytest.approx(expected, abs=0.01)


def test_predictions_name_every_film_of_their_split_once(toy_models, toy_data):
    table = kaggle.scan(toy_data)
    parts = kaggle.development_split(table)

    for split, films in (
        ("val", parts.validation),
        ("val_shifted", parts.validation),
        ("test", table[table["split"] == "test"]),
    ):
        predictions = store.read_predictions("cnn", split, toy_models).set_index("file")
        expected = films.set_index("file").sort_index()
        assert predictions.index.tolist() == expected.index.tolist()
        for column in ("patient", "label", "pathogen"):
            assert predictions[column].tolist() == expected[column].tolist()


def test_the_card_describes_the_file_and_the_run(toy_models, toy_data):
    card = store.read_card("cnn", toy_models)
    file = toy_models / "cnn" / "model.keras"
    parts = kaggle.development_split(kaggle.scan(toy_data))
    history = store.read_history("cnn", toy_models)

    assert (card.sha256, card.size_bytes) == (weights.sha256(file), file.stat().st_size)
    assert card.parameters == weights.load(file).count_params()
    assert card.input["size"] == 128
    assert card.initial_weights == "random"
    assert card.training["films"] == {"train": len(parts.train), "validation": len(parts.validation)}
    assert card.training["data_fingerprint"] == kaggle.fingerprint(pd.concat(parts))
    assert f"{len(list(synthetic.film_names()))} films" in card.training["data"]
    assert card.training["recipe"]["epochs"] == card.training["epochs_run"] == len(history) == 2
    assert history.loc[card.training["epoch_kept"] - 1, "shifted_auroc"] == history["shifted_auroc"].max()
    assert card.training["software"]["keras"] == keras.__version__
    assert card.thresholds["low"] <= card.thresholds["decision"] <= card.thresholds["high"]


def test_the_evidence_for_the_limits_is_counted_on_the_selection_split(toy_models):
    card = store.read_card("cnn", toy_models)
    predictions = store.read_predictions("cnn", store.SELECTION_SPLIT, toy_models)
    sick, well = (predictions.loc[predictions["label"] == label, "probability"] for label in ("PNEUMONIA", "NORMAL"))

    assert card.thresholds["evidence"] == {
        "pneumonia_films": len(sick),
        "pneumonia_below_low": (sick < card.thresholds["low"]).sum(),
        "normal_films": len(well),
        "normal_at_or_above_high": (well >= card.thresholds["high"]).sum(),
    }


def test_each_opening_of_the_test_split_is_counted(models, toy_data):
    before = store.read_card("dense", models)

    card = task.evaluate("dense", toy_data, "test", models)

    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    assert len(before.test_openings) == 1
    assert card.test_openings == [*before.test_openings, {"date": today, "sha256": before.sha256}]
    assert store.read_card("dense", models) == card
    assert card.metrics == before.metrics


def test_measuring_validation_opens_nothing_and_repeats_the_figures(models, toy_data):
    before = store.read_card("dense", models)
    (models / "dense" / "predictions" / "val_shifted.csv").unlink()

    card = task.evaluate("dense", toy_data, "val_shifted", models)

    assert card == before
    assert (models / "dense" / "predictions" / "val_shifted.csv").is_file()


def test_films_of_another_hospital_are_measured_without_the_contradicted(models, toy_data, tmp_path):
    external = tmp_path / "external"
    (external / "images").mkdir(parents=True)
    sources = sorted((toy_data / "test").rglob("*.jpeg"))[::3]
    rows = []
    for number, source in enumerate(sources):
        shutil.copy(source, external / "images" / f"{number}.jpg")
        rows.append((f"images/{number}.jpg", source.parent.name, 100 + number, int(number == 2), number % 2))
    columns = ["file", "label", "patient_id", "label_contradicted", "paediatric_under18"]
    pd.DataFrame(rows, columns=columns).to_csv(external / "labels.csv", index=False)

    card = task.evaluate("dense", external, "external_nih", models)

    predictions = store.read_predictions("dense", "external_nih", models)
    assert set(predictions["file"]) == {row[0] for row in rows if not row[3]}
    assert card.metrics["external_nih"]["films"] == len(rows) - 1
    children = store.read_predictions("dense", "external_nih_under18", models)
    assert set(children["file"]) == {row[0] for row in rows if row[4] and not row[3]}
    assert "external_nih_reliable" not in card.metrics
    at_home = store.read_predictions("dense", "test", models).set_index("file")["probability"]
    first = sources[0].relative_to(toy_data).as_posix()
    assert predictions.set_index("file")["probability"]["images/0.jpg"] == pytest.approx(at_home[first], abs=1e-4)
    assert len(card.test_openings) == 1


def originals(toy_data, folder):
    """The toy films, squashed, and the table of masks that tells how wide and how high they were."""
    shutil.copytree(toy_data, folder / "chest_xray")
    rng, rows = np.random.default_rng(0), []
    for film in (folder / "chest_xray" / file for file in kaggle.scan(toy_data)["file"]):
        cv2.imwrite(str(film), cv2.resize(cv2.imread(str(film)), (224, 224)))
        width = 1230 if film.parent.name == "NORMAL" else 1510
        rows.append((film.name, f"masks224/{film.stem}.png", width + int(rng.integers(-100, 100)), 1000))
    (folder / lung_masks.FOLDER).mkdir()
    columns = ["kermany_file", "mask", "orig_width", "orig_height"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / lung_masks.FOLDER / lung_masks.TABLE, index=False)
    return folder / "chest_xray"


def test_films_in_the_frame_of_the_other_class_are_measured(models, toy_data, tmp_path):
    data = originals(toy_data, tmp_path)

    card = task.evaluate("dense", data, "val_reframed", models)

    plain = task.evaluate("dense", data, "val", models).metrics["val"]
    assert card.metrics["val_reframed"]["films"] == plain["films"]
    assert card.metrics["val_reframed"]["auroc"] != plain["auroc"]
    assert card.test_openings == store.read_card("dense", models).test_openings
    assert task.evaluate("dense", data, "val_reframed", models).metrics == {
        **card.metrics,
        "val": plain,
    }


def test_squashed_films_of_unknown_frame_cannot_be_reframed(models, toy_data, tmp_path):
    data = originals(toy_data, tmp_path)
    shutil.rmtree(tmp_path / lung_masks.FOLDER)

    with pytest.raises(DatasetError, match=r"put lung_masks/labels\.csv"):
        task.evaluate("dense", data, "val_reframed", models)


def test_a_recipe_that_randomises_the_aspect_ratio_says_how_many_are_known(toy_data, tmp_path, monkeypatch):
    data = originals(toy_data, tmp_path)
    recipe = Recipe(epochs=1, aspect_ratio=(1.0, 2.0))
    monkeypatch.setitem(classifier.RECIPES, "cnn", recipe)
    monkeypatch.setattr(loop, "fit", untrained)

    card = task.train("cnn", data, tmp_path / "models", checkpoints=tmp_path / "runs")

    assert card.training["films_of_known_frame"] == card.training["films"]["train"]
    assert card.training["recipe"]["frames"] == (1.0, 2.0)


def test_a_data_set_without_a_test_split_cannot_be_tested_on(models, toy_data, tmp_path):
    shutil.copytree(toy_data, tmp_path / "data", ignore=shutil.ignore_patterns("test"))

    with pytest.raises(DatasetError, match="no films under test/"):
        task.evaluate("dense", tmp_path / "data", "test", models)


def test_a_damaged_model_is_not_measured(models, toy_data):
    (models / "dense" / "model.keras").write_bytes(b"damaged")
    card = (models / "dense" / "card.json").read_bytes()

    with pytest.raises(ModelError, match="not the file"):
        task.evaluate("dense", toy_data, "test", models)

    assert (models / "dense" / "card.json").read_bytes() == card


def test_what_the_films_cannot_tell_is_null_in_a_card():
    metrics = evaluate(np.ones(3), np.array([0.2, 0.6, 0.8]), np.arange(3), 0.5, draws=10)

    record = classifier.metrics_record(metrics)

    assert record["auroc"] == {"value": None, "low": None, "high": None}
    assert record["sensitivity"]["value"] == 0.666667
    assert record["confusion"] == {"true_positive": 2, "false_negative": 1, "true_negative": 0, "false_positive": 0}


def test_retraining_drops_the_old_predictions_and_keeps_the_count_of_openings(models, toy_data, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "fit", untrained)
    before = store.read_card("dense", models)

    card = task.train("dense", toy_data, models, epochs=1, checkpoints=tmp_path / "runs")

    assert before.test_openings
    assert card.test_openings == before.test_openings
    assert store.measured_splits("dense", models) == ["val", "val_shifted"]
    assert set(card.metrics) == {"val", "val_shifted"}


@pytest.fixture(scope="module")
def two_hospitals(tmp_path_factory):
    """A folder with ten films of each of two hospitals, half of them sick, and one that has no sick film."""
    folder, rng, rows = tmp_path_factory.mktemp("hospitals"), np.random.default_rng(5), []
    for hospital in ("east", "west", "north"):
        for number in range(10):
            sick = number % 2 == 1 and hospital != "north"
            (folder / f"{hospital}{number}.jpg").write_bytes(synthetic.jpeg(synthetic.film(rng, sick)))
            finding = "opacity" if sick else ("nodule", "normal")[number % 4 // 2]
            rows.append((f"{hospital}{number}.jpg", hospital, number, finding, int(sick), "radiologist"))
    columns = ["file", "hospital", "patient", "finding", "opacity", "read_by"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "labels.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def away_from_west(two_hospitals, toy_data, tmp_path_factory):
    """The folder of a model that learned at home and from the hospital east, and the films it was trained on."""
    work, seen = tmp_path_factory.mktemp("away"), []
    synthetic.write_screening_models(work / "models")

    def fit(model, train, *others, **options):
        seen.append(train)
        return untrained(model, train, *others, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "fit", fit)
        patch.setattr(foreign, "LAYER", "conv2")
        task.train(
            "cnn",
            toy_data,
            work / "models",
            epochs=1,
            checkpoints=work / "runs",
            hospitals=[two_hospitals],
            leave_out=["west"],
        )
    return work / "models", seen[0]


def test_a_hospital_that_is_left_out_is_not_learned_from_and_its_figures_stand_in_the_card(away_from_west):
    folder, train = away_from_west
    card = store.read_card("cnn", folder)

    assert set(train.hospitals) == {"guangzhou", "east"}
    assert train.masks.any(axis=(1, 2)).all()
    told = card.training["hospitals"]
    assert told["learned_from"]["east"] == {"NORMAL": 5, "PNEUMONIA": 5}
    assert (told["shares"], told["left_out"]) == ({"guangzhou": 0.5, "east": 0.5}, ["west"])
    assert card.training["recipe"]["mix"] == {"home": 0.5, "swapped": 0.5}
    assert card.metrics["hospital_west"]["films"] == 10
    predictions = store.read_predictions("cnn", "hospital_west", folder)
    assert set(predictions["file"]) == {f"west{number}.jpg" for number in range(10)}
    assert card.calibration["fitted_on"] == "val_shifted"
    assert "west" not in card.thresholds["chosen_on"]["low"]
    assert card.test_openings == []


def test_a_model_is_measured_at_a_hospital_that_it_never_saw_and_at_no_other(away_from_west, two_hospitals):
    folder, _ = away_from_west
    trained = store.read_card("cnn", folder).metrics["hospital_west"]

    card = task.evaluate("cnn", two_hospitals, folder=folder, hospital="west")

    assert card.metrics["hospital_west"] == trained
    north = task.evaluate("cnn", two_hospitals, folder=folder, hospital="north").metrics["hospital_north"]
    assert north["auroc"]["value"] is None
    assert north["specificity"]["value"] is not None
    with pytest.raises(DatasetError, match=r"cnn learned from east.*--leave-out east"):
        task.evaluate("cnn", two_hospitals, folder=folder, hospital="east")
    with pytest.raises(DatasetError, match=r"cnn learned from east"):
        task.evaluate("cnn", two_hospitals.parent / "east", "external_nih", folder)
    with pytest.raises(ValueError, match="only classifiers"):
        task.evaluate("lungs", two_hospitals, folder=folder, hospital="west")


def test_a_model_that_learned_from_a_hospital_has_the_figures_of_the_run_that_left_it_out(
    away_from_west, two_hospitals, tmp_path
):
    run, _ = away_from_west
    folder = tmp_path / "models"
    shutil.copytree(run, folder)
    # A copy: a card belongs to all who read it.
    learned = copy.deepcopy(store.read_card("cnn", folder))
    facts = learned.training["hospitals"]
    facts["learned_from"]["west"], facts["left_out"] = facts["learned_from"]["east"], []
    store.write_card(dataclasses.replace(learned, metrics={}), folder)
    with pytest.raises(DatasetError, match=r"cnn learned from west.*--left-out-run"):
        task.evaluate("cnn", two_hospitals, folder=folder, hospital="west")

    card = task.evaluate("cnn", two_hospitals, folder=folder, hospital="west", left_out_run=run)

    assert card.metrics["hospital_west"] == store.read_card("cnn", run).metrics["hospital_west"]
    assert set(card.metrics) == {"hospital_west", "hospital_west_normal"}
    assert set(store.read_predictions("cnn", "hospital_west_normal", folder)["file"]) == {
        f"west{number}.jpg" for number in (1, 2, 3, 5, 6, 7, 9)
    }
    assert card.training["hospitals"]["runs"]["west"]["sha256"] == store.read_card("cnn", run).sha256
    with pytest.raises(ModelError, match="did not leave east out"):
        task.evaluate("cnn", two_hospitals, folder=folder, hospital="east", left_out_run=run)
    member = {"name": "cnn", "training": {"recipe": {"epochs": 99}}}
    store.write_card(dataclasses.replace(learned, members=[member]), folder)
    with pytest.raises(ModelError, match="another recipe"):
        task.evaluate("cnn", two_hospitals, folder=folder, hospital="west", left_out_run=run)
    learned.training["recipe"] = {**learned.training["recipe"], "epochs": 99}
    store.write_card(learned, folder)
    with pytest.raises(ModelError, match="another recipe"):
        task.evaluate("cnn", two_hospitals, folder=folder, hospital="west", left_out_run=run)


def test_a_model_that_learned_from_hospitals_ships_with_what_tells_foreign_films(
    away_from_west, two_hospitals, toy_data, tmp_path, monkeypatch
):
    monkeypatch.setattr(foreign, "LAYER", "conv2")
    folder = tmp_path / "models"
    shutil.copytree(away_from_west[0], folder)
    shipped = store.read_card("cnn", folder)
    known = read_known(shipped, folder)
    assert known.names == ("east", "guangzhou")
    assert known.limit > 0

    path = folder / "cnn" / store.HOSPITALS
    path.unlink()
    card = foreign.add("cnn", toy_data, [two_hospitals], folder)

    assert card == store.read_card("cnn", folder)
    assert (card.foreign["layer"], card.foreign["hospitals"]) == ("conv2", ["east", "guangzhou"])
    np.testing.assert_allclose(read_known(card, folder).means, known.means, atol=1e-5)
    assert card.foreign["limit"] == pytest.approx(shipped.foreign["limit"], rel=1e-3)
    assert (card.metrics, card.sha256) == (shipped.metrics, shipped.sha256)


def test_hospitals_are_described_for_the_model_that_learned_from_them_alone(
    away_from_west, two_hospitals, toy_data, toy_models, tmp_path, monkeypatch
):
    with pytest.raises(ModelError, match="learned from one hospital alone"):
        foreign.add("dense", toy_data, [two_hospitals], toy_models)
    with pytest.raises(ModelError, match="has no layer block_6"):
        foreign.add("cnn", toy_data, [two_hospitals], away_from_west[0])
    monkeypatch.setattr(foreign, "LAYER", "conv2")
    shutil.copytree(two_hospitals, tmp_path / "fewer")
    table = pd.read_csv(tmp_path / "fewer" / "labels.csv")
    table[table["file"] != "east3.jpg"].to_csv(tmp_path / "fewer" / "labels.csv", index=False)
    with pytest.raises(DatasetError, match="not those that cnn learned from"):
        foreign.add("cnn", toy_data, [tmp_path / "fewer"], away_from_west[0])


def test_what_a_model_tells_from_the_surroundings_alone_is_measured(models, toy_data):
    synthetic.write_screening_models(models)

    card = task.evaluate("dense", toy_data, "val_surroundings_only", models)

    assert card.metrics["val_surroundings_only"]["films"] == card.metrics["val"]["films"]


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("cnn", {"leave_out": ["west"]}, "--hospitals"),
        ("lungs", {"hospitals": ["somewhere"]}, "only opacity and classifiers"),
        ("vgg19", {"hospitals": ["somewhere"]}, "not trained in epochs"),
        ("everywhere_film", {}, "learns from several hospitals.*--hospitals"),
    ],
)
def test_what_cannot_learn_from_hospitals_says_so(name, options, complaint, toy_data, tmp_path):
    with pytest.raises(ValueError, match=complaint):
        task.train(name, toy_data, tmp_path, weights="none", **options)


@pytest.mark.parametrize(("name", "weights"), [("gate", None), ("ensemble", None), ("vgg19", "none")])
def test_what_is_not_trained_in_epochs_is_not_trained_by_several_workers(toy_data, tmp_path, name, weights):
    team = SimpleNamespace(size=2, is_chief=True)

    with pytest.raises(ValueError, match="by several workers"):
        task.train(name, toy_data, tmp_path, weights=weights, team=team)
