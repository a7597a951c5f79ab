"""Whether the server is open to others, who must not name its folders nor keep it busy."""

import os

import streamlit as st

HERE = ("localhost", "127.0.0.1", "::1")


def is_public() -> bool:
    """Return whether visitors may be strangers.

    ``PNEUMO_PUBLIC``, 1 or 0, says so; without it, a server that listens to more than its own machine is public.
    """
    asked = os.environ.get("PNEUMO_PUBLIC", "").strip()
    return asked != "0" if asked else st.get_option("server.address") not in HERE
