import io
import shutil
import socket
import ssl
import struct
import subprocess
from types import SimpleNamespace

import pydicom
import pytest
from pydicom import uid
from toy import reported

from pneumo.errors import ArchiveError, UnsupportedImageError
from pneumo.serving import dicom_server
from pneumo.serving.dicom_archive import DicomArchive, Node
from pneumo.serving.dicom_server import DicomServer, tls_contexts

pynetdicom = pytest.importorskip("pynetdicom", reason="pynetdicom is not installed (pip install pneumo[pacs])")

FILM = reported.dicom_film()
VERIFICATION = "1.2.840.10008.1.1"


class Taker:
    """Takes films, or raises `error`."""

    def __init__(self):
        self.taken, self.error = [], None

    def take(self, film, sender):
        if self.error:
            raise self.error
        self.taken.append((film, sender))


@pytest.fixture(scope="module")
def started():
    taker = Taker()
    server = DicomServer(taker, "PNEUMO", ("127.0.0.1", 0), ["CR1", "PACS"])
    yield server, taker
    server.stop()


@pytest.fixture
def server(started):
    return started[0]


@pytest.fixture
def taker(started):
    taker = started[1]
    taker.taken, taker.error = [], None
    return taker


def associate(server, *classes, title="CR1", called="PNEUMO", syntax=uid.ExplicitVRLittleEndian, **security):
    entity = pynetdicom.AE(ae_title=title)
    for each in classes or (uid.ComputedRadiographyImageStorage,):
        entity.add_requested_context(each, syntax)
    return entity.associate("127.0.0.1", server.port, ae_title=called, **security)


def send(server, film, *classes, **options):
    """Send a film, and return the status and the comment that come back."""
    instance = pydicom.dcmread(io.BytesIO(film))
    association = associate(server, *(classes or (instance.SOPClassUID,)), **options)
    status = association.send_c_store(instance)
    association.release()
    return status.Status, status.get("ErrorComment", "")


def changed(**values):
    instance = pydicom.dcmread(io.BytesIO(FILM))
    for keyword, value in values.items():
        setattr(instance, keyword, value)
    stream = io.BytesIO()
    instance.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def test_a_film_is_taken_whole(server, taker):
    assert send(server, FILM) == (0x0000, "")

    [(film, sender)] = taker.taken
    old, new = pydicom.dcmread(io.BytesIO(FILM)), pydicom.dcmread(io.BytesIO(film))
    assert sender == "CR1"
    assert new == old
    assert new.file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian


def test_an_echo_is_answered(server):
    association = associate(server, VERIFICATION)

    assert association.send_c_echo().Status == 0x0000
    association.release()


@pytest.mark.parametrize("titles", [{"title": "STRANGER"}, {"called": "OTHER"}])
def test_who_is_not_known_or_calls_another_is_rejected_and_told_in_the_log(server, titles, caplog):
    assert associate(server, **titles).is_rejected

    assert f"{titles.get('title', 'CR1')} calls {titles.get('called', 'PNEUMO')}: rejected" in caplog.text


@pytest.mark.parametrize(
    "kind",
    [
        uid.CTImageStorage,
        uid.DigitalXRayImageStorageForProcessing,
        uid.BasicTextSRStorage,
        "1.2.840.10008.5.1.4.1.2.1.1",
    ],
)
def test_what_is_no_film_is_not_negotiated(server, kind):
    association = associate(server, VERIFICATION, kind)

    assert [context.abstract_syntax for context in association.accepted_contexts] == [VERIFICATION]
    association.release()


def test_a_syntax_that_cannot_be_decoded_is_not_negotiated(server):
    association = associate(server, VERIFICATION, uid.ComputedRadiographyImageStorage, syntax=uid.JPEGExtended12Bit)

    assert [context.abstract_syntax for context in association.rejected_contexts][
        -1
    ] == uid.ComputedRadiographyImageStorage
    association.abort()


def test_a_study_that_is_sent_again_may_hold_answers_of_pneumo(server, taker):
    report = changed(SOPClassUID=uid.ComprehensiveSRStorage, Manufacturer="pneumo")
    picture = changed(SOPClassUID=uid.SecondaryCaptureImageStorage, Manufacturer="pneumo")

    assert [send(server, report)[0], send(server, picture)[0]] == [0x0000, 0x0000]
    assert taker.taken == []


def test_a_report_of_others_is_refused(server, taker):
    status, comment = send(server, changed(SOPClassUID=uid.ComprehensiveSRStorage))

    assert (status, comment) == (0x0122, "pneumo takes films (CR, DX, SC), and no other reports")
    assert taker.taken == []


def test_a_film_that_no_report_can_join_is_refused_with_the_reason(server, taker):
    status, comment = send(server, changed(StudyInstanceUID=""))

    assert status == 0xC000
    assert comment.startswith("This film does not say")
    assert taker.taken == []


@pytest.mark.parametrize(
    ("error", "code", "comment"),
    [
        (ArchiveError("PACS@there:104 is away."), 0xA700, "PACS@there:104 is away."),
        (MemoryError(), 0xA700, "There is not memory enough"),
        (UnsupportedImageError("“one” " + "two " * 50), 0xC000, "?one? " + "two " * 13 + "..."),
        (KeyError("SECRET"), 0xC000, "The film cannot be understood"),
    ],
)
def test_a_film_that_is_not_taken_stays_with_its_sender_and_the_comment_says_why(
    server, taker, caplog, error, code, comment
):
    taker.error = error

    assert send(server, FILM) == (code, comment)
    assert "SECRET" not in caplog.text


def test_a_film_that_is_another_than_the_message_says_is_refused(server, taker):
    # No sender that keeps to the standard can be made to do that.
    request = SimpleNamespace(AffectedSOPClassUID=uid.ComputedRadiographyImageStorage, AffectedSOPInstanceUID="2.25.99")
    association = SimpleNamespace(requestor=SimpleNamespace(ae_title="CR1"))

    status = server._store(SimpleNamespace(request=request, assoc=association, encoded_dataset=lambda: FILM))

    assert status.Status == 0xA900
    assert taker.taken == []


def test_a_message_larger_than_any_film_ends_the_association(server, taker, monkeypatch, caplog):
    monkeypatch.setattr(dicom_server, "MOST_BYTES", 50_000)
    instance = pydicom.dcmread(io.BytesIO(FILM))
    association = associate(server)

    status = association.send_c_store(instance)

    assert "Status" not in status
    assert taker.taken == []
    assert "larger than" in caplog.text


def test_a_piece_that_announces_gigabytes_ends_the_connection(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(struct.pack(">BBL", 1, 0, 2**31) + bytes(10))

        # An abort, if anything, and the end.
        assert len(connection.recv(100)) in (0, 10)


def test_films_one_after_the_other_count_each_for_itself(server, taker, monkeypatch):
    monkeypatch.setattr(dicom_server, "MOST_BYTES", 100_000)
    association = associate(server)

    statuses = [association.send_c_store(pydicom.dcmread(io.BytesIO(FILM))).Status for _ in range(3)]

    association.release()
    assert statuses == [0x0000] * 3


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=127.0.0.1 "
        "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


def test_with_certificates_connections_in_and_out_use_tls(taker, certificate):
    cert, key = certificate
    comes_in, goes_out = tls_contexts(cert, key, cert)
    server = DicomServer(taker, "PNEUMO", ("127.0.0.1", 0), (), comes_in)
    stranger = ssl.create_default_context(cafile=cert)
    try:
        archive = DicomArchive("PACS", Node("PNEUMO", "127.0.0.1", server.port), goes_out)
        picture = changed(SOPClassUID=uid.SecondaryCaptureImageStorage)

        assert list(archive.store(iter([picture]))) == [""]
        assert not associate(server).is_established
        assert not associate(server, tls_args=(stranger, "127.0.0.1")).is_established
    finally:
        server.stop()
    assert len(taker.taken) == 1


def test_a_missing_certificate_is_told(tmp_path):
    with pytest.raises(OSError):
        tls_contexts(tmp_path / "none.pem", tmp_path / "none.pem")
