"""A file's name comes from a stranger, and no page reads it as Markdown."""

import re
import shutil

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy.opened import page

from pages.parts.shared.plain import plain
from pneumo.model_store import store

NAME = "NORMAL2-IM-**bold**-[link](x) $x$ :red[y].jpeg"
SIGNS = re.compile(r"(?<!\\)(\*\*|\[|\$|:red)")


@given(st.text(alphabet=st.characters(exclude_characters="`")))
def test_every_sign_of_markdown_is_shown_as_it_is(text):
    shown = plain(text)

    assert re.sub(r"\\(.)", r"\1", shown, flags=re.DOTALL) == text
    assert not re.search(r"(?<!\\)(?:\\\\)*[*_\[\]<>$~:#!|]", shown)


def test_a_command_in_a_sentence_stays_code():
    assert plain("Run `pneumo data check a_b` on x_y") == r"Run `pneumo data check a_b` on x\_y"


@pytest.fixture
def hostile(toy_data, shipped, called_models, tmp_path, monkeypatch):
    """A data set with a film whose name is Markdown, which the model calls wrong."""
    root = shutil.copytree(toy_data, tmp_path / "copy")
    shutil.copy(root / "test" / "NORMAL" / "IM-0001-0001.jpeg", root / "test" / "NORMAL" / NAME)
    monkeypatch.setenv("PNEUMO_DATA", str(root))
    film = {"file": f"test/NORMAL/{NAME}", "patient": "a", "label": "NORMAL", "pathogen": "", "probability": 0.95}
    films = store.read_predictions("toy", "test", called_models)
    store.write_predictions(pd.concat([films, pd.DataFrame([film])]), "toy", "test", called_models)
    return root


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("gallery", {"split": "Test"}),
        ("gallery", {"film": f"test/NORMAL/{NAME}"}),
        ("failures", {}),
        ("dataset", {}),
    ],
)
def test_the_name_of_a_film_is_shown_as_it_is(hostile, name, query, damaged):
    if damaged:
        (hostile / "test" / "NORMAL" / NAME).write_bytes(b"no picture")

    app = page(name, **query)

    assert not app.exception
    kinds = (app.markdown, app.caption, app.subheader, app.error, app.warning)
    said = [str(element.value) for kind in kinds for element in kind]
    said += [button.label for button in app.button]
    said += [image.caption for each in app.get("image") for image in each.proto.imgs]
    said += [str(cell) for table in app.table for cell in table.value.to_numpy().ravel()]
    assert [text for text in said if "bold" in text and SIGNS.search(text)] == []
