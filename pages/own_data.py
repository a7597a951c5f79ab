"""Look through a dataset of the reader's own before it is trained on, or fetch the published one at her click."""

from pathlib import Path

import streamlit as st

from pages.parts.data import calibrate, own_films
from pages.parts.shared import public, source
from pages.parts.shared.plain import plain
from pneumo.datasets import checks, download, medmnist
from pneumo.datasets.checks import Check, Problem
from pneumo.errors import DatasetError
from pneumo.labels import CLASSES
from pneumo.sentences import visible

# In pixels; six fit beside each other on a desktop, two on a telephone.
PICTURE_WIDTH = 165
PICTURES = 6
READING = "Reading the films…"
KAGGLE = "The films in full size, from Kaggle (2.3 GB)"
SMALL = {f"PneumoniaMNIST, {side} × {side} pixels, from Zenodo": side for side in download.MEDMNIST}


def look_through(typed: str) -> None:
    """Check a dataset and keep what was found for this session."""
    bar = st.progress(0.0, READING)

    def tell(done: int, total: int) -> None:
        bar.progress(checks.share_read(done, total), READING)

    try:
        path = Path(typed.strip()).expanduser()
        found = checks.check(path, tell)
        st.session_state["own_data.checked"] = found
    except (DatasetError, RuntimeError) as error:
        st.session_state.pop("own_data.checked", None)
        st.error(plain(error), icon=":material/error:")
    bar.empty()


def show_problem(problem: Problem) -> None:
    """Show one thing that is wrong, what to do, and the films that it concerns."""
    show = st.error if problem.severity == "error" else st.warning
    show(f"{plain(problem.message)} {plain(problem.remedy)}", icon=f":material/{problem.severity}:")
    if problem.files:
        with st.expander(f"Files ({problem.listed})", icon=":material/list:"):
            st.code("\n".join(map(visible, problem.files)), language=None)


def show_check(found: Check) -> None:
    """Show what was found in a dataset, and where to go from here."""
    st.subheader(f"{found.films:,} films in {plain(found.root.name)}")
    if found.is_sound:
        st.success("Nothing here stands in the way of training and measuring.", icon=":material/check_circle:")
    for problem in found.problems:
        show_problem(problem)
    st.dataframe(checks.readable_counts(found), hide_index=True, key="own_data.counts")
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
        st.write(plain(error))
        return
    for label, title in enumerate(CLASSES.values()):
        st.caption(title)
        with st.container(horizontal=True):
            for number, picture in enumerate(medmnist.first(pictures, label, PICTURES), start=1):
                st.image(picture, width=PICTURE_WIDTH, alt=f"{title}, picture {number}")


def fetch(source: str, out: Path) -> None:
    """Fetch a dataset, telling how far it is, and put its folder into the box above."""
    bar = st.progress(0.0, "Fetching…")

    def tell(sentence: str) -> None:
        bar.progress(0.0, sentence)

    def tell_share(share: float) -> None:
        bar.progress(share, f"Fetching: {share:.0%}")

    try:
        if source == KAGGLE:
            path = download.fetch_kaggle(progress=tell)
        else:
            path = download.fetch_medmnist(SMALL[source], out, progress=tell_share)
        st.session_state["own_data.fetched"] = str(path)
        st.success(f"The dataset is in {plain(path)}.", icon=":material/check_circle:")
    except DatasetError as error:
        st.error(plain(error), icon=":material/error:")
    bar.empty()


def use_fetched() -> None:
    """Put what was fetched into the box of the check."""
    st.session_state["own_data.path"] = st.session_state["own_data.fetched"]


st.title("Check your data")
st.write(
    "Point to films of your own in the Kaggle layout, or to a PneumoniaMNIST file. The check reads every film on this "
    "machine and tells what is missing, corrupt, twice there, or shared between splits, and what to do."
)
if public.is_public():
    st.write(
        "This server is open to others, so its visitors can neither check nor fetch films. Install pneumo on a machine "
        "of your own: this page does both there, and so do `python -m pneumo data check` "
        "and `python -m pneumo data download`."
    )
    st.stop()
typed = st.text_input(
    "Folder or .npz file",
    key="own_data.path",
    persist_state="session",
    max_chars=1000,
    placeholder="/path/to/chest_xray or /path/to/pneumoniamnist_224.npz",
    help="A folder that holds train and test, each with NORMAL and PNEUMONIA.",
)
if st.button("Check", icon=":material/fact_check:", type="primary", key="own_data.check"):
    if typed.strip():
        look_through(typed)
    else:
        st.warning("Type the name of a folder or of a .npz file first.", icon=":material/edit:")
if found := st.session_state.get("own_data.checked"):
    show_check(found)
st.caption("`python -m pneumo data check DIR` does the same on the command line, and with `--json` for machines.")

calibrate.show()

st.subheader("Fetch the published films")
st.write(
    "Nothing is fetched until you click. All are of Kermany et al., *Cell* 2018, under CC BY 4.0; PneumoniaMNIST "
    "holds the same films made small and cut to their middle square, without the names that tell the patients."
)
wanted = st.selectbox("What to fetch", [KAGGLE, *SMALL], key="own_data.source", width=420)
out = ""
if wanted == KAGGLE:
    st.caption(
        f"kagglehub puts the films into {download.folder()}, where notebooks on this machine find them too, "
        "and goes on where an earlier try ended."
    )
else:
    out = st.text_input("Put it into", "data", key="own_data.out", persist_state="session", max_chars=1000, width=420)
if st.button("Fetch", icon=":material/download:", key="own_data.fetch"):
    fetch(wanted, Path(out.strip() or "data").expanduser())
if "own_data.fetched" in st.session_state:
    st.button("Check what was fetched", icon=":material/fact_check:", key="own_data.use_fetched", on_click=use_fetched)
st.caption(
    "Files from Zenodo are compared with their published hash. Kaggle publishes none: kagglehub compares the archive "
    "with the one that the server sends along, and then the films are counted. "
    "Train on a folder with `python -m pneumo train mobilenetv2 --data DIR`."
)
source.show("own_data")
