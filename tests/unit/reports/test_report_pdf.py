import dataclasses
import io
import logging
import re
from datetime import UTC, datetime

import catalogue
import numpy as np
import pypdf
import pytest
from toy import reported, synthetic

from pneumo import DISCLAIMER
from pneumo.inference.conclusion import limits
from pneumo.inference.findings import refuse, warn
from pneumo.language import LANGUAGES
from pneumo.reports import overlay_png, pdf
from pneumo.reports.pdf import FilmReport
from pneumo.sentences import say

MADE = datetime(2026, 11, 21, 17, 54, tzinfo=UTC)
A4 = (595, 842)


def item(findings=(), *, height=240, width=300, name="film.png", label="", **answer):
    film = reported.png_film(name, height, width)
    assessment = reported.answered(film, **answer)
    heat = np.zeros(film.pixels.shape, np.float32)
    heat[20:60, 20:60] = 1
    overlay = overlay_png.overlay(film.pixels, heat, "Grad-CAM", assessment.answer)
    return FilmReport(reported.record_of(assessment=assessment, findings=findings), film.pixels, overlay, label)


def refused(messages=1):
    film = reported.png_film("side.png")
    findings = [refuse("lateral", "This looks like a side view.")] * messages
    return FilmReport(reported.record_of(film, findings=findings), film.pixels)


def broken():
    return FilmReport(reported.record_of(), None)


def pages(data):
    return pypdf.PdfReader(io.BytesIO(data)).pages


def text(page):
    return re.sub(r"\s+", " ", page.extract_text())


def test_the_page_of_an_answer_has_all_that_is_to_be_kept():
    [page] = pages(pdf.one_page(item([warn("adult", "She is 40 years old.")], label="Bed 3"), MADE))

    told = text(page)
    for words in (
        "Pneumonia likely",
        "It cannot be said how often such an answer is right.",
        "Unlikely below 20.0 %",
        "Likely at or above 80.0 %",
        "She is 40 years old.",
        "It is 91.2 %, “likely”.",
        limits(synthetic.card()),
        DISCLAIMER,
        "Toy model (toy), pneumo",
        "0" * 64,
        "a" * 64,
        "2026-11-21 17:54 UTC",
        "Bed 3",
        "The colours show where the score came from",
    ):
        assert words in told
    assert len(page.images) == 2
    assert tuple(round(float(side)) for side in page.mediabox[2:]) == A4


def test_the_page_of_a_refused_film_has_reasons_and_no_answer():
    [page] = pages(pdf.one_page(refused(), MADE))

    told = text(page)
    assert "Refused" in told
    assert "The model was not asked." in told
    assert "This looks like a side view." in told
    assert DISCLAIMER in told
    assert "Probability" not in told
    assert len(page.images) == 1


@pytest.mark.parametrize(
    ("messages", "height", "width"),
    [(0, 240, 300), (10, 600, 120), (20, 120, 600), (40, 240, 300), (120, 240, 300)],
)
def test_it_is_one_page_however_long_the_findings(messages, height, width):
    findings = [warn("long", f"Finding {number}: {'lung ' * 30}") for number in range(messages)]

    [page] = pages(pdf.one_page(item(findings, height=height, width=width), MADE))

    told = text(page)
    assert len(page.images) == 2
    assert f"SHA-256 of the model's file: {'0' * 64}" in told
    assert ("which the JSON record holds" in told) == (messages == 120)


def test_pictures_shrink_before_words_are_left_out():
    def picture_height(messages):
        [page] = pages(pdf.one_page(item([warn("w", "word " * 60)] * messages), MADE))
        content = page.get_contents().get_data().decode("latin-1")
        return max(float(match[1]) for match in re.finditer(r"[\d.]+ 0 0 ([\d.]+) [\d.]+ [\d.]+ cm /I", content))

    few, more, many = (picture_height(messages) for messages in (0, 12, 60))

    assert few > more > many
    assert many >= pdf.SMALLEST_PICTURE / 25.4 * 72 - 0.1


def test_letters_beyond_english_are_printed_and_unknown_ones_are_boxes(caplog):
    with caplog.at_level(logging.INFO):
        [page] = pages(pdf.one_page(item(label="Núñez – “Ärztin” ≥ 3\n胸 Ա\u13a0\udcff"), MADE))

    assert "Núñez – “Ärztin” ≥ 3 胸 Ա□ Pneumonia likely" in text(page)
    assert "胸" not in caplog.text


def test_fonts_are_embedded_and_the_file_is_small():
    data = pdf.one_page(item(height=1000, width=1200), MADE)

    fonts = pages(data)[0]["/Resources"]["/Font"].values()
    descriptors = [font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"] for font in fonts]
    assert descriptors
    assert all("/FontFile2" in descriptor for descriptor in descriptors)
    assert len(data) < 1_000_000


def test_several_films_are_a_table_and_a_page_each():
    items = [item(answer="unlikely", probability=0.02), refused(), broken(), item(name="last.png")]

    first, *others = pages(pdf.several_pages(items, MADE))

    told = text(first)
    assert "4 films: pneumonia likely 1, pneumonia unlikely 1, refused 1, not readable 1" in told
    assert "last.png" in told
    assert "x.png is empty." in told
    assert [re.search(r"Film \d of \d", text(page))[0] for page in others] == [
        "Film 1 of 4",
        "Film 2 of 4",
        "Film 4 of 4",
    ]
    assert all(DISCLAIMER in text(page) for page in (first, *others))


def test_a_long_table_goes_on_with_its_headings_and_the_disclaimer():
    items = [broken()] * 60

    told = [text(page) for page in pages(pdf.several_pages(items, MADE))]

    assert len(told) > 1
    assert all(DISCLAIMER in page and "Film quality" in page for page in told)
    assert sum(page.count("x.png is empty.") for page in told) == 60


def test_what_cannot_be_shown_is_told():
    with pytest.raises(ValueError, match=r"x\.png could not be read"):
        pdf.one_page(broken(), MADE)
    with pytest.raises(ValueError, match="no film"):
        pdf.several_pages([], MADE)


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_the_mark_stays_on_the_page_at_both_ends(probability):
    [page] = pages(pdf.one_page(item(probability=probability), MADE))

    marks = re.findall(rb"([\d.]+) [\d.]+ m", page.get_contents().get_data())
    assert all(0 <= float(across) <= A4[0] for across in marks)
    assert marks


def test_the_limits_of_the_model_are_not_drawn_beside_an_answer_that_was_restated():
    made = item()
    restated = dataclasses.replace(made, record=dataclasses.replace(made.record, clinic_prevalence=0.05))

    [page] = pages(pdf.one_page(restated, MADE))

    assert "Likely at or above" not in text(page)


@pytest.mark.parametrize(
    ("code", "answer", "disclaimer", "limit", "date"),
    [
        ("zh", "很可能是肺炎", "非医疗器械", "80.0%", "2026年11月21日"),
        ("es", "Neumonía probable", "no es un producto sanitario", "80,0 %", "21 de noviembre de 2026"),
        ("fr", "Pneumonie probable", "n’est pas un dispositif médical", "80,0 %", "21 novembre 2026"),
    ],
)
def test_a_report_is_written_in_the_language_that_is_asked_for(code, answer, disclaimer, limit, date):
    asked = item([warn("lungs_cut_off", say("The picture has only {width} × {height} pixels", width=9, height=8))])

    [page] = pages(pdf.one_page(asked, MADE, LANGUAGES[code]))

    told = text(page)
    assert all(words in told for words in (answer, disclaimer, limit, date))
    assert "□" not in told
    for english in ("Pneumonia likely", "Research demonstration", "The picture has only", "Film and model"):
        assert english not in told


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_letter_of_a_catalogue_can_be_printed(code):
    document = pdf._document(MADE, LANGUAGES[code])
    messages = [] if code == "en" else catalogue.read(code)
    letters = {letter for message in messages for form in message.string for letter in form}

    assert pdf._printable(document, "".join(sorted(letters))).count("□") == 0


def test_a_long_table_in_chinese_stays_on_its_pages():
    told = [text(page) for page in pages(pdf.several_pages([item()] * 3 + [broken()] * 60, MADE, LANGUAGES["zh"]))]

    assert "63 张胸片：很可能是肺炎 3, 无法读取 60" in told[0]
    assert all("非医疗器械" in page for page in told)


def test_a_line_that_begins_in_latin_after_one_that_ends_in_chinese_can_be_read():
    told = text(pages(pdf.one_page(item(label="张三"), MADE, LANGUAGES["zh"]))[0])

    assert "80.0% 及以上为很可能" in told
    assert "低于 20.0% 为不太可能" in told
