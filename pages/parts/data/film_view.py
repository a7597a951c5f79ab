"""One film of the gallery, large: its lungs on request, its header, and what the models called it."""

import pandas as pd
import streamlit as st

from pages.parts.data import catalogue, film_tiles, lungs_on_request
from pages.parts.data.catalogue import Catalogue
from pages.parts.shared.language import _, told, told_table, warn_of, word
from pages.parts.shared.plain import plain
from pneumo import radiograph
from pneumo.errors import ImageError, ModelError
from pneumo.explanation import drawing
from pneumo.model_store import store
from pneumo.preprocessing import network_input
from pneumo.results import failures, model_facts
from pneumo.sentences import say

SHOWN_SIDE = 900


def _close() -> None:
    st.query_params.pop("film", None)


def show(data: Catalogue, file: str) -> None:
    """Show a film of a catalogue, and the way back to the others."""
    st.button(_("Back to the films"), icon=":material/arrow_back:", key="gallery.close_film", on_click=_close)
    _show_film(data, file)


@st.fragment
def _show_film(data: Catalogue, file: str) -> None:
    row = data.films[data.films["file"] == file]
    if row.empty:
        st.write(_("The film in this address is not in the chosen dataset. Go back and choose another one."))
        return
    path = data.root / file
    try:
        film = radiograph.read(path)
        picture = drawing.film_picture(network_input.fit_within(film.pixels, SHOWN_SIDE))
        words = _("The film {name}", name=film.name)
        st.subheader(plain(film.name))
        shown, beside = st.columns([3, 2])
        with beside:
            film_tiles.link_to_predict(file, _("Open in Predict"), icon=":material/radiology:")
            if st.toggle(
                _("Show the outline of the lungs"), key="gallery.outline", help=_("Takes a few seconds at first.")
            ):
                mask = lungs_on_request.lungs(path)
                if mask and mask.count:
                    picture = drawing.outlined(picture, mask)
                    words = _("The film {name} with the outline of its lungs", name=film.name)
                elif mask:
                    st.caption(_("No lungs were found on this film."))
            facts = {
                say("Kind"): word(row["kind"].item()),
                say("Split"): catalogue.SPLITS[row["split"].item()],
                say("Patient key"): row["patient"].item(),
                **catalogue.facts(film, path.stat().st_size),
            }
            known = {told(name): plain(told(fact)) for name, fact in facts.items() if fact}
            st.table({"": list(known), _("This film"): list(known.values())}, border="horizontal", hide_index=True)
        shown.image(picture, width="stretch", output_format="JPEG", alt=words)
    except (ImageError, OSError) as error:
        st.write(plain(told(str(error))))
        return
    with beside:
        _show_calls(file)


def _show_calls(file: str) -> None:
    cards = store.catalogue().cards
    titles = model_facts.labels(cards)
    rows = []
    for card in cards:
        try:
            calls = failures.calls_on_films(card)
        except ModelError as error:
            warn_of(error)
            continue
        rows += [
            (titles[card.name], _("{probability:.3f}", probability=probability), call)
            for probability, call in calls.loc[calls["file"] == file, ["probability", "call"]].to_numpy()
        ]
    if rows:
        calls = pd.DataFrame(rows, columns=[say("Model"), say("Probability"), say("Call")])
        st.dataframe(told_table(calls), hide_index=True, key="gallery.film_calls")
        st.caption(_("What the models called this film when they were measured; none was trained on it."))
    else:
        st.caption(_("No model was measured on this film: it is not of the validation or the test films."))
