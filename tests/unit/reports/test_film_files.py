import json
from datetime import UTC, datetime

import numpy as np
import pytest
from toy import reported

from pneumo.explanation.explainer import HeatMap
from pneumo.inference.findings import refuse
from pneumo.reports import dicom, overlay_png, pdf
from pneumo.reports.film_files import DICOM_REPORT, ENDINGS, JSON, PDF, PICTURE, files

MADE = datetime(2026, 11, 21, tzinfo=UTC)
SOURCE = reported.dicom_film()


def heat_of(film):
    heat = np.ones(film.pixels.shape, np.float32)
    return HeatMap(heat, "gradcam", "conv", heat, None)


def files_of(film, source=b"", kinds=ENDINGS, *, with_heat=True):
    reading = reported.reading_of(assessment=reported.answered(film), findings=[], source=source)
    return files(reading, heat_of(film) if with_heat else None, kinds, made=MADE)


def test_a_picture_gives_pdf_json_and_overlay():
    made = files_of(reported.png_film())

    assert {ending: content[:4] for ending, content in made.contents.items()} == {
        ".pdf": b"%PDF",
        ".json": b"{\n  ",
        "-overlay.png": b"\x89PNG",
    }
    assert json.loads(made.contents[".json"])["answer"] == "likely"
    assert made.problem == ""


def test_a_dicom_film_gives_dicom_objects_too():
    made = files_of(reported.read_dicom(SOURCE), SOURCE)

    assert tuple(made.contents) == ENDINGS
    assert all(made.contents[ending][128:132] == b"DICM" for ending in ("-overlay.dcm", "-sr.dcm"))
    assert made.problem == ""


def test_without_a_heat_map_there_is_no_picture_of_one():
    assert set(files_of(reported.read_dicom(SOURCE), SOURCE, with_heat=False).contents) == {".pdf", ".json", "-sr.dcm"}


def test_a_refused_film_gives_pdf_json_and_a_report_for_its_study():
    film = reported.read_dicom(SOURCE)
    refused = reported.reading_of(film, findings=[refuse("lateral", "This looks like a side view.")], source=SOURCE)

    made = files(refused, None, made=MADE)

    assert set(made.contents) == {".pdf", ".json", "-sr.dcm"}
    assert made.problem == ""


@pytest.mark.parametrize("kind", [PDF, JSON, PICTURE, DICOM_REPORT])
def test_only_the_file_that_is_asked_for_is_made(kind, monkeypatch):
    makers = {PDF: (pdf, "one_page"), PICTURE: (overlay_png, "overlay_png"), DICOM_REPORT: (dicom, "structured_report")}
    for other, (module, name) in makers.items():
        if other != kind:
            monkeypatch.setattr(module, name, lambda *_, name=name: pytest.fail(f"{name} was called"))
    monkeypatch.setattr(dicom, "secondary_capture", lambda *_: pytest.fail("secondary_capture was called"))

    assert set(files_of(reported.read_dicom(SOURCE), SOURCE, (kind,)).contents) == {kind}


def test_a_film_that_no_object_can_join_keeps_the_rest():
    source = reported.dicom_film(StudyInstanceUID=None)

    made = files_of(reported.read_dicom(source), source)

    assert set(made.contents) == {".pdf", ".json", "-overlay.png"}
    assert "Keep the PDF" in made.problem


def test_what_a_library_says_of_a_header_is_not_passed_on(monkeypatch):
    def fails(*_):
        raise KeyError("SECRET")

    monkeypatch.setattr(dicom, "structured_report", fails)

    made = files_of(reported.read_dicom(SOURCE), SOURCE)

    assert made.problem == "film.dcm has a header that no DICOM report can join (KeyError). Keep the PDF."
    assert set(made.contents) == {".pdf", ".json", "-overlay.png"}


def test_a_name_that_is_no_text_is_written_all_the_same():
    made = files_of(reported.png_film("r\udcf6ntgen.png"))

    assert b"r\\udcf6ntgen.png" in made.contents[".json"]


def test_an_unreadable_film_has_no_page_to_keep():
    with pytest.raises(ValueError, match="could not be read"):
        files(reported.reading_of(), None, made=MADE)


def test_an_unreadable_dicom_film_gives_a_report_for_its_study():
    made = files(reported.reading_of(source=SOURCE), None, (DICOM_REPORT,), made=MADE)

    assert set(made.contents) == {"-sr.dcm"}
