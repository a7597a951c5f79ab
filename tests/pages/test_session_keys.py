"""No two pages of the app meet in the session: every key says whose it is."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

from pneumo.preprocessing.augmentation import RANGES

PAGES = Path(__file__).parents[2] / "pages"
PREFIXES = {path.stem for path in PAGES.glob("*.py")} - {"__init__"}
# What all pages that use it mean the same by.
SHARED = {
    "shared.choices": "the choices of the models' pages, by key",
    "shared.data_folder": "the data set that the reader named",
    "shared.fetch": "the button that fetches real films",
    "shared.fetch_films": "the place to fetch them",
    "shared.fetch_side": "how large they are",
    "shared.fetched": "the folder of films that came just now",
    "shared.films": "the group of films that models were measured on",
    "shared.head": "the title of a page and the choice of the language",
    "shared.language": "of the pages and the menu",
    "shared.language_choice": "the widget of the language",
    "shared.model": "the model in sight",
    "shared.models": "the models that are compared",
    "shared.page": "the page in sight",
    "shared.picture_": "a small film that opens in Predict",
    "shared.read": "which parts of the address were read",
    "shared.sign_in": "the button of a server that asks who one is",
    "shared.sign_out": "likewise",
    "shared.sources": "whether the figures behind the recommendation are unfolded",
    "shared.split": "the films that models were measured on",
}
# The sliders of the augmentation are made in a loop.
MADE_IN_LOOPS = {("augmentation.py", "name"): set(RANGES)}


def sources():
    return sorted(PAGES.rglob("*.py"))


def name_of(path):
    return path.relative_to(PAGES).as_posix()


def is_given(node):
    """Whether a function of all pages is given the key, or its beginning, by its caller, who is looked at too."""
    node = node.values[0].value if isinstance(node, ast.JoinedStr) else node
    return (isinstance(node, ast.Name) and node.id == "key") or (isinstance(node, ast.Attribute) and node.attr == "key")


def constants(tree):
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def beginning(node, known):
    """The text that a key begins with; None where the source does not tell."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
        return node.values[0].value
    if isinstance(node, ast.JoinedStr):
        return beginning(node.values[0].value, known)
    return known.get(node.id) if isinstance(node, ast.Name) else None


def is_session(node):
    return isinstance(node, ast.Attribute) and node.attr == "session_state"


def keys_of(path):
    """All keys of widgets and of the session in a source: its text or None, its node, whether Streamlit binds it."""
    tree = ast.parse(path.read_text("utf-8"))
    known = constants(tree)
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        known |= {
            target.id: beginning(node.value, {})
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.JoinedStr)
            for target in node.targets
            if isinstance(target, ast.Name) and target.id == "key"
        }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            options = {each.arg: each.value for each in node.keywords}
            if "key" in options and not (isinstance(node.func, ast.Name) and node.func.id in ("sorted", "max", "min")):
                yield beginning(options["key"], known), options["key"], "bind" in options
            # What a clinic's preset updates are the names of its sliders, which Streamlit binds.
            called = isinstance(node.func, ast.Attribute) and is_session(node.func.value) and node.func.attr
            if called and called != "update":
                yield beginning(node.args[0], known), node.args[0], False
        elif isinstance(node, ast.Subscript) and is_session(node.value):
            yield beginning(node.slice, known), node.slice, False
        elif isinstance(node, ast.Compare) and any(map(is_session, node.comparators)):
            yield beginning(node.left, known), node.left, False
        elif isinstance(node, ast.Attribute) and is_session(node.value) and node.attr not in dir(dict):
            yield node.attr, node, False


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_every_key_begins_with_its_page_or_is_shared_or_names_a_part_of_the_address(path):
    nameless, bound_here = [], {text for text, _node, bound in keys_of(path) if bound}
    for text, node, _bound in keys_of(path):
        made = (path.name, ast.unparse(node)) in MADE_IN_LOOPS
        if text in bound_here or made or (text is None and is_given(node)):
            continue
        prefix, dot, _name = (text or "").partition(".")
        if not dot or not (prefix in PREFIXES or text in SHARED):
            nameless.append(f"line {node.lineno}: {ast.unparse(node)}")

    assert nameless == []


def test_a_page_and_its_parts_write_no_other_pages_keys():
    owners = defaultdict(set)
    for path in sources():
        for text, _node, bound in keys_of(path):
            if text and "." in text and not bound and not text.startswith("shared."):
                owners[text.partition(".")[0]].add(name_of(path))

    for prefix, files in owners.items():
        assert not [file for file in files if "/" not in file and file != f"{prefix}.py"], prefix


def test_a_name_that_streamlit_binds_to_the_address_belongs_to_one_page():
    places = defaultdict(set)
    for path in sources():
        for text, node, bound in keys_of(path):
            if bound:
                names = MADE_IN_LOOPS.get((path.name, ast.unparse(node)), {text})
                for name in names:
                    assert name and "." not in name
                    places[name].add(name_of(path))

    assert {name: files for name, files in places.items() if len(files) > 1} == {}
