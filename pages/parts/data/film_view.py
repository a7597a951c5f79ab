"""One film of the gallery, large: its lungs on request, its header, and what the models called it."""

import streamlit as st

from pages.parts.data import catalogue, film_tiles, lungs_on_request
from pages.parts.data.catalogue import Catalogue
from pages.parts.shared.language import _
from pages.parts.shared.plain import plain
from pneumo import radiograph
from pneumo.errors import ImageError, ModelError
from pneumo.explanation import drawing
from pneumo.model_store import store
from pneumo.preprocessing import network_input
from pneumo.results import failures, model_facts

SHOWN_SIDE = 900


def _close() -> None:
    st.query_params.pop("film", None)


def show(data: Catalogue, file: str) -> None:
    """Show a film of a catalogue, and the way back to the others."""
    st.button("Back to the films", icon=":material/arrow_back:", key="gallery.close_film", on_click=_close)
    _show_film(data, file)


@st.fragment
def _show_film(data: Catalogue, file: str) -> None:
    row = data.films[data.films["file"] == file]
    if row.empty:
        st.write("The film in this address is not in the chosen dataset. Go back and choose another one.")
        return
    path = data.root / file
    try:
        film = radiograph.read(path)
        picture = drawing.film_picture(network_input.fit_within(film.pixels, SHOWN_SIDE))
        words = f"The film {film.name}"
        st.subheader(plain(film.name))
        shown, told = st.columns([3, 2])
        with told:
            film_tiles.link_to_predict(file, _("Open in Predict"), icon=":material/radiology:")
            if st.toggle("Show the outline of the lungs", key="gallery.outline", help="Takes a few seconds at first."):
                mask = lungs_on_request.lungs(path)
                if mask and mask.count:
                    picture, words = drawing.outlined(picture, mask), f"{words} with the outline of its lungs"
                elif mask:
                    st.caption("No lungs were found on this film.")
            facts = {"Kind": row["kind"].item(), "Split": catalogue.SPLITS[row["split"].item()]}
            if row["patient"].item():
                facts["Patient key"] = row["patient"].item()
            facts |= catalogue.facts(film, path.stat().st_size)
            st.table(
                {"": list(facts), "This film": [plain(fact) for fact in facts.values()]},
                border="horizontal",
                hide_index=True,
            )
        shown.image(picture, width="stretch", output_format="JPEG", alt=words)
    except (ImageError, OSError) as error:
        st.write(plain(error))
        return
    with told:
        _show_calls(file)


def _show_calls(file: str) -> None:
    cards = store.catalogue().cards
    titles = model_facts.labels(cards)
    rows = []
    for card in cards:
        try:
            calls = failures.calls_on_films(card)
        except ModelError as error:
            st.caption(f":material/warning: {plain(error)}")
            continue
        rows += [
            {"Model": titles[card.name], "Probability": f"{probability:.3f}", "Call": call}
            for probability, call in calls.loc[calls["file"] == file, ["probability", "call"]].to_numpy()
        ]
    if rows:
        st.dataframe(rows, hide_index=True, key="gallery.film_calls")
        st.caption("What the models called this film when they were measured; none was trained on it.")
    else:
        st.caption("No model was measured on this film: it is not of the validation or the test films.")
