"""Show what the dataset holds: its films and patients, copies, where its labels come from, and how it is split."""

import pandas as pd
import streamlit as st

from pages.parts.charts import dataset
from pages.parts.data import data_folder
from pages.parts.data.catalogue import Catalogue
from pages.parts.shared import address, chart_with_table, source
from pages.parts.shared.language import _, head, told, told_table, warn_of
from pages.parts.shared.plain import plain
from pneumo.datasets import kaggle
from pneumo.datasets import summary as data_summary
from pneumo.datasets.summary import Summary
from pneumo.labels import OFFICIAL_SPLITS


def show_table(table: pd.DataFrame) -> None:
    """Show a small table; a thousand and more films read better in groups of three digits."""
    whole = told_table(table).map(lambda cell: _("{number:,}", number=cell) if isinstance(cell, int) else cell)
    st.table(whole, border="horizontal", hide_index=True)


@st.fragment
def show_counts(summary: Summary) -> None:
    """Show the films or the patients of each split by kind."""
    quantity = address.choose_one(
        st.segmented_control, _("Count"), dataset.QUANTITIES, required=True, key="dataset.count"
    )
    counts = data_summary.class_counts(summary.counts)
    chart_with_table.show(
        dataset.class_bars(counts, list(OFFICIAL_SPLITS.values()), quantity),
        counts,
        key="dataset.counts",
        alt_text=told(dataset.COUNTED[quantity]),
    )
    st.caption(
        _("The share of pneumonia differs between the splits, so a probability learned from one is off on another.")
    )


def show_frames(summary: Summary) -> None:
    """Show the films by width and height, or the one size that all have."""
    points = data_summary.frame_points(summary.frames)
    sizes = points[["width", "height"]].drop_duplicates()
    if len(sizes) == 1:
        width, height = sizes.iloc[0]
        st.caption(_("All films are {width} × {height} pixels.", width=width, height=height))
        return
    chart_with_table.show(
        dataset.frame_scatter(points),
        points,
        key="dataset.frames",
        alt_text=_("Films of each class by width and height; the table has the figures."),
    )
    st.caption(told(data_summary.frame_text(summary.size_quartiles)))


def show_identical(summary: Summary, data: Catalogue | None) -> None:
    """Show the groups of identical films, and which files they are where the films are at hand."""
    st.subheader(_("Identical films"))
    st.write(
        _(
            "{films:,} files in {groups:,} groups are identical to the byte. The "
            "children of such a group count as one, through all groups that they share, so that no "
            "copy can stand on both sides of a split.",
            films=summary.identical_films,
            groups=summary.identical_groups,
        )
    )
    if not summary.identical.empty:
        show_table(data_summary.readable_identical(summary.identical))
    if data and summary.identical_groups:
        with st.expander(_("Which files these are"), icon=":material/list:"):
            st.dataframe(
                told_table(data_summary.identical_files(data.films)), hide_index=True, key="dataset.identical_files"
            )


def show_split(summary: Summary) -> None:
    """Show how patients are told and divided."""
    st.subheader(_("How the split and patient keys work"))
    st.write(
        _(
            "Films of one child resemble each other, so a child must not stand on both sides of a "
            "split. The file name tells the child; person numbers are reused, so a number with "
            "*bacteria* and the same with *virus* are two children."
        )
    )
    show_table(data_summary.key_examples())
    st.write(
        _(
            "For validation, each series of film numbers is cut into {blocks} contiguous blocks, and "
            "{held_out} of them are held out: neighbouring numbers were taken at neighbouring times, so "
            "whole blocks are a truer trial than children drawn at random.",
            blocks=kaggle.BLOCKS,
            held_out=kaggle.BLOCKS // kaggle.FOLDS,
        )
    )
    if summary.development.empty:
        st.caption(_("This dataset is too small to be divided in this way."))
        return
    show_table(data_summary.readable_development(summary.development))
    st.caption(
        _("The official training and validation films, divided anew. No patient stands in two splits: pneumo checks.")
    )


head(_("Dataset"))
st.write(
    _("Chest radiographs of children from one to five years, with and without pneumonia, that the models learn from.")
)
data = data_folder.ask()
summary = data_folder.figures(data)
if summary is None:
    st.stop()
st.caption(
    _("All figures are of the {films:,} films in {root}.", films=len(data.films), root=plain(data.root))
    if data
    else f"{_('The figures come with pneumo, computed from the whole dataset.')} "
    f"{data_folder.invitation(_('Name its folder to see your own copy.'))}"
)
if data and (warning := data_summary.unnamed_text(data.films)):
    warn_of(warning)

st.subheader(_("Counts and sizes"))
left, right = st.columns(2, gap="medium")
with left:
    show_counts(summary)
with right:
    show_frames(summary)
show_table(data_summary.readable_counts(summary.counts))
shares = data_summary.films_per_patient(summary.films_per_patient)
chart_with_table.show(
    dataset.films_per_patient_bars(shares),
    shares,
    key="dataset.films_per_patient",
    alt_text=_("How many films patients of each class have."),
)
show_identical(summary, data)
show_split(summary)

st.subheader(_("Where the labels come from"))
show_table(data_summary.label_sources())

st.subheader(_("Source and licence"))
st.write(
    _(
        "{title}. {citation}. {doi}. Licence: {licence}.",
        **summary.source | {"doi": f"[doi:{summary.source['doi']}](https://doi.org/{summary.source['doi']})"},
    )
)
source.show("dataset")
