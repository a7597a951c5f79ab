"""The uploader and the list of films on the predict page: each film is in the list the moment it is read."""

import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from datetime import datetime

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.elements.lib.column_types import ColumnConfig

from pages.parts.predict import film_list
from pages.parts.predict.answer import prevalence
from pages.parts.predict.film_list import FilmList, Progress
from pages.parts.predict.turns import in_turn, show_busy
from pages.parts.shared import spreadsheet
from pages.parts.shared.language import _, current, many, told
from pages.parts.shared.streamlit_internals import free_upload
from pneumo.errors import BusyError, ExplanationError
from pneumo.explanation import explain
from pneumo.inference.reading import Models, read_film
from pneumo.language import Language
from pneumo.preprocessing.network_input import fit_within
from pneumo.reports import film_files, pdf, records

# So many rows are seen at once; the others are scrolled to, so that the open film is not pushed off the screen.
ROWS_SEEN = 8
HEAD_HEIGHT, ROW_HEIGHT = 35, 44
# Two pictures of a film share a page of the PDF: more pixels would not be seen, and fifty films must fit into memory.
PDF_SIDE = 900


def columns() -> dict[str, ColumnConfig]:
    """Return the heads and widths of the table."""
    # In pixels; all but the quality fit on a telephone.
    return {
        "Film": st.column_config.ImageColumn(_("Film"), width=52),
        "Answer": st.column_config.TextColumn(_("Answer"), width=112),
        "Of 100": st.column_config.TextColumn(
            _("Of 100"),
            width=60,
            alignment="right",
            help=_("Of 100 children with a film like this, so many have pneumonia."),
        ),
        "File": st.column_config.TextColumn(_("File"), width=130),
        "Quality": st.column_config.TextColumn(_("Film quality"), width="large"),
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
    with st.container(horizontal=True, vertical_alignment="center", key="predict.uploader"):
        uploads = st.file_uploader(
            _("Frontal chest films, one or many: JPEG, PNG, TIFF, BMP, WebP, HEIC, PDF or DICOM, up to 50 MB each"),
            accept_multiple_files=True,
            key=key,
            help=_("Films stay in the memory of the machine that runs pneumo. They are not stored, logged or sent."),
        )
        changing = st.container(width="content")
    here = {upload.file_id for upload in uploads}
    for identity in seen_before - here:
        # The uploader no longer knows a file that was let go; its result stays.
        if identity in films.films and films.films[identity].data is not None:
            films.remove(identity)
    came = [upload for upload in uploads if upload.file_id not in seen_before]
    for upload in came:
        films.add(upload.file_id, upload.name, upload.getvalue())
    st.session_state["predict.uploaded"] = here
    if came:
        # The film that the address names is no longer the one in sight.
        st.query_params.pop("open", None)
    if len(came) == 1:
        films.open(came[0].file_id)
    if len(films.films) == 1:
        films.open(next(iter(films.films)))
        changing.button(_("Change"), icon=":material/swap_horiz:", key="predict.change", on_click=clear, args=[films])
    return films


def read_waiting(films: FilmList, models: Models, key: Hashable, place: DeltaGenerator) -> None:
    """Read all that these models did not read but the open film, which the page reads itself."""
    waiting = [film for film in films.pending(key) if film.identity != films.opened]
    if not waiting:
        return
    with place:
        bar, rows = st.empty(), st.empty()
    try:
        for progress in film_list.read_all(waiting, models, key, in_turn):
            let_go_of_excess(films)
            bar.progress(progress.share, told(str(progress)))
            rows.dataframe(
                film_list.table(film_list.by_urgency(films.films.values(), prevalence()), current(), prevalence()),
                hide_index=True,
                height=height_of(films),
                row_height=ROW_HEIGHT,
                column_config=columns(),
            )
    except BusyError as error:
        show_busy(error)
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
        method: of the heat maps in the PDF, a key of `explainer.MAPS`.
    """
    share = prevalence()
    found = [record.at(share) for record in films.records]
    counted = film_list.counts(found)
    st.markdown(f"## {many('{number} film', '{number} films', len(films.films))}")
    chosen = st.pills(
        _("Show only"),
        list(counted),
        selection_mode="multi",
        format_func=lambda key: f"{told(film_list.OUTCOMES[key])}: {counted[key]}",
        key="predict.outcomes",
        label_visibility="collapsed",
    )
    shown = film_list.by_urgency(film_list.with_outcomes(films.films.values(), chosen, share), share)
    identities = [film.identity for film in shown]
    # Other rows make another table: a cell that was selected in the old one is of another film in the new one.
    key = f"predict.list_{hash(tuple(identities))}"
    st.dataframe(
        film_list.table(shown, current(), share),
        hide_index=True,
        height=height_of(films),
        row_height=ROW_HEIGHT,
        column_config=columns(),
        on_select=lambda: open_row(films, key, identities),
        selection_mode="single-cell",
        key=key,
        alt=_("The films of this session, with the answer, the count and a remark on each."),
    )
    st.caption(_("What wants a look first stands first. Click on a film to open it."))
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
        offer_document(films, models, method, share)
        offer(_("Results as CSV"), spreadsheet.as_csv(records.to_csv(found)), "pneumo-films.csv", "text/csv")
        lines = "".join(f"{records.to_json(record)}\n" for record in found)
        offer(_("Results as JSON lines"), lines, "pneumo-films.jsonl", "application/jsonl")
        st.button(_("Clear the list"), icon=":material/delete:", key="predict.clear", on_click=clear, args=[films])


def show_let_go() -> None:
    """Say that a film cannot be opened any more."""
    st.info(_("The file of this film was let go to save memory. Upload it again to open it."), icon=":material/memory:")


def open_row(films: FilmList, key: str, identities: list[str]) -> None:
    """Open the film of the cell that was chosen; none where the choice was taken back."""
    cells = st.session_state[key].selection.cells
    films.open(identities[cells[0][0]] if cells else None)


def clear(films: FilmList) -> None:
    """Forget all films of the session, and empty the uploader by putting a new one in its place."""
    for identity in films.films:
        free_upload(identity)
    films.clear()
    st.session_state["predict.cleared"] = st.session_state.get("predict.cleared", 0) + 1
    st.session_state.pop("predict.uploaded", None)


def offer_document(films: FilmList, models: Models, method: str, share: float) -> None:
    """Offer the PDF of all films: it is made at a click, with a bar, and then there to be downloaded."""
    made_of: Hashable = (tuple(films.records), method, share, current())
    known = films.document
    if known is None or known[0] != made_of:
        place = st.container(width="content")
        if not place.button(_("All films as PDF"), icon=":material/picture_as_pdf:", key="predict.make_pdf"):
            return
        known = films.document = made_of, pdf_of(films, models, method, current(), share)
        place.empty()
    offer(_("Download the PDF of all films"), known[1], "pneumo-films.pdf", "application/pdf")


def pdf_of(films: FilmList, models: Models, method: str, language: Language, share: float) -> bytes:
    """Make the PDF of all films: a table of those that were read, and a page for each whose file is still held.

    It takes some seconds for fifty films: the list holds no pictures, so each film is read again for its page.
    """
    pages, bar = [], st.progress(0.0)
    started, listed = time.monotonic(), film_list.by_urgency(films.films.values(), share)
    for done, film in enumerate(listed):
        progress = Progress(done, len(listed), time.monotonic() - started)
        bar.progress(progress.share, told(str(progress)))
        # Taken once: the file may be let go meanwhile.
        data = film.data
        if film.record is None:
            continue
        if data is None or film.record.status == "error":
            pages.append(pdf.FilmReport(film.record.at(share), None))
            continue
        with in_turn(admitted=True):
            reading, heat = read_film(data, film.name, models, correct=film.correct or False, force=film.force), None
            if reading.assessment and reading.radiograph:
                height, width = fit_within(reading.radiograph.pixels, PDF_SIDE).shape
                # A model without heat maps has pages without them.
                with suppress(ExplanationError):
                    heat = explain(reading, method, (height, width))
        overlay = film_files.overlay_of(reading, heat, share)
        pages.append(film_files.film_report(reading, overlay, longest=PDF_SIDE, prevalence=share))
    bar.empty()
    return pdf.several_pages(pages, datetime.now().astimezone(), language)


def height_of(films: FilmList) -> int:
    """Return the height of the table in pixels, its head included."""
    return HEAD_HEIGHT + ROW_HEIGHT * min(len(films.films), ROWS_SEEN) + 3


def offer(words: str, data: str | bytes | Callable[[], bytes], file: str, mime: str) -> None:
    """Offer a file for download."""
    st.download_button(
        words, data, file_name=file, mime=mime, icon=":material/download:", on_click="ignore", key=f"predict.{file}"
    )
