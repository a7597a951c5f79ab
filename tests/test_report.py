import csv
import io
import json

import numpy as np
import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st

from pneumo import DISCLAIMER, __version__
from pneumo.classifier import Assessment
from pneumo.errors import UnreadableImageError
from pneumo.radiograph import Radiograph
from pneumo.report import CSV_COLUMNS, assessment_record, error_record, to_csv, to_json


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
        "model": "toy",
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

    rows = list(csv.DictReader(io.StringIO(to_csv([assessment_record(assessment), failed]))))

    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["file"] for row in rows] == ["film.dcm", "x.png"]
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
