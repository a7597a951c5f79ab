import csv
import dataclasses
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import sites, synthetic
from toy.reported import answered, png_film, record_of

from pneumo import DISCLAIMER, __version__
from pneumo.errors import ImageSizeError, UnreadableImageError, UnsupportedImageError
from pneumo.evaluation.intervals import Estimate
from pneumo.inference.classifier import Assessment
from pneumo.inference.findings import Correction, Finding
from pneumo.inference.similar_scores import SimilarFilms
from pneumo.radiograph import Radiograph
from pneumo.reports.records import (
    CSV_COLUMNS,
    check_record,
    film_name,
    outcome,
    tally,
    to_csv,
    to_json,
    unreadable_record,
)
from pneumo.sentences import BREAKING

REFUSAL = Finding("rotated", "refuse", "It lies on its side.", (Correction(1),))
WARNING = Finding("adult", "warn", "She is 40 years old.")
REFUSAL_VALUES = {"code": "rotated", "severity": "refuse", "message": "It lies on its side."}
WARNING_VALUES = {"code": "adult", "severity": "warn", "message": "She is 40 years old."}


@pytest.fixture
def assessment():
    film = Radiograph(np.zeros((70, 90), np.float32), "film.dcm", "a" * 64, "DICOM", 12, age_years=3.5)
    reasons = ("It is 91.2 %, “likely”.", "It was turned.")
    return Assessment(film, "likely", 0.912345, reasons, synthetic.card(), np.zeros((32, 32, 1), np.float32))


def test_a_record_says_what_was_found_by_which_model_in_which_file(assessment):
    assert record_of(assessment=assessment).as_values() == {
        "file": "film.dcm",
        "status": "ok",
        "answer": "likely",
        "probability": 0.912345,
        "statement": "It cannot be said how often such an answer is right.",
        "reasons": ["It is 91.2 %, “likely”.", "It was turned."],
        "findings": None,
        "forced": False,
        "checked": False,
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


def test_why_a_model_cannot_say_stands_in_json_and_csv(assessment):
    foreign = dataclasses.replace(assessment, answer="uncertain", foreign=True)
    between = dataclasses.replace(assessment, answer="uncertain")
    records = [record_of(assessment=each) for each in (foreign, between, assessment)]

    assert [json.loads(to_json(each)).get("uncertain_because") for each in records] == [
        "foreign",
        "between_limits",
        None,
    ]
    rows = csv.DictReader(io.StringIO(to_csv(records)))
    assert [row["uncertain_because"] for row in rows] == ["foreign", "between_limits", ""]


def test_a_record_names_the_hospital_that_the_model_is_calibrated_for(assessment):
    site = sites.site(synthetic.card(), name="=St Mary")

    record = record_of(assessment=dataclasses.replace(assessment, site=site))

    facts = {"name": "=St Mary", "made": site.made, "normal_films": 40, "pneumonia_films": 0}
    assert json.loads(to_json(record))["site"] == facts
    [row] = csv.DictReader(io.StringIO(to_csv([record])))
    assert row["site"] == "'=St Mary"


def test_a_film_may_be_called_by_its_path(assessment):
    assert record_of(assessment=assessment, name="ward 3/film.dcm").file == "ward 3/film.dcm"


def test_what_the_gate_found_stands_first_among_the_reasons(assessment):
    record = record_of(assessment=assessment, findings=[REFUSAL, WARNING], forced=True).as_values()

    assert record["status"] == "ok"
    assert record["reasons"] == [REFUSAL.message, WARNING.message, *assessment.reasons]
    assert record["findings"] == [REFUSAL_VALUES, WARNING_VALUES]
    assert record["forced"] is True


def test_a_checked_film_without_findings_differs_from_one_that_was_not_checked(assessment):
    checked, unchecked = record_of(assessment=assessment, findings=[]), record_of(assessment=assessment)

    assert (checked.checked, checked.findings, checked.as_values()["findings"]) == (True, (), [])
    assert (unchecked.checked, unchecked.findings, unchecked.as_values()["findings"]) == (False, None, None)


def test_a_refused_film_has_a_record_without_an_answer(assessment):
    film = assessment.radiograph

    record = record_of(film, findings=[REFUSAL, WARNING], name="ward 3/film.dcm")

    assert record.as_values() == {
        "file": "ward 3/film.dcm",
        "status": "refused",
        "answer": None,
        "probability": None,
        "reasons": [REFUSAL.message, WARNING.message],
        "findings": [REFUSAL_VALUES, WARNING_VALUES],
        "forced": False,
        "checked": True,
        "model": "toy",
        "model_title": "Toy model",
        "model_sha256": "0" * 64,
        "image": {"format": "DICOM", "width": 90, "height": 70},
        "image_sha256": "a" * 64,
        "pneumo_version": __version__,
        "disclaimer": DISCLAIMER,
    }


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
    record = record_of()

    assert (record.file, record.status, record.answer, record.probability) == ("x.png", "error", None, None)
    assert record.reasons == ("x.png is empty.",)
    assert (record.model, record.model_sha256) == ("toy", "0" * 64)
    assert record.disclaimer == DISCLAIMER
    assert not {"image", "image_sha256", "thresholds", "prevalence", "heatmap", "report"} & set(record.as_values())


def test_json_is_one_line_that_reads_back(assessment):
    record = record_of(assessment=assessment)

    line = to_json(record)

    assert "\n" not in line
    assert "“likely”" in line
    assert json.loads(line) == record.as_values()
    assert json.loads(to_json(record, indent=2)) == record.as_values()


def test_csv_has_a_row_a_film_and_an_empty_cell_where_there_is_no_answer(assessment):
    told = record_of(assessment=assessment)
    failed = record_of(error=UnreadableImageError("x.png is empty, so: no."))
    refused = record_of(assessment.radiograph, findings=[REFUSAL, WARNING])

    rows = list(csv.DictReader(io.StringIO(to_csv([told, failed, refused]))))

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
    rest=st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"]), max_size=20),
)
def test_no_cell_is_run_as_a_formula(first, rest):
    name = first + rest
    record = record_of(name=name, error=UnreadableImageError(f"{name} is damaged."))

    row = next(csv.DictReader(io.StringIO(to_csv([record]), newline="")))

    shown = name.replace("\r", " ")
    assert row["file"] == f"'{shown}"
    assert row["reasons"] == f"'{shown} is damaged."


@pytest.mark.parametrize("line_end", ["\r", "\n", "\r\n"])
def test_no_name_starts_a_row_of_its_own(line_end):
    record = record_of(name=f"a.png{line_end}=1+1", error=UnreadableImageError("It is damaged."))

    rows = list(csv.reader(io.StringIO(to_csv([record]), newline="")))

    assert len(rows) == 2
    assert not any(cell.startswith("=") for row in rows for cell in row)


@pytest.mark.parametrize("name", ["film.png", "a=b.png", "kind's.png", 'say "a", b.png', "Röntgen.png"])
def test_harmless_names_stay_as_they_are(name):
    record = record_of(name=name, error=UnreadableImageError("It is damaged."))

    assert next(csv.DictReader(io.StringIO(to_csv([record]))))["file"] == name


def test_what_became_of_films_is_counted_in_words():
    answers = ["unlikely", "likely", "unlikely"]
    records = [record_of(assessment=answered(png_film(), answer)) for answer in answers] + [record_of()]

    assert [outcome(record) for record in records[1:]] == ["Pneumonia likely", "Pneumonia unlikely", "Not readable"]
    assert list(tally(records).items()) == [("Pneumonia likely", 1), ("Pneumonia unlikely", 2), ("Not readable", 1)]


@pytest.mark.parametrize("path", ["a film.png", "Jane Doe/a film.png", "C:\\Jane Doe\\a film.png"])
def test_a_report_names_the_file_and_not_the_folders(path):
    assert film_name(record_of(name=path)) == "a film.png"


SIMILAR = SimilarFilms(100, 97, 90, 0.9, 0.99, Estimate(0.97, 0.9, 0.99), (0.03, 0.96), 0.5)


def test_an_answer_is_restated_for_a_place_with_another_share_of_pneumonia(assessment):
    record = record_of(assessment=dataclasses.replace(assessment, similar=SIMILAR))

    rare = record.at(0.02)

    assert (record.answer, record.count) == ("likely", "96")
    assert record.statement.endswith("about 96 of 100 with a film like this have it.")
    assert "clinic_prevalence" not in record.as_values()
    assert (rare.answer, rare.count, rare.clinic_prevalence) == ("uncertain", "", 0.02)
    assert (record.uncertain_because, rare.uncertain_because) == (None, "rare")
    assert "as if there were no computer" in rare.statement
    assert rare.probability == record.probability
    assert record.at(None) is record.at(0.5) is record


def test_a_count_below_one_is_told_as_that(assessment):
    few = dataclasses.replace(SIMILAR, share=Estimate(0.0, 0.0, 0.01), provable=(0.004, 0.9))

    assert record_of(assessment=dataclasses.replace(assessment, answer="unlikely", similar=few)).count == "< 1"


@pytest.mark.parametrize("indent", [None, 2])
def test_no_name_breaks_a_line_of_json(indent):
    name = "a\nb\r\x1b[2J\x85\u2028\u202egnp.exe Röntgen"

    text = to_json(record_of(name=name), indent=indent)

    assert json.loads(text)["file"] == name
    assert not BREAKING.search(text.replace("\n", ""))
    assert len(text.splitlines()) == (1 if indent is None else len(text.split("\n")))
    assert "Röntgen" in text
