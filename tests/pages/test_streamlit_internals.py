"""Each test fails once Streamlit no longer does what `streamlit_internals` leans on, or needs no such help any more."""

import sys
import types

import altair as alt
import pandas as pd
import pytest
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import script_runner
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.testing.v1 import AppTest

from pages.parts.shared import streamlit_internals


@pytest.fixture
def as_the_server():
    """Nothing: here Streamlit is seen as it comes."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of an app with pages."""
    monkeypatch.setattr(PagesManager, "uses_pages_directory", None)
    (tmp_path / "pages").mkdir()
    return tmp_path


def test_a_server_takes_a_folder_named_pages_for_navigation_until_it_is_told_not_to(folder):
    PagesManager(str(folder / "app.py"))
    assert PagesManager.uses_pages_directory

    streamlit_internals.keep_pages_folder()
    PagesManager(str(folder / "app.py"))

    assert PagesManager.uses_pages_directory is False


def test_streamlit_tells_whether_the_reader_went_back():
    assert ScriptRunContext.__dataclass_fields__["is_history_navigation"].default is False
    assert not streamlit_internals.went_back()


def test_a_chart_is_drawn_as_it_is_and_not_checked(monkeypatch):
    chart = alt.Chart(pd.DataFrame({"x": [1]})).mark_point().encode(x="x:Q")
    asked = []
    draw = alt.Chart.to_dict
    monkeypatch.setattr(alt.Chart, "to_dict", lambda self, **how: asked.append(how) or draw(self, **how))

    def script(drawn):
        import streamlit as st

        st.altair_chart(drawn, key="it")

    app = AppTest.from_function(script, args=(streamlit_internals.checked(chart),)).run()

    assert not app.exception
    assert '"point"' in app.get("vega_lite_chart")[0].proto.spec
    assert asked == [{"validate": False}]


def test_streamlit_clears_keras_after_each_run_unless_it_is_kept(monkeypatch):
    cleared = []
    backend = types.SimpleNamespace(clear_session=lambda free_memory=True: cleared.append(True))
    monkeypatch.setitem(sys.modules, "keras", types.SimpleNamespace(backend=backend))
    script_runner._clean_problem_modules()
    assert cleared == [True]

    streamlit_internals.keep_keras()
    script_runner._clean_problem_modules()

    assert cleared == [True]


def test_streamlit_frees_an_upload_by_the_name_that_its_list_knows():
    manager = MemoryUploadedFileManager("/upload")
    manager.add_file("session", UploadedFileRec("film", "a.png", "image/png", b"film"))

    manager.remove_file("session", "film")

    assert manager.get_files("session", ["film"]) == []
    assert "uploaded_file_mgr" in ScriptRunContext.__dataclass_fields__
