"""Signing in at the provider of the hospital (OpenID Connect), where ``secrets.toml`` of the server has ``[auth]``."""

import importlib.util
from pathlib import Path

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from pages.parts.shared.language import _

# Of the package that Streamlit needs for it.
PACKAGE, INSTALL = "authlib", "pip install 'pneumo[sign-in]'"


def require() -> None:
    """Show a button to sign in, and nothing else, until the user has; nothing where no sign-in is set up."""
    try:
        is_set_up = any(Path(file).is_file() for file in st.get_option("secrets.files")) and "auth" in st.secrets
    except StreamlitSecretNotFoundError:
        # Streamlit itself would go on as if there were no such file, and let everyone in.
        _refuse("The file secrets.toml cannot be read, so nobody is let in. Correct it, then start pneumo again.")
    if not is_set_up:
        return
    if importlib.util.find_spec(PACKAGE) is None:
        _refuse(f"Nobody can sign in, for a package is missing ({PACKAGE}). Install it with `{INSTALL}`.")
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        if st.user.is_logged_in:
            st.text(str(st.user.get("name") or st.user.get("email") or ""))
            st.button(_("Sign out"), icon=":material/logout:", key="shared.sign_out", on_click=st.logout)
            return
    st.markdown(f"### {_('Sign in to use pneumo.')}")
    st.button(_("Sign in"), icon=":material/login:", key="shared.sign_in", type="primary", on_click=st.login)
    st.stop()


def _refuse(why: str) -> None:
    st.error(why)
    st.stop()
