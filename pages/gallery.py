"""Leaf through the films of a dataset, choose them by what a model got wrong, and see what all of a kind share."""

from dataclasses import replace

import numpy as np
import streamlit as st

from pages.parts.data import called_now, catalogue, data_folder, film_tiles, film_view
from pages.parts.data.catalogue import SPLITS, Catalogue, Choice
from pages.parts.data.film_tiles import PICTURE_WIDTH
from pages.parts.models import measured_models
from pages.parts.shared import address, source
from pages.parts.shared.language import _, head, many, told
from pages.parts.shared.plain import plain
from pneumo.datasets.summary import Summary, class_difference, difference_text, full_contrast, signed_picture
from pneumo.errors import ImageError, ModelError
from pneumo.labels import CALLS, KINDS
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.results import failures
from pneumo.sentences import say

DIFFERENCES = {
    say("Pneumonia less normal"): ("pneumonia", "normal"),
    say("Bacterial less viral"): ("bacterial", "viral"),
}
# The kinds whose training films have a mean.
KINDS_OF_MEANS = {
    "normal": say("Normal"),
    "bacterial": say("Bacterial"),
    "viral": say("Viral"),
    "pneumonia": say("Pneumonia"),
}
ALL = "All"
# Streamlit keeps no history of what it binds to the address: Back from Predict would lead to the first page.
PAGE = "gallery.page"
PATIENT = "gallery.patient"


def open_film(file: str) -> None:
    """Put a film into the page's address."""
    st.query_params["film"] = file


def first_page() -> None:
    """Go back to the first page: after another choice the page of before means nothing."""
    st.session_state[PAGE] = 1


def choose(data: Catalogue) -> tuple[Choice, ModelCard | None]:
    """Ask which films to show; returns the choice and the model, if one is to say what it calls them."""
    place = st.container(horizontal=True, vertical_alignment="bottom")
    present = [split for split in SPLITS if split in set(data.films["split"])]
    titles = {ALL: say("All")} | {split: SPLITS[split] for split in present}
    split = address.choose_one(
        place.segmented_control, _("Split"), titles, required=True, key="gallery.split", on_change=first_page
    )
    known = [kind for kind in KINDS.values() if kind in set(data.films["kind"])]
    kinds = address.choose_many(
        place.multiselect,
        _("Kind"),
        dict(zip(known, known, strict=True)),
        key="gallery.kind",
        on_change=first_page,
        placeholder=_("All kinds"),
        width=250,
    )
    address.restore_one(PATIENT, "")
    patient = place.text_input(
        _("Patient"), key=PATIENT, on_change=first_page, placeholder="person109, IM-0115", max_chars=60, width=210
    )
    address.write(PATIENT, [patient], [""])
    width = None
    if limits := catalogue.width_range(data.films):
        chosen = place.slider(
            _("Width (pixels)"), *limits, limits, key="width", bind="query-params", on_change=first_page
        )
        width = chosen if chosen != limits else None
    cards = {card.name: card for card in store.catalogue().cards}
    models = {"": say("No model")} | measured_models.titles(cards.values())
    model = address.choose_one(
        place.selectbox, _("Model"), models, key="gallery.model", on_change=first_page, width=290
    )
    return Choice(None if split == ALL else split, tuple(kinds), patient, width), cards.get(model)


def choose_calls() -> tuple[str, ...]:
    """Ask which of a model's calls to show."""
    chosen = address.choose_many(
        st.multiselect,
        _("What the model got wrong or right"),
        dict(zip(CALLS, CALLS, strict=True)),
        key="gallery.call",
        on_change=first_page,
        placeholder=_("All its films"),
        width=330,
    )
    return tuple(chosen or CALLS)


def choose_page(pages: int) -> int:
    """Let the reader turn the pages; the address holds the number."""
    address.restore_one(PAGE, 1)
    if not 1 <= st.session_state[PAGE] <= pages:
        st.session_state[PAGE] = 1
    number = st.pagination(pages, key=PAGE) if pages > 1 else 1
    address.write(PAGE, [str(number)], ["1"])
    return number


def show_films(data: Catalogue) -> None:
    """Show a page of the films that the reader chooses, framed by what a model calls them if she chooses one."""
    choice, card = choose(data)
    films, is_measured = data.films, False
    try:
        if card:
            films = failures.with_calls(films, failures.calls_on_films(card))
            is_measured = bool((films["call"] != "").any())
        if is_measured:
            choice = replace(choice, calls=choose_calls())
        found = catalogue.matching(films, choice)
        if found.empty:
            st.write(_("There is no such film. Choose another split or kind, or clear the patient."))
            return
        shown = catalogue.page(found, choose_page(catalogue.page_count(len(found))))
        if card and not is_measured:
            shown = called_now.called(shown.drop(columns=["call", "error", "probability"]), data.root, card)
    except (ModelError, ImageError, OSError) as error:
        st.write(plain(told(str(error))))
        return
    st.caption(caption(len(found), card, is_measured, given is None))
    with st.container(horizontal=True):
        for row in shown.to_dict("records"):
            with st.container(width=PICTURE_WIDTH, gap="xsmall"):
                path = data.root / row["file"]
                called = {"call": row["call"], "probability": row["probability"]} if card else {}
                film_tiles.show(path, row["file"], **called, model=card.name if card else "")
                st.button(
                    plain(film_tiles.name_of(path)),
                    key=f"gallery.open_{row['file']}",
                    type="tertiary",
                    on_click=open_film,
                    args=(row["file"],),
                    help=_("About this film"),
                )


def caption(films: int, card: ModelCard | None, is_measured: bool, is_composite: bool) -> str:
    """Say how many films there are, in which order, and what the frames mean."""
    parts = [many("{number} film", "{number} films", films), _("Click on one to open it in Predict.")]
    if card:
        parts.append(_("Green frame: called right. Dashed red: called wrong."))
        if is_measured:
            parts.append(_("The surest mistakes come first."))
        elif is_composite:
            parts.append(_("Composites are averages: this is no measurement."))
        else:
            parts.append(_("Read just now: the model was not measured on these films, and may have learned from them."))
    return f"{parts[0]}. {' '.join(parts[1:])}"


def picture_row(title: str, pictures: dict[str, np.ndarray]) -> None:
    """Show pictures beside each other under a title."""
    st.caption(title)
    with st.container(horizontal=True):
        for name, pixels in pictures.items():
            st.image(pixels, told(name), width=PICTURE_WIDTH, alt=f"{title}: {told(name)}")


def show_shared(summary: Summary) -> None:
    """Show what the training films of each kind share, and where the classes differ."""
    st.subheader(_("Mean, spread and class difference"))
    if not summary.pictures:
        st.caption(_("There are too few training films for pictures that show no single child."))
        return
    present = {kind: name for kind, name in KINDS_OF_MEANS.items() if f"mean_{kind}" in summary.pictures}
    picture_row(
        _("Mean of the training films"), {name: summary.pictures[f"mean_{kind}"] for kind, name in present.items()}
    )
    picture_row(
        _("Standard deviation, full contrast"),
        {name: full_contrast(summary.pictures[f"std_{kind}"]) for kind, name in present.items()},
    )
    differences = {
        name: found
        for name, (first, second) in DIFFERENCES.items()
        if (found := class_difference(summary.pictures, first, second)) is not None
    }
    if differences:
        picture_row(
            _("Difference of the means: orange is brighter in the first kind, blue in the second"),
            {name: signed_picture(found) for name, found in differences.items()},
        )
        for name, found in differences.items():
            st.caption(told(difference_text(name, found)))
    st.caption(
        _(
            "Bright areas of the standard deviation differ most from film to film: the outlines of "
            "lungs and diaphragm, which lie elsewhere in each child, and the edges of the film."
        )
    )


head(_("Gallery"))
film_tiles.style()
given = data_folder.ask()
data = given or data_folder.composites()
if given is None:
    st.caption(
        f"{_('These composites come with pneumo: each shows what twelve films of a kind share and no single child.')} "
        f"{data_folder.invitation(_('Name the folder of the dataset to see its films.'))}"
    )
file = st.query_params.get("film")
if data and file:
    film_view.show(data, file)
else:
    if data:
        show_films(data)
    if summary := data_folder.figures(given):
        show_shared(summary)
source.show("gallery")
