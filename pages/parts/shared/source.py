"""Where the code of a page can be read."""

import os

import streamlit as st

from pages.parts.shared.language import _, current
from pneumo.language import ENGLISH


def show(page: str) -> None:
    """Name the file of a page; with ``PNEUMO_CODE``, the address of the repository's files, it is a link.

    Args:
        page: its name, as of the file.
    """
    file, address = f"pages/{page}.py", os.environ.get("PNEUMO_CODE", "").strip().rstrip("/")
    link = f"[`{file}`]({address}/{file})" if address else f"`{file}`"
    st.caption(_("Code of this page: {link}", link=link))
    if current() is not ENGLISH:
        st.caption(_("This page was translated from English. No clinician who speaks the language has checked it."))
