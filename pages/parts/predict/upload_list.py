"""The films of a session: dropped together, each in the list the moment it is read, one of them open."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.elements.lib.column_types import ColumnConfig

from pages.parts.predict.loaded_models import Reader
from pages.parts.shared.language import _, current, many, told
from pneumo.inference.batch import OUTCOMES, FilmList, counts, read_all, table, with_outcomes
from pneumo.inference.gate import Gate
from pneumo.language import Language
from pneumo.reports.batch import pdf
from pneumo.reports.record import to_csv, to_json

if TYPE_CHECKING:
    from pneumo.inference.classifier import Classifier

# So many rows are seen at once; the others are scrolled to, so that the open film is not pushed off the screen.
ROWS_SEEN = 8
ROW_HEIGHT = 35
# What a session keeps of the film that was looked at last.
LAST_FILM = ("film_check", "judged", "heat_first", "second", "heat_second", "leaning")


def columns() -> dict[str, ColumnConfig]:
    """Return the heads and widths of the table."""
    # In pixels; all but the remarks fit on a telephone.
    return {
        "File": st.column_config.TextColumn(_("File"), width=130),
        "Answer": st.column_config.TextColumn(_("Answer"), width=112),
        "Probability": st.column_config.NumberColumn(_("Probability"), format="percent", width=84),
        "Remark": st.column_config.TextColumn(_("Remark"), width="large"),
    }


def films_of_session() -> FilmList:
    """Return the list of this session; it outlives a visit to another page."""
    if "films" not in st.session_state:
        st.session_state.films = FilmList()
    return st.session_state.films


def take_uploads() -> FilmList:
    """Show the uploader, bring the list in line with it, and open a film that came alone."""
    films, key = films_of_session(), f"upload_{st.session_state.get('cleared', 0)}"
    # On the way back from another page the uploader is a new one: that it is empty takes nothing off the list.
    seen_before: set[str] = st.session_state.get("uploaded", set()) if key in st.session_state else set()
    uploads = st.file_uploader(
        _("Frontal chest radiographs, one or many: JPEG, PNG, TIFF, BMP, WebP or DICOM, up to 50 MB each"),
        accept_multiple_files=True,
        key=key,
        help=_("Films stay in the memory of the machine that runs pneumo. They are not stored, logged or sent."),
    )
    here = {upload.file_id for upload in uploads}
    for identity in seen_before - here:
        films.remove(identity)
    came = [upload for upload in uploads if upload.file_id not in seen_before]
    for upload in came:
        films.add(upload.file_id, upload.name, upload.getvalue())
    st.session_state.uploaded = here
    if len(came) == 1:
        films.opened = came[0].file_id
    if len(films.entries) == 1:
        films.opened = next(iter(films.entries))
    return films


def read_waiting(films: FilmList, screener: Gate | None, classifier: "Classifier", place: DeltaGenerator) -> None:
    """Read all that this model was not asked about but the open film, which the page reads itself."""
    waiting = [entry for entry in films.pending(classifier.card.sha256) if entry.identity != films.opened]
    if not waiting:
        return
    with place:
        bar, rows = st.empty(), st.empty()
    for progress in read_all(films, waiting, screener, classifier):
        bar.progress(progress.share, told(str(progress)))
        rows.dataframe(
            table(films.entries.values(), current()),
            hide_index=True,
            height=height_of(films),
            column_config=columns(),
        )
    bar.empty()
    rows.empty()


def show_list(films: FilmList, screener: Gate | None, reader: Reader, method: str) -> None:
    """Show the list with its filter, its downloads, and the button that empties it.

    Args:
        films: of this session.
        screener: the gate; None where films are not checked.
        reader: of the chosen model.
        method: of the heat maps in the PDF, a key of `cam.METHODS`.
    """
    counted = counts(films.records)
    st.markdown(f"## {many('{number} film', '{number} films', len(films.entries))}")
    chosen = st.pills(
        _("Show only"),
        list(counted),
        selection_mode="multi",
        format_func=lambda key: f"{told(OUTCOMES[key])}: {counted[key]}",
        key="outcomes",
        label_visibility="collapsed",
    )
    shown = with_outcomes(films.entries.values(), chosen)
    identities = [entry.identity for entry in shown]
    # Other rows make another table: a row that was selected in the old one is another film in the new one.
    key = f"films_{hash(tuple(identities))}"
    opened = [identities.index(films.opened)] if films.opened in identities else []
    st.dataframe(
        table(shown, current()),
        hide_index=True,
        height=height_of(films),
        column_config=columns(),
        on_select=lambda: open_row(films, key, identities),
        selection_mode="single-row",
        selection_default={"selection": {"rows": opened}},
        placeholder="",
        key=key,
        alt=_("The films of this session, with the answer, the probability and a remark on each."),
    )
    st.caption(_("Choose a row to open its film. Click on the head of a column to sort by it."))
    if films.let_go:
        let_go = many(
            "To save memory, the file of {number} older film was let go. Its result stays in the list; to open that "
            "film, upload it again.",
            "To save memory, the files of {number} older films were let go. Their results stay in the list; to open "
            "one of those films, upload it again.",
            films.let_go,
        )
        st.caption(f":material/memory: {let_go}")
    with st.container(horizontal=True):
        offer(
            _("All films as PDF"),
            partial(pdf_of, films, screener, reader, method, current()),
            "pneumo-films.pdf",
            "application/pdf",
        )
        offer(_("Results as CSV"), to_csv(films.records), "pneumo-films.csv", "text/csv")
        lines = "".join(f"{to_json(record)}\n" for record in films.records)
        offer(_("Results as JSON lines"), lines, "pneumo-films.jsonl", "application/jsonl")
        st.button(_("Clear the list"), icon=":material/delete:", key="clear", on_click=clear, args=[films])


def show_let_go() -> None:
    """Say that a film cannot be opened any more."""
    st.info(_("The file of this film was let go to save memory. Upload it again to open it."), icon=":material/memory:")


def open_row(films: FilmList, key: str, identities: list[str]) -> None:
    """Open the film of the row that was chosen; none where the choice was taken back."""
    rows = st.session_state[key].selection.rows
    films.opened = identities[rows[0]] if rows else None


def clear(films: FilmList) -> None:
    """Forget all films of the session, and empty the uploader by putting a new one in its place."""
    films.clear()
    st.session_state.cleared = st.session_state.get("cleared", 0) + 1
    for key in ("uploaded", *LAST_FILM):
        st.session_state.pop(key, None)


def pdf_of(films: FilmList, screener: Gate | None, reader: Reader, method: str, language: Language) -> bytes:
    """Make the PDF of all films; it is asked for by a click and takes some seconds for fifty films."""
    now = datetime.now().astimezone()
    entries = list(films.entries.values())
    return pdf(entries, screener, reader.classifier, reader.explainer, method, now, language)


def height_of(films: FilmList) -> int:
    """Return the height of the table in pixels, its head included."""
    return ROW_HEIGHT * (1 + min(len(films.entries), ROWS_SEEN)) + 3


def offer(words: str, data: str | Callable[[], bytes], file: str, mime: str) -> None:
    """Offer a file for download."""
    st.download_button(words, data, file_name=file, mime=mime, icon=":material/download:", on_click="ignore", key=file)
