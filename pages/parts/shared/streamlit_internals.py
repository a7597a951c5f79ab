"""What pneumo needs of Streamlit that Streamlit's public functions do not give; seen in 1.67.

Each function says what it leans on, and tests/pages/test_streamlit_internals.py has a test of each that fails once
Streamlit does it in another way. `st.App` is no such thing, but a surprise: the server imports streamlit_app.py to find
the app, and each visit runs it again as its main script.
"""

import asyncio
import gc
import logging
import socket
import sys
from typing import Any, cast

import altair as alt
from starlette.formparsers import MultiPartParser
from streamlit import net_util, runtime
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

# Of time in which nobody visits; what a visit holds is freed so much later at most.
SECONDS_BETWEEN_LOOKS = 5


def keep_pages_folder() -> None:
    """Tell Streamlit that a folder named ``pages`` does not make its scripts pages of the old kind.

    Until `st.navigation` is called for the first time in a server, a link to a page would run the page alone, without
    streamlit_app.py. The server imports streamlit_app.py before the first visit.
    """
    PagesManager.uses_pages_directory = False


def keep_errors_out_of_the_log() -> None:
    """Keep Streamlit from logging what an error on a page said, which may name a film; `faults.tell` logs the rest.

    Streamlit logs an uncaught error as a whole before it asks the ``on_script_error`` of `st.App`.
    """
    logging.getLogger("streamlit.error_util").addFilter(_is_no_error_of_a_page)


def _is_no_error_of_a_page(record: logging.LogRecord) -> bool:
    return record.getMessage() != "Uncaught app execution"


def keep_uploads_in_memory() -> None:
    """Keep Streamlit from putting uploads of more than a mebibyte into temporary files while they arrive.

    Streamlit bounds the body of an upload by ``server.maxUploadSize``, and leaves it to Starlette to take it apart.
    """
    MultiPartParser.spool_max_size = sys.maxsize


def keep_server_to_itself() -> None:
    """Keep Streamlit from asking the internet for the address of its server.

    It does so when a page of another origin connects, for that could be the server under another name.
    """
    net_util.get_external_ip = net_util.get_internal_ip = lambda: None


def send_at_once(loop: asyncio.AbstractEventLoop) -> None:
    """Have the server send each message the moment that it is written; before it begins to listen.

    Streamlit makes the socket of its server so that asyncio does not know it for one of TCP, and leaves Nagle's
    algorithm on: what follows a small message would wait for 40 ms until the browser has confirmed that. Connections
    inherit the option.
    """
    create = loop.create_server

    async def create_server(*args: Any, sock: socket.socket | None = None, **options: Any) -> asyncio.Server:
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return await create(*args, sock=sock, **options)

    loop.create_server = create_server  # type: ignore[method-assign]


async def free_closed_sessions() -> None:
    """Free what a closed session held once Streamlit no longer keeps it for a reader who comes back.

    Streamlit drops such a session when the next one closes, and not before: the films of the last visitor of a day
    would stay in memory all night.
    """
    was_freed = False
    while True:
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        server = runtime.get_instance()
        if was_freed:
            # What could be downloaded is only marked at the first time, and goes at the second.
            server.media_file_mgr.remove_orphaned_files()
        was_freed = bool(shut_down_expired(server._session_mgr._session_storage))  # type: ignore[attr-defined]
        if was_freed:
            # A session and its films hold each other in circles, and the app collects none after a run of a page.
            gc.collect()


def shut_down_expired(storage: MemorySessionStorage) -> int:
    """Shut down the sessions that are kept no longer, and return how many there were."""
    expired = storage._cache.expire()  # type: ignore[attr-defined]
    for _, info in expired:
        info.session.shutdown()
    return len(expired)


def went_back() -> bool:
    """Return whether the reader came to this run by the browser's Back or Forward, so that the address counts."""
    return bool(getattr(get_script_run_ctx(), "is_history_navigation", False))


class _Checked:
    """A chart that is not held against the Vega-Lite schema again, which takes half the time of a page of charts."""

    def __init__(self, chart: alt.TopLevelMixin) -> None:
        self._chart = chart

    def to_dict(self) -> dict[str, Any]:
        return self._chart.to_dict(validate=False)


def checked(chart: alt.TopLevelMixin) -> alt.Chart:
    """Return what `st.altair_chart` takes for a chart; it asks it for nothing but ``to_dict()``."""
    return cast(alt.Chart, _Checked(chart))


def keep_keras() -> None:
    """Let the models of Keras, where a page has imported it, stay fast from one run of a page to the next.

    Streamlit calls ``keras.backend.clear_session()`` after each run of each page. It would throw away the compiled
    kernels of the models that all sessions share, and the next heat map would wait half a second for them.
    """
    if "keras" in sys.modules:
        sys.modules["keras"].backend.clear_session = lambda free_memory=True: None


def session_id() -> str:
    """Return what tells this session from others on the same server; empty outside of a session."""
    context = get_script_run_ctx()
    return context.session_id if context else ""


def free_upload(identity: str) -> None:
    """Free the bytes of an upload, which Streamlit keeps for as long as the uploader lists it.

    ``st.chat_input`` does the same with the files of a message that was sent.
    """
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(context.session_id, identity)
