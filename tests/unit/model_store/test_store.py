import dataclasses
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy import synthetic

from pneumo.errors import ModelError
from pneumo.evaluation.calibration import Calibration, Thresholds
from pneumo.model_store import store, weights
from pneumo.model_store.card import CLASSIFICATION, SCREENING, SEGMENTATION


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    weights.save(synthetic.small_model(), path)
    return path


@pytest.fixture
def folder(saved, tmp_path):
    """A folder with one sound model, `toy`."""
    (tmp_path / "toy").mkdir()
    path = shutil.copy(saved, tmp_path / "toy" / "model.keras")
    card = synthetic.card(sha256=weights.sha256(path), size_bytes=path.stat().st_size)
    store.write_card(card, tmp_path)
    return tmp_path


def with_auroc(name, value):
    return synthetic.card(name=name, metrics={"val_shifted": {"auroc": {"value": value}}, "test": {}})


def put(card, folder):
    (folder / card.name).mkdir()
    store.write_card(card, folder)


def cut_short(file):
    file.write_bytes(file.read_bytes()[:100])


def test_a_sound_model_is_loaded_with_its_card(folder, saved):
    films = np.random.default_rng(0).random((8, 32, 32, 1), np.float32)
    card, loaded = store.load("toy", folder)

    assert card == store.read_card("toy", folder)
    np.testing.assert_array_equal(loaded.predict_on_batch(films), weights.load(saved).predict_on_batch(films))


def left_out_of_the_clone(path):
    sparse = ["git", "-C", path.parents[2], "sparse-checkout", "set", "--no-cone", "/*", "!/models/*/model.keras"]
    subprocess.run(sparse, check=True)
    assert not path.exists()


@pytest.mark.parametrize(
    ("file", "spoil"),
    [
        ("model.keras", Path.unlink),
        ("model.keras", cut_short),
        ("model.keras", left_out_of_the_clone),
        ("card.json", cut_short),
    ],
    ids=["weights gone", "weights cut short", "weights left out", "card cut short"],
)
def test_what_restores_a_damaged_model_of_a_clone_is_a_command_that_works(folder, tmp_path_factory, file, spoil):
    clone = tmp_path_factory.mktemp("a clone")
    shutil.copytree(folder, clone / "models")
    git = ["git", "-C", clone, "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "models"]):
        subprocess.run([*git, *command], check=True)
    spoil(clone / "models" / "toy" / file)

    with pytest.raises(ModelError) as damaged:
        store.load("toy", clone / "models")
    [command] = re.findall("`(git .*?)`", str(damaged.value))
    subprocess.run(shlex.split(command), check=True, capture_output=True)

    assert store.load("toy", clone / "models")


def test_what_restores_another_model_is_training(folder):
    (folder / "toy" / "model.keras").unlink()

    with pytest.raises(ModelError, match=r"is missing\. Restore it, or train the model again\."):
        store.load("toy", folder)


def test_what_restores_a_model_of_the_wheel_is_to_install_again(folder, monkeypatch):
    monkeypatch.setattr(store, "_PACKAGE", folder)
    (folder / "toy" / "model.keras").unlink()

    with pytest.raises(ModelError, match="Install pneumo again"):
        store.load("toy", folder)


def test_a_file_that_its_card_does_not_describe_is_refused(folder):
    with (folder / "toy" / "model.keras").open("ab") as file:
        file.write(b"\0")

    with pytest.raises(ModelError, match="not the file that its card describes"):
        store.load("toy", folder)


def test_a_missing_file_is_reported(folder):
    (folder / "toy" / "model.keras").unlink()

    with pytest.raises(ModelError, match=r"model\.keras is missing"):
        store.load("toy", folder)


def test_the_heat_references_of_a_card_are_kept_and_an_older_card_has_none(folder):
    path = folder / "toy/card.json"
    older = {key: value for key, value in json.loads(path.read_text()).items() if key != "heat"}
    path.write_text(json.dumps(older))
    assert store.read_card("toy", folder).heat_references == {}

    heat = {"references": {"gradcam": 2, "layercam": 0.5}, "measured_on": "val", "films": 9}
    store.write_card(synthetic.card(heat=heat), folder)

    assert store.read_card("toy", folder).heat_references == {"gradcam": 2.0, "layercam": 0.5}


@pytest.mark.parametrize("heat", [None, {"references": {"gradcam": 0}}, {"references": {"gradcam": "much"}}])
def test_heat_references_that_nothing_can_be_measured_against_are_refused(folder, heat):
    store.write_card(synthetic.card(heat=heat), folder)

    with pytest.raises(ModelError, match="no complete model card"):
        store.read_card("toy", folder)


def test_an_unknown_model_is_answered_with_the_known_ones(folder):
    put(synthetic.card(name="other"), folder)

    with pytest.raises(ModelError, match=r"no model 'third'.*Choose one of: other, toy"):
        store.load("third", folder)


def test_an_empty_folder_has_no_default(tmp_path):
    with pytest.raises(ModelError, match="Train one"):
        store.default_name(tmp_path)
    with pytest.raises(ModelError, match="Choose one of: –"):
        store.read_card("any", tmp_path)
    assert store.catalogue(tmp_path / "nowhere").cards == []


def test_a_card_is_read_as_it_was_written(tmp_path):
    card = synthetic.card(title="Réseau “petit”", metrics={"val": {"films": 3, "auroc": None}})
    put(card, tmp_path)

    assert store.read_card("toy", tmp_path) == card


def test_a_card_becomes_a_calibration_and_thresholds():
    card = synthetic.card(calibration={"prevalence": 0.3, "intercept": -1.0, "slope": 2.0, "fitted_on": "val"})

    assert card.as_calibration() == Calibration(slope=2.0, intercept=-1.0, prevalence=0.3)
    assert card.as_thresholds() == Thresholds(decision=0.5, low=0.2, high=0.8)


def test_models_are_listed_by_their_figure_on_the_selection_split(tmp_path):
    for name, value in (("middle", 0.8), ("best", 0.9), ("unknown", None), ("worst", 0.7)):
        put(with_auroc(name, value), tmp_path)
    put(synthetic.card(name="unmeasured"), tmp_path)

    cards = store.catalogue(tmp_path).cards

    assert [card.name for card in cards][:3] == ["best", "middle", "worst"]
    assert {card.name for card in cards[3:]} == {"unknown", "unmeasured"}
    assert store.default_name(tmp_path) == "best"


def test_a_model_that_travels_comes_before_one_that_is_better_at_home_alone(tmp_path):
    figures = {"home": (0.99, 0.6), "travels": (0.97, 0.8), "unmeasured": (0.995, None)}
    for name, (at_home, away) in figures.items():
        card = with_auroc(name, at_home)
        measured = {"hospital_east": {"auroc": {"value": away}}} if away else {}
        put(dataclasses.replace(card, metrics=card.metrics | measured), tmp_path)

    assert [card.name for card in store.catalogue(tmp_path).cards] == ["travels", "home", "unmeasured"]


def test_an_ensemble_is_for_those_who_ask_for_it(tmp_path):
    put(with_auroc("single", 0.8), tmp_path)
    put(dataclasses.replace(with_auroc("joined", 0.9), family="ensemble"), tmp_path)

    assert [card.name for card in store.catalogue(tmp_path).cards] == ["single", "joined"]
    assert store.default_name(tmp_path) == "single"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"name": "broken"}',
        '{"name": "broken", "colour": "red"}',
        "\udcff",
        pytest.param({"metrics": None}, id="metrics null"),
        pytest.param({"metrics": {"val_shifted": {"auroc": 0.9}}}, id="auroc without interval"),
        pytest.param({"metrics": {"val_shifted": {"auroc": {"value": "high"}}}}, id="auroc in words"),
        pytest.param({"thresholds": {}}, id="no thresholds"),
        pytest.param({"calibration": None}, id="no calibration"),
    ],
)
def test_a_broken_card_costs_only_its_own_folder(folder, content):
    if isinstance(content, dict):
        content = json.dumps(dataclasses.asdict(synthetic.card(name="broken")) | content)
    (folder / "broken").mkdir()
    (folder / "broken" / "card.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    (folder / "empty").mkdir()
    (folder / ".hidden").mkdir()
    (folder / "notes.txt").write_text("not a model")

    catalogue = store.catalogue(folder)

    assert [card.name for card in catalogue.cards] == ["toy"]
    assert set(catalogue.problems) == {"broken", "empty"}
    assert "no complete model card" in catalogue.problems["broken"]


@pytest.fixture
def with_lungs(folder):
    """A folder with the classifier `toy` and the networks `lungs` and `gate`."""
    for name, task in [("lungs", SEGMENTATION), ("gate", SCREENING)]:
        shutil.copytree(folder / "toy", folder / name)
        card = store.read_card("toy", folder)
        changes = {"name": name, "task": task, "calibration": {}, "thresholds": {"decision": 0.5}}
        store.write_card(dataclasses.replace(card, **changes), folder)
    return folder


def test_a_catalogue_lists_the_classifiers_alone(with_lungs):
    catalogue = store.catalogue(with_lungs)

    assert [card.name for card in catalogue.cards] == ["toy"]
    assert catalogue.problems == {}
    assert store.default_name(with_lungs) == "toy"


def test_models_are_named_by_task_and_the_damaged_are_left_out(with_lungs):
    (with_lungs / "gate" / "card.json").write_text("{")

    assert store.names(with_lungs) == ["lungs", "toy"]
    assert store.names(with_lungs, SEGMENTATION) == ["lungs"]
    assert store.names(with_lungs, SCREENING) == []


def test_a_model_for_another_task_is_refused_with_those_that_would_do(with_lungs):
    assert store.load("lungs", with_lungs)[0].task == SEGMENTATION
    assert store.load("lungs", with_lungs, SEGMENTATION)[0].name == "lungs"

    with pytest.raises(ModelError, match=r"'lungs' is for segmentation, not for classification\. .*one of: toy\."):
        store.load("lungs", with_lungs, CLASSIFICATION)
    with pytest.raises(ModelError, match=r"no model 'lenet' .*one of: toy\."):
        store.read_card("lenet", with_lungs, CLASSIFICATION)
    with pytest.raises(ModelError, match=r"no model 'lenet' .*one of: gate, lungs, toy\."):
        store.read_card("lenet", with_lungs)


def test_a_card_of_before_there_were_tasks_is_a_classifiers(folder):
    path = folder / "toy" / "card.json"
    record = json.loads(path.read_text())
    del record["task"]
    path.write_text(json.dumps(record))

    assert store.read_card("toy", folder).task == CLASSIFICATION


def test_the_folder_of_models_is_read_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("PNEUMO_MODELS", str(tmp_path))
    assert store.models_folder() == tmp_path

    monkeypatch.delenv("PNEUMO_MODELS")
    assert store.models_folder() == store.SHIPPED


def test_listing_models_does_not_import_tensorflow(toy_models):
    script = (
        "import sys, pathlib, pneumo\n"
        "from pneumo.model_store import store\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "print(*sorted(card.name for card in store.catalogue(folder).cards))\n"
        "store.read_predictions('cnn', 'val', folder), store.read_history('cnn', folder)\n"
        "print(*{'tensorflow', 'keras', 'streamlit'} & set(sys.modules))\n"
    )

    listed = subprocess.run([sys.executable, "-c", script, toy_models], capture_output=True, text=True, check=True)

    assert listed.stdout == "cnn dense\n\n"


def predictions():
    return pd.DataFrame(
        {
            "file": ["test/NORMAL/b.jpeg", "test/NORMAL/a.jpeg", "test/PNEUMONIA/c.jpeg"],
            "patient": ["007", "nan", "person1_virus"],
            "label": ["NORMAL", "NORMAL", "PNEUMONIA"],
            "pathogen": ["", "", "virus"],
            "probability": [0.25, 0.1234567, 1.0],
            "sha256": ["x", "y", "z"],
        }
    )


def test_predictions_are_read_as_they_were_written(folder):
    store.write_predictions(predictions(), "toy", "test", folder)

    read = store.read_predictions("toy", "test", folder)

    expected = predictions().iloc[[1, 0, 2]][store.PREDICTION_COLUMNS].reset_index(drop=True)
    pd.testing.assert_frame_equal(read, expected.assign(probability=[0.123457, 0.25, 1.0]))
    assert store.measured_splits("toy", folder) == ["test"]


def test_predictions_that_were_never_made_are_reported_with_the_command(folder):
    with pytest.raises(ModelError, match="pneumo evaluate toy --split test"):
        store.read_predictions("toy", "test", folder)
    assert store.measured_splits("toy", folder) == []


def test_predictions_without_a_column_are_refused(folder):
    (folder / "toy" / "predictions").mkdir()
    predictions().drop(columns="patient").to_csv(folder / "toy" / "predictions" / "val.csv")

    with pytest.raises(ModelError, match="lacks patient"):
        store.read_predictions("toy", "val", folder)


def test_models_of_another_task_have_columns_of_their_own(folder):
    table = pd.DataFrame({"file": ["b", "a"], "patient": ["001", "Q"], "dice": [0.5, np.nan], "sha256": ["x", "y"]})
    columns = ["file", "patient", "dice"]

    store.write_predictions(table, "toy", "test", folder, columns)

    expected = table.iloc[[1, 0]][columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(store.read_predictions("toy", "test", folder, columns, ["dice"]), expected)
    with pytest.raises(ModelError, match="lacks label, pathogen, probability"):
        store.read_predictions("toy", "test", folder)


def test_a_history_is_read_and_its_absence_is_empty(folder):
    assert store.read_history("toy", folder).empty

    (folder / "toy" / "history.csv").write_text("epoch,loss\n1,0.5\n2,0.25\n")

    assert store.read_history("toy", folder)["loss"].tolist() == [0.5, 0.25]


def test_a_models_key_follows_its_card_and_not_its_weights_alone(folder):
    before = store.card_key("toy", folder)
    assert store.card_key("toy", folder) == before

    card = store.read_card("toy", folder)
    store.write_card(dataclasses.replace(card, thresholds=card.thresholds | {"high": 0.9}), folder)

    assert store.read_card("toy", folder).sha256 == card.sha256
    assert store.card_key("toy", folder) != before
    with pytest.raises(ModelError, match=r"no model 'third'.*Choose one of: toy\."):
        store.card_key("third", folder)


@pytest.mark.parametrize("written", ["card", "predictions", "history"])
def test_what_is_written_is_whole_or_stays_as_it_was(folder, monkeypatch, written):
    card = synthetic.card()
    write = {
        "card": lambda: store.write_card(card, folder),
        "predictions": lambda: store.write_predictions(predictions(), "toy", "test", folder),
        "history": lambda: store.write_history([{"epoch": 1, "loss": 0.5}], "toy", folder),
    }[written]
    write()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def full_disc(_file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disc)
    with pytest.raises(OSError, match="No space left"):
        write()

    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_file_behind_a_link_is_written_and_keeps_what_others_may_do_with_it(tmp_path):
    target, link, plain = tmp_path / "target.json", tmp_path / "link.json", tmp_path / "plain.json"
    target.write_text("old")
    link.symlink_to(target)
    plain.write_text("")

    store.write_atomically(link, "“new”\n")

    assert link.is_symlink()
    assert target.read_text("utf-8") == "“new”\n"
    assert target.stat().st_mode == plain.stat().st_mode


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def shipped(folder):
    """A model with a card, weights, predictions and a note of its owner."""
    store.write_card(synthetic.card(title="old"), folder)
    store.write_predictions(predictions(), "toy", "test", folder)
    (folder / "toy" / "model.keras").write_bytes(b"old weights")
    (folder / "toy" / "note.txt").write_text("mine")
    return folder


def test_a_model_that_is_written_anew_takes_the_place_of_the_old_one_with_nothing_that_was_measured_of_it(shipped):
    with store.rewritten("toy", shipped) as scratch:
        store.write_card(synthetic.card(title="new"), scratch)
        (scratch / "toy" / "model.keras").write_bytes(b"new weights")
        assert store.read_card("toy", shipped).title == "old"
        assert store.measured_splits("toy", shipped) == ["test"]

    assert store.read_card("toy", shipped).title == "new"
    assert contents(shipped).keys() == {Path("toy") / name for name in ("card.json", "model.keras", "note.txt")}


def test_a_model_is_written_where_there_was_none(tmp_path):
    with store.rewritten("toy", tmp_path / "models") as scratch:
        store.write_card(synthetic.card(), scratch)

    assert store.names(tmp_path / "models") == ["toy"]


@pytest.mark.parametrize("kernel", [True, False], ids=["exchanges folders", "cannot"])
def test_a_folder_is_exchanged_whatever_the_system_can(shipped, monkeypatch, kernel):
    if not kernel:
        monkeypatch.setattr(sys, "platform", "plan9")
    with store.rewritten("toy", shipped) as scratch:
        store.write_card(synthetic.card(title="new"), scratch)

    assert store.read_card("toy", shipped).title == "new"
    assert [path.name for path in shipped.iterdir()] == ["toy"]


def test_a_full_disk_leaves_the_old_model(shipped):
    before = contents(shipped)

    with pytest.raises(OSError, match="No space left"), store.rewritten("toy", shipped) as scratch:
        (scratch / "toy" / "model.keras").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    assert contents(shipped) == before


def test_whoever_is_killed_while_a_model_is_written_leaves_the_old_one(shipped):
    before = contents(shipped / "toy")
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom pneumo.model_store import store\n"
        "with store.rewritten('toy', Path(sys.argv[1])) as scratch:\n"
        "    (scratch / 'toy' / 'model.keras').write_bytes(b'half')\n"
        "    print('half', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, shipped], stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"half\n"
        writer.kill()

    assert contents(shipped / "toy") == before
    assert store.names(shipped) == ["toy"]
    assert store.catalogue(shipped).problems == {}
