"""Show what the data set holds: its films, counts, sizes and grey values, and how it is split by patient."""

from pathlib import Path

import numpy as np
import streamlit as st

from pneumo import dataset, dataset_charts, dataset_summary, dataset_tables, film_gallery, samples
from pneumo.dataset_summary import Summary
from pneumo.dataset_tables import KINDS, SIZES, SPLITS
from pneumo.errors import DatasetError, ImageError
from pneumo.film_gallery import OpenDataset
from pneumo.film_statistics import PICTURES, full_contrast

# In pixels; six fit beside each other on a desktop, two on a telephone.
PICTURE_WIDTH = 165
FILMS_SHOWN = 12


@st.cache_resource(show_spinner="Reading every film once; full-size films take a minute or two…", max_entries=2)
def opened(root: Path, state: str, _shipped: Summary | None) -> OpenDataset:
    """Keep a data set's figures until films are added or removed, which changes ``state``."""
    return film_gallery.open_dataset(root, _shipped)


@st.cache_data(show_spinner=False, max_entries=500)
def thumbnail(path: Path, changed: int) -> np.ndarray:
    """Keep the small picture of a film until its file changes."""
    return film_gallery.thumbnail(path)


def show_picture(path: Path, caption: str) -> None:
    """Show a film, or the sentence that says why it cannot be shown."""
    try:
        st.image(thumbnail(path, path.stat().st_mtime_ns), caption, width=PICTURE_WIDTH)
    except (ImageError, OSError) as error:
        st.caption(str(error), width=PICTURE_WIDTH)


@st.fragment
def show_films(data: OpenDataset) -> None:
    """Show films of the split and the kind that the reader chooses."""
    controls = st.container(horizontal=True, vertical_alignment="bottom")
    present = [split for split in SPLITS if split in set(data.films["split"])]
    split = controls.segmented_control(
        "Split", present, default=present[0], required=True, format_func=lambda each: SPLITS[each], key="split"
    )
    kind = controls.selectbox("Kind", list(KINDS.values()), key="kind", width=240)
    draw = st.session_state.setdefault("draw", 0)
    if controls.button("Other films", icon=":material/shuffle:", key="shuffle"):
        draw = st.session_state["draw"] = draw + 1
    films = film_gallery.draw_films(data.films, split, kind, FILMS_SHOWN, seed=draw)
    if films.empty:
        st.caption("There is no such film in this split.")
    with st.container(horizontal=True):
        for file in films["file"]:
            show_picture(data.root / file, Path(file).name)


def show_composites() -> None:
    """Show the composite radiographs that come with pneumo."""
    try:
        composites = samples.load_samples()
    except DatasetError as error:
        st.caption(str(error))
        return
    with st.container(horizontal=True):
        for sample in composites:
            if sample.path.suffix == ".png":
                caption = f"{sample.title}: composite of {sample.composite_of} films of different patients"
                show_picture(sample.path, caption)
    st.caption("A composite shows what films of a kind share and no single child; real films need the data set.")


# The first visit to a fresh server may be a link to this page: Streamlit then runs it without streamlit_app.py, as a
# page of the old kind, until it meets st.navigation.
if "navigated" not in st.session_state:
    st.session_state.navigated = True
    st.navigation([st.Page(Path(__file__).with_name("predict.py"), default=True), st.Page(__file__)])
    st.rerun()

st.title("Dataset")
st.write(
    "Chest radiographs of children from one to five years, with and without pneumonia, that the models learn from."
)

folder = st.text_input(
    "Data set folder",
    str(dataset.default_folder() or ""),
    key="data_folder",
    max_chars=1000,
    placeholder="/path/to/chest_xray",
    help="The folder that holds train, val and test. Its films stay on this machine. `PNEUMO_DATA` presets it.",
)
data: OpenDataset | None = None
summary: Summary | None = None
try:
    summary = dataset_summary.load(samples.FOLDER)
except DatasetError as error:
    st.caption(f":material/warning: {error}")
if folder.strip():
    try:
        root = film_gallery.locate(folder)
        data = opened(root, film_gallery.state(root), summary)
        summary = data.summary
    except DatasetError as error:
        st.caption(f":material/warning: {error}")
if summary is None:
    st.stop()
st.caption(
    f"All figures and pictures are of the {len(data.films):,} films in {data.root}."
    if data
    else "The figures come with pneumo, computed from the whole data set; name its folder to see your own copy."
)

st.subheader("Counts")
counts = dataset_tables.class_counts(summary.counts)
st.altair_chart(
    dataset_charts.class_bars(counts, list(SPLITS.values())), key="counts", alt="The table has the figures."
)
st.dataframe(dataset_tables.readable_counts(summary.counts), hide_index=True, key="counts_table")
st.caption("The share of pneumonia differs between the splits, so a probability learned from one is off on another.")

st.subheader("Films")
if data:
    show_films(data)
else:
    show_composites()

st.subheader("Mean and spread")
for figure, title in {"mean": "Mean of the training films", "std": "Standard deviation, full contrast"}.items():
    st.caption(title)
    with st.container(horizontal=True):
        for kind in PICTURES:
            if (name := f"{figure}_{kind}") in summary.pictures:
                pixels = summary.pictures[name]
                shown = pixels if figure == "mean" else full_contrast(pixels)
                st.image(shown, kind.capitalize(), width=PICTURE_WIDTH)
if not summary.pictures:
    st.caption("There are too few training films for pictures that show no single child.")
st.caption(
    "Bright areas of the standard deviation differ most from film to film: the outlines of lungs and diaphragm, which "
    "lie elsewhere in each child, and the edges of the film."
)

st.subheader("Sizes")
for place, (quantity, title) in zip(st.columns(len(SIZES)), SIZES.items(), strict=True):
    shares = dataset_tables.size_shares(summary.sizes, quantity)
    place.altair_chart(dataset_charts.size_histogram(shares, title), key=f"size_{quantity}")
st.caption(dataset_tables.size_leak(summary.size_quartiles, summary.sizes_from))

st.subheader("Grey values")
shares = dataset_tables.intensity_shares(summary.intensity)
st.altair_chart(dataset_charts.intensity_lines(shares, list(SPLITS.values())), key="intensity")
st.caption("Where the lines of a class differ between splits, films were exposed or exported differently.")

st.subheader("How the split and patient keys work")
shares = dataset_tables.films_per_patient(summary.films_per_patient)
st.altair_chart(dataset_charts.films_per_patient_bars(shares), key="films_per_patient")
st.write(
    "Films of one child resemble each other, so a child must not stand on both sides of a split. The file name tells "
    "the child; person numbers are reused, so a number with *bacteria* and the same with *virus* are two children."
)
st.dataframe(dataset_tables.key_examples(), hide_index=True, key="key_examples")
st.write(
    f"{summary.identical_films:,} files in {summary.identical_groups:,} groups are identical to the byte; the children "
    "of such a group count as one. For validation, each series of film numbers is cut into "
    f"{dataset.BLOCKS} contiguous blocks, and {dataset.BLOCKS // dataset.FOLDS} of them are held out: neighbouring "
    "numbers were taken at neighbouring times, so whole blocks are a truer trial than children drawn at random."
)
if summary.development.empty:
    st.caption("This data set is too small to be divided in this way.")
else:
    st.dataframe(dataset_tables.readable_development(summary.development), hide_index=True, key="development")
    st.caption(
        "The official training and validation films, divided anew. No patient stands in two splits: pneumo checks."
    )

st.subheader("Source and licence")
st.write(
    f"{summary.source['title']}. {summary.source['citation']}. "
    f"[doi:{summary.source['doi']}](https://doi.org/{summary.source['doi']}). Licence: {summary.source['licence']}."
)
