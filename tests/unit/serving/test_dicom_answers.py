import io
import logging
import threading
import time

import numpy as np
import pydicom
import pytest
from toy import reported

from pneumo.errors import ArchiveError, BusyError, UnreadableImageError, UnsupportedImageError
from pneumo.explanation.explainer import HeatMap
from pneumo.inference.findings import refuse
from pneumo.inference.reading import Reading
from pneumo.reports.dicom import report_uids
from pneumo.serving import dicom_answers
from pneumo.serving.dicom_answers import AtOnce, Spooled, answer, is_own
from pneumo.serving.spool import MOST_ATTEMPTS, Spool

FILM = reported.dicom_film()
MODELS = reported.reading_of(assessment=reported.answered(reported.png_film())).models
SOON = 5


class Pacs:
    """An archive in memory, which can be away, or take no object of some kind."""

    def __init__(self):
        self.held, self.tried, self.is_away, self.refuses, self.fails_at = {}, 0, False, (), None

    def store(self, objects):
        self.tried += 1
        if self.is_away:
            raise ArchiveError("PACS@there:104 is away.")
        for data in objects:
            instance = pydicom.dcmread(io.BytesIO(data))
            if instance.SOPInstanceUID == self.fails_at:
                raise ArchiveError("PACS@there:104 has gone away.")
            if instance.SOPClassUID.name in self.refuses:
                yield "status 0xA900"
                continue
            self.held[instance.SOPInstanceUID] = instance
            yield ""

    def kinds(self):
        return sorted(instance.Modality for instance in self.held.values())

    def wait_for(self, objects):
        wait_until(lambda: len(self.held) >= objects)


def wait_until(true):
    end = time.monotonic() + SOON
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def pacs():
    return Pacs()


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(dicom_answers, "FIRST_RETRY", 0.01)
    monkeypatch.setattr(dicom_answers, "LAST_RETRY", 0.1)


@pytest.fixture(autouse=True)
def read(monkeypatch):
    """Answer every film without a model; `read.refuses` and `read.error` say otherwise, `read.goes_on` holds it up."""

    class Read:
        refuses, error = False, None
        goes_on = threading.Event()

    Read.goes_on.set()

    def read_film(source, name, models):
        assert Read.goes_on.wait(SOON)
        if Read.error:
            return Reading(name, source, models, error=Read.error)
        film = reported.read_dicom(source)
        if Read.refuses:
            return reported.reading_of(film, findings=[refuse("lateral", "A side view.")], source=source)
        return reported.reading_of(assessment=reported.answered(film), findings=[], source=source)

    def explain(reading):
        heat = np.ones(reading.radiograph.pixels.shape, np.float32)
        return HeatMap(heat, "gradcam", "conv", heat, None)

    monkeypatch.setattr(dicom_answers, "read_film", read_film)
    monkeypatch.setattr(dicom_answers, "explain", explain)
    return Read


def film(number):
    return reported.dicom_film(SOPInstanceUID=f"2.25.{number}")


def test_an_answer_is_a_report_and_a_picture():
    made = answer(FILM, MODELS)

    kinds = {kind: pydicom.dcmread(io.BytesIO(data)).Modality for kind, data in made.objects.items()}
    assert (made.status, kinds) == ("ok", {"report": "SR", "picture": "OT"})
    assert all(is_own(data) for data in made.objects.values())
    assert not is_own(FILM)


def test_a_refused_film_and_one_that_cannot_be_read_get_a_report_alone(read):
    read.refuses = True
    assert (answer(FILM, MODELS).status, set(answer(FILM, MODELS).objects)) == ("refused", {"report"})

    read.error = UnreadableImageError("This film is cut off.")
    assert (answer(FILM, MODELS).status, set(answer(FILM, MODELS).objects)) == ("error", {"report"})


def test_a_film_that_ended_pneumo_too_often_is_not_read_again(read):
    read.goes_on.clear()

    made = answer(FILM, MODELS, attempts=MOST_ATTEMPTS + 1)

    assert made.status == "error"
    assert "pneumo stopped while it read this film" in made.objects["report"].decode("latin-1")


def test_a_film_that_no_report_can_join_is_an_error():
    with pytest.raises(UnsupportedImageError, match="does not say"):
        answer(reported.dicom_film(StudyInstanceUID=None), MODELS)


def test_at_once_a_film_is_taken_when_its_answers_are_in_the_archive(pacs):
    AtOnce(MODELS, pacs).take(FILM, "CR1")

    assert pacs.kinds() == ["OT", "SR"]


def test_at_once_a_film_is_not_taken_while_the_archive_is_away(pacs):
    pacs.is_away = True

    with pytest.raises(ArchiveError, match="is away"):
        AtOnce(MODELS, pacs).take(FILM, "CR1")


def test_at_once_a_film_is_not_taken_whose_answer_is_not(pacs):
    pacs.refuses = ("Comprehensive SR Storage",)

    with pytest.raises(ArchiveError, match="does not take the answer"):
        AtOnce(MODELS, pacs).take(FILM, "CR1")


def test_at_once_a_film_too_many_is_not_taken(pacs, read, monkeypatch):
    monkeypatch.setattr(dicom_answers, "MOST_AT_ONCE", 1)
    read.goes_on.clear()
    at_once = AtOnce(MODELS, pacs)
    first = threading.Thread(target=at_once.take, args=(FILM, "CR1"))
    first.start()

    wait_until(lambda: at_once._queue._served)
    with pytest.raises(BusyError):
        at_once.take(film(1), "CR2")

    read.goes_on.set()
    first.join(SOON)
    assert pacs.kinds() == ["OT", "SR"]


@pytest.fixture
def spooled(pacs, tmp_path):
    """Start a server on a spool in a folder; what is started is stopped at the end."""
    started = []

    def start(limit=10**8):
        started.append(Spooled(MODELS, pacs, Spool(tmp_path / "spool", limit)))
        return started[-1]

    yield start
    for each in started:
        if not each._stopped.is_set():
            each.stop()


def waiting(tmp_path):
    return sorted(path.name.split(".", 1)[1] for path in (tmp_path / "spool").iterdir() if path.name != "lock")


def test_spooled_a_film_is_answered_and_nothing_stays(pacs, spooled, tmp_path):
    spooled().take(FILM, "CR1")

    pacs.wait_for(2)
    wait_until(lambda: waiting(tmp_path) == [])
    assert set(pacs.held) & set(report_uids(pydicom.dcmread(io.BytesIO(FILM)).SOPInstanceUID, MODELS))


def test_spooled_answers_wait_while_the_archive_is_away(pacs, spooled, tmp_path):
    pacs.is_away = True
    server = spooled()
    server.take(film(1), "CR1")
    server.take(film(2), "CR1")
    wait_until(lambda: pacs.tried > 3 and len(waiting(tmp_path)) == 4)

    pacs.is_away = False

    pacs.wait_for(4)
    wait_until(lambda: waiting(tmp_path) == [])


def test_spooled_films_and_answers_outlive_the_process(pacs, spooled, read, tmp_path):
    pacs.is_away = True
    server = spooled()
    server.take(film(1), "CR1")
    wait_until(lambda: len(waiting(tmp_path)) == 2)
    read.goes_on.clear()
    server.take(film(2), "CR1")
    server.take(film(3), "CR1")
    threading.Timer(0.05, read.goes_on.set).start()
    server.stop()
    assert sum(name.startswith("film") for name in waiting(tmp_path)) >= 1

    pacs.is_away = False
    spooled()

    pacs.wait_for(6)
    wait_until(lambda: waiting(tmp_path) == [])


def test_spooled_the_same_film_twice_makes_the_same_instances(pacs, spooled, tmp_path):
    server = spooled()
    server.take(FILM, "CR1")
    wait_until(lambda: pacs.kinds() == ["OT", "SR"] and waiting(tmp_path) == [])

    server.take(FILM, "CR1")
    wait_until(lambda: waiting(tmp_path) == [])

    assert pacs.kinds() == ["OT", "SR"]


def test_spooled_an_answer_that_the_archive_does_not_take_holds_up_no_other(pacs, spooled, tmp_path):
    pacs.refuses = ("Secondary Capture Image Storage",)
    server = spooled()
    for number in range(3):
        server.take(film(number), "CR1")
    # A delivered answer leaves the spool a moment after the archive has it.
    wait_until(lambda: pacs.kinds() == ["SR"] * 3 and waiting(tmp_path) == ["picture.answer"] * 3)

    pacs.refuses = ()

    pacs.wait_for(6)


def test_spooled_an_answer_that_the_archive_fails_at_holds_up_no_other(pacs, spooled):
    pacs.fails_at = report_uids("2.25.0", MODELS)[0]
    server = spooled()
    for number in range(3):
        server.take(film(number), "CR1")

    pacs.wait_for(5)


def test_spooled_a_film_that_finds_no_room_is_not_taken(spooled, pacs):
    with pytest.raises(BusyError, match="full"):
        spooled(limit=len(FILM) - 1).take(FILM, "CR1")


def test_spooled_a_disk_that_fails_costs_time_and_no_answer(pacs, spooled, monkeypatch):
    failures = iter([OSError(28, "No space left on device")] * 3)
    put = Spool.answer

    def answer_sometimes(spool, *arguments):
        if error := next(failures, None):
            raise error
        put(spool, *arguments)

    monkeypatch.setattr(Spool, "answer", answer_sometimes)

    spooled().take(FILM, "CR1")

    pacs.wait_for(2)


def test_every_answer_stands_in_the_audit_log_that_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("PNEUMO_AUDIT", str(tmp_path / "audit.jsonl"))

    answer(FILM, MODELS)

    assert '"via": "dicom"' in (tmp_path / "audit.jsonl").read_text()


def test_spooled_a_film_waits_while_the_audit_log_cannot_be_written(pacs, spooled, monkeypatch, tmp_path, caplog):
    log = tmp_path / "none" / "audit.jsonl"
    monkeypatch.setenv("PNEUMO_AUDIT", str(log))
    server = spooled()
    server.take(film(1), "CR1")
    wait_until(lambda: "no answer is given" in caplog.text)
    server.stop()
    assert waiting(tmp_path) == ["film0"]

    log.parent.mkdir()
    spooled()

    pacs.wait_for(2)


def test_spooled_a_film_that_breaks_a_library_is_told_and_gone(pacs, spooled, monkeypatch, tmp_path, caplog):
    def fails(*_, **__):
        raise KeyError("SECRET")

    monkeypatch.setattr(dicom_answers, "files", fails)

    spooled().take(FILM, "CR1")

    wait_until(lambda: waiting(tmp_path) == [])
    assert "no answer could be made (KeyError)" in caplog.text
    assert "SECRET" not in caplog.text


def test_the_log_counts_and_names_no_patient(pacs, spooled, read, caplog, tmp_path):
    pacs.is_away = True
    with caplog.at_level(logging.DEBUG, "pneumo"):
        spooled().take(FILM, "CR1")
        wait_until(lambda: pacs.tried > 1)
        pacs.is_away = False
        pacs.wait_for(2)
        read.refuses = True
        AtOnce(MODELS, pacs).take(FILM, "CR1")

    identity = pydicom.dcmread(io.BytesIO(FILM))
    secrets = {*reported.PATIENT.values(), identity.StudyInstanceUID, identity.SOPInstanceUID} - {"M", "S1"}
    assert "answers: 2 delivered, 0 waiting" in caplog.text
    assert [secret for secret in secrets if secret in caplog.text] == []
