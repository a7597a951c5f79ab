import csv
import json
import os
import shutil
import subprocess
import sys

import cv2
import pytest
from typer.testing import CliRunner

from pneumo import DISCLAIMER, __version__, cli, cli_data, dataset, model_store

RECORD_KEYS = {"file", "status", "answer", "probability", "reasons", "model", "model_sha256"}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    """Settle what the environment and the working folder would decide."""
    monkeypatch.delenv("PNEUMO_DATA", raising=False)
    monkeypatch.delenv("PNEUMO_MODELS", raising=False)
    monkeypatch.chdir(tmp_path)


def pneumo(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def films(toy_data, tmp_path):
    """A sound film, an unreadable one, a missing one, and a folder of two."""
    ward = tmp_path / "ward"
    (ward / "inner").mkdir(parents=True)
    sound, broken = tmp_path / "sound.jpeg", tmp_path / "broken.png"
    shutil.copy(toy_data / "test/NORMAL/IM-0001-0001.jpeg", sound)
    shutil.copy(toy_data / "test/NORMAL/IM-0002-0001.jpeg", ward / "sound.jpeg")
    shutil.copy(toy_data / "test/PNEUMONIA/person109_virus_204.jpeg", ward / "inner" / "child.jpeg")
    broken.write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (ward / ".DS_Store").write_bytes(b"Bud1")
    return [sound, broken, tmp_path / "missing.dcm", ward]


def test_predict_prints_a_json_line_for_every_input(films, toy_models, tmp_path):
    result = pneumo("predict", *films, "--model", "cnn", "--models", toy_models, "--json")

    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [record["file"] for record in records] == [
        *(str(path) for path in films[:3]),
        str(tmp_path / "ward/inner/child.jpeg"),
        str(tmp_path / "ward/sound.jpeg"),
    ]
    assert [record["status"] for record in records] == ["ok", "error", "error", "ok", "ok"]
    card = model_store.read_card("cnn", toy_models)
    for record in records:
        assert set(record) >= RECORD_KEYS
        assert (record["model"], record["model_sha256"]) == ("cnn", card.sha256)
        assert record["reasons"]
        assert (record["answer"] in ("likely", "uncertain", "unlikely")) == (record["status"] == "ok")
        assert (record["probability"] is None) == (record["status"] == "error")
    assert "broken.png" in records[1]["reasons"][0]
    assert "missing.dcm" in records[2]["reasons"][0]


def test_predict_gives_the_probability_that_evaluate_wrote(toy_data, toy_models):
    file = "test/PNEUMONIA/person301_bacteria_404.jpeg"

    result = pneumo("predict", toy_data / file, "--model", "dense", "--models", toy_models, "--json")

    written = model_store.read_predictions("dense", "test", toy_models).set_index("file")["probability"][file]
    assert result.exit_code == 0
    assert json.loads(result.stdout)["probability"] == pytest.approx(written, abs=0.01)


def test_predict_prints_readable_lines_and_the_disclaimer_apart(films, toy_models):
    result = pneumo("predict", *films[:2], "--model", "cnn", "--models", toy_models)

    first, second = result.stdout.splitlines()
    assert first.split("\t")[0] == str(films[0])
    assert first.split("\t")[1] in ("likely", "uncertain", "unlikely")
    assert 0 <= float(first.split("\t")[2]) <= 1
    assert second.split("\t")[:2] == [str(films[1]), "error"]
    assert DISCLAIMER in " ".join(result.stderr.split())


def test_predict_writes_a_table_and_heat_maps(films, toy_models, tmp_path):
    result = pneumo(
        *("predict", films[0], films[1], films[3], "--model", "cnn", "--models", toy_models),
        *("--json", "--csv", tmp_path / "table.csv", "--heatmap", tmp_path / "maps"),
    )

    records = [json.loads(line) for line in result.stdout.splitlines()]
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert [row["file"] for row in rows] == [record["file"] for record in records]
    assert [row["answer"] for row in rows] == [record["answer"] or "" for record in records]
    maps = [record["heatmap"] for record in records if record["status"] == "ok"]
    # Two films of one name do not overwrite each other.
    assert len(set(maps)) == 3 == len(list((tmp_path / "maps").iterdir()))
    for path in maps:
        assert cv2.imread(path).shape == (160, 200, 3)


def test_predict_takes_the_best_model_where_none_is_named(films, toy_models):
    result = pneumo("predict", films[0], "--models", toy_models, "--json")

    assert json.loads(result.stdout)["model"] == model_store.default_name(toy_models)


def test_the_process_separates_results_from_everything_else(films, toy_models, tmp_path):
    # On Linux a file name is bytes, and need not be text.
    odd = os.fsencode(tmp_path) + b"/r\xf6ntgen.jpeg"
    shutil.copy(films[0], odd)
    command = [
        sys.executable,
        "-m",
        "pneumo",
        "predict",
        odd,
        *films[:2],
        "--model",
        "cnn",
        "--json",
        "--csv",
        "out.csv",
    ]
    environment = os.environ | {
        "PNEUMO_MODELS": str(toy_models),
        "PYTHONPATH": str(model_store.SHIPPED.parent),
        "PYTHONIOENCODING": "utf-8",
    }

    run = subprocess.run(command, capture_output=True, env=environment, check=False, cwd=tmp_path)

    assert [json.loads(line)["status"] for line in run.stdout.splitlines()] == ["ok", "ok", "error"]
    assert len((tmp_path / "out.csv").read_text("utf-8").splitlines()) == 4
    assert run.returncode == 1
    assert b"Traceback" not in run.stderr
    assert b"cuda" not in run.stderr.lower()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["predict"], "Missing argument"),
        (["predict", "film.png", "--model", "lenet"], "Choose one of: cnn, dense"),
        (["predict", "film.png", "--method", "scorecam"], "gradcam, gradcam++"),
        (["predict", "film.png", "--model", "dense", "--heatmap", "maps"], "no feature maps"),
        (["predict", "film.png", "--colour", "red"], "No such option"),
        (["evaluate", "cnn"], "--data"),
        (["evaluate", "cnn", "--data", "nowhere"], "no data set in the Kaggle layout"),
        (["evaluate", "cnn", "--data", "DATA", "--split", "train"], "external_nih"),
        (["train", "lenet", "--data", "DATA"], "mobilenetv2"),
        (["train", "cnn", "--data", "DATA", "--weights", "imagenet"], "random weights"),
        (["train", "mobilenetv2", "--data", "DATA", "--weights", "nowhere.h5"], "nowhere.h5"),
        (["train", "cnn"], "--data"),
        (["train", "cnn", "--data", "DATA", "--epochs", "0"], "epochs"),
        (["train", "cnn", "--data", "DATA", "--fold", "6"], "fold"),
        (["data", "summary"], "PNEUMO_DATA"),
        (["data", "summary", "--data", "nowhere"], "no data set in the Kaggle layout"),
        (["data", "download", "--url", "gopher://example.org/x.zip", "--out", "OUT"], "could not be fetched"),
        (["no-such-command"], "No such command"),
    ],
)
def test_a_command_that_cannot_run_says_why_and_exits_with_2(arguments, complaint, toy_models, toy_data, tmp_path):
    places = {"DATA": toy_data, "OUT": tmp_path / "out"}
    extra = ["--models", toy_models] if arguments[0] in ("predict", "evaluate") and len(arguments) > 1 else []

    result = pneumo(*(places.get(argument, argument) for argument in arguments), *extra)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert complaint in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    "command",
    ["", "predict", "train", "evaluate", "models", "samples", "data", "data summary", "data download"],
)
def test_every_command_explains_itself(command):
    result = pneumo(*command.split(), "--help")

    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_every_command_that_exists_is_among_the_explained():
    named = {info.name or info.callback.__name__ for info in cli.app.registered_commands}

    assert named >= {"predict", "train", "evaluate", "models", "samples"}
    assert {info.name or info.callback.__name__ for info in cli_data.app.registered_commands} == {"summary", "download"}


def test_the_version_is_printed():
    assert pneumo("--version").stdout == f"pneumo {__version__}\n"


def test_models_are_listed_as_json_best_first(toy_models):
    result = pneumo("models", "--models", toy_models, "--json")

    listed = json.loads(result.stdout)
    assert [card["name"] for card in listed] == [card.name for card in model_store.catalogue(toy_models).cards]
    assert listed[0]["sha256"] == model_store.read_card(listed[0]["name"], toy_models).sha256


def test_the_leaderboard_shows_figures_with_their_intervals_and_what_was_left_out(toy_models, tmp_path):
    shutil.copytree(toy_models, tmp_path / "models")
    (tmp_path / "models" / "broken").mkdir()

    result = pneumo("models", "--models", tmp_path / "models", "--split", "test")

    auroc = model_store.read_card("cnn", toy_models).metrics["test"]["auroc"]
    assert result.exit_code == 0
    assert f"{auroc['value']:.3f} ({auroc['low']:.3f}–{auroc['high']:.3f})" in result.stdout
    assert "dense" in result.stdout
    assert "'broken'" in result.stderr


def test_a_split_that_was_not_measured_is_shown_as_a_dash(toy_models):
    result = pneumo("models", "--models", toy_models, "--split", "external_nih")

    assert result.exit_code == 0
    assert "–" in result.stdout


def test_the_data_set_is_summed_up(toy_data):
    films = dataset.scan(toy_data)

    result = pneumo("data", "summary", "--data", toy_data.parent, "--json")

    summed = json.loads(result.stdout)
    assert result.exit_code == 0
    assert summed["films"] == len(films) == sum(row["films"] for row in summed["counts"])
    assert summed["patients"] == films["patient"].nunique()
    assert summed["identical_groups"] == 1
    assert summed["fingerprint"] == dataset.fingerprint(films)
    assert summed["development"]["train"] + summed["development"]["validation"] == (films["split"] != "test").sum()


def test_the_data_set_is_found_through_the_environment(toy_data, monkeypatch):
    monkeypatch.setenv("PNEUMO_DATA", str(toy_data))

    result = pneumo("data", "summary")

    assert result.exit_code == 0
    assert f"{len(dataset.scan(toy_data))} films of" in result.stdout
    assert "1 groups of identical films" in result.stdout


def test_a_model_is_trained_and_measured_from_the_command_line(toy_data, tmp_path):
    trained = pneumo("train", "dense", "--data", toy_data, "--epochs", "1", "--out", tmp_path / "models")
    validation_only = model_store.read_card("dense", tmp_path / "models")
    resumed = pneumo("train", "dense", "--data", toy_data, "--epochs", "1", "--out", tmp_path / "models", "--resume")
    tested = pneumo("evaluate", "dense", "--data", toy_data, "--models", tmp_path / "models", "--json")
    again = pneumo("evaluate", "dense", "--data", toy_data, "--models", tmp_path / "models", "--split", "val")

    assert [result.exit_code for result in (trained, resumed, tested, again)] == [0, 0, 0, 0]
    assert "epoch 1: loss" in trained.stderr
    assert "epoch 1" not in resumed.stderr
    assert "auroc" in trained.stdout
    assert (tmp_path / "runs" / "dense" / "state.json").is_file()
    assert set(validation_only.metrics) == {"val", "val_shifted"}
    figures = json.loads(tested.stdout)
    assert (figures["model"], figures["split"], figures["films"]) == ("dense", "test", 20)
    card = model_store.read_card("dense", tmp_path / "models")
    assert figures["auroc"] == card.metrics["test"]["auroc"]
    assert f"on val, {card.metrics['val']['films']} films" in again.stdout


def test_a_training_run_of_another_recipe_is_not_resumed(toy_data, tmp_path):
    (tmp_path / "runs" / "dense").mkdir(parents=True)
    (tmp_path / "runs" / "dense" / "state.json").write_text('{"recipe": {}, "history": [], "best_epoch": 0}')

    result = pneumo("train", "dense", "--data", toy_data, "--out", tmp_path / "models", "--resume")

    assert result.exit_code == 2
    assert "another recipe" in result.stderr
    assert not (tmp_path / "models" / "dense").exists()


def test_predict_again_replaces_its_heat_maps(films, toy_models, tmp_path):
    command = ("predict", films[0], "--model", "cnn", "--models", toy_models, "--heatmap", tmp_path / "maps")
    pneumo(*command)

    pneumo(*command)

    assert len(list((tmp_path / "maps").iterdir())) == 1


def test_a_table_that_cannot_be_written_is_told_in_a_sentence(films, toy_models, tmp_path):
    result = pneumo("predict", films[0], "--models", toy_models, "--csv", tmp_path / "missing" / "table.csv")

    assert result.exit_code == 2
    assert "table.csv" in result.stderr
    assert "Traceback" not in result.stderr
