"""What pip installs: its dependencies are those of requirements.txt, its wheel is small and answers anywhere."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import pneumo
from pneumo.datasets import samples
from pneumo.inference.gate import GATE, LUNGS
from pneumo.inference.opacity import NAME as OPACITY
from pneumo.model_store import store

ROOT = Path(__file__).parents[2]
MIB = 2**20
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SHIPPED = {"models/" + name for name in (store.default_name(store.SHIPPED), GATE, LUNGS, OPACITY)}


def build(source: Path, target: str, out: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", out]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    [made] = out.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def python(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run Python in a folder, with pneumo from another folder alone."""
    environment = {key: value for key, value in os.environ.items() if key != "PNEUMO_MODELS"}
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )


def requirements(name: str) -> list[str]:
    """Return the packages that a file of requirements lists, those of the file that it names among them."""
    listed = []
    for line in (ROOT / name).read_text("utf-8").splitlines():
        listed += requirements(line.removeprefix("-r ")) if line.startswith("-r ") else [line]
    return listed


def extra(name: str) -> list[str]:
    """Return the packages of an extra, those of the extras that it names among them."""
    listed = []
    for each in PROJECT["project"]["optional-dependencies"][name]:
        listed += extra(each[len("pneumo[") : -1]) if each.startswith("pneumo[") else [each]
    return listed


def test_the_requirements_are_the_dependencies_of_the_library_of_the_app_and_of_training():
    library = PROJECT["project"]["dependencies"]

    assert sorted(requirements("requirements-serve.txt")) == sorted(library + extra("serve"))
    assert sorted(requirements("requirements.txt")) == sorted(library + extra("app") + extra("train"))


def test_films_are_read_without_what_trains_networks_and_studies_them():
    served = " ".join(requirements("requirements-serve.txt"))

    assert not [each for each in extra("train") if re.match(r"[\w-]+", each)[0] in served]


def test_the_library_does_not_need_what_only_the_app_draws_with():
    needed = " ".join(PROJECT["project"]["dependencies"])

    assert "streamlit" not in needed
    assert "altair" not in needed


def test_the_command_is_installed_under_the_name_of_the_package():
    assert PROJECT["project"]["scripts"] == {"pneumo": "pneumo.cli.app:app"}


def test_the_wheel_carries_all_of_the_package_and_the_models_that_a_reading_needs(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [path for path in (ROOT / "pneumo").rglob("*") if path.is_file() and path.suffix != ".pyc"]

    assert {path.relative_to(ROOT).as_posix() for path in files} <= names
    assert {path.rsplit("/", 1)[0] for path in names if path.endswith("card.json")} == {f"pneumo/{f}" for f in SHIPPED}
    for folder in SHIPPED:
        assert {f"pneumo/{folder}/card.json", f"pneumo/{folder}/model.keras"} <= names
    assert {path.split("/")[0] for path in names} == {"pneumo", f"pneumo-{pneumo.__version__}.dist-info"}
    assert wheel.stat().st_size < 20 * MIB


def test_the_source_archive_is_small_and_makes_the_same_wheel(wheel, tmp_path):
    archive = build(ROOT, "sdist", tmp_path / "sdist")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")

    again = build(tmp_path / f"pneumo-{pneumo.__version__}", "wheel", tmp_path / "wheel")

    assert archive.stat().st_size < 20 * MIB
    files, of_clone = ({f.filename: f.CRC for f in zipfile.ZipFile(each).infolist()} for each in (again, wheel))
    assert files == of_clone


@pytest.mark.slow
def test_every_module_imports_from_the_wheel_in_another_folder(unpacked, tmp_path):
    files = (path.relative_to(unpacked).with_suffix("") for path in sorted((unpacked / "pneumo").rglob("*.py")))
    # It runs when it is imported.
    modules = [".".join(file.parts) for file in files if file.name != "__main__"]
    script = (
        "import importlib, sys\n"
        "for name in sys.argv[2:]:\n"
        "    assert importlib.import_module(name).__file__.startswith(sys.argv[1]), name\n"
    )

    run = python(unpacked, tmp_path, "-c", script, str(unpacked), *modules)

    assert run.returncode == 0, run.stderr


@pytest.mark.slow
def test_a_film_is_read_from_the_wheel_in_an_empty_folder(unpacked, tmp_path):
    shutil.copy(samples.FOLDER / "bacterial_1.png", tmp_path / "film.png")

    run = python(unpacked, tmp_path, "-m", "pneumo", "predict", "film.png", "--json")

    record = json.loads(run.stdout)
    assert record["status"] == "ok", record
    assert record["model"] == store.default_name(store.SHIPPED)
    assert record["findings"] is not None
    assert [path.name for path in tmp_path.iterdir()] == ["film.png"]


def test_models_of_another_folder_are_found_beside_those_of_the_wheel(unpacked, tmp_path):
    script = (
        "import os\n"
        "from pneumo.inference import gate\n"
        "from pneumo.model_store import store\n"
        "print(store.names())\n"
        "os.environ['PNEUMO_MODELS'] = 'mine'\n"
        "print(store.names(), gate.holder('gate', None))\n"
    )

    run = python(unpacked, tmp_path, "-c", script)

    shipped = sorted(folder.removeprefix("models/") for folder in SHIPPED)
    assert run.stdout.splitlines() == [str(shipped), f"[] {unpacked / 'pneumo' / 'models'}"], run.stderr


def test_an_installed_package_says_how_other_models_are_named(unpacked, tmp_path):
    script = "from pneumo.model_store import store\nstore.read_card('vgg19', task='classification')\n"

    run = python(unpacked, tmp_path, "-c", script)

    assert "Choose one of: everywhere. The folder of other models is named by PNEUMO_MODELS." in run.stderr


def test_an_installed_package_says_where_the_samples_are(unpacked, tmp_path):
    script = "from pneumo.datasets import samples\nsamples.load_samples(samples.FOLDER)\n"

    run = python(unpacked, tmp_path, "-c", script)

    assert "The samples lie in data_samples/ of the repository" in run.stderr
