import csv
import json
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pypdf
import pytest
from toy import reported, sites, synthetic
from toy.command_line import pneumo

from pneumo import DISCLAIMER, radiograph
from pneumo.cli import films as films_command
from pneumo.errors import UnreadableImageError
from pneumo.inference.classifier import Classifier
from pneumo.model_store import store
from pneumo.sentences import BREAKING

RECORD_KEYS = {"file", "status", "answer", "probability", "reasons", "findings", "forced", "model", "model_sha256"}


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def codes(record):
    return [finding["code"] for finding in record["findings"]]


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
    card = store.read_card("cnn", toy_models)
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

    written = store.read_predictions("dense", "test", toy_models).set_index("file")["probability"][file]
    assert result.exit_code == 0
    assert json.loads(result.stdout)["probability"] == pytest.approx(written, abs=1e-5)


def test_predict_prints_readable_lines_and_the_disclaimer_apart(films, toy_models):
    result = pneumo("predict", *films[:2], "--model", "cnn", "--models", toy_models)

    first, second = result.stdout.splitlines()
    assert first.split("\t")[0] == str(films[0])
    assert first.split("\t")[1] in ("likely", "uncertain", "unlikely")
    assert 0 <= float(first.split("\t")[2]) <= 1
    assert "only 200 × 160 pixels" in first.split("\t")[3]
    assert second.split("\t")[:2] == [str(films[1]), "error"]
    assert DISCLAIMER in " ".join(result.stderr.split())


def test_predict_writes_a_table_and_heat_maps(films, toy_models, tmp_path):
    result = pneumo(
        *("predict", films[0], films[1], films[3], "--model", "cnn", "--models", toy_models),
        *("--json", "--csv", tmp_path / "table.csv", "--heatmap", tmp_path / "maps"),
    )

    records = [json.loads(line) for line in result.stdout.splitlines()]
    rows = list(csv.DictReader((tmp_path / "table.csv").open(encoding="utf-8-sig")))
    assert [row["file"] for row in rows] == [record["file"] for record in records]
    assert [row["answer"] for row in rows] == [record["answer"] or "" for record in records]
    maps = [record["heatmap"] for record in records if record["status"] == "ok"]
    # Two films of one name do not overwrite each other.
    assert len(set(maps)) == 3 == len(list((tmp_path / "maps").iterdir()))
    for path in maps:
        assert cv2.imread(path).shape == (160, 200, 3)


def test_predict_takes_the_best_model_where_none_is_named(films, toy_models):
    result = pneumo("predict", films[0], "--models", toy_models, "--json")

    assert json.loads(result.stdout)["model"] == store.default_name(toy_models)


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
        "PYTHONPATH": str(store.SHIPPED.parent),
        "PYTHONIOENCODING": "utf-8",
    }

    run = subprocess.run(command, capture_output=True, env=environment, check=False, cwd=tmp_path)

    assert [json.loads(line)["status"] for line in run.stdout.splitlines()] == ["ok", "ok", "error"]
    assert len((tmp_path / "out.csv").read_text("utf-8").splitlines()) == 4
    assert run.returncode == 1
    assert b"Traceback" not in run.stderr
    assert b"cuda" not in run.stderr.lower()


@pytest.fixture
def pictures(tmp_path):
    """Films that nothing speaks against, that are warned of, that a correction would mend, and that are none."""
    drawn = synthetic.film(np.random.default_rng(0), sick=False, height=240, width=300)
    noise = np.random.default_rng(0).integers(0, 256, (240, 300), np.uint8)
    made = {
        "sound": drawn,
        "small": drawn[::2, ::2],
        "inverted": 255 - drawn,
        "rotated": np.rot90(drawn),
        "noise": noise,
    }
    for name, picture in made.items():
        (tmp_path / f"{name}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    return {name: tmp_path / f"{name}.png" for name in made}


def test_predict_refuses_what_the_gate_refuses(pictures, toy_models):
    result = pneumo("predict", *pictures.values(), "--model", "cnn", "--models", toy_models, "--json")

    sound, small, inverted, rotated, noise = lines(result)
    assert result.exit_code == 1
    assert (sound["status"], sound["findings"], sound["forced"]) == ("ok", [], False)
    assert (small["status"], codes(small), small["forced"]) == ("ok", ["too_small"], False)
    assert small["reasons"][0] == small["findings"][0]["message"]
    assert "probability of pneumonia" in small["reasons"][1]
    for record, found in ((inverted, ["inverted"]), (rotated, ["rotated"]), (noise, ["not_chest_film"])):
        assert set(record) >= RECORD_KEYS
        assert (record["status"], record["answer"], record["probability"]) == ("refused", None, None)
        assert codes(record) == found
        assert record["reasons"] == [finding["message"] for finding in record["findings"]]
    for record in (inverted, rotated):
        assert record["reasons"][0].endswith("Run again with --correct.")
    assert "--correct" not in noise["reasons"][0]


def test_warnings_alone_are_no_failure(pictures, toy_models):
    result = pneumo("predict", pictures["small"], "--model", "cnn", "--models", toy_models)

    assert result.exit_code == 0
    assert "fewer than the models look at" in result.stdout


def test_predict_corrects_a_film_where_it_is_asked_to(pictures, toy_models):
    names = ("inverted", "rotated", "noise")
    result = pneumo(
        "predict", *(pictures[name] for name in names), "--correct", "--model", "cnn", "--models", toy_models, "--json"
    )

    *corrected, noise = lines(result)
    expected = Classifier.open("cnn", toy_models).assess(radiograph.read(pictures["sound"])).probability
    assert result.exit_code == 1
    for record, done in zip(corrected, ("invert", "turn by 90° clockwise"), strict=True):
        assert (record["status"], record["findings"]) == ("ok", [])
        assert record["probability"] == pytest.approx(expected, abs=1e-3)
        assert f"corrected at the user's request: {done}." in record["reasons"][-1]
        assert (record["image"]["width"], record["image"]["height"]) == (300, 240)
    assert (noise["status"], codes(noise)) == ("refused", ["not_chest_film"])


def test_each_film_in_a_picture_has_a_line_where_it_is_asked_for(tmp_path, toy_models):
    file = tmp_path / "pair.png"
    file.write_bytes(cv2.imencode(".png", synthetic.pair())[1].tobytes())
    told = ("--model", "cnn", "--models", toy_models)

    refused = pneumo("predict", file, *told, "--json")
    read = pneumo("predict", file, *told, "--json", "--correct", "--csv", tmp_path / "films.csv")
    in_words = pneumo("predict", file, *told, "--correct")

    (offer,) = lines(refused)
    left, right = lines(read)
    assert (refused.exit_code, read.exit_code) == (1, 0)
    assert codes(offer) == ["several_films"]
    assert offer["reasons"][0].endswith("Run again with --correct.")
    assert offer["findings"][0]["crops"] == [left["crop"], right["crop"]]
    assert (left["file"], left["status"], right["status"]) == (str(file), "ok", "ok")
    np.testing.assert_allclose(left["crop"], [[0, 0], [10 / 21, 0], [10 / 21, 1], [0, 1]], atol=0.02)
    assert "crop" not in offer
    with (tmp_path / "films.csv").open(encoding="utf-8-sig") as table:
        assert [json.loads(row["crop"]) for row in csv.DictReader(table)] == [left["crop"], right["crop"]]
    assert "cut out the film on the right" in in_words.stdout.splitlines()[1]


def test_a_refusal_can_be_overridden_and_an_error_cannot(pictures, films, toy_models):
    result = pneumo(
        "predict", pictures["sound"], pictures["noise"], films[1], "--force", "--models", toy_models, "--json"
    )

    sound, noise, broken = lines(result)
    assert result.exit_code == 1
    assert (sound["status"], sound["forced"]) == ("ok", False)
    assert (noise["status"], noise["forced"], codes(noise)) == ("ok", True, ["not_chest_film"])
    assert noise["reasons"][0] == noise["findings"][0]["message"]
    assert 0 <= noise["probability"] <= 1
    assert (broken["status"], broken["forced"], broken["findings"]) == ("error", False, None)


def test_a_forced_answer_is_told_as_one(pictures, toy_models):
    result = pneumo("predict", pictures["noise"], "--force", "--models", toy_models)

    assert result.exit_code == 0
    assert "in spite of a refusal: This does not look like a frontal chest film" in result.stdout


def test_only_assessed_films_get_a_heat_map_and_the_table_says_what_was_found(pictures, toy_models, tmp_path):
    result = pneumo(
        *("predict", *pictures.values(), "--model", "cnn", "--models", toy_models),
        *("--heatmap", tmp_path / "maps", "--csv", tmp_path / "table.csv"),
    )

    rows = list(csv.DictReader((tmp_path / "table.csv").open(encoding="utf-8-sig")))
    assert [row["findings"] for row in rows] == ["", "too_small", "inverted", "rotated", "not_chest_film"]
    assert [row["status"] for row in rows] == ["ok", "ok", "refused", "refused", "refused"]
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == ["small.png", "sound.png"]
    assert result.stdout.splitlines()[4].split("\t")[1] == "refused"


def test_a_heat_map_never_replaces_a_film(pictures, toy_models, tmp_path):
    before = pictures["sound"].read_bytes()

    result = pneumo(
        "predict", pictures["sound"], "--model", "cnn", "--models", toy_models, "--heatmap", tmp_path, "--json"
    )

    assert pictures["sound"].read_bytes() == before
    assert lines(result)[0]["heatmap"] == str(tmp_path / "sound-2.png")


def test_without_the_networks_no_film_is_assessed_unless_the_user_waives_the_check(
    pictures, toy_models, tmp_path, monkeypatch
):
    shutil.copytree(toy_models / "cnn", tmp_path / "models" / "cnn")
    monkeypatch.setattr(store, "SHIPPED", tmp_path / "models")
    asked = ("predict", pictures["noise"], "--models", tmp_path / "models", "--json")

    refused, unchecked = pneumo(*asked), pneumo(*asked, "--unchecked")

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "There is no model 'lungs'" in refused.stderr
    assert "--unchecked" in refused.stderr
    assert unchecked.exit_code == 0
    assert (lines(unchecked)[0]["status"], lines(unchecked)[0]["findings"]) == ("ok", None)
    assert lines(unchecked)[0]["checked"] is False


@pytest.mark.parametrize("command", ["predict", "check", "lungs"])
def test_a_film_that_does_not_fit_into_memory_costs_its_own_line_only(
    command, pictures, toy_models, tmp_path, monkeypatch
):
    def exhausted(source, *rest):
        if "small" in str(source):
            raise MemoryError
        return read(source, *rest)

    read = radiograph.read
    monkeypatch.setattr(radiograph, "read", exhausted)
    out = ("--out", tmp_path / "masks") if command == "lungs" else ()

    result = pneumo(command, pictures["small"], pictures["sound"], *out, "--models", toy_models)

    first, second = result.stdout.splitlines()
    assert result.exit_code == 1
    assert "needs more memory" in first
    assert "needs more memory" not in second


def test_a_table_that_cannot_be_written_is_told_before_any_film_is_read(pictures, toy_models, tmp_path, monkeypatch):
    monkeypatch.setattr(radiograph, "read", lambda *_: pytest.fail("a film was read"))

    result = pneumo("predict", pictures["sound"], "--models", toy_models, "--csv", tmp_path / "missing" / "table.csv")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "missing" in result.stderr


def test_check_prints_a_json_line_for_every_input(pictures, films, toy_models, tmp_path):
    tiny, frames = tmp_path / "tiny.png", tmp_path / "frames.tiff"
    tiny.write_bytes(cv2.imencode(".png", np.zeros((20, 20), np.uint8))[1].tobytes())
    cv2.imwritemulti(str(frames), [np.zeros((90, 90), np.uint8)] * 2)
    paths = [pictures["sound"], pictures["small"], pictures["noise"], films[1], films[2], tiny, frames]

    result = pneumo("check", *paths, "--models", toy_models, "--json")

    records = lines(result)
    assert result.exit_code == 1
    assert [set(record) for record in records] == [{"file", "accepted", "findings"}] * len(paths)
    assert [record["file"] for record in records] == [str(path) for path in paths]
    assert [(record["accepted"], codes(record)) for record in records] == [
        (True, []),
        (True, ["too_small"]),
        (False, ["not_chest_film"]),
        (False, ["unreadable"]),
        (False, ["unreadable"]),
        (False, ["image_size"]),
        (False, ["unsupported"]),
    ]
    for record in records[2:]:
        assert set(record["findings"][0]) == {"code", "severity", "message"}
        assert record["findings"][0]["severity"] == "refuse"
    assert records[1]["findings"][0]["severity"] == "warn"
    assert "broken.png" in records[3]["findings"][0]["message"]


def test_check_prints_readable_lines(pictures, toy_models):
    accepted = pneumo("check", pictures["sound"], pictures["small"], "--models", toy_models)
    refused = pneumo("check", pictures["inverted"], "--models", toy_models)

    assert (accepted.exit_code, refused.exit_code) == (0, 1)
    sound, small = accepted.stdout.splitlines()
    assert sound == f"{pictures['sound']}\taccepted"
    assert small.startswith(f"{pictures['small']}\taccepted\tThe picture has only 150 × 120 pixels")
    assert refused.stdout.startswith(f"{pictures['inverted']}\trefused\tThe film seems inverted")


def test_lungs_writes_a_mask_in_the_size_of_each_film(pictures, films, toy_models, tmp_path):
    ward = tmp_path / "other"
    ward.mkdir()
    shutil.copy(pictures["small"], ward / "sound.png")

    result = pneumo(
        "lungs", pictures["sound"], films[1], ward, "--out", tmp_path / "masks" / "new", "--models", toy_models
    )

    told = [line.split("\t") for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [line[:2] for line in told] == [
        [str(pictures["sound"]), "drawn"],
        [str(films[1]), "error"],
        [str(ward / "sound.png"), "drawn"],
    ]
    assert told[0][2] == str(tmp_path / "masks/new/sound.png")
    # Two films of one name do not overwrite each other.
    assert told[2][2] == str(tmp_path / "masks/new/sound-2.png")
    mask = cv2.imread(told[0][2], cv2.IMREAD_UNCHANGED)
    assert mask.shape == (240, 300)
    assert set(np.unique(mask)) == {0, 255}
    truth = synthetic.lung_mask(240, 300)
    assert 2 * (truth & (mask > 0)).sum() / (truth.sum() + (mask > 0).sum()) > 0.9
    assert cv2.imread(told[2][2], cv2.IMREAD_UNCHANGED).shape == (120, 150)


def test_lungs_never_replaces_a_film_and_replaces_what_it_wrote_before(pictures, toy_models, tmp_path):
    before = pictures["sound"].read_bytes()

    for _ in range(2):
        result = pneumo("lungs", pictures["sound"], "--out", tmp_path, "--models", toy_models)

    assert result.exit_code == 0
    assert pictures["sound"].read_bytes() == before
    assert result.stdout == f"{pictures['sound']}\tdrawn\t{tmp_path / 'sound-2.png'}\n"
    assert not (tmp_path / "sound-3.png").exists()


def test_predict_reports_on_each_film_under_a_name_of_its_own(pictures, toy_models, tmp_path):
    ward, out = tmp_path / "ward", tmp_path / "out" / "new"
    ward.mkdir()
    shutil.copy(pictures["sound"], ward / "sound.png")
    (ward / "scan.dcm").write_bytes(reported.dicom_film())
    (ward / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")

    result = pneumo(
        *("predict", pictures["sound"], pictures["noise"], ward, "--model", "cnn", "--models", toy_models),
        *("--json", "--report", out),
    )

    sound, noise, broken, scan, same_name = lines(result)
    answered = [".pdf", ".json", "-overlay.png"]
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [f"sound{ending}" for ending in answered]
        + [f"sound-2{ending}" for ending in answered]
        + [f"scan{ending}" for ending in (*answered, "-overlay.dcm", "-sr.dcm")]
        + ["noise.pdf", "noise.json"]
    )
    assert (sound["report"], same_name["report"]) == (str(out / "sound.pdf"), str(out / "sound-2.pdf"))
    assert noise["report"] == str(out / "noise.pdf")
    assert "report" not in broken
    del scan["report"]
    assert json.loads((out / "scan.json").read_text("utf-8")) == scan
    assert [record["status"] for record in (sound, noise, broken)] == ["ok", "refused", "error"]


def test_a_report_that_fails_costs_no_other_and_is_told(pictures, toy_models, tmp_path):
    out = tmp_path / "out"
    (out / "sound.pdf").mkdir(parents=True)
    secret = tmp_path / "anonymous.dcm"
    secret.write_bytes(reported.dicom_film(StudyInstanceUID=None))

    result = pneumo(
        *("predict", pictures["sound"], secret, pictures["small"], "--model", "cnn", "--models", toy_models),
        *("--json", "--report", out),
    )

    told = " ".join(result.stderr.split())
    assert result.exit_code == 1
    assert [record["status"] for record in lines(result)] == ["ok"] * 3
    assert ["report" in record for record in lines(result)] == [False, True, True]
    assert f"{pictures['sound']}: The report could not be written" in told
    assert f"{secret}: anonymous.dcm does not say" in told
    assert {path.name for path in out.iterdir()} >= {"anonymous.pdf", "small.pdf", "small-overlay.png"}
    assert not list(out.glob("*.dcm"))


def test_a_model_without_heat_maps_reports_without_them(pictures, toy_models, tmp_path):
    result = pneumo(
        *("predict", pictures["sound"], "--model", "dense", "--models", toy_models, "--report", tmp_path / "out")
    )

    assert result.exit_code == 0
    assert "The reports have no heat map." in " ".join(result.stderr.split())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["sound.json", "sound.pdf"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["predict"], "Missing argument"),
        (["predict", "film.png", "--model", "lenet"], "Choose one of: cnn, dense"),
        (["predict", "film.png", "--method", "lime"], "gradcam, gradcam++"),
        (["predict", "film.png", "--model", "dense", "--heatmap", "maps"], "no feature maps"),
        (["predict", "film.png", "--colour", "red"], "No such option"),
        (["predict", "film.png", "--model", "lungs"], "'lungs' is for segmentation, not for classification"),
        (["check"], "Missing argument"),
        (["lungs", "film.png"], "--out"),
        (["lungs", "film.png", "--out", "FILE"], "File exists"),
    ],
)
def test_a_command_that_cannot_run_says_why_and_exits_with_2(arguments, complaint, toy_models, tmp_path):
    (tmp_path / "file").write_text("taken")
    places = {"FILE": tmp_path / "file"}
    extra = ["--models", toy_models] if len(arguments) > 1 else []

    result = pneumo(*(places.get(argument, argument) for argument in arguments), *extra)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert complaint in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize("command", [["check"], ["lungs", "--out", "masks"]])
def test_what_needs_the_networks_says_that_they_are_missing(command, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "SHIPPED", tmp_path)

    result = pneumo(*command, pictures["sound"], "--models", tmp_path)

    assert result.exit_code == 2
    assert "There is no model 'lungs'" in result.stderr


def test_predict_again_replaces_its_heat_maps(films, toy_models, tmp_path):
    command = ("predict", films[0], "--model", "cnn", "--models", toy_models, "--heatmap", tmp_path / "maps")
    pneumo(*command)

    pneumo(*command)

    assert len(list((tmp_path / "maps").iterdir())) == 1


def test_folders_are_gone_through_without_what_is_hidden_and_dangling_links_are_inputs(tmp_path):
    ward = tmp_path / "ward"
    for name in (
        *("b.png", "a.png", ".hidden.png", ".cache/c.png", "__MACOSX/._a.png", "inner/c.png"),
        *("Thumbs.db", "desktop.ini", "DICOMDIR", "inner/.DS_Store"),
    ):
        (ward / name).parent.mkdir(parents=True, exist_ok=True)
        (ward / name).write_bytes(b"")
    (ward / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (ward / "inner" / "up").symlink_to(ward)
    (ward / "other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "d.png").write_bytes(b"")

    found, empty = films_command._films([ward, ward / ".hidden.png"])

    names = ["a.png", "b.png", "gone.png", "inner/c.png", "other/d.png", ".hidden.png"]
    assert [path.relative_to(ward).as_posix() for path in found] == names
    assert empty == []
    with pytest.raises(UnreadableImageError, match=r"gone\.png is a link to a file that is not there"):
        radiograph.read(ward / "gone.png")


@pytest.mark.parametrize("command", ["predict", "check", "lungs"])
def test_a_folder_without_films_is_told(command, tmp_path):
    (tmp_path / "empty" / "__MACOSX").mkdir(parents=True)
    options = ["--out", tmp_path / "out"] if command == "lungs" else []

    result = pneumo(command, tmp_path / "empty", *options)

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"There is no film in {tmp_path / 'empty'}." in " ".join(result.stderr.split())


def test_an_empty_folder_beside_films_costs_none_of_them(pictures, toy_models, tmp_path):
    (tmp_path / "empty").mkdir()

    result = pneumo("check", tmp_path / "empty", pictures["sound"], "--models", toy_models, "--json")

    assert (result.exit_code, len(lines(result))) == (1, 1)
    assert "There is no film in" in result.stderr


def test_a_line_stays_one_line_whatever_a_file_is_called(tmp_path, toy_models):
    odd = tmp_path / "a\nb\x1b[2J\u202e.png"
    odd.write_bytes(b"no picture")

    for options in ([], ["--json"]):
        result = pneumo("check", odd, "--models", toy_models, *options)
        assert len(result.stdout.splitlines()) == 1
        assert not BREAKING.search(result.stdout.replace("\n", "").replace("\t", ""))


@pytest.fixture
def hospital(tmp_path):
    """Films of a hospital, one of which cannot be read."""
    sites.write_films(tmp_path / "ours")
    (tmp_path / "ours" / "NORMAL" / "broken.png").write_bytes(b"no picture")
    return tmp_path / "ours"


def test_calibrate_writes_a_site_that_predict_answers_by_and_names(hospital, toy_models, tmp_path, monkeypatch):
    made = pneumo("calibrate", hospital, "--model", "cnn", "--models", toy_models, "--site", "St Mary")

    assert made.exit_code == 1
    rows = [line.split("\t") for line in made.stdout.splitlines() if line.startswith(str(hospital))]
    assert [row[1] for row in rows] == ["NORMAL"] * 33
    assert [row[0] for row in rows if not row[2].replace(".", "").isdigit()] == [str(hospital / "NORMAL/broken.png")]
    assert "cnn at St Mary: 32 normal films" in made.stdout
    assert "No film with pneumonia was there" in " ".join(made.stderr.split())

    monkeypatch.setenv("PNEUMO_SITE", str(tmp_path / "site.json"))
    film = hospital / "NORMAL" / "normal 0.png"
    shown = pneumo("predict", film, "--models", toy_models, "--json", "--report", tmp_path / "reports")

    [record] = lines(shown)
    site = json.loads((tmp_path / "site.json").read_text())
    assert (record["model"], record["thresholds"]) == ("cnn", site["thresholds"])
    assert record["site"] == {"name": "St Mary", "made": site["made"], "normal_films": 32, "pneumonia_films": 0}
    assert any("Calibrated for St Mary on 32 normal films" in reason for reason in record["reasons"])
    pages = pypdf.PdfReader(record["report"]).pages
    assert "Calibrated for St Mary on 32 normal films" in " ".join(pages[0].extract_text().split())

    other = pneumo("predict", film, "--models", toy_models, "--model", "dense")
    assert other.exit_code == 2
    assert "St Mary was calibrated for the model cnn, not for dense" in " ".join(other.stderr.split())


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--out", "nowhere/site.json"], "There is no folder"),
        (["--site", "x" * 81], "1 to 80 letters"),
        ([], "8 normal films of different children count"),
    ],
)
def test_calibrate_says_what_to_do_instead_of_writing_a_site(toy_models, tmp_path, options, why):
    sites.write_films(tmp_path / "ours", normal=8)

    result = pneumo("calibrate", tmp_path / "ours", "--model", "cnn", "--models", toy_models, *options)

    assert result.exit_code == 2
    assert why in " ".join(result.stderr.split())
    assert not (tmp_path / "site.json").exists()
