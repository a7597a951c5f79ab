"""What pneumo needs of Streamlit that Streamlit's public functions do not give; seen in 1.67.

Each function says what it leans on, and tests/pages/test_streamlit_internals.py has a test of each that fails once
Streamlit does it in another way. `st.App` is no such thing, but a surprise: the server imports streamlit_app.py to find
the app, and each visit runs it again as its main script.
"""

import sys
from typing import Any, cast

import altair as alt
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx


def keep_pages_folder() -> None:
    """Tell Streamlit that a folder named ``pages`` does not make its scripts pages of the old kind.

    Until `st.navigation` is called for the first time in a server, a link to a page would run the page alone, without
    streamlit_app.py. The server imports streamlit_app.py before the first visit.
    """
    PagesManager.uses_pages_directory = False


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
