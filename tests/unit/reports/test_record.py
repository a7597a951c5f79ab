import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import synthetic

from pneumo import DISCLAIMER, __version__
from pneumo.errors import ImageSizeError, UnreadableImageError, UnsupportedImageError
from pneumo.inference.classifier import Assessment
from pneumo.inference.findings import Correction, Finding
from pneumo.radiograph import Radiograph
from pneumo.reports.record import (
    CSV_COLUMNS,
    assessment_record,
    check_record,
    error_record,
    film_name,
    outcome,
    refused_record,
    tally,
    to_csv,
    to_json,
    unreadable_record,
    validity,
)

REFUSAL = Finding("rotated", "refuse", "It lies on its side.", Correction(1))
WARNING = Finding("adult", "warn", "She is 40 years old.")
REFUSAL_VALUES = {"code": "rotated", "severity": "refuse", "message": "It lies on its side."}
WARNING_VALUES = {"code": "adult", "severity": "warn", "message": "She is 40 years old."}


@pytest.fixture
def assessment():
    film = Radiograph(np.zeros((70, 90), np.float32), "film.dcm", "a" * 64, "DICOM", 12, age_years=3.5)
    reasons = ("It is 91.2 %, “likely”.", "It was turned.")
    return Assessment(film, "likely", 0.912345, reasons, synthetic.card(), np.zeros((32, 32, 1), np.float32))


def test_a_record_says_what_was_found_by_which_model_in_which_file(assessment):
    assert assessment_record(assessment) == {
        "file": "film.dcm",
        "status": "ok",
        "answer": "likely",
        "probability": 0.912345,
        "reasons": ["It is 91.2 %, “likely”.", "It was turned."],
        "findings": None,
        "forced": False,
        "model": "toy",
        "model_title": "Toy model",
        "model_sha256": "0" * 64,
        "thresholds": {"decision": 0.5, "low": 0.2, "high": 0.8},
        "prevalence": 0.5,
        "image": {"format": "DICOM", "width": 90, "height": 70},
        "image_sha256": "a" * 64,
        "pneumo_version": __version__,
        "disclaimer": DISCLAIMER,
    }


def test_a_film_may_be_called_by_its_path(assessment):
    assert assessment_record(assessment, "ward 3/film.dcm")["file"] == "ward 3/film.dcm"


def test_what_the_gate_found_stands_first_among_the_reasons(assessment):
    record = assessment_record(assessment, findings=[REFUSAL, WARNING], forced=True)

    assert record["status"] == "ok"
    assert record["reasons"] == [REFUSAL.message, WARNING.message, *assessment.reasons]
    assert record["findings"] == [REFUSAL_VALUES, WARNING_VALUES]
    assert record["forced"] is True


def test_a_checked_film_without_findings_differs_from_one_that_was_not_checked(assessment):
    assert assessment_record(assessment, findings=[])["findings"] == []
    assert assessment_record(assessment)["findings"] is None


def test_a_refused_film_has_a_record_without_an_answer(assessment):
    film = assessment.radiograph

    record = refused_record(film, [REFUSAL, WARNING], synthetic.card(), "ward 3/film.dcm")

    assert record == {
        "file": "ward 3/film.dcm",
        "status": "refused",
        "answer": None,
        "probability": None,
        "reasons": [REFUSAL.message, WARNING.message],
        "findings": [REFUSAL_VALUES, WARNING_VALUES],
        "forced": False,
        "model": "toy",
        "model_title": "Toy model",
        "model_sha256": "0" * 64,
        "image": {"format": "DICOM", "width": 90, "height": 70},
        "image_sha256": "a" * 64,
        "pneumo_version": __version__,
        "disclaimer": DISCLAIMER,
    }
    assert refused_record(film, [REFUSAL], synthetic.card())["file"] == "film.dcm"


def test_a_check_tells_the_findings_and_whether_one_refuses():
    assert check_record("a.png", []) == {"file": "a.png", "accepted": True, "findings": []}
    assert check_record("a.png", [WARNING]) == {"file": "a.png", "accepted": True, "findings": [WARNING_VALUES]}
    assert check_record("a.png", [REFUSAL, WARNING])["accepted"] is False


@pytest.mark.parametrize(
    ("error", "code"),
    [(UnreadableImageError, "unreadable"), (UnsupportedImageError, "unsupported"), (ImageSizeError, "image_size")],
)
def test_a_check_of_a_file_that_cannot_be_read_refuses_it(error, code):
    assert unreadable_record("x.png", error("x.png is odd.")) == {
        "file": "x.png",
        "accepted": False,
        "findings": [{"code": code, "severity": "refuse", "message": "x.png is odd."}],
    }


def test_a_file_that_could_not_be_read_has_a_record_without_an_answer():
    record = error_record("x.png", UnreadableImageError("x.png is empty."), synthetic.card())

    assert (record["file"], record["status"], record["answer"], record["probability"]) == ("x.png", "error", None, None)
    assert record["reasons"] == ["x.png is empty."]
    assert (record["model"], record["model_sha256"]) == ("toy", "0" * 64)
    assert record["disclaimer"] == DISCLAIMER


def test_json_is_one_line_that_reads_back(assessment):
    record = assessment_record(assessment)

    line = to_json(record)

    assert "\n" not in line
    assert "“likely”" in line
    assert json.loads(line) == record
    assert json.loads(to_json(record, indent=2)) == record


def test_csv_has_a_row_a_film_and_an_empty_cell_where_there_is_no_answer(assessment):
    failed = error_record("x.png", UnreadableImageError("x.png is empty, so: no."), synthetic.card())

    refused = refused_record(assessment.radiograph, [REFUSAL, WARNING], synthetic.card())
    rows = list(csv.DictReader(io.StringIO(to_csv([assessment_record(assessment), failed, refused]))))

    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["file"] for row in rows] == ["film.dcm", "x.png", "film.dcm"]
    assert [row["findings"] for row in rows] == ["", "", "rotated adult"]
    assert rows[2]["reasons"] == "It lies on its side. She is 40 years old."
    assert rows[0]["probability"] == "0.912345"
    assert rows[0]["reasons"] == "It is 91.2 %, “likely”. It was turned."
    assert rows[0]["image_sha256"] == "a" * 64
    assert (rows[1]["status"], rows[1]["answer"], rows[1]["probability"]) == ("error", "", "")
    assert rows[1]["reasons"] == "x.png is empty, so: no."


def test_csv_of_nothing_is_its_header():
    assert to_csv([]) == ",".join(CSV_COLUMNS) + "\n"


@given(
    first=st.sampled_from("=+-@\t\r"),
    rest=st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20),
)
def test_no_cell_is_run_as_a_formula(first, rest):
    name = first + rest
    record = error_record(name, UnreadableImageError(f"{name} is damaged."), synthetic.card())

    row = next(csv.DictReader(io.StringIO(to_csv([record]), newline="")))

    shown = name.replace("\r", " ")
    assert row["file"] == f"'{shown}"
    assert row["reasons"] == f"'{shown} is damaged."


@pytest.mark.parametrize("line_end", ["\r", "\n", "\r\n"])
def test_no_name_starts_a_row_of_its_own(line_end):
    record = error_record(f"a.png{line_end}=1+1", UnreadableImageError("It is damaged."), synthetic.card())

    rows = list(csv.reader(io.StringIO(to_csv([record]), newline="")))

    assert len(rows) == 2
    assert not any(cell.startswith("=") for row in rows for cell in row)


@pytest.mark.parametrize("name", ["film.png", "a=b.png", "kind's.png", 'say "a", b.png', "Röntgen.png"])
def test_harmless_names_stay_as_they_are(name):
    record = error_record(name, UnreadableImageError("It is damaged."), synthetic.card())

    assert next(csv.DictReader(io.StringIO(to_csv([record]))))["file"] == name


def test_what_became_of_films_is_counted_in_words():
    answers = ["unlikely", "likely", "unlikely"]
    records = [{"status": "ok", "answer": answer} for answer in answers] + [{"status": "error", "answer": None}]

    assert [outcome(record) for record in records[1:]] == ["Pneumonia likely", "Pneumonia unlikely", "Not readable"]
    assert list(tally(records).items()) == [("Pneumonia likely", 1), ("Pneumonia unlikely", 2), ("Not readable", 1)]


@pytest.mark.parametrize("path", ["a film.png", "Jane Doe/a film.png", "C:\\Jane Doe\\a film.png"])
def test_a_report_names_the_file_and_not_the_folders(path):
    assert film_name({"file": path}) == "a film.png"


def test_an_answer_says_for_which_share_of_pneumonia_it_holds():
    assert "holds where 50% of the films show pneumonia" in validity(0.5)
    assert "one to five years" in validity(0.5)
