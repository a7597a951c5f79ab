"""The lock holds what pyproject.toml asks for, each file by its hash, and nothing else goes into the image."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
PINNED = re.compile(
    r"^([\w.-]+)==([\w.+]+)(?: ; [^\\\n]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)


def test_every_package_is_pinned_with_hashes():
    named = re.findall(r"^([\w.-]+)==", LOCK, re.MULTILINE)

    assert named
    assert [name for name, _, _ in PINNED.findall(LOCK)] == named


def test_the_lock_fits_what_the_project_asks_for():
    pinned = {canonicalize_name(name): version for name, version, _ in PINNED.findall(LOCK)}
    asked = PROJECT["dependencies"] + [each for extra in PROJECT["optional-dependencies"].values() for each in extra]
    for requirement in map(Requirement, asked):
        version = pinned.get(canonicalize_name(requirement.name))

        assert version and requirement.specifier.contains(version), f"{requirement}: run `make lock`"
