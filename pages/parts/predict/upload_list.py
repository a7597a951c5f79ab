"""The uploader and the list of films on the predict page: each film is in the list the moment it is read."""

from collections.abc import Callable, Hashable
from contextlib import suppress
from datetime import datetime
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.elements.lib.column_types import ColumnConfig

from pages.parts.predict import film_list
from pages.parts.predict.film_list import FilmList
from pages.parts.shared import spreadsheet
from pages.parts.shared.language import _, current, many, told
from pages.parts.shared.streamlit_internals import free_upload
from pneumo.errors import ExplanationError
from pneumo.explanation import explain
from pneumo.inference.reading import Models, read_film
from pneumo.language import Language
from pneumo.preprocessing.network_input import fit_within
from pneumo.reports import film_files, pdf, records

# So many rows are seen at once; the others are scrolled to, so that the open film is not pushed off the screen.
ROWS_SEEN = 8
ROW_HEIGHT = 35
# Two pictures of a film share a page of the PDF: more pixels would not be seen, and fifty films must fit into memory.
PDF_SIDE = 900


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
    if "predict.films" not in st.session_state:
        st.session_state["predict.films"] = FilmList()
    return st.session_state["predict.films"]


def take_uploads() -> FilmList:
    """Show the uploader, bring the list in line with it, and open a film that came alone."""
    films, key = films_of_session(), f"predict.upload_{st.session_state.get('predict.cleared', 0)}"
    # On the way back from another page the uploader is a new one: that it is empty takes nothing off the list.
    seen_before: set[str] = st.session_state.get("predict.uploaded", set()) if key in st.session_state else set()
    uploads = st.file_uploader(
        _("Frontal chest radiographs, one or many: JPEG, PNG, TIFF, BMP, WebP, HEIC, PDF or DICOM, up to 50 MB each"),
        accept_multiple_files=True,
        key=key,
        help=_("Films stay in the memory of the machine that runs pneumo. They are not stored, logged or sent."),
    )
    here = {upload.file_id for upload in uploads}
    for identity in seen_before - here:
        # The uploader no longer knows a file that was let go; its result stays.
        if identity in films.films and films.films[identity].data is not None:
            films.remove(identity)
    came = [upload for upload in uploads if upload.file_id not in seen_before]
    for upload in came:
        films.add(upload.file_id, upload.name, upload.getvalue())
    st.session_state["predict.uploaded"] = here
    if len(came) == 1:
        films.open(came[0].file_id)
    if len(films.films) == 1:
        films.open(next(iter(films.films)))
    return films


def read_waiting(films: FilmList, models: Models, key: Hashable, place: DeltaGenerator) -> None:
    """Read all that these models did not read but the open film, which the page reads itself."""
    waiting = [film for film in films.pending(key) if film.identity != films.opened]
    if not waiting:
        return
    with place:
        bar, rows = st.empty(), st.empty()
    for progress in film_list.read_all(waiting, models, key):
        let_go_of_excess(films)
        bar.progress(progress.share, told(str(progress)))
        rows.dataframe(
            film_list.table(films.films.values(), current()),
            hide_index=True,
            height=height_of(films),
            column_config=columns(),
        )
    bar.empty()
    rows.empty()


def let_go_of_excess(films: FilmList) -> None:
    """Free the oldest files beyond what a session may hold."""
    for identity in films.let_go_of_excess():
        free_upload(identity)


def show_list(films: FilmList, models: Models, method: str) -> None:
    """Show the list with its filter, its downloads, and the button that empties it.

    Args:
        films: of this session.
        models: that read them.
        method: of the heat maps in the PDF, a key of `cam.METHODS`.
    """
    counted = film_list.counts(films.records)
    st.markdown(f"## {many('{number} film', '{number} films', len(films.films))}")
    chosen = st.pills(
        _("Show only"),
        list(counted),
        selection_mode="multi",
        format_func=lambda key: f"{told(film_list.OUTCOMES[key])}: {counted[key]}",
        key="predict.outcomes",
        label_visibility="collapsed",
    )
    shown = film_list.with_outcomes(films.films.values(), chosen)
    identities = [film.identity for film in shown]
    # Other rows make another table: a row that was selected in the old one is another film in the new one.
    key = f"predict.list_{hash(tuple(identities))}"
    opened = [identities.index(films.opened)] if films.opened in identities else []
    st.dataframe(
        film_list.table(shown, current()),
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
            partial(pdf_of, films, models, method, current()),
            "pneumo-films.pdf",
            "application/pdf",
        )
        offer(_("Results as CSV"), spreadsheet.as_csv(records.to_csv(films.records)), "pneumo-films.csv", "text/csv")
        lines = "".join(f"{records.to_json(record)}\n" for record in films.records)
        offer(_("Results as JSON lines"), lines, "pneumo-films.jsonl", "application/jsonl")
        st.button(_("Clear the list"), icon=":material/delete:", key="predict.clear", on_click=clear, args=[films])


def show_let_go() -> None:
    """Say that a film cannot be opened any more."""
    st.info(_("The file of this film was let go to save memory. Upload it again to open it."), icon=":material/memory:")


def open_row(films: FilmList, key: str, identities: list[str]) -> None:
    """Open the film of the row that was chosen; none where the choice was taken back."""
    rows = st.session_state[key].selection.rows
    films.open(identities[rows[0]] if rows else None)


def clear(films: FilmList) -> None:
    """Forget all films of the session, and empty the uploader by putting a new one in its place."""
    for identity in films.films:
        free_upload(identity)
    films.clear()
    st.session_state["predict.cleared"] = st.session_state.get("predict.cleared", 0) + 1
    st.session_state.pop("predict.uploaded", None)


def pdf_of(films: FilmList, models: Models, method: str, language: Language) -> bytes:
    """Make the PDF of all films: a table of those that were read, and a page for each whose file is still held.

    It is asked for by a click and takes some seconds for fifty films: the list holds no pictures, so each film is read
    again for its page.
    """
    pages = []
    for film in list(films.films.values()):
        # Taken once: the file may be let go meanwhile.
        data = film.data
        if film.record is None:
            continue
        if data is None or film.record.status == "error":
            pages.append(pdf.FilmReport(film.record, None))
            continue
        reading, heat = read_film(data, film.name, models, correct=film.correct or False, force=film.force), None
        if reading.assessment and reading.radiograph:
            height, width = fit_within(reading.radiograph.pixels, PDF_SIDE).shape
            # A model without heat maps has pages without them.
            with suppress(ExplanationError):
                heat = explain(reading, method, (height, width))
        pages.append(film_files.film_report(reading, film_files.overlay_of(reading, heat), longest=PDF_SIDE))
    return pdf.several_pages(pages, datetime.now().astimezone(), language)


def height_of(films: FilmList) -> int:
    """Return the height of the table in pixels, its head included."""
    return ROW_HEIGHT * (1 + min(len(films.films), ROWS_SEEN)) + 3


def offer(words: str, data: str | bytes | Callable[[], bytes], file: str, mime: str) -> None:
    """Offer a file for download."""
    st.download_button(
        words, data, file_name=file, mime=mime, icon=":material/download:", on_click="ignore", key=f"predict.{file}"
    )
