"""Reports as PDF: one A4 page a film, before them a table where there are several; for black and white, too."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from pneumo import DISCLAIMER
from pneumo.evaluation.calibration import as_percent
from pneumo.explanation import drawing
from pneumo.language import ENGLISH, FOLDER, Language
from pneumo.preprocessing.network_input import fit_within
from pneumo.reports.overlay_png import Overlay, font_file
from pneumo.reports.records import Record, film_name, outcome, tally
from pneumo.sentences import Sentence, say, say_many, visible

if TYPE_CHECKING:
    from fpdf import FPDF

LONGEST_MESSAGE, LONGEST_NAME, LONGEST_NOTE = 400, 120, 160
COLUMNS = ("", say("Film"), say("Answer"), say("Of 100 such films"), say("Film quality"))
# Millimetres.
_SECTION = 2.0


@dataclass(frozen=True, eq=False)
class FilmReport:
    """What a page tells of one film.

    Attributes:
        record: of an assessed, a refused or an unreadable film, as `pneumo.reports.records` makes it.
        film: (height, width) float32 in 0…1; None where the file could not be read.
        overlay: None where there is no heat map.
        label: what the user typed to know the film by, such as a name; nothing else on the page names the patient but
            what the file itself may be called.
    """

    record: Record
    film: np.ndarray | None
    overlay: Overlay | None = None
    label: str = ""


class Line(NamedTuple):
    """A paragraph: its text, whether it is bold, and the space above it in millimetres."""

    text: str
    bold: bool = False
    above: float = 0.0


def shortened(text: str, longest: int) -> str:
    """Return a text without line breaks, cut at a number of letters."""
    flat = visible(" ".join(text.split()))
    return flat if len(flat) <= longest else f"{flat[: longest - 1]}…"


def title(item: FilmReport, place: str) -> str:
    """Return what a film's page is headed with: where it stands among others, and what the user calls it."""
    return " · ".join(shortened(text, LONGEST_NAME) for text in (place, item.label) if text)


def statement(record: Record) -> str:
    """Return the line below the answer."""
    return record.statement or say("The model was not asked. This says nothing about the child's lungs.")


def below_pictures(item: FilmReport, messages: int, language: Language = ENGLISH) -> list[Line]:
    """Return what stands below the pictures of a film.

    Args:
        item: a film that was read.
        messages: how many of the record's reasons are told; of the others, how many there are.
        language: that they are told in.
    """
    record, tell = item.record, language.tell
    found = len(record.findings or ())
    told = [Line(f"– {shortened(tell(text), LONGEST_MESSAGE)}") for text in record.reasons[:messages]]
    left_out = len(record.reasons) - messages
    lines = [Line(" ".join(map(tell, item.overlay.meaning)))] if item.overlay else []
    if record.severity and record.answer != "unlikely":
        severity = filter(None, (record.severity.sentence, record.severity.worth))
        lines += [Line(" ".join(map(tell, severity)))]
    lines += [_heading(tell(_about_the_check(record))), *told[:found]]
    if told[found:]:
        why = say("Why this answer") if record.status == "ok" else say("What was done")
        lines += [_heading(tell(why)), *told[found:]]
    if left_out:
        more = say_many(
            "and {number} more, which the JSON record holds", "and {number} more, which the JSON record holds", left_out
        )
        lines.append(Line(f"– {tell(more)}"))
    if record.limits and record.answer and not record.forced:
        lines += [_heading(tell(say("What it holds for"))), Line(tell(record.limits))]
    image, name = record.image, shortened(film_name(record), LONGEST_NAME)
    origin = (
        say("Film: {name} ({format}, {width} × {height} pixels)", name=name, **(vars(image) if image else {})),
        say("SHA-256 of the film's file: {sha256}", sha256=record.image_sha256),
        say(
            "Model: {title} ({model}), pneumo {version}",
            **{"title": record.model_title, "model": record.model, "version": record.pneumo_version},
        ),
        say("SHA-256 of the model's file: {sha256}", sha256=record.model_sha256),
    )
    return [*lines, _heading(tell(say("Film and model"))), *(Line(tell(each)) for each in origin)]


def _heading(text: str) -> Line:
    return Line(text, bold=True, above=_SECTION)


def _about_the_check(record: Record) -> Sentence:
    if record.findings is None:
        return say("Whether this is a frontal chest film was not checked")
    if not record.findings:
        return say("Film quality: fine")
    if record.status == "refused":
        return say("Why the film was refused")
    if record.forced:
        return say("The check refused this film; it was assessed because the user asked for that")
    return say("What the check warns of")


def counts(items: Sequence[FilmReport], language: Language = ENGLISH) -> str:
    """Return how many films there are and what became of them, as in ``3 films: pneumonia likely 2, refused 1``."""
    tell = language.tell
    parts = [f"{tell(words).lower()} {count}" for words, count in tally(item.record for item in items).items()]
    return tell(say_many("{number} film: {parts}", "{number} films: {parts}", len(items), parts=", ".join(parts)))


def row(item: FilmReport, number: int, language: Language = ENGLISH) -> tuple[str, ...]:
    """Return a film's cells in the table of all films, as many as `COLUMNS`."""
    record, tell = item.record, language.tell
    found = [finding.message for finding in record.findings or ()]
    if record.status == "error":
        found = list(record.reasons)
    elif record.findings is None:
        found = [say("Not checked")]
    return (
        str(number),
        shortened(" · ".join(filter(None, (item.label, film_name(record)))), LONGEST_NAME),
        tell(say("{answer}, although refused", answer=outcome(record)) if record.forced else outcome(record)),
        record.count or "–",
        shortened(" ".join(map(tell, found or [say("Fine")])), LONGEST_NOTE),
    )


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
CHINESE_FONT = FOLDER / "DroidSansFallback-GB2312.ttf"
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


def several_pages(items: Sequence[FilmReport], made: datetime, language: Language = ENGLISH) -> bytes:
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
    if headed := title(item, place):
        _write(document, [Line(headed, bold=True)], 10)
    document.ln(2)
    _write(document, [Line(tell(outcome(record)), bold=True)], 18)
    _write(document, [Line(tell(statement(record)), bold=True)], 11)
    # The limits are the model's own: where the answer was restated they would contradict it.
    if record.probability is not None and record.thresholds is not None and record.clinic_prevalence is None:
        _draw_scale(document, record.probability, record.thresholds, language)
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

    told = min(len(item.record.reasons), MOST_MESSAGES)
    for size in SIZES:
        height.cache_clear()
        lines = below_pictures(item, told, language)
        if sum(map(height, lines)) <= room:
            return size, lines
    while told and sum(map(height, lines)) > room:
        told -= 1
        lines = below_pictures(item, told, language)
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
    _write(document, [Line(counts(items, language), bold=True)], 10)
    document.ln(2)
    _choose_font(document, "", 8)
    with document.table(
        col_widths=(8, 60, 32, 20, 60),
        text_align=("RIGHT", "LEFT", "LEFT", "RIGHT", "LEFT"),
        padding=1,
        line_height=8 * _POINT * _LINE,
    ) as table:
        table.row([language.tell(column) for column in COLUMNS])
        for number, item in enumerate(items, start=1):
            table.row([_printable(document, cell) for cell in row(item, number, language)])
