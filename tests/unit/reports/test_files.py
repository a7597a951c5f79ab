import json
from datetime import UTC, datetime

import numpy as np
import pytest
from toy import reported, synthetic

from pneumo.inference.findings import refuse
from pneumo.reports import dicom, overlay_png
from pneumo.reports.files import ENDINGS, of_film
from pneumo.reports.pdf import FilmReport
from pneumo.reports.record import assessment_record, refused_record

MADE = datetime(2026, 11, 21, tzinfo=UTC)
SOURCE = reported.dicom_film()


def files_of(film, source=b"", *, with_heat=True):
    assessment = reported.answered(film)
    record = assessment_record(assessment, findings=[])
    heat = np.ones(film.pixels.shape, np.float32)
    overlay = overlay_png.overlay(film.pixels, heat, "Grad-CAM", assessment.answer) if with_heat else None
    return of_film(FilmReport(record, film.pixels, overlay), source, MADE, assessment, [])


def test_a_picture_gives_pdf_json_and_overlay():
    files = files_of(reported.png_film())

    assert {ending: content[:4] for ending, content in files.contents.items()} == {
        ".pdf": b"%PDF",
        ".json": b"{\n  ",
        "-overlay.png": b"\x89PNG",
    }
    assert json.loads(files.contents[".json"])["answer"] == "likely"
    assert files.problem == ""


def test_a_dicom_film_gives_dicom_objects_too():
    files = files_of(reported.read_dicom(SOURCE), SOURCE)

    assert tuple(files.contents) == ENDINGS
    assert all(files.contents[ending][128:132] == b"DICM" for ending in ("-overlay.dcm", "-sr.dcm"))
    assert files.problem == ""


def test_without_a_heat_map_there_is_no_picture_of_one():
    assert set(files_of(reported.read_dicom(SOURCE), SOURCE, with_heat=False).contents) == {".pdf", ".json", "-sr.dcm"}


def test_a_refused_film_gives_pdf_and_json():
    film = reported.read_dicom(SOURCE)
    record = refused_record(film, [refuse("lateral", "This looks like a side view.")], synthetic.card())

    files = of_film(FilmReport(record, film.pixels), SOURCE, MADE)

    assert set(files.contents) == {".pdf", ".json"}
    assert files.problem == ""


def test_a_film_that_no_object_can_join_keeps_the_rest():
    source = reported.dicom_film(StudyInstanceUID=None)

    files = files_of(reported.read_dicom(source), source)

    assert set(files.contents) == {".pdf", ".json", "-overlay.png"}
    assert "Keep the PDF" in files.problem


def test_what_a_library_says_of_a_header_is_not_passed_on(monkeypatch):
    def fails(*_):
        raise KeyError("SECRET")

    monkeypatch.setattr(dicom, "structured_report", fails)

    files = files_of(reported.read_dicom(SOURCE), SOURCE)

    assert files.problem == "film.dcm has a header that no DICOM report can join (KeyError). Keep the PDF."
    assert set(files.contents) == {".pdf", ".json", "-overlay.png"}


def test_a_name_that_is_no_text_is_written_all_the_same():
    files = files_of(reported.png_film("r\udcf6ntgen.png"))

    assert b"r\\udcf6ntgen.png" in files.contents[".json"]


def test_an_unreadable_film_has_nothing_to_keep():
    film = reported.png_film()

    with pytest.raises(ValueError, match="could not be read"):
        of_film(FilmReport(assessment_record(reported.answered(film)), None), b"", MADE)
