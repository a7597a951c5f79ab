import ast
from pathlib import Path

import pytest

import pneumo

LIBRARY = Path(pneumo.__file__).parent
FILES = sorted(file for package in ("networks", "training") for file in (LIBRARY / package).rglob("*.py"))


def imported(file):
    """Return the packages that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_only_workers_call_tensorflow_so_that_jax_and_torch_train_the_same_networks(file):
    assert ("tensorflow" in imported(file)) == (file.name == "workers.py")
    # Keras hands out that of its backend.
    assert "keras.src.backend" not in file.read_text()
