"""Each test fails once Streamlit no longer does what `streamlit_internals` leans on, or needs no such help any more."""

import asyncio
import importlib
import logging
import socket
import sys
import tomllib
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import altair as alt
import pandas as pd
import pytest
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartParser
from streamlit import error_util, net_util
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import script_runner
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext
from streamlit.runtime.session_manager import SessionInfo
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.testing.v1 import AppTest
from streamlit.web.server import server_util
from streamlit.web.server.starlette import starlette_server

from pages.parts.shared import streamlit_internals

ROOT = Path(__file__).parents[2]


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


@pytest.mark.parametrize("is_asked", [False, True])
def test_a_connection_holds_small_messages_back_unless_the_server_sends_at_once(is_asked):
    async def sends_at_once():
        loop = asyncio.get_running_loop()
        if is_asked:
            streamlit_internals.send_at_once(loop)
        accepted = loop.create_future()

        class Protocol(asyncio.Protocol):
            def connection_made(self, transport):
                accepted.set_result(transport)

        with starlette_server._bind_socket("127.0.0.1", 0, 1) as listening:
            async with await loop.create_server(Protocol, sock=listening):
                _, writer = await asyncio.open_connection(*listening.getsockname())
                connection = (await accepted).get_extra_info("socket")
                option = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                writer.close()
        return bool(option)

    assert asyncio.run(sends_at_once()) == is_asked


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


def test_streamlit_logs_what_an_error_said_unless_it_is_kept_from_it(caplog, monkeypatch):
    log = logging.getLogger("streamlit.error_util")
    monkeypatch.setattr(log, "filters", [])
    monkeypatch.setattr(log, "propagate", True)
    monkeypatch.setattr(error_util.config, "get_option", lambda name: False)
    error_util.handle_user_script_exception(ValueError("Planted^Name"), lambda error: True)
    assert "Planted^Name" in caplog.text
    caplog.clear()

    streamlit_internals.keep_errors_out_of_the_log()
    error_util.handle_user_script_exception(ValueError("Planted^Name"), lambda error: True)

    assert caplog.text == ""
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))
    assert settings["logger"]["enableRich"] is False


def test_starlette_spools_a_large_upload_to_disk_unless_it_is_kept_from_it(monkeypatch):
    monkeypatch.setattr(MultiPartParser, "spool_max_size", 2**20)
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.dcm"\r\n\r\n'
        + bytes(2**21)
        + b"\r\n--x--\r\n"
    )
    headers = Headers({"content-type": "multipart/form-data; boundary=x"})

    async def parse() -> bool:
        async def sent():
            yield body

        form = await MultiPartParser(headers, sent()).parse()
        return form["file"].file._rolled

    def is_on_disk() -> bool:
        # Playwright may run a loop in the thread of the tests.
        with ThreadPoolExecutor() as threads:
            return threads.submit(asyncio.run, parse()).result()

    assert is_on_disk()

    streamlit_internals.keep_uploads_in_memory()

    assert not is_on_disk()


def test_streamlit_asks_the_internet_for_its_address_unless_it_is_kept_from_it(monkeypatch):
    asked = []
    monkeypatch.setattr(net_util, "_external_ip", None)
    monkeypatch.setattr(net_util, "get_external_ip", net_util.get_external_ip)
    monkeypatch.setattr(net_util, "get_internal_ip", net_util.get_internal_ip)
    # Another test may have run the app in this process.
    importlib.reload(net_util)
    monkeypatch.setattr(net_util, "_make_blocking_http_get", lambda url, timeout: asked.append(url))
    assert not server_util.is_url_from_allowed_origins("https://elsewhere.example")
    assert asked
    asked.clear()

    streamlit_internals.keep_server_to_itself()

    assert not server_util.is_url_from_allowed_origins("https://elsewhere.example")
    assert asked == []


def test_streamlit_keeps_a_closed_session_until_the_next_one_closes_unless_it_is_told_to_let_go(monkeypatch):
    now, shut = [0.0], []
    storage = MemorySessionStorage(ttl_seconds=120)
    monkeypatch.setattr(storage._cache, "_timer", lambda: now[0])
    info = SessionInfo(client=None, session=types.SimpleNamespace(id="a", shutdown=lambda: shut.append("a")))
    storage.save(info)

    now[0] = 119.0
    assert (streamlit_internals.shut_down_expired(storage), shut) == (0, [])

    now[0] = 121.0
    assert storage.get("a") is None and shut == []
    assert (streamlit_internals.shut_down_expired(storage), shut) == (1, ["a"])
