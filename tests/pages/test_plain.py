"""A file's name comes from a stranger, and no page reads it as Markdown."""

import io
import re
import shutil

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy.opened import page

from pages.parts.shared.plain import plain, plain_values
from pages.parts.shared.spreadsheet import as_csv
from pneumo.model_store import store
from pneumo.sentences import say, say_many

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


@pytest.mark.parametrize("name", ["`x`.png", "- a.png", "+ a.png", "1. a.png", "= a.png", "&lt;b&gt;.png"])
def test_no_sign_of_a_name_is_taken_for_a_list_a_heading_code_or_a_letter(name):
    shown = plain(name)

    assert shown.replace("\\", "") == name
    assert not re.match(r"[-+=`]|\d+\.|&", shown)


def test_a_table_that_people_open_begins_with_a_byte_order_mark():
    table = pd.DataFrame({"File": ["Röntgen.png", "=1+1", "a\nb"], "Change": ["+0.1", "–", "-0.1"]})

    made = as_csv(table)

    assert made.startswith("\ufeffFile,")
    read = pd.read_csv(io.StringIO(made))
    assert read["File"].tolist() == ["Röntgen.png", "'=1+1", r"a\nb"]
    assert read["Change"].tolist() == ["+0.1", "–", "-0.1"]
    assert as_csv("file\n") == "\ufefffile\n"


def test_of_a_sentence_the_words_stay_and_what_strangers_gave_is_plain():
    inner = say("{name}: **empty**", name="a*b*_c_.png")

    assert plain_values(say("So: {why}, {folder}", why=inner, folder="/tmp/a_b/c")) == (
        r"So: a\*b\*\_c\_.png: **empty**, /tmp/a_b/c"
    )
    assert plain_values(say_many("{number} film: {name}", "{number} films: {name}", 2, name="$x$")) == r"2 films: \$x\$"
    assert plain_values("*a*") == "*a*"
