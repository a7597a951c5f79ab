import sys

import pytest
from streamlit.testing.v1 import AppTest
from toy import audited
from toy.opened import ROOT, app, page

from pneumo.model_store import store
from pneumo.serving import audit


@pytest.fixture
def log(tmp_path, monkeypatch):
    """Write an audit log of the default model, and have the app use it."""
    monkeypatch.delenv("PNEUMO_SITE", raising=False)
    monkeypatch.setenv(audit.VARIABLE, str(tmp_path / "audit.jsonl"))
    sha256 = store.read_card(store.default_name()).sha256

    def write(*parts, model_sha256=sha256):
        lines = [{**line, "model_sha256": model_sha256} for part in parts for line in part]
        audited.write(tmp_path / "audit.jsonl", lines)

    return write


def test_films_like_the_first_ones_are_said_to_be(log):
    log(audited.entries(400))
    opened = page("drift")
    assert not opened.exception
    assert "The last 100 films are like the reference." in opened.success[0].value
    assert len(opened.dataframe[0].value) == 8
    assert opened.segmented_control(key="drift.reference").options[0] == "The first 200 films here"


def test_without_scipy_the_page_says_what_it_needs(log, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    log(audited.entries(400))
    opened = page("drift")
    assert not opened.exception
    assert "Install it with pip install scipy." in opened.error[0].value


def test_an_alarm_says_since_when_and_what_to_do(log):
    log(audited.entries(400), audited.entries(150, start=400, brightness=0.7))
    opened = page("drift")
    assert "The films have changed since number 4" in opened.error[0].value
    assert "Brightness. Ask whether a machine" in opened.error[0].value
    assert "▲ Alarm" in opened.dataframe[0].value["Alarm"].to_list()


def test_few_films_are_compared_with_the_validation_films(log):
    log(audited.entries(80, shift=3))
    opened = page("drift")
    assert opened.segmented_control(key="drift.reference").options == ["The model's validation films"]
    assert "PSI" in opened.error[0].value or "KS" in opened.error[0].value


@pytest.mark.parametrize(
    ("films", "words"), [(0, "holds no film yet"), (20, "Films are compared from 50 films on."), (None, "as it is now")]
)
def test_a_log_without_films_enough_says_so(log, films, words):
    if films is None:
        log(audited.entries(60), model_sha256="of other weights")
    elif films:
        log(audited.entries(films))
    assert words in page("drift").info[0].value


def test_without_a_log_there_is_nothing_in_the_menu_and_the_page_says_how(monkeypatch):
    monkeypatch.delenv(audit.VARIABLE, raising=False)
    # The app has no such page then, which a reader may have kept the address of.
    alone = AppTest.from_file(ROOT / "pages" / "drift.py").run()
    assert "Set PNEUMO_AUDIT" in alone.info[0].value


def test_the_menu_has_the_page_where_there_is_a_log(monkeypatch, tmp_path):
    monkeypatch.setattr("pneumo.model_store.store.SHIPPED", tmp_path)
    assert {name: "drift" in str(menu_of(name, monkeypatch, tmp_path)) for name in ("", "a.jsonl")} == {
        "": False,
        "a.jsonl": True,
    }


def menu_of(log, monkeypatch, folder):
    import streamlit as st

    seen = []
    navigation = st.navigation
    monkeypatch.setattr(st, "navigation", lambda pages, **options: seen.append(pages) or navigation(pages, **options))
    monkeypatch.setenv(audit.VARIABLE, str(folder / log) if log else "")
    app().run()
    return [page.url_path for pages in seen[0].values() for page in pages]
