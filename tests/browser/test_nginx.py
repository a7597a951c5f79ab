"""nginx as deploy/nginx/pneumo.conf sets it up, before a real server of the app, and a real browser before both."""

import base64
import hashlib
import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import pytest
import streamlit
from browser.server import free_port
from browser.visit import DATA_SET, MODELS, SAMPLE, open_page
from playwright.sync_api import expect

from pages.parts.shared import language
from pneumo.language import LANGUAGES

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
CONFIGURATION = (ROOT / "deploy" / "nginx" / "pneumo.conf").read_text("utf-8")
MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u;
    scgi_temp_path {folder}/s;
    include {folder}/pneumo.conf;
}}
"""
NAME = "Planted^Name"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def proxied(app_url, folder) -> Iterator[str]:
    """The address of the app behind nginx."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None or shutil.which("openssl") is None:
        pytest.skip("nginx or openssl is not installed")
    make_certificate = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    names = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"]
    subprocess.run([*make_certificate, *names, *files], check=True, capture_output=True)
    secure, plain = free_port(), free_port()
    changes = {
        "app:8501": urlsplit(app_url).netloc,
        "api:8600": f"127.0.0.1:{free_port()}",
        "listen 8443": f"listen {secure}",
        "listen 8080": f"listen {plain}",
        "/etc/nginx/tls": str(folder),
        "/dev/stdout": f"{folder}/access.log",
    }
    configuration = CONFIGURATION
    for here, there in changes.items():
        assert here in configuration
        configuration = configuration.replace(here, there)
    (folder / "pneumo.conf").write_text(configuration)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
    (folder / "plain_port").write_text(str(plain))
    server = subprocess.Popen([nginx, "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while socket.socket().connect_ex(("127.0.0.1", secure)) and time.monotonic() < deadline:
            assert server.poll() is None, (folder / "error.log").read_text()
            time.sleep(0.05)
        yield f"https://localhost:{secure}"
    finally:
        server.terminate()
        server.wait(10)


def ask(url: str, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> http.client.HTTPResponse:
    """Ask nginx over TLS with the certificate that it shows checked against its own."""
    address = urlsplit(url)
    trusted = ssl.create_default_context()
    trusted.check_hostname, trusted.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", address.port, timeout=20, context=trusted)
    connection.request(method, path, body, {"Host": address.netloc, **headers})
    return connection.getresponse()


def test_what_is_asked_in_the_clear_is_sent_to_tls(proxied, folder):
    connection = http.client.HTTPConnection("127.0.0.1", int((folder / "plain_port").read_text()), timeout=10)
    connection.request("GET", "/leaderboard?split=test", headers={"Host": "pneumo.hospital.example"})
    answer = connection.getresponse()

    assert (answer.status, answer.headers["Location"]) == (
        308,
        "https://pneumo.hospital.example/leaderboard?split=test",
    )


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(proxied):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    address = urlsplit(proxied)

    with socket.create_connection(("127.0.0.1", address.port)) as bare, pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(bare)


def test_every_page_has_headers_that_shut_others_out(proxied):
    answer = ask(proxied, "/")

    assert answer.status == 200
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Server"] == "nginx"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_the_policy_names_the_scripts_that_stand_in_the_page():
    index = (Path(streamlit.__file__).parent / "static" / "index.html").read_text("utf-8")
    inline = re.findall(r"<script>(.*?)</script>", index, re.DOTALL)
    inline += [language.SCRIPT.format(code=code) for code in LANGUAGES]
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in inline}

    assert set(re.findall(r"'sha256-[^']+'", CONFIGURATION)) == hashes


def test_figures_of_all_sessions_and_the_way_for_programs_are_closed(proxied):
    assert ask(proxied, "/_stcore/metrics").status == 404
    assert ask(proxied, "/_stcore/agent/interact", "POST", b"{}").status == 404


def handshake(url: str, origin: str) -> int:
    asked = {"Upgrade": "websocket", "Connection": "Upgrade", "Origin": origin}
    key = {"Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(), "Sec-WebSocket-Version": "13"}
    return ask(url, "/_stcore/stream", **asked, **key, **{"Sec-WebSocket-Protocol": "streamlit"}).status


def test_a_page_of_this_server_opens_a_websocket_and_a_page_of_another_does_not(proxied):
    assert handshake(proxied, proxied) == 101
    assert handshake(proxied, "https://elsewhere.example") == 403


def test_a_file_that_is_too_large_is_told_so_before_it_is_sent(proxied):
    too_large = {"Content-Length": str(60 * 2**20), "Content-Type": "multipart/form-data; boundary=x"}
    page = ask(proxied, "/_stcore/upload_file/session/file", "PUT", **too_large)
    api = ask(proxied, "/api/predict", "POST", **too_large)

    assert page.status == api.status == 413
    assert "pneumo takes files of up to 50 MB" in page.read().decode()
    assert "larger than 50 MiB" in api.read().decode()


def test_a_server_that_does_not_answer_yet_is_told_of_in_a_sentence(proxied):
    answer = ask(proxied, "/api/models")

    assert answer.status == 503
    assert "not served here" in answer.read().decode()


def test_an_upload_without_the_token_of_the_page_is_refused(proxied):
    assert ask(proxied, "/_stcore/upload_file/session/file", "PUT", b"x").status == 403


def test_all_pages_work_under_the_policy_and_no_film_or_name_is_left_with_nginx(chromium, proxied, folder, tmp_path):
    film = tmp_path / f"{NAME}.bmp"
    # Larger than any buffer of nginx.
    cv2.imwrite(str(film), cv2.resize(cv2.imread(str(SAMPLE), cv2.IMREAD_GRAYSCALE), (1800, 1800)))
    visit = open_page(chromium, proxied, 1280, height=900, ignore_https_errors=True)
    page = visit.page
    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files([film])
    expect(page.get_by_role("heading", name="Pneumonia likely")).to_be_visible()
    visit.rest()
    with page.expect_download() as download:
        page.get_by_role("button", name="PDF report", exact=True).click()
    assert download.value.path().read_bytes().startswith(b"%PDF")
    for title in (*MODELS, *DATA_SET):
        visit.open(title)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        visit.assert_sound()

    assert [path for name in ("bodies", "answers") for path in (folder / name).rglob("*") if path.is_file()] == []
    assert NAME not in (folder / "access.log").read_text() + (folder / "error.log").read_text()
