"""Cases like this one: the validation films that the model takes for the most similar, looked up when it is opened."""

from pathlib import Path
from typing import NamedTuple

import streamlit as st

from pages.parts.data import data_folder
from pages.parts.shared.language import _, told
from pages.parts.shared.plain import plain, plain_values
from pneumo.datasets import samples
from pneumo.errors import DatasetError, ImageError, ModelError
from pneumo.inference import similar_cases
from pneumo.inference.reading import Reading
from pneumo.inference.similar_cases import Agreement, Case, Cases, Distances, FilmIndex
from pneumo.labels import KIND_WORDS, KINDS
from pneumo.model_store import store
from pneumo.sentences import say

# In pixels; six films fit beside each other on a desktop, two on a telephone.
PICTURE_WIDTH = 150


class Catalogue(NamedTuple):
    """The validation films of a model, and what their likeness is worth."""

    films: FilmIndex
    distances: Distances
    agreement: Agreement


@st.cache_resource(show_spinner=False, max_entries=4)
def _load_catalogue(name: str, key: str) -> Catalogue:
    """Read the index of a model once for all sessions; `key` is that of its card."""
    index = similar_cases.read(store.read_card(name))
    return Catalogue(index, similar_cases.usual_distances(index), similar_cases.agreement(index))


def show_similar(reading: Reading) -> None:
    """Offer the validation films most like a film that was assessed and not refused, where they are indexed."""
    indexed = similar_cases.path_of(reading.models.card.name).is_file()
    embedding = reading.assessment.embedding if reading.assessment else None
    if embedding is None or reading.forced or not indexed:
        return
    folded = st.expander(
        _("Cases like this one"), icon=":material/image_search:", key="predict.similar", on_change="rerun"
    )
    if not folded.open:
        return
    with folded:
        try:
            with st.spinner(_("Laying out the validation films …")):
                name = reading.models.card.name
                catalogue = _load_catalogue(name, store.card_key(name))
        except ModelError as error:
            st.caption(f":material/warning: {plain(error)}")
            return
        cases = similar_cases.find(catalogue.films, catalogue.distances, embedding)
        st.markdown(f"**{told(str(cases))}**")
        if cases.is_foreign:
            st.warning(told(cases.nearness), icon=":material/travel_explore:")
        else:
            st.markdown(told(cases.nearness))
        pictures = st.container()
        root = data_folder.locate(
            _("Dataset folder, to see the films themselves"), _("Its films stay on this machine.")
        )
        with pictures:
            show_pictures(cases, root)
        show_trust(catalogue)


def show_pictures(cases: Cases, root: Path | None) -> None:
    """Show the films where the dataset is on this machine, else composites of their kinds and a list."""
    if root and any((root / case.file).is_file() for case in cases.cases):
        with st.container(horizontal=True):
            for case in cases.cases:
                with st.container(width=PICTURE_WIDTH, gap="xsmall"):
                    show_film(case, root / case.file)
        return
    if root:
        words = say("None of these films is in {folder}. Name the folder of the dataset.", folder=root)
        st.caption(f":material/warning: {told(plain_values(words))}")
    show_composites(cases)
    listed = {
        _("Label"): [_kind(case.kind) for case in cases.cases],
        _("Nearness"): [told(str(case)) for case in cases.cases],
        _("Film"): [Path(case.file).name for case in cases.cases],
    }
    st.dataframe(listed, hide_index=True, key="predict.similar_list")


def show_film(case: Case, path: Path) -> None:
    """Show one film with its label, or the sentence that says why it cannot be shown."""
    try:
        address = data_folder.thumbnail_url(path, path.stat().st_mtime_ns)
        st.image(
            address,
            alt=_("Validation film {file}, labelled {kind}", file=path.stem, kind=KIND_WORDS[case.kind]),
            width=PICTURE_WIDTH,
        )
    except FileNotFoundError:
        st.caption(plain(_("{file} is not in this folder.", file=path.name)))
    except (ImageError, OSError) as error:
        st.caption(plain(told(str(error))))
    st.markdown(f"**{_kind(case.kind)}**")
    st.caption(f"{told(str(case))}  \n{path.stem}")


def show_composites(cases: Cases) -> None:
    """Show a composite of each kind among the cases, and say that it is none of them."""
    try:
        known = {KINDS[each.label, each.pathogen]: each for each in reversed(samples.load_samples(samples.FOLDER))}
    except DatasetError as error:
        st.caption(f":material/warning: {plain(error)}")
        return
    st.caption(
        _(
            "The films themselves are not on this machine. Each picture is a **composite** of many films with that "
            "label: it shows what they share, and is none of the cases."
        )
    )
    with st.container(horizontal=True):
        for kind, count in cases.kinds.items():
            with st.container(width=PICTURE_WIDTH, gap="xsmall"):
                if sample := known.get(kind):
                    address = data_folder.thumbnail_url(sample.path, sample.path.stat().st_mtime_ns)
                    words = _(
                        "Composite of {films} films labelled {kind}, in place of the cases",
                        films=sample.composite_of,
                        kind=KIND_WORDS[kind],
                    )
                    st.image(address, alt=words, width=PICTURE_WIDTH)
                st.markdown(f"**{_kind(kind)}**: {_('{count} of {all}', count=count, all=len(cases.cases))}")


def show_trust(catalogue: Catalogue) -> None:
    """Say what the likeness is worth, and what the words mean."""
    st.caption(told(str(catalogue.agreement)))
    st.caption(
        _(
            "Alike means alike to this model, which learned to tell pneumonia from normal films: the same label is no "
            "second proof of its answer. Pairs are all pairs of validation films of different children; the more of "
            "them lie farther apart, the more alike a case is. Bacterial or viral is what the file's name says; no "
            "laboratory result comes with the films. None of these children was trained on."
        )
    )


def _kind(kind: str) -> str:
    """Name a kind of film at the head of a line."""
    words = told(KIND_WORDS[kind])
    return words[0].upper() + words[1:]
