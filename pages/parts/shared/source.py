"""Where the code of a page can be read."""

import os

import streamlit as st


def show(page: str) -> None:
    """Name the file of a page; with ``PNEUMO_CODE``, the address of the repository's files, it is a link.

    Args:
        page: its name, as of the file.
    """
    file, address = f"pages/{page}.py", os.environ.get("PNEUMO_CODE", "").strip().rstrip("/")
    st.caption(f"Code of this page: [`{file}`]({address}/{file})" if address else f"Code of this page: `{file}`")
