"""The public names of pneumo: they are documented, typed, and cost nothing until they are asked for."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import pneumo

FUNCTIONS = [name for name in pneumo.__all__ if inspect.isfunction(getattr(pneumo, name))]


def type_checking_imports() -> dict[str, str]:
    """What the package shows to type checkers: the public name → module:attribute."""
    tree = ast.parse(Path(pneumo.__file__).read_text("utf-8"))
    shown = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for block in shown
        for node in block.body
        for alias in node.names
    }


def test_importing_the_package_imports_neither_tensorflow_nor_numpy():
    script = (
        "import sys, pneumo; dir(pneumo); print(*{'numpy', 'tensorflow', 'keras', 'matplotlib'} & set(sys.modules))"
    )

    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == ""


def test_type_checkers_see_the_names_that_there_are():
    assert type_checking_imports() == pneumo._PLACES
    assert {*pneumo._PLACES, "DISCLAIMER", "__version__"} == set(pneumo.__all__) <= set(dir(pneumo))


def test_a_name_that_is_not_there_is_told_of():
    with pytest.raises(AttributeError, match="'pneumo' has no attribute 'red_film'"):
        _ = pneumo.red_film


@pytest.mark.parametrize("name", [name for name in pneumo.__all__ if name not in ("DISCLAIMER", "__version__")])
def test_a_public_name_is_documented(name):
    public = getattr(pneumo, name)
    documented = inspect.getdoc(public) or ""

    assert documented.split("\n")[0].endswith((".", ":"))
    if hasattr(public, "__dataclass_fields__"):
        missing = [field for field in public.__dataclass_fields__ if f"{field}: " not in documented]
    else:
        missing = [argument for argument in inspect.signature(public).parameters if f"{argument}: " not in documented]
    assert not missing or issubclass_of_exception(public)


def issubclass_of_exception(public: object) -> bool:
    return inspect.isclass(public) and issubclass(public, Exception)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_says_what_it_raises_and_is_typed(name):
    function = getattr(pneumo, name)

    assert "Raises:\n" in inspect.getdoc(function) or "raises nothing" in inspect.getdoc(function).replace(
        "nothing is raised", "raises nothing"
    )
    assert inspect.signature(function).return_annotation is not inspect.Signature.empty


@pytest.mark.parametrize(
    ("name", "said"), [("Radiograph", "(height, width) float32, 0…1"), ("load_model", "float32 in 0…1")]
)
def test_arrays_are_documented_with_their_shape_and_range(name, said):
    assert said in inspect.getdoc(getattr(pneumo, name))
