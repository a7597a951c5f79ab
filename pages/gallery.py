"""Leaf through the films of a dataset, choose them by what a model got wrong, and see what all of a kind share."""

from pathlib import Path

import numpy as np
import streamlit as st

from pages.parts.data import catalogue, data_folder, film_view
from pages.parts.data.catalogue import SPLITS, Catalogue, Choice
from pages.parts.shared import address
from pages.parts.shared.plain import plain
from pneumo.datasets.summary import PICTURES, Summary, class_difference, difference_text, full_contrast, signed_picture
from pneumo.errors import ImageError, ModelError
from pneumo.labels import CALLS, KINDS
from pneumo.model_store import store
from pneumo.results import failures, model_facts

# In pixels; six fit beside each other on a desktop, two on a telephone.
PICTURE_WIDTH = 165
ALL, NO_MODEL = "All", "No model"


def open_film(file: str) -> None:
    """Put a film into the page's address."""
    st.query_params["film"] = file


def first_page() -> None:
    """Go back to the first page: after another choice the page of before means nothing."""
    st.session_state.pop("page", None)


def choose(data: Catalogue) -> tuple[Choice, str | None]:
    """Ask which films to show; returns the choice and the model, if one is to say what it got wrong."""
    place = st.container(horizontal=True, vertical_alignment="bottom")
    present = [split for split in SPLITS if split in set(data.films["split"])]
    titles = {ALL: ALL} | {split: SPLITS[split] for split in present}
    split = address.choose_one(
        place.segmented_control, "Split", titles, required=True, key="gallery.split", on_change=first_page
    )
    kinds = place.multiselect(
        "Kind",
        [kind for kind in KINDS.values() if kind in set(data.films["kind"])],
        key="kind",
        bind="query-params",
        on_change=first_page,
        placeholder="All kinds",
        width=300,
    )
    patient = place.text_input(
        "Patient",
        key="patient",
        bind="query-params",
        on_change=first_page,
        placeholder="person109 or IM-0115",
        max_chars=60,
        width=210,
    )
    width = None
    if limits := catalogue.width_range(data.films):
        chosen = place.slider("Width (pixels)", *limits, limits, key="width", bind="query-params", on_change=first_page)
        width = chosen if chosen != limits else None
    cards = store.catalogue().cards
    models = {"": NO_MODEL} | model_facts.labels(cards)
    model = address.choose_one(place.selectbox, "Model", models, key="gallery.model", on_change=first_page, width=230)
    calls: list[str] = []
    if model:
        calls = place.multiselect(
            "What the model got wrong or right",
            list(CALLS),
            default=list(CALLS[:2]),
            key="call",
            bind="query-params",
            on_change=first_page,
            placeholder="All its films",
            width=330,
        )
        calls = calls or list(CALLS)
    return Choice(None if split == ALL else split, tuple(kinds), patient, width, tuple(calls)), model or None


def show_films(data: Catalogue) -> None:
    """Show a page of the films that the reader chooses."""
    choice, model = choose(data)
    films = data.films
    if model:
        try:
            calls = failures.calls_on_films(store.read_card(model))
        except ModelError as error:
            st.write(plain(error))
            return
        films = failures.with_calls(films, calls)
        if not (films["call"] != "").any():
            st.write("None of these films is among those that the model was measured on; its wrong calls are:")
            st.dataframe(failures.readable_errors(calls), hide_index=True, key="gallery.wrong_calls")
            st.caption(data_folder.invitation("To see the films, name the folder of the dataset above."))
            return
    found = catalogue.matching(films, choice)
    if found.empty:
        st.write("There is no such film. Choose another split or kind, or clear the patient.")
        return
    pages = catalogue.page_count(len(found))
    number = 1
    if pages > 1:
        number = st.pagination(pages, key="page", bind="query-params")
    st.caption(f"{len(found):,} films" + (", those that the model is most wrong about first" if model else ""))
    with st.container(horizontal=True):
        for row in catalogue.page(found, number).to_dict("records"):
            with st.container(width=PICTURE_WIDTH, gap="xsmall"):
                show_thumbnail(data.root / row["file"], row["file"])
                if model:
                    st.caption(f"{row['call']}, {row['probability']:.3f}")


def show_thumbnail(path: Path, file: str) -> None:
    """Show a small film that opens the large one, or the sentence that says why it cannot be shown."""
    # The composite that is there as PNG and as DICOM must not have one name twice.
    name = path.name if path.suffix == ".dcm" else path.stem
    try:
        url = data_folder.thumbnail_url(path, path.stat().st_mtime_ns)
        st.image(url, width=PICTURE_WIDTH, alt=f"The film {name}, small")
    except (ImageError, OSError) as error:
        st.caption(plain(error))
        return
    st.button(
        plain(name),
        key=f"gallery.open_{file}",
        type="tertiary",
        on_click=open_film,
        args=(file,),
        help="Open this film",
    )


def picture_row(title: str, pictures: dict[str, np.ndarray]) -> None:
    """Show pictures beside each other under a title."""
    st.caption(title)
    with st.container(horizontal=True):
        for name, pixels in pictures.items():
            st.image(pixels, name.capitalize(), width=PICTURE_WIDTH, alt=f"{title}: {name}")


def show_shared(summary: Summary) -> None:
    """Show what the training films of each kind share, and where the classes differ."""
    st.subheader("Mean, spread and class difference")
    if not summary.pictures:
        st.caption("There are too few training films for pictures that show no single child.")
        return
    present = [kind for kind in PICTURES if f"mean_{kind}" in summary.pictures]
    picture_row("Mean of the training films", {kind: summary.pictures[f"mean_{kind}"] for kind in present})
    picture_row(
        "Standard deviation, full contrast",
        {kind: full_contrast(summary.pictures[f"std_{kind}"]) for kind in present},
    )
    differences = {
        f"{first} less {second}": found
        for first, second in (("pneumonia", "normal"), ("bacterial", "viral"))
        if (found := class_difference(summary.pictures, first, second)) is not None
    }
    if differences:
        picture_row(
            "Difference of the means: orange is brighter in the first kind, blue in the second",
            {name: signed_picture(found) for name, found in differences.items()},
        )
        for name, found in differences.items():
            st.caption(difference_text(name, found))
        st.caption("Much of it lies outside the lungs: children lie differently on the films of the two classes.")
    st.caption(
        "Bright areas of the standard deviation differ most from film to film: the outlines of lungs and diaphragm, "
        "which lie elsewhere in each child, and the edges of the film."
    )


st.title("Gallery")
given = data_folder.ask()
data = given or data_folder.composites()
if given is None:
    st.caption(
        "These composites come with pneumo: each shows what twelve films of a kind share and no single child."
        + data_folder.invitation(" Name the folder of the dataset to see its films.")
    )
if data:
    if file := st.query_params.get("film"):
        film_view.show(data, file)
        st.stop()
    show_films(data)
if summary := data_folder.figures(given):
    show_shared(summary)
