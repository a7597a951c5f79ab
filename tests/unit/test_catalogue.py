"""The catalogues hold what the code says, no more and no less; and the pages say nothing but what they hold."""

import ast
import re
import string
from html.parser import HTMLParser

import catalogue
import pytest
from catalogue import CODES, LIBRARY, PAGE, ROOT, WORDS
from markdown_it import MarkdownIt

from pages.parts.predict.viewer import LABELS

# They make sentences of what they are given, and hand on no literal of their own.
HANDING_ON = (
    *("pages/parts/shared/language.py", "pages/parts/shared/plain.py", "pneumo/sentences.py", "pneumo/errors.py"),
)
SAID = catalogue.said()
KEYS = {message if isinstance(message, str) else message[0]: message for message in SAID}

TEXT_CALLS = {
    *("markdown", "caption", "title", "header", "subheader", "write", "text", "error", "warning", "info", "success"),
    *("button", "download_button", "selectbox", "segmented_control", "pills", "radio", "toggle", "checkbox", "slider"),
    *("number_input", "text_input", "file_uploader", "expander", "popover", "spinner", "progress", "metric", "image"),
    *("dataframe", "table", "altair_chart", "Page", "TextColumn", "NumberColumn", "cache_resource", "cache_data"),
    *("offer", "toast", "status", "tabs", "form_submit_button", "multiselect", "page_link", "head", "progress_bar"),
    *("properties", "Axes", "tips"),
}
# Their first argument is no text.
KEYWORDS_ONLY = {"show", "draw", "X", "Y", "Tooltip"}
TEXT_KEYWORDS = {"help", "caption", "alt", "label", "placeholder", "title", "text", "show_spinner", "body", "alt_text"}
# Streamlit's own signs, keys, columns of tables, and what is the same in all languages.
SIGNS = re.compile(
    r":material/\w+:|:(red|blue|grey)\[|\bJSON\b|\bpages/\w+\.py|\bshared\.\w+|\w+:[NQO]$|/path/to/[\w./]+|person109|IM-0115"
)


def fields(template: str) -> list[tuple[str, str]]:
    """The fields of a template with their formats, sorted."""
    return sorted((name, spec or "") for _, name, spec, _ in string.Formatter().parse(template) if name is not None)


@pytest.mark.parametrize("code", CODES)
def test_a_catalogue_translates_what_the_code_says_and_nothing_else(code):
    known = {message.id if isinstance(message.id, str) else message.id[0]: message for message in catalogue.read(code)}
    known.pop("")

    assert sorted(set(KEYS) - set(known)) == [], "run `python tests/catalogue.py` and translate what is new"
    assert sorted(set(known) - set(KEYS)) == [], "run `python tests/catalogue.py`, which drops what nothing says"
    for key, message in known.items():
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        assert not message.fuzzy, key
        assert all(form.strip() for form in forms), key
        assert isinstance(message.id, str) == isinstance(KEYS[key], str), key


@pytest.mark.parametrize("code", CODES)
def test_a_translation_has_the_fields_and_the_marks_of_its_template(code):
    for message in catalogue.read(code):
        if not message.id:
            continue
        template = message.id if isinstance(message.id, str) else message.id[1]
        for form in message.string if isinstance(message.string, tuple) else (message.string,):
            assert fields(form) == fields(template), template
            assert form.count("**") == template.count("**"), template
            assert form.count("`") == template.count("`"), template
            # Beside a letter without a space, as in Chinese, Markdown takes some marks for asterisks.
            assert "**" not in MarkdownIt().render(form), form


@pytest.mark.parametrize("file", [file for file in PAGE + LIBRARY if file not in HANDING_ON])
def test_a_template_is_a_literal_so_that_it_can_be_found(file):
    for call in catalogue.calls(file, WORDS):
        first = call.args[0] if call.args else None
        assert isinstance(first, ast.Constant), f"{file}:{call.lineno}"


def bare_texts(node: ast.AST) -> list[str]:
    """The English in an expression that nothing tells."""
    if isinstance(node, ast.Call):
        return []
    if isinstance(node, ast.Constant):
        left = SIGNS.sub("", node.value) if isinstance(node.value, str) else ""
        return [node.value] if re.search(r"[A-Za-z]{2,}", left) else []
    parts = {
        ast.JoinedStr: ("values",),
        ast.BinOp: ("left", "right"),
        ast.BoolOp: ("values",),
        ast.IfExp: ("body", "orelse"),
        ast.List: ("elts",),
        ast.Tuple: ("elts",),
        ast.Dict: ("keys",),
        ast.FormattedValue: ("value",),
    }.get(type(node), ())
    children = [child for part in parts for child in (getattr(node, part),)]
    flat = [each for child in children for each in (child if isinstance(child, list) else [child]) if each is not None]
    return [text for child in flat for text in bare_texts(child)]


@pytest.mark.parametrize("file", PAGE)
def test_no_text_on_a_page_is_left_in_english(file):
    found = []
    for call in catalogue.calls(file, TEXT_CALLS | KEYWORDS_ONLY):
        name = catalogue.name_of(call)
        if isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "_log":
            continue
        texts = [] if name in KEYWORDS_ONLY else call.args if name == "tips" else call.args[:1]
        shown = [*texts, *(word.value for word in call.keywords if word.arg in TEXT_KEYWORDS)]
        found += [f"{file}:{call.lineno}: {text}" for each in shown for text in bare_texts(each)]

    assert found == []


def test_a_bare_text_would_be_found():
    call = ast.parse('st.caption(f":material/info: Hello {name}")').body[0].value

    assert bare_texts(call.args[0]) == [":material/info: Hello "]


class Texts(HTMLParser):
    """The texts and the names of an HTML file."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.inside: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.inside.append(tag)
        self.found |= {value for name, value in attrs if name == "aria-label"}

    def handle_endtag(self, tag):
        self.inside.pop()

    def handle_data(self, data):
        if self.inside and self.inside[-1] != "kbd" and re.search(r"[A-Za-z]{2,}", data):
            self.found.add(" ".join(data.split()))


def test_the_labels_of_the_viewer_are_the_texts_of_its_html():
    texts = Texts()
    # HTML's elements without an end would stay open.
    texts.feed(re.sub(r"<input[^>]*>", "", (ROOT / "pages/parts/predict/viewer_files/viewer.html").read_text("utf-8")))

    assert texts.found == set(LABELS)
