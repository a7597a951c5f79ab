"""Answers as PDF: one A4 page a film, before them a table where there are several; for black and white, too."""

import functools
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from pneumo import DISCLAIMER, drawing, report_text
from pneumo.calibration import as_percent
from pneumo.language import ENGLISH, Language
from pneumo.preprocessing import fit_within
from pneumo.report import film_name, outcome
from pneumo.report_picture import font_file
from pneumo.report_text import FilmReport, Line
from pneumo.sentences import say

if TYPE_CHECKING:
    from fpdf import FPDF

# Millimetres.
MARGIN, WIDTH, BOTTOM = 15.0, 180.0, 285.0
GAP = 4.0
# Pictures shrink before letters do, and letters (in points) before anything is left out.
LARGEST_PICTURE, SMALLEST_PICTURE = 95.0, 45.0
# More than this many messages of one line each would not fit.
MOST_MESSAGES = 80
SIZES = (10.0, 9.0, 8.0, 7.0, 6.0)
# At 87 mm that is 260 dots an inch.
PRINTED_SIDE = 900
_FONT, _CHINESE = "DejaVu", "Droid Sans Fallback"
# Droid Sans Fallback (Apache License 2.0), cut down to ASCII and GB 2312: what Simplified Chinese is written with.
CHINESE_FONT = Path(__file__).with_name("locale") / "DroidSansFallback-GB2312.ttf"
_LINE = 1.3
_POINT = 25.4 / 72


def one_page(item: FilmReport, made: datetime, language: Language = ENGLISH) -> bytes:
    """Return the page of one film that was read, assessed or refused.

    Args:
        item: the film.
        made: the date and time that the page bears.
        language: that it is written in.

    Raises:
        ValueError: if the film could not be read, so that there is nothing to show.
    """
    if item.film is None:
        raise ValueError(f"{film_name(item.record)} could not be read, so it has no page.")
    document = _document(made, language)
    _film_page(document, item, "", language)
    return bytes(document.output())


def many(items: Sequence[FilmReport], made: datetime, language: Language = ENGLISH) -> bytes:
    """Return a table of all films, and after it a page for each that was read.

    Args:
        items: at least one film; those that could not be read have a row alone.
        made: the date and time that the pages bear.
        language: that they are written in.

    Raises:
        ValueError: if there is no film.
    """
    if not items:
        raise ValueError("There is no film to report on. Read one first.")
    document = _document(made, language)
    _summary(document, items, language)
    for number, item in enumerate(items, start=1):
        if item.film is not None:
            place = say("Film {number} of {films}", number=number, films=len(items))
            _film_page(document, item, language.tell(place), language)
    return bytes(document.output())


def _document(made: datetime, language: Language) -> "FPDF":
    # Half a second to import, and only those pay for it who ask for a report.
    from fpdf import FPDF

    title, disclaimer = language.tell(say("pneumo: reading of a child's chest film")), language.tell(DISCLAIMER)

    class Document(FPDF):
        def header(self) -> None:
            _choose_font(self, "B", 11)
            self.cell(WIDTH / 2, 6, title)
            _choose_font(self, "", 8)
            self.cell(WIDTH / 2, 6, language.moment(made), align="R", new_x="LMARGIN", new_y="NEXT")
            _choose_font(self, "B", 9)
            self.cell(WIDTH, 7, disclaimer, border=1, align="C", new_x="LMARGIN", new_y="NEXT")
            self.ln(2)

    document = Document(format="A4")
    document.set_margins(MARGIN, 10, MARGIN)
    document.set_auto_page_break(True, 297 - BOTTOM)
    document.c_margin = 0
    document.add_font(_FONT, "", font_file())
    document.add_font(_FONT, "B", font_file(bold=True))
    document.add_font(_CHINESE, "", CHINESE_FONT)
    # It has no bold letters of its own.
    document.set_fallback_fonts([_CHINESE], exact_match=False)
    document.set_creation_date(made)
    document.set_title(title)
    document.set_subject(disclaimer)
    document.set_lang(language.locale.replace("_", "-"))
    return document


def _choose_font(document: "FPDF", style: str, size: float) -> None:
    # After a text in the fallback font fpdf2 2.8 takes the main one for chosen, and it is not: name another one first.
    document.set_font(_CHINESE, "", size)
    document.set_font(_FONT, style, size)


def _printable(document: "FPDF", text: str) -> str:
    """Put a space for what is no letter, and a box for each letter that the font lacks."""
    from fpdf.fonts import TTFFont

    fonts = [font.cmap for font in document.fonts.values() if isinstance(font, TTFFont)]
    letters = (letter if letter.isprintable() else " " for letter in text)
    return "".join(letter if any(ord(letter) in known for known in fonts) else "□" for letter in letters)


def _film_page(document: "FPDF", item: FilmReport, place: str, language: Language) -> None:
    document.add_page()
    record, tell = item.record, language.tell
    if headed := report_text.title(item, place):
        _write(document, [Line(headed, bold=True)], 10)
    document.ln(2)
    _write(document, [Line(tell(outcome(record)), bold=True)], 18)
    _write(document, [Line(tell(report_text.probability(record)), bold=True)], 11)
    if record["status"] == "ok":
        _draw_scale(document, record["probability"], record["thresholds"], language)
    document.ln(GAP)
    room = BOTTOM - document.get_y() - GAP
    size, lines = _fitted(document, item, room - SMALLEST_PICTURE, language)
    _draw_pictures(document, _pictures(item, language), room - _height(document, lines, size))
    _write(document, lines, size)


def _fitted(document: "FPDF", item: FilmReport, room: float, language: Language) -> tuple[float, list[Line]]:
    """Return the size of letters and the lines below the pictures that fit into a height, mm."""

    @functools.cache
    def height(line: Line) -> float:
        return _height(document, [line], size)

    told = min(len(item.record["reasons"]), MOST_MESSAGES)
    for size in SIZES:
        height.cache_clear()
        lines = report_text.below_pictures(item, told, language)
        if sum(map(height, lines)) <= room:
            return size, lines
    while told and sum(map(height, lines)) > room:
        told -= 1
        lines = report_text.below_pictures(item, told, language)
    return size, lines


def _height(document: "FPDF", lines: Sequence[Line], size: float) -> float:
    """Return the height of paragraphs, mm."""
    total, step = 0.0, size * _POINT * _LINE
    for line in lines:
        document.set_font(_FONT, "B" if line.bold else "", size)
        text = _printable(document, line.text)
        broken: Any = document.multi_cell(WIDTH, step, text, align="L", dry_run=True, output="LINES")
        total += line.above + step * len(broken)
    return total


def _write(document: "FPDF", lines: Sequence[Line], size: float) -> None:
    for line in lines:
        _choose_font(document, "B" if line.bold else "", size)
        document.set_y(document.get_y() + line.above)
        text = _printable(document, line.text)
        document.multi_cell(WIDTH, size * _POINT * _LINE, text, align="L", new_x="LMARGIN", new_y="NEXT")


def _draw_scale(document: "FPDF", probability: float, thresholds: dict[str, float], language: Language) -> None:
    """Draw the three answers from 0 to 100 % in shades of grey, and the film as a mark above them."""
    top, height = document.get_y() + 4, 4.0
    edges = (0.0, thresholds["low"], thresholds["high"], 1.0)
    for start, end, grey in zip(edges, edges[1:], (255, 215, 150), strict=False):
        document.set_fill_color(grey)
        document.rect(MARGIN + WIDTH * start, top, WIDTH * (end - start), height, style="FD")
    document.set_fill_color(0)
    mark = MARGIN + WIDTH * probability
    document.polygon([(mark - 1.8, top - 3), (mark + 1.8, top - 3), (mark, top)], style="F")
    document.set_y(top + height + 0.5)
    words = (
        (say("Unlikely below {low}", low=as_percent(thresholds["low"])), "L"),
        (say("Cannot say in between"), "C"),
        (say("Likely at or above {high}", high=as_percent(thresholds["high"])), "R"),
    )
    for text, align in words:
        _choose_font(document, "", 8)
        document.cell(WIDTH / 3, 4, language.tell(text), align=align)
    document.ln(4)


def _pictures(item: FilmReport, language: Language) -> list[tuple[np.ndarray, str]]:
    assert item.film is not None
    pictures = [(drawing.film_picture(fit_within(item.film, PRINTED_SIDE)), language.tell(say("The film")))]
    if item.overlay:
        pictures.append((item.overlay.picture, language.tell(say("The film with its heat map"))))
    return pictures


def _draw_pictures(document: "FPDF", pictures: list[tuple[np.ndarray, str]], room: float) -> None:
    """Draw pictures of one shape side by side, none higher than the room in millimetres."""
    rows, columns = pictures[0][0].shape[:2]
    height = min(room, LARGEST_PICTURE, (WIDTH - GAP) / 2 * rows / columns)
    width = height * columns / rows
    top = document.get_y()
    for number, (picture, words) in enumerate(pictures):
        jpeg = cv2.imencode(".jpg", _shrunk(picture)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
        document.image(jpeg, MARGIN + number * (width + GAP), top, width, height, alt_text=words)
    document.set_y(top + height + GAP / 2)


def _shrunk(picture: np.ndarray) -> np.ndarray:
    scale = min(1.0, PRINTED_SIDE / max(picture.shape[:2]))
    return picture if scale == 1 else cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _summary(document: "FPDF", items: Sequence[FilmReport], language: Language) -> None:
    document.add_page()
    _write(document, [Line(report_text.counts(items, language), bold=True)], 10)
    document.ln(2)
    _choose_font(document, "", 8)
    with document.table(
        col_widths=(8, 60, 32, 20, 60),
        text_align=("RIGHT", "LEFT", "LEFT", "RIGHT", "LEFT"),
        padding=1,
        line_height=8 * _POINT * _LINE,
    ) as table:
        table.row([language.tell(column) for column in report_text.COLUMNS])
        for number, item in enumerate(items, start=1):
            table.row([_printable(document, cell) for cell in report_text.row(item, number, language)])
