"""Real films for a machine without a dataset: PneumoniaMNIST, fetched at a click and written as films."""

from pathlib import Path

import streamlit as st

from pages.parts.shared.language import _, told
from pages.parts.shared.plain import plain
from pneumo.datasets import checks, download, kaggle, medmnist
from pneumo.errors import DatasetError, PackageError

FETCHED = "shared.fetched"
FOLDER = Path("data")
FILMS = sum(kaggle.PUBLISHED_FILMS.values())


def offer() -> None:
    """Offer to fetch the films; once they are here, the page runs anew, and `taken` names their folder."""
    with st.expander(_("No dataset here? Fetch real films"), icon=":material/download:", key="shared.fetch_films"):
        st.caption(
            _(
                "PneumoniaMNIST: the same films made small, from Zenodo, under CC BY 4.0. Nothing is fetched until you "
                "click. They are put into {folder}.",
                folder=plain(FOLDER.absolute()),
            )
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            sizes = {side: size(side) for side in sorted(download.MEDMNIST, reverse=True)}
            side = st.selectbox(
                _("Size of the films"),
                list(sizes),
                format_func=sizes.__getitem__,
                key="shared.fetch_side",
                width=340,
            )
            is_asked = st.button(_("Fetch"), icon=":material/download:", key="shared.fetch")
        if is_asked and (root := fetch(side, FOLDER)):
            st.session_state[FETCHED] = str(root)
            st.rerun()


def size(side: int) -> str:
    """Name a size by its pixels and by the most megabytes that come: what is packed is smaller."""
    megabytes = max(1, round(FILMS * side**2 / 1e6))
    return _("{side} × {side} pixels, at most {megabytes} MB", side=side, megabytes=megabytes)


def fetch(side: int, out: Path) -> Path | None:
    """Fetch a file of films and write them into a folder, telling how far it is; None, with a sentence, on failure."""
    bar = st.progress(0.0, _("Fetching: {share:.0%}", share=0))

    def tell_share(share: float) -> None:
        bar.progress(share, _("Fetching: {share:.0%}", share=share))

    def tell(done: int, total: int) -> None:
        bar.progress(checks.share_read(done, total), _("Writing the films…"))

    try:
        path = download.fetch_medmnist(side, out, progress=tell_share)
        root = out / path.stem
        return root if root.is_dir() else medmnist.unpack(path, out, tell)
    except (DatasetError, PackageError) as error:
        st.error(plain(told(str(error))), icon=":material/error:")
        return None
    finally:
        bar.empty()


def taken() -> str | None:
    """Return the folder of the films that were fetched just now, once."""
    folder = st.session_state.pop(FETCHED, None)
    return str(folder) if folder else None
