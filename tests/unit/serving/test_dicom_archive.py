import io
import socket

import numpy as np
import pydicom
import pytest
from toy import reported

from pneumo.errors import ArchiveError
from pneumo.reports import dicom
from pneumo.serving.dicom_archive import DicomArchive, Node, ae_title

pynetdicom = pytest.importorskip("pynetdicom", reason="pynetdicom is not installed (pip install pneumo[pacs])")

SOURCE = reported.dicom_film()
READING = reported.reading_of(assessment=reported.answered(reported.read_dicom(SOURCE)), findings=[], source=SOURCE)
REPORT = dicom.structured_report(READING)
PICTURE = dicom.secondary_capture(READING, np.zeros((64, 64, 3), np.uint8))
SR, SC = "1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.7"


@pytest.fixture
def pacs():
    """Start archives that answer each C-STORE with the next status, or drop the connection at None."""
    servers = []

    def start(statuses=(0x0000,) * 9, kinds=(SR, SC), syntaxes=(pydicom.uid.ExplicitVRLittleEndian,)):
        held, answers = [], iter(statuses)

        def store(event):
            held.append(event.dataset)
            status = next(answers)
            if status is None:
                event.assoc.abort()
                return 0xC000
            return status

        entity = pynetdicom.AE(ae_title="PACS")
        entity.require_called_aet = True
        for kind in kinds:
            entity.add_supported_context(kind, list(syntaxes))
        handlers = [(pynetdicom.evt.EVT_C_STORE, store)]
        server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        servers.append(server)
        return Node("PACS", "127.0.0.1", server.socket.getsockname()[1]), held

    yield start
    for server in servers:
        server.shutdown()


def stored(node, *objects):
    return list(DicomArchive("PNEUMO", node).store(iter(objects)))


@pytest.mark.parametrize("syntax", [pydicom.uid.ExplicitVRLittleEndian, pydicom.uid.ImplicitVRLittleEndian])
def test_objects_arrive_whole(pacs, syntax):
    node, held = pacs(syntaxes=(syntax,))

    assert stored(node, REPORT, PICTURE) == ["", ""]
    assert [instance.SOPInstanceUID for instance in held] == [
        pydicom.dcmread(io.BytesIO(data)).SOPInstanceUID for data in (REPORT, PICTURE)
    ]


def test_what_is_stored_with_a_warning_is_stored_and_what_is_refused_is_told(pacs):
    node, _ = pacs(statuses=(0xB000, 0xA900))

    assert stored(node, REPORT, PICTURE) == ["", "status 0xA900"]


def test_a_kind_that_an_archive_does_not_take_is_told(pacs):
    node, held = pacs(kinds=(SC,))

    assert stored(node, REPORT, PICTURE) == ["no Comprehensive SR Storage", ""]
    assert len(held) == 1


def test_an_archive_without_room_is_tried_again(pacs):
    node, _ = pacs(statuses=(0x0000, 0xA700))
    results = DicomArchive("PNEUMO", node).store(iter([REPORT, PICTURE]))

    assert next(results) == ""
    with pytest.raises(ArchiveError, match=r"PACS@127\.0\.0\.1:\d+ has no room"):
        next(results)


def test_an_archive_that_goes_away_is_tried_again(pacs):
    node, _ = pacs(statuses=(0x0000, None))
    results = DicomArchive("PNEUMO", node).store(iter([REPORT, PICTURE]))

    assert next(results) == ""
    with pytest.raises(ArchiveError, match="has gone away"):
        next(results)


def test_an_archive_that_is_not_there_is_away():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

    with pytest.raises(ArchiveError, match="is away"):
        stored(Node("PACS", "127.0.0.1", port), REPORT)


def test_an_archive_of_another_title_is_told(pacs):
    node, _ = pacs()

    with pytest.raises(ArchiveError, match="does not know"):
        stored(Node("OTHER", node.host, node.port), REPORT)


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("PACS@10.0.0.5:104", Node("PACS", "10.0.0.5", 104)),
        (" MY PACS@pacs.example:11112 ", Node("MY PACS", "pacs.example", 11112)),
        ("PACS@[::1]:104", Node("PACS", "::1", 104)),
    ],
)
def test_a_node_is_written_as_title_host_and_port(text, node):
    assert Node.parse(text) == node


@pytest.mark.parametrize(
    "text", ["", "PACS", "PACS@host", "@host:104", "PACS@host:0", "PACS@host:99999", f"{'x' * 17}@h:1"]
)
def test_what_is_no_node_says_how_to_write_one(text):
    with pytest.raises(ValueError, match=r"no DICOM node|no AE title"):
        Node.parse(text)


@pytest.mark.parametrize("text", ["", " ", "x" * 17, "PÄCS", "A\\B", "A\nB"])
def test_what_is_no_title_says_what_one_is(text):
    with pytest.raises(ValueError, match="1 to 16"):
        ae_title(text)
