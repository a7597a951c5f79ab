import json
import shutil

import pytest
from toy import synthetic
from toy.command_line import pneumo
from typer.main import get_command

from pneumo import __version__
from pneumo.cli import app
from pneumo.datasets import kaggle
from pneumo.model_store import store
from pneumo.serving.audit import AuditLog
from pneumo.training import task


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["evaluate", "cnn"], "--data"),
        (["evaluate", "lenet", "--data", "DATA"], "Choose one of: cnn, dense."),
        (["evaluate", "lungs", "--data", "DATA"], "no table of lung masks"),
        (["evaluate", "lungs", "--data", "DATA", "--masks", "OUT"], "no table of lung masks"),
        (["evaluate", "lungs", "--data", "DATA", "--split", "val_shifted"], "val, test, opacity_masks"),
        (["evaluate", "lungs", "--data", "DATA", "--split", "opacity_masks"], "labels.csv is missing"),
        (["evaluate", "cnn", "--data", "nowhere"], "There is no folder nowhere"),
        (["evaluate", "cnn", "--data", "DATA", "--split", "train"], "external_nih"),
        (["train", "lenet", "--data", "DATA"], "everywhere, ensemble, everywhere_places, lungs, gate"),
        (["train", "lungs", "--data", "DATA", "--weights", "nowhere.h5"], "nowhere.h5"),
        (["train", "cnn", "--data", "DATA", "--weights", "imagenet"], "random weights"),
        (["train", "mobilenetv2", "--data", "DATA", "--weights", "nowhere.h5"], "nowhere.h5"),
        (["train", "cnn"], "--data"),
        (["train", "cnn", "--data", "DATA", "--epochs", "0"], "epochs"),
        (["train", "cnn", "--data", "DATA", "--fold", "6"], "fold"),
        (["similar", "cnn"], "--data"),
        (["similar", "lenet", "--data", "DATA"], "There is no model"),
        (["search"], "--data"),
        (["search", "--data", "nowhere"], "There is no folder nowhere"),
        (["search", "--data", "DATA", "--trials", "0"], "trials"),
        (["search", "--data", "DATA", "--fold", "6"], "fold"),
        (["train", "cnn", "--data", "DATA", "--leave-out", "west"], "--hospitals"),
        (["train", "cnn", "--data", "DATA", "--hospitals", "nowhere"], "There is no folder nowhere"),
        (["evaluate", "cnn", "--data", "nowhere", "--hospital", "west"], "There is no folder nowhere"),
        (["data", "hospitals", "nowhere"], "There is no folder nowhere"),
        (["data", "summary"], "PNEUMO_DATA"),
        (["data", "summary", "--data", "nowhere"], "There is no folder nowhere"),
        (["serve-dicom"], "Say where answers go"),
        (["serve-dicom", "--answer-to", "A@b:1", "--dicomweb", "http://c"], "Say where answers go"),
        (["serve-dicom", "--answer-to", "pacs.example"], "TITLE@host:port"),
        (["serve-dicom", "--answer-to", "A@b:1", "--poll", "60"], "--dicomweb URL"),
        (["serve-dicom", "--answer-to", "A@b:1", "--aet", "x" * 17], "1 to 16"),
        (["serve-dicom", "--answer-to", "A@b:1", "--host", "0.0.0.0"], "--allow-aet"),
        (["serve-dicom", "--answer-to", "A@b:1", "--tls-cert", "c.pem"], "--tls-key"),
        (["serve-dicom", "--answer-to", "A@b:1", "--tls-cert", "c.pem", "--tls-key", "c.pem"], "No such file"),
        (["no-such-command"], "No such command"),
    ],
)
def test_a_command_that_cannot_run_says_why_and_exits_with_2(arguments, complaint, toy_models, toy_data, tmp_path):
    places = {"DATA": toy_data, "OUT": tmp_path / "out"}
    extra = ["--models", toy_models] if arguments[0] == "evaluate" and len(arguments) > 1 else []

    result = pneumo(*(places.get(argument, argument) for argument in arguments), *extra)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert complaint in " ".join(result.stderr.replace("│", " ").split())


def every_command(group, *above):
    yield above
    for name, command in getattr(group, "commands", {}).items():
        yield from every_command(command, *above, name)


@pytest.mark.parametrize("command", list(every_command(get_command(app.app))), ids=" ".join)
def test_every_command_explains_itself(command):
    result = pneumo(*command, "--help")

    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_films_that_a_person_read_are_counted_apart_from_others(toy_data, tmp_path):
    for number, film in enumerate(sorted((toy_data / "test").rglob("*.jpeg"))[:3]):
        shutil.copy(film, tmp_path / f"{number}.jpg")
    rows = "0.jpg,1,software\n1.jpg,0,radiologist\n2.jpg,1,radiologist\n"
    (tmp_path / "labels.csv").write_text("file,opacity,read_by\n" + rows)

    counted = json.loads(pneumo("data", "hospitals", tmp_path, "--json").stdout)

    assert [(row["read_by"], row["films"], row["with_opacity"]) for row in counted] == [
        ("radiologist", 2, 1),
        ("software", 1, 1),
    ]
    assert "radiologist" in pneumo("data", "hospitals", tmp_path).stdout


def test_the_version_is_printed():
    assert pneumo("--version").stdout == f"pneumo {__version__}\n"


def test_models_are_listed_as_json_best_first(toy_models):
    result = pneumo("models", "--models", toy_models, "--json")

    listed = json.loads(result.stdout)
    assert [card["name"] for card in listed] == [card.name for card in store.catalogue(toy_models).cards]
    assert listed[0]["sha256"] == store.read_card(listed[0]["name"], toy_models).sha256


def test_the_leaderboard_shows_figures_with_their_intervals_and_what_was_left_out(toy_models, tmp_path):
    shutil.copytree(toy_models, tmp_path / "models")
    (tmp_path / "models" / "broken").mkdir()

    result = pneumo("models", "--models", tmp_path / "models", "--split", "test")

    auroc = store.read_card("cnn", toy_models).metrics["test"]["auroc"]
    assert result.exit_code == 0
    assert f"{auroc['value']:.3f} ({auroc['low']:.3f}–{auroc['high']:.3f})" in result.stdout
    assert "dense" in result.stdout
    assert "'broken'" in result.stderr


def test_a_split_that_was_not_measured_is_shown_as_a_dash(toy_models):
    result = pneumo("models", "--models", toy_models, "--split", "external_nih")

    assert result.exit_code == 0
    assert "–" in result.stdout


def test_the_data_set_is_summed_up(toy_data):
    films = kaggle.scan(toy_data)

    result = pneumo("data", "summary", "--data", toy_data.parent, "--json")

    summed = json.loads(result.stdout)
    assert result.exit_code == 0
    assert summed["films"] == len(films) == sum(row["films"] for row in summed["counts"])
    assert summed["patients"] == films["patient"].nunique()
    assert summed["identical_groups"] == 1
    assert summed["fingerprint"] == kaggle.fingerprint(films)
    assert summed["development"]["train"] + summed["development"]["validation"] == (films["split"] != "test").sum()


def test_the_data_set_is_found_through_the_environment(toy_data, monkeypatch):
    monkeypatch.setenv("PNEUMO_DATA", str(toy_data))

    result = pneumo("data", "summary")

    assert result.exit_code == 0
    assert f"{len(kaggle.scan(toy_data))} films of" in result.stdout
    assert "1 groups of identical films" in result.stdout


def test_a_model_is_trained_and_measured_from_the_command_line(toy_data, tmp_path):
    trained = pneumo("train", "dense", "--data", toy_data, "--epochs", "1", "--out", tmp_path / "models")
    validation_only = store.read_card("dense", tmp_path / "models")
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
    card = store.read_card("dense", tmp_path / "models")
    assert figures["auroc"] == card.metrics["test"]["auroc"]
    assert f"on val, {card.metrics['val']['films']} films" in again.stdout


def test_a_training_run_of_another_recipe_is_not_resumed(toy_data, tmp_path):
    (tmp_path / "runs" / "dense").mkdir(parents=True)
    (tmp_path / "runs" / "dense" / "state.json").write_text('{"recipe": {}, "history": [], "best_epoch": 0}')

    result = pneumo("train", "dense", "--data", toy_data, "--out", tmp_path / "models", "--resume")

    assert result.exit_code == 2
    assert "another recipe" in result.stderr
    assert not (tmp_path / "models" / "dense").exists()


@pytest.mark.parametrize("shipped", [True, False], ids=["where models are looked for", "in another folder"])
def test_train_says_the_command_that_measures_the_model_where_it_lies(shipped, monkeypatch, tmp_path):
    out = tmp_path / "my models"
    monkeypatch.setattr(store, "SHIPPED", out if shipped else tmp_path / "models")
    monkeypatch.setattr(task, "train", lambda *arguments, **options: synthetic.card(name="cnn"))
    monkeypatch.setattr(app.train.output, "print_metrics", lambda card, split: None)

    said = pneumo("train", "cnn", "--data", tmp_path, "--out", out).stderr.replace("\n", " ")

    assert ("--models" not in said) if shipped else (f"--models '{out}'" in said)


def test_an_audit_log_is_verified_from_the_command_line(tmp_path):
    log = tmp_path / "audit.jsonl"
    for _ in range(3):
        AuditLog(log).append({"status": "ok"})

    sound = pneumo("audit", "verify", log)
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[1:]))
    cut = pneumo("audit", "verify", log, "--kept", "0123")
    missing = pneumo("audit", "verify", tmp_path / "nowhere")

    assert (sound.exit_code, cut.exit_code, missing.exit_code) == (0, 1, 2)
    assert "3 lines. Nothing was changed. The last one has the hash" in sound.stdout
    assert "No line has the hash 0123" in cut.stdout and "begins with number 2" in cut.stdout
