import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toy import reported

import pneumo
from pneumo import errors
from pneumo.errors import PackageError

FOLDER = Path(pneumo.__file__).parent
# What trains networks, and draws figures for notebooks; and what runs when it is imported.
NEEDS_MORE = ("pneumo.networks", "pneumo.training", "pneumo.explanation.figure")
# What the worker processes of training import.
WORKERS = "pneumo.training.views"
SCRIPTS = ("pneumo.__main__",)
# What requirements-serve.txt leaves out.
LEFT_OUT = ("tensorflow", "keras", "tf_keras_vis", "scipy", "sklearn", "matplotlib", "onnx", "pooch", "kagglehub")


def test_the_smaller_install_can_import_all_but_training_and_nothing_imports_early_what_takes_long():
    files = (path.relative_to(FOLDER.parent).with_suffix("") for path in sorted(FOLDER.rglob("*.py")))
    modules = [".".join(file.parts).removesuffix(".__init__") for file in files]
    light = [name for name in modules if not name.startswith(NEEDS_MORE) and name not in SCRIPTS]
    light.append(WORKERS)
    script = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({LEFT_OUT}))\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    heavy = {'streamlit', 'fpdf', 'highdicom'} & set(sys.modules)\n"
        "    assert not heavy, f'{name} imports {heavy}'\n"
    )

    run = subprocess.run(
        [sys.executable, "-c", script, *light], capture_output=True, text=True, check=False, cwd=FOLDER.parent
    )

    assert run.returncode == 0, run.stderr
    assert run.stdout == run.stderr == ""


def test_the_package_says_what_it_is():
    assert "not a medical device" in pneumo.DISCLAIMER


def test_a_film_is_read_without_tensorflow_and_what_else_takes_long_to_import():
    film = FOLDER.parent / "data_samples" / "bacterial_1.png"
    script = (
        "import sys\n"
        "from pneumo.cli.app import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "heavy = {'tensorflow', 'keras', 'tf_keras_vis', 'matplotlib', 'sklearn', 'scipy', 'fpdf', 'highdicom'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PNEUMO_")}

    run = subprocess.run(
        [sys.executable, "-c", script, "predict", str(film), "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=FOLDER.parent,
        env=environment,
    )

    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["status"] == "ok"


def test_films_are_read_and_reported_without_what_the_smaller_install_leaves_out(tmp_path):
    shutil.copy(FOLDER.parent / "data_samples" / "bacterial_1.png", tmp_path / "sample.png")
    (tmp_path / "scan.dcm").write_bytes(reported.dicom_film())
    script = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({LEFT_OUT}))\n"
        "from pneumo.cli.app import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PNEUMO_")}
    options = ["--unchecked", "--json", "--csv", "films.csv", "--report", "out"]

    run = subprocess.run(
        [sys.executable, "-c", script, "predict", "sample.png", "scan.dcm", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(FOLDER.parent)},
    )

    assert run.returncode == 0, run.stderr
    assert [json.loads(line)["status"] for line in run.stdout.splitlines()] == ["ok", "ok"]
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"sample.pdf", "scan.pdf", "scan-overlay.dcm", "scan-sr.dcm"} <= written, written


@pytest.mark.parametrize(("name", "package"), [("scipy", "scipy"), ("sklearn", "scikit-learn")])
def test_what_needs_a_package_that_is_not_there_says_how_to_install_it(name, package, monkeypatch):
    errors.require_package(name)
    monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(PackageError, match=f"{package} is not installed here. Install it with pip install {package}."):
        errors.require_package(name)


def test_onnx_runtime_is_told_to_send_nothing_to_its_maker_before_anything_can_import_it():
    source = "import os, pneumo; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    said = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, env=environment, check=True)

    assert said.stdout == "1\n"
