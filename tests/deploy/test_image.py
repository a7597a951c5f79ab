"""The container image, as far as its recipe tells; docs/hospital.md says how it was built and run."""

import fnmatch
import re
from pathlib import Path

from pages.parts.predict import readiness
from pneumo.inference import gate, opacity, pathogen
from pneumo.model_store import store

ROOT = Path(__file__).parents[2]
RECIPE = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")


def test_what_the_recipe_copies_is_there_and_is_given_to_the_build():
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]
    copied = [name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", RECIPE, re.MULTILINE) for name in line.split()]

    assert copied
    for name in copied:
        assert (ROOT / name).exists(), name
        assert any(fnmatch.fnmatch(name, each) or each.startswith(f"{name}/") for each in allowed), name


def test_the_image_holds_the_models_that_read_a_film():
    held = re.search(r'MODELS="(.+)"', RECIPE)[1].split()

    assert {*held} == {store.default_name(store.SHIPPED), gate.GATE, gate.LUNGS, opacity.NAME, pathogen.NAME}


def test_the_image_runs_without_root_by_hashes_and_is_healthy_once_the_model_answers():
    assert re.findall(r"^USER (\d+)$", RECIPE, re.MULTILINE) == ["10001"]
    assert "--require-hashes -r requirements.lock" in RECIPE
    assert f":8501{readiness.PATH}'" in RECIPE
