"""The app: ``streamlit run streamlit_app.py``."""

import asyncio
import importlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import streamlit as st

from pages.parts.predict import readiness
from pages.parts.shared import address, faults, language, sign_in, streamlit_internals, style
from pages.parts.shared.language import _
from pneumo.serving import audit
from pneumo.serving.memory import give_back_freed

# What most pages need and what takes long to load, the first page's ahead. SciPy, which few pages need, takes 60 MB.
LIBRARIES = (
    *("pandas", "pneumo.inference.reading", "pneumo.model_store.onnx_graph", "onnxruntime"),
    *("altair", "pyarrow", "pneumo.results.leaderboard"),
)


def load_libraries() -> None:
    """Load what the first visitor would wait for; what is not installed is not needed."""
    for name in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)


@asynccontextmanager
async def start(_app: st.App) -> AsyncIterator[None]:
    """Load libraries while the first browser fetches Streamlit's programs, and free what visitors leave behind."""
    give_back_freed()
    streamlit_internals.send_at_once(asyncio.get_running_loop())
    threading.Thread(target=load_libraries, daemon=True).start()
    freeing = asyncio.create_task(streamlit_internals.free_closed_sessions())
    yield
    freeing.cancel()


streamlit_internals.keep_pages_folder()
streamlit_internals.keep_errors_out_of_the_log()
streamlit_internals.keep_uploads_in_memory()
streamlit_internals.keep_server_to_itself()
app = st.App(__file__, lifespan=start, routes=[readiness.route], on_script_error=faults.tell)

# The server imports this file to find the app; each visit runs it as its main script.
if __name__ == "__main__":
    # Before the pages: else a browser would fetch the icon of the page from Google.
    st.set_page_config(page_icon="docs/icon.png", layout="wide")
    page = st.navigation(
        {
            "": [st.Page("pages/predict.py", title=_("Predict"), icon=":material/radiology:", default=True)],
            _("Models"): [
                st.Page("pages/leaderboard.py", title=_("Leaderboard"), icon=":material/leaderboard:"),
                st.Page("pages/compare.py", title=_("Compare"), icon=":material/compare_arrows:"),
                st.Page("pages/clinic.py", title=_("At your clinic"), icon=":material/local_hospital:"),
                st.Page("pages/failures.py", title=_("Mistakes"), icon=":material/error_med:"),
                st.Page("pages/model_card.py", title=_("Model card"), icon=":material/description:"),
            ],
            _("Dataset"): [
                st.Page("pages/dataset.py", title=_("Dataset"), icon=":material/dataset:"),
                st.Page("pages/leaks.py", title=_("Shortcuts in the data"), icon=":material/troubleshoot:"),
                st.Page("pages/gallery.py", title=_("Gallery"), icon=":material/photo_library:"),
                st.Page("pages/augmentation.py", title=_("Augmentation"), icon=":material/transform:"),
                st.Page("pages/own_data.py", title=_("Check your data"), icon=":material/drive_folder_upload:"),
            ],
            **(
                {_("Operation"): [st.Page("pages/drift.py", title=_("Drift"), icon=":material/monitoring:")]}
                if audit.configured()
                else {}
            ),
        },
        position="top",
    )
    st.set_page_config(page_title=f"{page.title} · pneumo")
    style.style_app(_("Menu"))
    language.mark_page(language.current())
    language.stay_in_address()
    sign_in.require()
    address.arrive(page.url_path)
    try:
        page.run()
    finally:
        streamlit_internals.keep_keras()
