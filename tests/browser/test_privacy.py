"""What names a patient is in the memory of the server while the client is there, and nowhere else.

The real servers run under strace. Names are planted in DICOM headers, in names of files and in fields of forms. Every
system call that shows one has to be an exchange with a client or with a process of the server's own, no file may be
written at all but what the libraries make at their start, and nobody else may be called.
"""

import http.client
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pydicom
import pytest
from browser.server import ROOT, free_port, serve
from browser.visit import SAMPLE, open_page
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CALLS = (
    "%file,%network,write,writev,pwrite64,pwritev,pwritev2,sendfile,copy_file_range,splice,memfd_create,io_uring_setup"
)
HEADER, FILE, FIELD = "PLANTED^HEADER", "PLANTED-FILE", "PLANTED-FIELD"
PLANT = re.compile(r"PLANTED.(HEADER|FILE|FIELD)")
CALL = re.compile(r"^\d+ +(?:<\.\.\. )?(\w+)")
# What strace could not see into.
NOWHERE = ("memfd_create", "io_uring_setup")
# What a server does with a name: it hears it from its client, and tells it to the same client or to its own process.
HEARS = ("recvfrom", "recvmsg")
TELLS = r"(?:sendto|sendmsg|write|writev)\(\d+<(?:TCP(?:v6)?:\[[^\]]*?:{port}->|pipe:|UNIX)"
# strace names a socket by what it was when it was first seen.
SOCKET = re.compile(r"\(\d+<(TCP[^>]*)>")
OPENS_TO_WRITE = re.compile(r'(?:openat\(.*?|open\(|creat\()"([^"]*)", [^)]*(?:O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE)')
# What libraries make when they are imported, before any film: locks, code that TensorFlow generated.
WRITTEN = re.compile(
    r"/dev/(null|tty|shm/sem\.\S+)|/proc/.*|"
    r"/(tmp|dev/shm)/(\w{8}|__autograph_generated_file\w+\.py)|.*/__pycache__/.*"
)


@pytest.fixture(scope="module")
def strace() -> str:
    path = shutil.which("strace")
    if path is None or subprocess.run([path, "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace is not installed, or may not trace here")
    return path


def traced(strace: str, trace: Path) -> list[str]:
    """Return a command before a server's own, under which it writes down its system calls, with all of their bytes."""
    return [strace, "-f", "-D", "--seccomp-bpf", "-yy", "-s", "9999999", "-e", f"trace={CALLS}", "-o", str(trace)]


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """A DICOM film of more than a mebibyte, whose header and file name a patient."""
    film = pydicom.dcmread(ROOT / "data_samples" / "bacterial_1.dcm")
    film.PatientName, film.PatientID, film.InstitutionName = HEADER, HEADER, HEADER
    pixels = cv2.resize(film.pixel_array, (1200, 1200), interpolation=cv2.INTER_CUBIC)
    film.Rows, film.Columns = pixels.shape
    film.PixelData = np.ascontiguousarray(pixels).tobytes()
    path = tmp_path_factory.mktemp("film") / f"{FILE}.dcm"
    film.save_as(path)
    assert path.stat().st_size > 2**20
    return path


def assert_kept_in_memory(trace: Path, port: int, archive: int | None = None) -> None:
    """Say that no system call took a planted name anywhere but to the client, or to the archive that the server was
    told to answer to; that no file was written; and that nobody else was called."""
    tells = re.compile(TELLS.replace("{port}", str(port)))
    told, written, called, to_archive, seen = [], set(), [], set(), 0
    with trace.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            found = CALL.match(line)
            name = found[1] if found else ""
            socket = SOCKET.search(line[:200])
            if name == "connect" and f"htons({archive}), " in line:
                to_archive.add(socket[1])
            # A connection to port 0 is how getaddrinfo orders addresses; nothing is sent.
            elif name in NOWHERE or (name == "connect" and "AF_INET" in line and "htons(0)" not in line):
                called.append(line[:300])
            if PLANT.search(line):
                seen += 1
                if not (name in HEARS or tells.search(line) or (socket and socket[1] in to_archive)):
                    told.append(line[:300])
            if (opened := OPENS_TO_WRITE.search(line)) and not WRITTEN.fullmatch(opened[1]):
                written.add(opened[1])
    assert seen, "the plants did not even reach the server"
    assert told == []
    assert written == set()
    assert called == []


def memory_of(url: str) -> dict[str, int]:
    """Return the bytes that Streamlit holds of its sessions, by kind."""
    metrics = urllib.request.urlopen(f"{url}/_stcore/metrics").read().decode()
    found = re.findall(r'^cache_memory_bytes\{cache_type="(\w+)",cache=""\} (\d+)$', metrics, re.MULTILINE)
    return {kind: int(size) for kind, size in found}


def test_the_pages_keep_names_in_memory_and_forget_them(chromium, film, strace, tmp_path):
    trace, urls, others = tmp_path / "trace.txt", [], []
    options = ["--server.disconnectedSessionTTL", "1"]
    with serve(tmp_path, options=options, before=traced(strace, trace)) as url:
        visit = open_page(chromium, url, 1280, height=902)
        page = visit.page
        page.on("request", lambda request: urls.append(request.url))
        page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files([film])
        expect(page.get_by_role("heading", name="Pneumonia likely")).to_be_visible()
        visit.rest()
        page.get_by_role("textbox", name="Name or number to print").fill(FIELD)
        page.keyboard.press("Enter")
        visit.rest()
        for words in ("PDF report", "JSON"):
            with page.expect_download() as download:
                page.get_by_role("button", name=words, exact=True).click()
            assert download.value.path().stat().st_size
        visit.assert_sound()
        assert memory_of(url)["UploadedFileManager"] > 2**20

        second = chromium.new_page()
        second.on("websocket", lambda socket: socket.on("framereceived", lambda frame: others.append(str(frame))))
        second.goto(url)
        expect(second.get_by_role("heading", level=1)).to_be_visible()
        second.get_by_text("Try a sample").click()
        expect(second.get_by_role("heading", name="Save or print")).to_be_visible()
        second.close()

        visit.page.goto("about:blank")
        deadline = time.monotonic() + 30
        while any(memory_of(url).values()) and time.monotonic() < deadline:
            time.sleep(1)
        assert not any(memory_of(url).values())
    assert others and not any(PLANT.search(each) for each in others)
    assert urls and not any(PLANT.search(each) for each in urls)
    assert not PLANT.search((tmp_path / "log.txt").read_text())
    assert_kept_in_memory(trace, urlsplit(url).port)


@contextmanager
def pneumo(strace: str, folder: Path, is_ready: Callable[[], bool], *arguments: str) -> Iterator[None]:
    """Run a command that serves under strace."""
    command = [*traced(strace, folder / "trace.txt"), sys.executable, "-m", "pneumo", *arguments]
    with (folder / "log.txt").open("w") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + 120
            while not is_ready():
                assert server.poll() is None and time.monotonic() < deadline, (folder / "log.txt").read_text()
                time.sleep(0.5)
            yield
        finally:
            server.terminate()
            server.wait(30)


def answers(url: str) -> bool:
    try:
        return urllib.request.urlopen(url, timeout=2).status == 200
    except OSError:
        return False


def test_the_http_api_keeps_names_in_memory(film, strace, tmp_path):
    port = free_port()
    ready = partial(answers, f"http://127.0.0.1:{port}/api/ready")
    with pneumo(strace, tmp_path, ready, "serve-api", "--port", str(port)):
        for path in (film, SAMPLE):
            form = [
                f'--plant\r\nContent-Disposition: form-data; name="prevalence"\r\n\r\n{FIELD}\r\n'.encode(),
                b'--plant\r\nContent-Disposition: form-data; name="file"; filename="',
                f'{FILE}.dcm"\r\n\r\n'.encode() + path.read_bytes() + b"\r\n--plant--\r\n",
            ]
            for body, expected in ((b"".join(form), 422), (b"".join(form[1:]), 200)):
                client = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
                kind = {"Content-Type": "multipart/form-data; boundary=plant"}
                client.request("POST", f"/api/predict?model=everywhere&{FIELD}", body, kind)
                client.close()
                client.request("POST", "/api/predict", body, kind)
                assert client.getresponse().status == expected

    assert not PLANT.search((tmp_path / "log.txt").read_text())
    assert_kept_in_memory(tmp_path / "trace.txt", port)


def test_the_dicom_server_keeps_names_in_memory_and_tells_them_to_its_archive_alone(film, strace, tmp_path):
    pynetdicom = pytest.importorskip("pynetdicom")
    received = []

    def keep(event):
        received.append(event.dataset)
        return 0

    archive = pynetdicom.AE("ARCHIVE")
    archive.supported_contexts = pynetdicom.AllStoragePresentationContexts
    keeper = archive.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(pynetdicom.evt.EVT_C_STORE, keep)])
    port, answer_to = free_port(), keeper.server_address[1]
    sender = pynetdicom.AE("MODALITY")
    sent = pydicom.dcmread(film)
    sender.add_requested_context(sent.SOPClassUID, sent.file_meta.TransferSyntaxUID)
    sender.add_requested_context("1.2.840.10008.1.1")

    def is_there() -> bool:
        association = sender.associate("127.0.0.1", port, ae_title="PNEUMO")
        if is_heard := association.is_established:
            association.release()
        return is_heard

    try:
        to = ("--answer-to", f"ARCHIVE@127.0.0.1:{answer_to}", "--port", str(port))
        with pneumo(strace, tmp_path, is_there, "serve-dicom", *to):
            association = sender.associate("127.0.0.1", port, ae_title="PNEUMO")
            assert association.send_c_store(sent).Status == 0
            association.release()
    finally:
        keeper.shutdown()

    assert {str(each.Modality) for each in received} == {"SR", "OT"}
    assert {str(each.PatientName) for each in received} == {HEADER}
    assert not PLANT.search((tmp_path / "log.txt").read_text())
    assert_kept_in_memory(tmp_path / "trace.txt", port, answer_to)
