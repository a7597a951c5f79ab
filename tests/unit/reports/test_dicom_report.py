import dataclasses
import io
import logging
import shutil
import subprocess

import highdicom
import numpy as np
import pydicom
import pytest
from highdicom.sr import ComprehensiveSR
from pydicom.sr.codedict import codes
from pydicom.uid import ComprehensiveSRStorage, SecondaryCaptureImageStorage
from toy import reported, sites

from pneumo import DISCLAIMER, __version__, radiograph
from pneumo.errors import UnreadableImageError
from pneumo.inference.findings import Correction, refuse, warn
from pneumo.reports import dicom

SCHEME = dicom.SCHEME


@pytest.fixture(scope="module")
def source():
    return reported.dicom_film()


@pytest.fixture(scope="module")
def film(source):
    return reported.read_dicom(source)


def overlay():
    return np.random.default_rng(1).integers(0, 256, (250, 300, 3), np.uint8)


def reading_of(source, film, findings=(), **answer):
    return reported.reading_of(assessment=reported.answered(film, **answer), findings=findings, source=source)


def refused(source, film, *findings):
    return reported.reading_of(film, findings=findings or (refuse("lateral", "It is a side view."),), source=source)


def unreadable(source):
    return reported.reading_of(source=source, name="x.dcm", error=UnreadableImageError("x.dcm is cut off."))


def picture_of(source, film, chosen="", **answer):
    data = dicom.secondary_capture(reading_of(source, film, **answer), overlay(), chosen)
    return data, pydicom.dcmread(io.BytesIO(data))


def report_of(source, film, findings=(), **answer):
    return document_of(reading_of(source, film, findings, **answer))


def document_of(reading):
    data = dicom.structured_report(reading)
    return data, ComprehensiveSR.from_dataset(pydicom.dcmread(io.BytesIO(data)))


def group_of(document):
    [group] = document.content.get_image_measurement_groups()
    return group


def comments(document):
    items = group_of(document)[0].ContentSequence
    return [item.TextValue for item in items if item.name == codes.DCM.Comment]


def assert_joins(new, source):
    old = pydicom.dcmread(io.BytesIO(source))
    for keyword in (*reported.PATIENT, "StudyInstanceUID"):
        assert str(new[keyword].value) == str(old[keyword].value)
    assert new.SeriesInstanceUID != old.SeriesInstanceUID
    assert new.SOPInstanceUID != old.SOPInstanceUID
    assert new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID


def test_the_picture_joins_the_study_and_refers_to_the_film(source, film):
    _, image = picture_of(source, film)

    old = pydicom.dcmread(io.BytesIO(source))
    assert_joins(image, source)
    assert image.SOPClassUID == SecondaryCaptureImageStorage
    [reference] = image.SourceImageSequence
    assert (reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID) == (
        old.SOPClassUID,
        old.SOPInstanceUID,
    )
    assert image.ImageType[0] == "DERIVED"
    assert np.array_equal(image.pixel_array, overlay())
    assert DISCLAIMER in image.DerivationDescription
    assert "0" * 64 in image.DerivationDescription


def test_pneumo_reads_its_own_picture(source, film):
    data, _ = picture_of(source, film)

    again = radiograph.read(data, "overlay.dcm")

    assert (again.width, again.height, again.body_part) == (300, 250, "CHEST")


def test_what_the_film_lost_and_carries_is_told_of_the_picture(film):
    lossy = reported.dicom_film(LossyImageCompression="01", BurnedInAnnotation="YES")

    _, image = picture_of(lossy, reported.read_dicom(lossy))

    assert (image.LossyImageCompression, image.BurnedInAnnotation) == ("01", "YES")


def test_the_report_joins_the_study_and_is_not_verified(source, film):
    _, document = report_of(source, film)

    assert_joins(document, source)
    assert document.SOPClassUID == ComprehensiveSRStorage
    assert (document.VerificationFlag, document.CompletionFlag) == ("UNVERIFIED", "COMPLETE")
    assert [scheme.CodingSchemeDesignator for scheme in document.CodingSchemeIdentificationSequence] == [SCHEME]


def test_the_report_lists_the_film_in_its_library_and_as_evidence(source, film):
    _, document = report_of(source, film)

    old = pydicom.dcmread(io.BytesIO(source))
    [library] = [item for item in document.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "111028"]
    image = library.ContentSequence[0].ContentSequence[0]
    described = {item.ConceptNameCodeSequence[0].CodeMeaning: item for item in image.ContentSequence}
    assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == old.SOPInstanceUID
    assert described["Modality"].ConceptCodeSequence[0].CodeValue == "CR"
    assert described["Pixel Data Rows"].MeasuredValueSequence[0].NumericValue == 240
    [evidence] = document.CurrentRequestedProcedureEvidenceSequence
    assert evidence.ReferencedSeriesSequence[0].SeriesInstanceUID == old.SeriesInstanceUID
    assert [image.referenced_sop_instance_uid for image in group_of(document).source_images] == [old.SOPInstanceUID]


@pytest.mark.parametrize(
    ("answer", "code"), [("likely", "LIKELY"), ("unlikely", "UNLIKELY"), ("uncertain", "82334004")]
)
def test_the_report_codes_the_answer_and_its_probability(source, film, answer, code):
    _, document = report_of(source, film, answer=answer)

    group = group_of(document)
    [measured] = group.get_measurements()
    [evaluation] = group.get_qualitative_evaluations()
    assert measured.name == dicom.PROBABILITY
    assert (float(measured.value), measured.unit) == (91.2345, codes.UCUM.Percent)
    assert (evaluation.name, evaluation.value.value) == (dicom.PNEUMONIA, code)
    assert [site.value for site in group.finding_sites] == [codes.SCT.Lung]


def test_the_report_says_which_model_answered(source, film):
    _, document = report_of(source, film)

    texts = {
        (item.name.meaning, item.TextValue) for item in group_of(document)[0].ContentSequence if "TextValue" in item
    }
    assert {
        ("Algorithm Name", "pneumo toy"),
        ("Algorithm Version", __version__),
        ("Algorithm Parameters", f"model sha256: {'0' * 64}"),
        ("Algorithm Parameters", "likely at or above: 80.0 %"),
        ("Algorithm Parameters", "unlikely below: 20.0 %"),
    } <= texts


def test_the_report_tells_the_disclaimer_the_findings_and_the_reasons(source, film):
    findings = [refuse("rotated", "It lies on its side."), warn("adult", "She is ≥ 18 years old.")]

    _, document = report_of(source, film, findings)

    first, *told = comments(document)
    assert first == f"For research, not for diagnosis. {DISCLAIMER}"
    assert told[:3] == [
        "Assessed in spite of a refusal: It lies on its side.",
        "Warning: She is ≥ 18 years old.",
        "It is 91.2 %, “likely”.",
    ]


def test_a_film_that_was_not_checked_is_told_as_one(source, film):
    unchecked, checked = (report_of(source, film, findings)[1] for findings in (None, ()))

    assert "Whether this is a frontal chest film was not checked." in comments(unchecked)
    assert not any("checked" in text for text in comments(checked))


def test_a_refused_film_gets_a_report_of_the_reasons_and_no_probability(source, film):
    findings = refuse("lateral", "It is a side view."), warn("adult", "She is ≥ 18 years old.")

    _, document = document_of(refused(source, film, *findings))

    assert_joins(document, source)
    group = group_of(document)
    [evaluation] = group.get_qualitative_evaluations()
    assert group.get_measurements() == []
    assert (evaluation.name, evaluation.value) == (dicom.PNEUMONIA, dicom.NOT_ASSESSED)
    assert comments(document) == [
        f"For research, not for diagnosis. {DISCLAIMER}",
        "Refused: It is a side view.",
        "Warning: She is ≥ 18 years old.",
    ]


@pytest.mark.parametrize("changes", [{"NumberOfFrames": 2}, {"Rows": None}, {"PixelData": None}])
def test_a_film_that_cannot_be_read_gets_a_report_of_the_reason(changes):
    source = reported.dicom_film(**changes)

    _, document = document_of(unreadable(source))

    assert_joins(document, source)
    assert comments(document)[1:] == ["Not readable: x.dcm is cut off."]
    assert group_of(document).get_measurements() == []


def uids_of(instance):
    return instance.SOPInstanceUID, instance.SeriesInstanceUID


def test_objects_that_are_made_anew_are_the_same_instances(source, film):
    first, second = report_of(source, film)[1], report_of(source, film)[1]

    assert uids_of(first) == uids_of(second)
    assert group_of(first).tracking_uid == group_of(second).tracking_uid
    assert uids_of(picture_of(source, film)[1]) == uids_of(picture_of(source, film)[1])
    assert len({*uids_of(first), *uids_of(picture_of(source, film)[1]), group_of(first).tracking_uid}) == 5
    assert all(highdicom.UID(uid).is_valid for uid in uids_of(first))
    uids = dicom.report_uids(film_uid(source), reading_of(source, film).models)
    assert uids == (first.SOPInstanceUID, document_of(unreadable(source))[1].SOPInstanceUID)


def film_uid(source):
    return pydicom.dcmread(io.BytesIO(source)).SOPInstanceUID


def test_another_film_model_site_or_choice_makes_other_instances(source, film):
    other = reported.dicom_film(SOPInstanceUID="2.25.1")
    reading = reading_of(source, film)
    calibrated = reported.answered(film)
    calibrated = dataclasses.replace(calibrated, site=sites.site(calibrated.card))
    documents = [
        report_of(source, film),
        report_of(other, reported.read_dicom(other)),
        report_of(source, film, sha256="1" * 64),
        document_of(reported.reading_of(assessment=calibrated, source=source)),
        document_of(dataclasses.replace(reading, forced=True)),
        document_of(dataclasses.replace(reading, correction=Correction(2))),
    ]
    pictures = [picture_of(source, film, chosen) for chosen in ("gradcam", "opacity")]

    assert len({made.SOPInstanceUID for _, made in (*documents, *pictures)}) == 8


def test_the_same_weights_are_the_same_observer(source, film):
    uids = [
        report_of(source, film)[1].content.get_observer_contexts()[0].observer_identifying_attributes.uid
        for _ in range(2)
    ]

    assert uids[0] == uids[1]
    assert highdicom.UID(uids[0]).is_valid


def test_nothing_of_the_patient_reaches_the_log(film, caplog, capfd):
    odd = reported.dicom_film(PatientName="SECRET")

    with caplog.at_level(logging.DEBUG):
        report_of(odd, reported.read_dicom(odd))
        picture_of(odd, reported.read_dicom(odd))

    assert "SECRET" not in caplog.text
    assert "SECRET" not in "".join(capfd.readouterr())


HAS_VALIDATOR = pytest.mark.skipif(
    shutil.which("dciodvfy") is None, reason="dciodvfy is not installed (Debian: dicom3tools)"
)


@HAS_VALIDATOR
@pytest.mark.parametrize("changes", [{}, dict.fromkeys(reported.PATIENT)], ids=["full", "anonymous"])
@pytest.mark.parametrize("make", [report_of, picture_of])
def test_a_validator_finds_no_error(make, changes, tmp_path):
    source = reported.dicom_film(**changes)
    data, _ = make(source, reported.read_dicom(source))
    assert_valid(data, tmp_path)


@HAS_VALIDATOR
def test_a_validator_finds_no_error_in_reports_without_an_answer(source, film, tmp_path):
    headless = reported.dicom_film(Rows=None, Columns=None, Modality=None)

    for reading in (refused(source, film), unreadable(headless)):
        assert_valid(document_of(reading)[0], tmp_path)


def assert_valid(data, tmp_path):
    (tmp_path / "new.dcm").write_bytes(data)

    run = subprocess.run(["dciodvfy", tmp_path / "new.dcm"], capture_output=True, text=True, check=False)

    told = (run.stdout + run.stderr).splitlines()
    assert {"ComprehensiveSR", "SCImage"} & set(told)
    assert [line for line in told if line.startswith("Error")] == []
