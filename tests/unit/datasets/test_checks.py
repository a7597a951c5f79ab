import json
import shutil

import numpy as np
import pandas as pd
import pytest
from toy import synthetic
from toy.synthetic import arrays
from typer.testing import CliRunner

from pneumo.cli import app
from pneumo.datasets import checks, kaggle
from pneumo.datasets.checks import NAMED, Problem, check
from pneumo.errors import DatasetError

TRAIN, TEST = "train/NORMAL/IM-0116-0001.jpeg", "test/NORMAL/IM-0001-0001.jpeg"


@pytest.fixture
def copy(toy_data, tmp_path):
    return shutil.copytree(toy_data, tmp_path / "copy")


def problems(path):
    return {problem.code: problem for problem in check(path).problems}


def test_a_sound_data_set_has_its_copies_told_and_nothing_else(toy_data):
    told = []

    found = check(toy_data.parent, lambda done, total: told.append((done, total)))

    assert found.is_sound
    assert [problem.code for problem in found.problems] == ["identical"]
    assert found.problems[0].files == synthetic.IDENTICAL
    assert found.films == len(kaggle.scan(toy_data)) == found.counts["films"].sum()
    assert told[-1] == (found.films, found.films)
    assert [checks.share_read(*each) for each in ((0, 4), (1, 4), (0, 0))] == [0, 0.25, 1]


def test_damaged_films_are_named(copy):
    (copy / TRAIN).write_bytes(b"no picture")
    (copy / TEST).write_bytes(b"")

    found = problems(copy)["unreadable"]

    assert found.severity == "error"
    assert found.files == (TEST, TRAIN)
    assert found.message.startswith("2 films cannot be read")


def test_a_film_in_both_classes_is_an_error(copy):
    shutil.copy(copy / TRAIN, copy / "train" / "PNEUMONIA" / "person999_virus_1.jpeg")

    found = problems(copy)["identical_in_classes"]

    assert found.severity == "error"
    assert set(found.files) == {TRAIN, "train/PNEUMONIA/person999_virus_1.jpeg"}


def test_a_film_in_training_and_test_is_an_error_and_its_patient_too(copy):
    shutil.copy(copy / TRAIN, copy / "test" / "NORMAL" / "IM-0990-0001.jpeg")

    found = problems(copy)

    assert found["identical_in_splits"].files == ("test/NORMAL/IM-0990-0001.jpeg", TRAIN)
    assert found["shared_patients"].message == "1 patients have films in test and in training."
    assert not check(copy).is_sound


def test_a_patient_in_training_and_test_is_an_error(copy):
    shutil.copy(copy / "test" / "NORMAL" / "IM-0002-0001.jpeg", copy / "test" / "NORMAL" / "IM-0116-0009.jpeg")

    assert TRAIN in problems(copy)["shared_patients"].files


def test_a_patient_in_train_and_val_is_none_because_those_are_one_pool(copy):
    shutil.copy(copy / TRAIN, copy / "val" / "NORMAL" / "IM-0116-0002.jpeg")

    assert set(problems(copy)) == {"identical"}


@pytest.mark.parametrize(
    ("folder", "severity", "said"),
    [
        ("train/PNEUMONIA", "error", "train/PNEUMONIA"),
        ("test", "error", "test/NORMAL, test/PNEUMONIA"),
        ("val", "warning", "official validation"),
    ],
)
def test_missing_folders_are_told(copy, folder, severity, said):
    shutil.rmtree(copy / folder)

    found = problems(copy)["missing"]

    assert (found.severity, said in found.message) == (severity, True)
    assert found.remedy


def test_names_without_a_patient_and_other_files_are_warned_of(copy):
    shutil.move(copy / TRAIN, copy / "train" / "NORMAL" / "scan 7.jpeg")
    (copy / "train" / "NORMAL" / "scan.dcm").write_bytes(b"DICM")

    found = problems(copy)

    assert found["patient_unknown"].files == ("train/NORMAL/scan 7.jpeg",)
    assert found["not_read"].files == ("train/NORMAL/scan.dcm",)
    assert check(copy).is_sound


def test_errors_stand_before_warnings(copy):
    (copy / TRAIN).write_bytes(b"no picture")

    assert [problem.severity for problem in check(copy).problems] == ["error", "warning"]


def test_many_files_are_counted_and_the_first_are_named():
    many = checks._problem("x", "error", "m", "r", [str(number) for number in range(1200)])

    assert (len(many.files), many.count, many.listed) == (NAMED, 1200, "the first 50 of 1,200")
    assert Problem("x", "error", "m", "r", ("a",), 1).listed == "1"


def test_a_sound_medmnist_file_has_nothing_wrong(tmp_path):
    np.savez(tmp_path / "a.npz", **arrays())

    found = check(tmp_path / "a.npz")

    assert found.problems == ()
    assert found.films == 14
    assert checks.readable_counts(found).to_dict("records")[0] == {
        "Split": "Test",
        "Class": "Normal",
        "Films": 2,
    }


def test_what_is_wrong_with_a_medmnist_file_is_told(tmp_path):
    values = arrays()
    values["test_images"][0] = values["train_images"][0]
    values["test_images"][1] = values["train_images"][0]
    values["val_images"][2] = 7
    values["val_labels"][3] = 5
    np.savez(tmp_path / "a.npz", **values)

    found = problems(tmp_path / "a.npz")

    assert set(found["identical_in_classes"].files) == {"train[0]", "test[0]", "test[1]"}
    assert found["flat"].files == ("val[2]",)
    assert found["label_unknown"].files == ("val[3]",)
    assert set(checks.readable_counts(check(tmp_path / "a.npz"))["Class"]) == {"Normal", "Pneumonia", "Unknown"}


@pytest.mark.parametrize("name", ["nowhere", "x" * 900, "a\0b", "letter.txt", "empty"])
def test_what_is_no_data_set_is_refused(tmp_path, name):
    (tmp_path / "letter.txt").write_text("Dear colleague")
    (tmp_path / "empty").mkdir()

    with pytest.raises(DatasetError):
        check(tmp_path / name)


def test_the_command_tells_and_ends_with_1_where_something_is_wrong(copy):
    sound = CliRunner().invoke(app.app, ["data", "check", str(copy)])
    (copy / TRAIN).write_bytes(b"no picture")
    broken = CliRunner().invoke(app.app, ["data", "check", str(copy), "--json"])
    nowhere = CliRunner().invoke(app.app, ["data", "check", str(copy / "nowhere")])

    assert (sound.exit_code, broken.exit_code, nowhere.exit_code) == (0, 1, 2)
    assert "warning: 2 files have a copy" in sound.stdout
    record = json.loads(broken.stdout)
    assert record["sound"] is False
    assert record["problems"][0]["files"] == [TRAIN]
    assert pd.DataFrame(record["counts"])["films"].sum() == record["films"]
