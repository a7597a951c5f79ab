"""Look through a dataset of the reader's own before it is trained on, or fetch the published one at her click."""

from pathlib import Path

import streamlit as st

from pages.parts.data import calibrate, own_films
from pages.parts.shared import public, source
from pages.parts.shared.language import _, head, told, told_table
from pages.parts.shared.plain import plain
from pneumo.datasets import checks, download, medmnist
from pneumo.datasets.checks import Check, Problem
from pneumo.errors import DatasetError, PackageError
from pneumo.labels import CLASSES
from pneumo.sentences import say, visible

# In pixels; six fit beside each other on a desktop, two on a telephone.
PICTURE_WIDTH = 165
PICTURES = 6
KAGGLE = "kaggle"
SOURCES = {KAGGLE: say("The films in full size, from Kaggle (2.3 GB)")} | {
    str(side): say("PneumoniaMNIST, {side} × {side} pixels, from Zenodo", side=side) for side in download.MEDMNIST
}


def look_through(typed: str) -> None:
    """Check a dataset and keep what was found for this session."""
    bar, tell = own_films.progress_bar(_("Reading the films…"))
    try:
        path = Path(typed.strip()).expanduser()
        found = checks.check(path, tell)
        st.session_state["own_data.checked"] = found
    except (DatasetError, RuntimeError) as error:
        st.session_state.pop("own_data.checked", None)
        st.error(plain(told(str(error))), icon=":material/error:")
    bar.empty()


def show_problem(problem: Problem) -> None:
    """Show one thing that is wrong, what to do, and the films that it concerns."""
    show = st.error if problem.severity == "error" else st.warning
    show(f"{plain(told(problem.message))} {plain(told(problem.remedy))}", icon=f":material/{problem.severity}:")
    if problem.files:
        with st.expander(_("Files ({listed})", listed=problem.listed), icon=":material/list:"):
            st.code("\n".join(map(visible, problem.files)), language=None)


def show_check(found: Check) -> None:
    """Show what was found in a dataset, and where to go from here."""
    st.subheader(_("{films:,} films in {name}", films=found.films, name=plain(found.root.name)))
    if found.is_sound:
        st.success(_("Nothing here stands in the way of training and measuring."), icon=":material/check_circle:")
    for problem in found.problems:
        show_problem(problem)
    st.dataframe(told_table(checks.readable_counts(found)), hide_index=True, key="own_data.counts")
    if medmnist.is_file_of(found.root):
        show_pictures(found.root)
        own_films.unpack(found.root)
    else:
        own_films.leaf_through(found.root)
    own_films.measure(found)


def show_pictures(path: Path) -> None:
    """Show a few pictures of each class of a MedMNIST file."""
    try:
        pictures = medmnist.read(path)
    except DatasetError as error:
        st.write(plain(told(str(error))))
        return
    for label, title in enumerate(CLASSES.values()):
        st.caption(told(title))
        with st.container(horizontal=True):
            for number, picture in enumerate(medmnist.first(pictures, label, PICTURES), start=1):
                st.image(picture, width=PICTURE_WIDTH, alt=_("{title}, picture {number}", title=title, number=number))


def fetch(source: str, out: Path) -> None:
    """Fetch a dataset, telling how far it is, and put its folder into the box above."""
    bar = st.progress(0.0, "Fetching…")

    def tell(sentence: str) -> None:
        bar.progress(0.0, told(sentence))

    def tell_share(share: float) -> None:
        bar.progress(share, _("Fetching: {share:.0%}", share=share))

    try:
        if source == KAGGLE:
            path = download.fetch_kaggle(progress=tell)
        else:
            path = download.fetch_medmnist(int(source), out, progress=tell_share)
        st.session_state["own_data.fetched"] = str(path)
        st.success(_("The dataset is in {path}.", path=plain(path)), icon=":material/check_circle:")
    except (DatasetError, PackageError) as error:
        st.error(plain(told(str(error))), icon=":material/error:")
    bar.empty()


def use_fetched() -> None:
    """Put what was fetched into the box of the check."""
    st.session_state["own_data.path"] = st.session_state["own_data.fetched"]


head(_("Check your data"))
st.write(
    _(
        "Point to films of your own in the Kaggle layout, or to a PneumoniaMNIST file. The check "
        "reads every film on this machine and tells what is missing, corrupt, twice there, or "
        "shared between splits, and what to do."
    )
)
if public.is_public():
    st.write(
        _(
            "This server is open to others, so its visitors can neither check nor fetch films. "
            "Install pneumo on a machine of your own: this page does both there, and so do `python "
            "-m pneumo data check` and `python -m pneumo data download`."
        )
    )
    st.stop()
typed = st.text_input(
    _("Folder or .npz file"),
    key="own_data.path",
    persist_state="session",
    max_chars=1000,
    placeholder="/path/to/chest_xray, /path/to/pneumoniamnist_224.npz",
    help=_("A folder that holds train and test, each with NORMAL and PNEUMONIA."),
)
if st.button(_("Check"), icon=":material/fact_check:", type="primary", key="own_data.check"):
    if typed.strip():
        look_through(typed)
    else:
        st.warning(_("Type the name of a folder or of a .npz file first."), icon=":material/edit:")
if found := st.session_state.get("own_data.checked"):
    show_check(found)
st.caption(_("`python -m pneumo data check DIR` does the same on the command line, and with `--json` for machines."))

calibrate.show()

st.subheader(_("Fetch the published films"))
st.write(
    _(
        "Nothing is fetched until you click. All are of Kermany et al., *Cell* 2018, under CC BY "
        "4.0; PneumoniaMNIST holds the same films made small and cut to their middle square, "
        "without the names that tell the patients."
    )
)
wanted = st.selectbox(
    _("What to fetch"),
    list(SOURCES),
    format_func={each: told(title) for each, title in SOURCES.items()}.__getitem__,
    key="own_data.source",
    width=420,
)
out = ""
if wanted == KAGGLE:
    try:
        st.caption(
            _(
                "kagglehub puts the films into {folder}, where notebooks on this machine find them too, "
                "and goes on where an earlier try ended.",
                folder=download.folder(),
            )
        )
    except PackageError as error:
        st.caption(plain(told(str(error))))
else:
    out = st.text_input(
        _("Put it into"), "data", key="own_data.out", persist_state="session", max_chars=1000, width=420
    )
if st.button(_("Fetch"), icon=":material/download:", key="own_data.fetch"):
    fetch(wanted, Path(out.strip() or "data").expanduser())
if "own_data.fetched" in st.session_state:
    st.button(
        _("Check what was fetched"), icon=":material/fact_check:", key="own_data.use_fetched", on_click=use_fetched
    )
st.caption(
    _(
        "Files from Zenodo are compared with their published hash. Kaggle publishes none: "
        "kagglehub compares the archive with the one that the server sends along, and then the "
        "films are counted. Train on a folder with `python -m pneumo train mobilenetv2 --data "
        "DIR`."
    )
)
source.show("own_data")
