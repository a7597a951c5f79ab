"""Show what the data set holds: its films, counts, sizes and grey values, and how it is split by patient."""

from pathlib import Path

import streamlit as st

from pages.parts import data_folder, first_visit
from pneumo import dataset, dataset_charts, dataset_tables
from pneumo.dataset_tables import SIZES, SPLITS

first_visit.ensure_navigation(Path(__file__))

st.title("Dataset")
st.write(
    "Chest radiographs of children from one to five years, with and without pneumonia, that the models learn from."
)

data = data_folder.ask()
summary = data_folder.figures(data)
if summary is None:
    st.stop()
st.caption(
    f"All figures are of the {len(data.films):,} films in {data.root}."
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
