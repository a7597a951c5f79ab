"""The public names of pneumo: documented, free until they are asked for, and used as docs/library.md shows."""

import ast
import inspect
import re
import shutil
import subprocess
import sys
from dataclasses import is_dataclass, replace
from pathlib import Path

import pytest

import pneumo
from pneumo.datasets import samples
from pneumo.training.recipes import RECIPES

ROOT = Path(__file__).parents[2]
NAMES = sorted(set(pneumo.__all__) - {"DISCLAIMER", "__version__"})
FUNCTIONS = [name for name in NAMES if inspect.isfunction(getattr(pneumo, name))]


def type_checking_imports() -> dict[str, str]:
    """Return what type checkers see: the place of each public name, as ``module:attribute``."""
    tree = ast.parse(Path(pneumo.__file__).read_text("utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_importing_the_package_imports_nothing_heavy():
    heavy = {"numpy", "pandas", "tensorflow", "keras", "matplotlib"}
    script = f"import sys, pneumo; dir(pneumo); print(*{heavy} & set(sys.modules))"

    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == ""


def test_type_checkers_see_the_names_that_there_are():
    assert type_checking_imports() == pneumo._PLACES
    assert {*pneumo._PLACES, "DISCLAIMER", "__version__"} == set(pneumo.__all__) <= set(dir(pneumo))


def test_a_name_that_is_not_there_is_told_of():
    with pytest.raises(AttributeError, match="'pneumo' has no attribute 'red_film'"):
        _ = pneumo.red_film


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_documented_with_all_that_it_takes_or_holds(name):
    public = getattr(pneumo, name)
    documented = inspect.getdoc(public)

    assert documented
    if inspect.isfunction(public) or is_dataclass(public):
        assert [part for part in inspect.signature(public).parameters if f"{part}: " not in documented] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_says_what_it_raises_and_returns(name):
    function = getattr(pneumo, name)

    assert re.search(r"Raises:\n|raises nothing|nothing is raised", inspect.getdoc(function))
    assert inspect.signature(function).return_annotation is not inspect.Signature.empty


@pytest.mark.parametrize(
    ("name", "said"), [("Radiograph", "(height, width) float32, 0…1"), ("load_model", "float32 in 0…1")]
)
def test_arrays_are_documented_with_their_shape_and_range(name, said):
    assert said in inspect.getdoc(getattr(pneumo, name))


@pytest.mark.slow
def test_the_example_of_the_readme_runs_as_it_stands(toy_data, tmp_path, monkeypatch):
    [example] = re.findall(
        r"## From Python\n.*?```python\n(.*?)```", (ROOT / "docs/library.md").read_text("utf-8"), re.DOTALL
    )
    shutil.copy(samples.FOLDER / "bacterial_1.png", tmp_path / "film.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "chest_xray").symlink_to(toy_data)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(RECIPES, "cnn", replace(RECIPES["cnn"], epochs=1))
    made = {}

    exec(example, made)

    assert str(made["reading"]).startswith("Pneumonia likely, ")
    assert made["figure"].axes
    assert (tmp_path / "my_models" / "cnn" / "model.keras").is_file()
    assert made["mine"].card.name == made["card"].name == "cnn"
    assert made["network"].output_shape == (None, 1)
