import json
import threading
import time
from collections.abc import Iterator
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from toy import reported

from pneumo.errors import ArchiveError, UnsupportedImageError
from pneumo.reports import dicom
from pneumo.reports.dicom import report_uids

pytest.importorskip("dicomweb_client", reason="dicomweb-client is not installed (pip install pneumo[pacs])")

from pneumo.serving import dicomweb
from pneumo.serving.dicomweb import Place, Poll, WebArchive

SOURCE = reported.dicom_film()
READING = reported.reading_of(assessment=reported.answered(reported.read_dicom(SOURCE)), findings=[], source=SOURCE)
REPORT = dicom.structured_report(READING)
CR, SR = "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.88.33"
TODAY = date(2026, 11, 28)


@pytest.fixture
def service() -> Iterator[type]:
    """A DICOMweb service that gives the next of `replies`, (status, type, body), and keeps what it was asked."""

    class Service(BaseHTTPRequestHandler):
        replies, asked, url = [], [], ""

        def do_GET(self):
            self.reply(b"")

        def do_POST(self):
            self.reply(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def reply(self, body):
            self.asked.append((self.command, self.path, dict(self.headers), body))
            status, kind, content = self.replies.pop(0)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    Service.url = f"http://127.0.0.1:{server.server_address[1]}/dicom-web"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield Service
    server.shutdown()


def dicom_json(*instances):
    return 200, "application/dicom+json", json.dumps(instances).encode()


def element(vr, *values):
    return {"vr": vr, "Value": list(values)}


STORED = 200, "application/dicom+json", json.dumps({"00081199": {"vr": "SQ", "Value": []}}).encode()
NOT_STORED = {"00081198": {"vr": "SQ", "Value": [{"00081197": element("US", 0xA900)}]}}


def stored(service, *objects, **headers):
    return list(WebArchive(service.url, headers).store(iter(objects)))


def test_objects_are_stored_one_by_one_with_the_credentials(service):
    service.replies += [STORED, STORED]

    assert stored(service, REPORT, REPORT, Authorization="Bearer x") == ["", ""]
    method, path, headers, body = service.asked[0]
    assert (method, path, headers["Authorization"]) == ("POST", "/dicom-web/studies", "Bearer x")
    assert REPORT in body


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ((200, "application/dicom+json", json.dumps(NOT_STORED).encode()), "reason 0xA900"),
        ((409, "text/plain", b""), "HTTP 409"),
        ((400, "text/plain", b"4711-SECRET"), "HTTP 400"),
    ],
)
def test_what_is_not_taken_is_told(service, reply, problem):
    service.replies.append(reply)

    assert stored(service, REPORT) == [problem]


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_service_that_fails_is_tried_again(service, status):
    service.replies.append((status, "text/plain", b"4711-SECRET"))

    with pytest.raises(ArchiveError) as error:
        stored(service, REPORT)

    assert str(error.value) == f"The archive answers HTTP {status}."


def test_a_service_that_lets_nobody_in_says_what_to_set(service):
    service.replies.append((401, "text/plain", b""))

    with pytest.raises(ArchiveError, match=r"does not let pneumo in \(HTTP 401\): set PNEUMO_DICOMWEB_USER"):
        stored(service, REPORT)


def test_a_service_that_is_not_there_is_away():
    with pytest.raises(ArchiveError, match=r"The archive is away \(ConnectionError\)"):
        list(WebArchive("http://127.0.0.1:1/dicom-web").store(iter([REPORT])))


def test_what_is_no_dicom_json_is_an_archive_that_is_away(service):
    service.replies.append((200, "text/html", b"<html>Please sign in</html>"))

    with pytest.raises(ArchiveError, match="is away"):
        WebArchive(service.url).studies(TODAY, TODAY)


def test_studies_of_some_days_are_found_with_the_number_of_their_instances(service):
    service.replies.append(
        dicom_json({"0020000D": element("UI", "1.2"), "00201208": element("IS", 3)}, {"0020000D": element("UI", "1.3")})
    )

    assert WebArchive(service.url).studies(TODAY - timedelta(days=1), TODAY) == {"1.2": 3, "1.3": 0}
    assert "StudyDate=20261127-20261128" in service.asked[0][1]


def test_all_studies_are_found_page_by_page(service):
    pages = [dicom_json(*({"0020000D": element("UI", uid)} for uid in uids)) for uids in (("1.2", "1.3"), ("1.4",), ())]
    service.replies += pages

    assert list(WebArchive(service.url).all_studies({"StudyDate": "2026"})) == ["1.2", "1.3", "1.4"]
    assert [path.partition("&offset=")[2][:1] for _, path, *_ in service.asked] == ["0", "2", "3"]
    assert all("StudyDate=2026" in path for _, path, *_ in service.asked)


def test_a_service_that_knows_no_pages_is_asked_twice(service):
    service.replies += [dicom_json({"0020000D": element("UI", "1.2")})] * 2

    assert list(WebArchive(service.url).all_studies({})) == ["1.2"]


def test_the_films_of_a_study_are_found_among_all_that_is_in_it(service):
    service.replies.append(
        dicom_json(
            *(
                {
                    "0020000E": element("UI", f"1.2.{number}"),
                    "00080018": element("UI", f"1.2.{number}.1"),
                    "00080016": element("UI", kind),
                }
                for number, kind in enumerate((CR, SR))
            )
        )
    )

    films, there = WebArchive(service.url).films("1.2")

    assert films == [Place("1.2", "1.2.0", "1.2.0.1")]
    assert there == {"1.2.0.1", "1.2.1.1"}


def test_a_film_is_fetched_as_the_file_that_was_stored(service):
    part = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + SOURCE + b"\r\n--x--"
    service.replies.append((200, 'multipart/related; type="application/dicom"; boundary=x', part))

    fetched = WebArchive(service.url).fetch(Place("1.2", "1.2.0", "1.2.0.1"))

    assert np.array_equal(reported.read_dicom(fetched).pixels, reported.read_dicom(SOURCE).pixels)
    assert service.asked[0][1] == "/dicom-web/studies/1.2/series/1.2.0/instances/1.2.0.1"


class Pacs:
    """An archive of studies, each with its films by UID; `there` is what else is in them."""

    def __init__(self, **studies):
        self.held, self.there, self.fetched, self.fails = studies, set(), [], ()

    def studies(self, first, last):
        return {study: len(films) + len(self.there) for study, films in self.held.items()}

    def films(self, study):
        return [Place(study, "series", film) for film in self.held[study]], {*self.held[study], *self.there}

    def fetch(self, place):
        self.fetched.append(place.film)
        if place.film in self.fails:
            raise ArchiveError("The archive answers HTTP 500.")
        return self.held[place.study][place.film]


class Answers:
    """Takes films and puts their reports into the archive."""

    def __init__(self, pacs):
        self.pacs, self.taken, self.error = pacs, [], None

    def take(self, film, sender):
        if self.error:
            raise self.error
        self.taken.append(film)
        self.pacs.there.add(report_uids(self.pacs.fetched[-1], READING.models)[0])


def poll(pacs, seconds=60.0):
    return Poll(pacs, READING.models, Answers(pacs), seconds, 1)


def test_films_without_a_report_are_answered_once():
    pacs = Pacs(a={"1.1": SOURCE, "1.2": SOURCE}, b={"2.1": SOURCE})
    looks = poll(pacs)

    for _ in range(3):
        looks.look()

    assert pacs.fetched == ["1.1", "1.2", "2.1"]
    assert looks._answers.taken == [SOURCE] * 3


def test_films_that_have_a_report_of_these_models_are_not_fetched():
    pacs = Pacs(a={"1.1": SOURCE}, b={"2.1": SOURCE}, c={"3.1": SOURCE})
    pacs.there = {report_uids("1.1", READING.models)[0], report_uids("2.1", READING.models)[1]}

    poll(pacs).look()

    assert pacs.fetched == ["3.1"]


def test_a_study_in_which_nothing_is_left_to_do_is_not_opened_again_until_something_comes():
    pacs = Pacs(a={"1.1": SOURCE})
    looks = poll(pacs)
    for _ in range(2):
        looks.look()
    opened = []
    found = pacs.films
    pacs.films = lambda study: opened.append(study) or found(study)

    looks.look()
    assert opened == []
    pacs.held["a"]["1.2"] = SOURCE
    looks.look()
    assert (opened, pacs.fetched) == (["a"], ["1.1", "1.2"])


def test_pictures_of_pneumo_and_films_that_no_report_can_join_are_fetched_once(monkeypatch):
    monkeypatch.setattr(dicomweb, "is_own", lambda film: film == b"own")
    pacs = Pacs(a={"1.1": b"own", "1.2": SOURCE})
    looks = poll(pacs)
    looks._answers.error = UnsupportedImageError("4711-SECRET")

    for _ in range(3):
        looks.look()

    assert pacs.fetched == ["1.1", "1.2"]
    assert looks._answers.taken == []


def test_a_film_that_cannot_be_fetched_holds_up_no_other_and_is_tried_again():
    pacs = Pacs(a={"1.1": SOURCE, "1.2": SOURCE})
    pacs.fails = ("1.1",)
    looks = poll(pacs)
    looks.look()
    assert len(looks._answers.taken) == 1

    pacs.fails = ()
    looks.look()

    assert len(looks._answers.taken) == 2


def test_an_archive_that_fails_at_every_film_is_left_alone_until_the_next_look():
    pacs = Pacs(a={f"1.{number}": SOURCE for number in range(9)})
    pacs.fails = tuple(pacs.held["a"])

    with pytest.raises(ArchiveError, match="3 films in a row"):
        poll(pacs).look()

    assert len(pacs.fetched) == 3


def test_an_archive_that_is_away_is_told_and_looked_at_again(caplog):
    pacs = Pacs(a={"1.1": SOURCE})
    failures = iter([ArchiveError("The archive is away (ConnectionError).")])

    def studies(first, last):
        if error := next(failures, None):
            raise error
        return {"a": len(pacs.there)}

    pacs.studies = studies
    looks = poll(pacs, seconds=0.01)

    looks.start()
    end = time.monotonic() + 5
    while not looks._answers.taken and time.monotonic() < end:
        time.sleep(0.01)
    looks.stop()

    assert looks._answers.taken == [SOURCE]
    assert "The archive is away (ConnectionError). Next look in 0 s" in caplog.text


@pytest.mark.parametrize(
    ("environment", "header"),
    [
        ({}, {}),
        ({"PNEUMO_DICOMWEB_TOKEN": "abc"}, {"Authorization": "Bearer abc"}),
        ({"PNEUMO_DICOMWEB_USER": "u", "PNEUMO_DICOMWEB_PASSWORD": "p"}, {"Authorization": "Basic dTpw"}),
    ],
)
def test_the_environment_opens_a_dicomweb_service(environment, header):
    assert dicomweb.authorization(environment) == header
