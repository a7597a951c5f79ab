"""Films go from a real Orthanc to pneumo, and answers come back into their studies."""

import datetime
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import requests
from highdicom.sr import ComprehensiveSR
from pacs.orthanc import wait_until
from pydicom.uid import ComputedRadiographyImageStorage, generate_uid
from toy import reported, sites, synthetic

from pneumo import radiograph
from pneumo.errors import ArchiveError, UnreadableImageError
from pneumo.inference import read_film
from pneumo.inference.classifier import Classifier
from pneumo.reports.dicom import NOT_ASSESSED, report_uids
from pneumo.serving import archive, dicom_answers
from pneumo.serving.dicom_answers import AtOnce, Spooled, answer
from pneumo.serving.dicom_archive import DicomArchive, Node
from pneumo.serving.dicom_server import DicomServer
from pneumo.serving.dicomweb import Poll, WebArchive
from pneumo.serving.spool import Spool

pynetdicom = pytest.importorskip("pynetdicom", reason="pynetdicom is not installed (pip install pneumo[pacs])")

TODAY = f"{datetime.date.today():%Y%m%d}"


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(dicom_answers, "LAST_RETRY", 0.2)


def film(**changes):
    """Return a film in a study of its own, which the toy gate accepts."""
    pixels = synthetic.sound_film()
    uids = {keyword: generate_uid() for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")}
    return reported.dicom_film(**{"PixelData": pixels.tobytes(), **uids, **changes})


def refused_film():
    return film(PixelData=synthetic.noise().tobytes())


@contextmanager
def listening(orthanc, taker):
    server = DicomServer(taker, "PNEUMO", ("127.0.0.1", orthanc.pneumo), ["ORTHANC"])
    try:
        yield
    finally:
        server.stop()
        taker.stop()


def at_once(orthanc, models):
    return AtOnce(models, DicomArchive("PNEUMO", Node.parse(orthanc.node)))


def spooled(orthanc, models, folder, limit=10**8):
    return Spooled(models, DicomArchive("PNEUMO", Node.parse(orthanc.node)), Spool(folder, limit))


def waiting(folder):
    return sorted(path.name.split(".", 1)[1] for path in folder.iterdir() if path.name != "lock")


def probability(report):
    [group] = ComprehensiveSR.from_dataset(report).content.get_image_measurement_groups()
    return [float(measured.value) for measured in group.get_measurements()]


def evaluation(report):
    [group] = ComprehensiveSR.from_dataset(report).content.get_image_measurement_groups()
    [found] = group.get_qualitative_evaluations()
    return found.value


def assert_valid(instance, folder):
    if shutil.which("dciodvfy"):
        instance.save_as(folder / "new.dcm", enforce_file_format=True)
        run = subprocess.run(["dciodvfy", folder / "new.dcm"], capture_output=True, text=True, check=False)
        assert [line for line in run.stderr.splitlines() if line.startswith("Error")] == []


def test_a_study_comes_back_with_heat_map_and_report(orthanc, cnn, tmp_path):
    sent = film()
    study = orthanc.store(sent)
    before = orthanc.study(study)

    with listening(orthanc, at_once(orthanc, cnn)):
        assert orthanc.send(study)

    after = orthanc.study(study)
    picture, report = after["OT"], after["SR"]
    reading = read_film(sent, "film", cnn)
    [reference] = picture.SourceImageSequence
    [evidence] = report.CurrentRequestedProcedureEvidenceSequence
    assert (set(before), set(after)) == ({"CR"}, {"CR", "OT", "SR"})
    assert probability(report) == [round(100 * reading.assessment.probability, 4)]
    assert reference.ReferencedSOPInstanceUID == before["CR"].SOPInstanceUID
    assert (
        evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        == before["CR"].SOPInstanceUID
    )
    assert str(report.PatientName) == reported.PATIENT["PatientName"]
    for instance in (picture, report):
        assert_valid(instance, tmp_path)


def test_a_model_that_is_calibrated_for_a_hospital_makes_a_report_of_its_own_that_names_it(cnn):
    site = sites.site(cnn.card)
    at_site = replace(cnn, classifier=Classifier(cnn.card, cnn.classifier.model, site=site))
    sent = film()

    plain, named = (answer(sent, models).objects["report"] for models in (cnn, at_site))

    assert uid_of(named) == report_uids(uid_of(sent), at_site)[0] != uid_of(plain)
    assert b"Calibrated for St Mary" in named
    assert b"Calibrated for" not in plain


def uid_of(file):
    return pydicom.dcmread(io.BytesIO(file)).SOPInstanceUID


def test_a_refused_film_comes_back_with_a_report_of_the_reasons(orthanc, cnn, tmp_path):
    study = orthanc.store(refused_film())

    with listening(orthanc, at_once(orthanc, cnn)):
        assert orthanc.send(study)

    after = orthanc.study(study)
    assert set(after) == {"CR", "SR"}
    assert evaluation(after["SR"]) == NOT_ASSESSED
    assert_valid(after["SR"], tmp_path)


def test_a_study_that_is_sent_twice_with_its_answers_stays_as_it_is(orthanc, cnn):
    study = orthanc.store(film())
    with listening(orthanc, at_once(orthanc, cnn)):
        orthanc.send(study)
        first = orthanc.study(study)

        assert orthanc.send(study)

    again = orthanc.study(study)
    assert {kind: each.SOPInstanceUID for kind, each in again.items()} == {
        kind: each.SOPInstanceUID for kind, each in first.items()
    }


def test_who_calls_another_title_is_refused(orthanc, cnn):
    study = orthanc.store(film())

    with listening(orthanc, at_once(orthanc, cnn)):
        assert not orthanc.send(study, to="wrong")

    assert set(orthanc.study(study)) == {"CR"}


def test_films_are_found_and_answered_by_dicomweb(orthanc, cnn):
    study = orthanc.store(film(StudyDate=TODAY))
    old = orthanc.store(film(StudyDate="20200101"))
    web = WebArchive(orthanc.web)
    poll = Poll(web, cnn, AtOnce(cnn, web), 60, 1)

    poll.look()
    first = orthanc.study(study)
    for _ in range(2):
        poll.look()

    assert set(first) == {"CR", "OT", "SR"}
    assert first["SR"].SOPInstanceUID == report_uids(first["CR"].SOPInstanceUID, cnn)[0]
    assert set(orthanc.study(study)) == {"CR", "OT", "SR"}
    assert set(orthanc.study(old)) == {"CR"}


def send_to_pneumo(orthanc, *films):
    """Send films as a modality does, and return the status of each."""
    entity = pynetdicom.AE(ae_title="ORTHANC")
    entity.add_requested_context(ComputedRadiographyImageStorage, pydicom.uid.ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", orthanc.pneumo, ae_title="PNEUMO")
    statuses = [association.send_c_store(pydicom.dcmread(io.BytesIO(each))).Status for each in films]
    association.release()
    return statuses


def test_answers_wait_in_the_spool_while_the_pacs_is_away(orthanc, cnn, tmp_path):
    films = [film(), refused_film()]
    studies = [orthanc.store(each) for each in films]
    with listening(orthanc, spooled(orthanc, cnn, tmp_path)):
        orthanc.stop()
        try:
            assert send_to_pneumo(orthanc, *films) == [0x0000, 0x0000]
            wait_until(lambda: waiting(tmp_path) == ["picture.answer", "report.answer", "report.answer"])
        finally:
            orthanc.start()
        wait_until(lambda: waiting(tmp_path) == [])

    assert [set(orthanc.study(study)) for study in studies] == [{"CR", "OT", "SR"}, {"CR", "SR"}]


def test_without_a_spool_a_film_stays_with_its_sender_while_the_pacs_is_away(orthanc, cnn):
    with listening(orthanc, at_once(orthanc, cnn)):
        orthanc.stop()
        try:
            assert send_to_pneumo(orthanc, film()) == [0xA700]
        finally:
            orthanc.start()


def test_a_film_that_finds_the_spool_full_stays_with_its_sender(orthanc, cnn, tmp_path):
    study = orthanc.store(film(Rows=480, PixelData=np.tile(synthetic.sound_film(), (2, 1)).tobytes()))

    with listening(orthanc, spooled(orthanc, cnn, tmp_path, limit=100_000)):
        assert not orthanc.send(study)

    assert waiting(tmp_path) == []
    assert set(orthanc.study(study)) == {"CR"}


@contextmanager
def serve_dicom(orthanc, models, spool):
    """Run the command until it listens, and kill it at the end; yields its process and the lines that it wrote."""
    command = [sys.executable, "-m", "pneumo", "serve-dicom", "--answer-to", orthanc.node, "--spool", str(spool)]
    command += ["--port", str(orthanc.pneumo), "--models", str(models), "--model", "cnn"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PNEUMO_")}
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment, cwd=Path(__file__).parents[2]
    )
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr), daemon=True)
    reader.start()
    try:
        wait_until(lambda: process.poll() is not None or any("Listening" in line for line in lines))
        yield process, lines
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stderr.close()


def test_nothing_is_lost_when_pneumo_is_killed_half_way(orthanc, toy_models, tmp_path):
    films = [film() for _ in range(5)]
    studies = [orthanc.store(each) for each in films]
    with serve_dicom(orthanc, toy_models, tmp_path) as (process, _):
        assert send_to_pneumo(orthanc, *films) == [0x0000] * 5
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert any(name.startswith("film") for name in waiting(tmp_path))

    with serve_dicom(orthanc, toy_models, tmp_path) as (process, lines):
        wait_until(lambda: waiting(tmp_path) == [])
        process.terminate()
        assert process.wait(30) == 0

    assert [set(orthanc.study(study)) for study in studies] == [{"CR", "OT", "SR"}] * 5
    said = "".join(lines)
    assert re.search(r"spool: \d films and \d answers are waiting", said)
    assert not [value for value in (*reported.PATIENT.values(), "1.2.826") if len(value) > 2 and value in said]


def test_the_films_of_the_archive_can_be_scored(orthanc, monkeypatch):
    monkeypatch.setattr(archive, "_PATIENCE", (0,))
    patient = generate_uid()
    studies = [orthanc.store(film(PatientID=patient)) for _ in range(2)]
    orthanc.store(film())

    found = archive.find(f"{orthanc.web}?PatientID={patient}")

    films = list(found.entries())
    assert len(films) == 2
    read = [radiograph.read(found.film(entry)) for entry in films]
    assert {each.format for each in read} == {"DICOM"}
    requests.delete(f"{orthanc.rest}/studies/{studies[0]}", timeout=30)
    left = [entry[0].split("/")[0] for entry in archive.find(found.address).entries()]
    [gone] = [entry for entry in films if entry[0].split("/")[0] not in left]
    with pytest.raises(UnreadableImageError, match="is not in the archive any more"):
        found.film(gone)
    orthanc.stop()
    with pytest.raises(ArchiveError, match="is away"):
        found.film(films[0])
    orthanc.start()
