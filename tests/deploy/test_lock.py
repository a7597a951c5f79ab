"""The lock holds what servers need of pyproject.toml, each file by its hash; nothing else goes into the image."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
# The extras that servers have.
SERVED = ("app", "statistics", "api", "pacs", "archive", "sign-in")
PINNED = re.compile(
    r"^([\w.-]+)==([\w.+]+)(?: ; [^\\\n]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)


def test_every_package_is_pinned_with_hashes():
    named = re.findall(r"^([\w.-]+)==", LOCK, re.MULTILINE)

    assert named
    assert [name for name, _, _ in PINNED.findall(LOCK)] == named


def test_the_lock_fits_what_the_project_asks_for():
    pinned = {canonicalize_name(name): version for name, version, _ in PINNED.findall(LOCK)}
    extras = PROJECT["optional-dependencies"]
    asked = [*PROJECT["dependencies"], *(each for name in SERVED for each in extras[name])]
    for requirement in map(Requirement, asked):
        version = pinned.get(canonicalize_name(requirement.name))

        assert version and requirement.specifier.contains(version), f"{requirement}: run `make lock`"


def test_the_lock_is_made_of_these_extras_and_brings_nothing_that_trains():
    makefile = (ROOT / "Makefile").read_text("utf-8")

    assert f"\nSERVED := {' '.join(SERVED)}\n" in makefile
    assert "\ntensorflow" not in LOCK and "\nkeras" not in LOCK
