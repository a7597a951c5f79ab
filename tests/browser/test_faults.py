import re
import socket
import urllib.request
from urllib.parse import urlsplit

import pytest
from browser.server import serve
from browser.visit import SAMPLE, open_page
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_page_that_raises_tells_a_number_and_neither_it_nor_the_log_what_the_error_said(chromium, tmp_path):
    with serve(tmp_path, "tests/browser/raising_app.py") as url:
        visit = open_page(chromium, url, 1280)
        alert = visit.page.get_by_role("alert")
        expect(alert).to_contain_text("Something went wrong here. Load the page again.")
        number = alert.inner_text().split()[-1].strip(".")
        visit.assert_sound()
        assert "Planted" not in visit.page.content()
    log = (tmp_path / "log.txt").read_text()

    assert f"Error {number} " in log and "ValueError" in log and "raising_app.py" in log
    assert "Planted" not in log


def test_a_browser_that_goes_half_way_through_an_upload_costs_nobody_else_anything(chromium, tmp_path):
    with serve(tmp_path) as url:
        visit = open_page(chromium, url, 1280, height=903)
        page, sent = visit.page, []
        page.on("request", lambda request: sent.append(request) if request.method == "PUT" else None)
        choose = page.get_by_test_id("stFileUploader").locator("input[type=file]")
        choose.set_input_files([SAMPLE])
        expect(page.get_by_role("heading", name="Pneumonia likely")).to_be_visible()
        address, headers = urlsplit(sent[0].url), sent[0].all_headers()
        before = held(url)

        with socket.create_connection((address.hostname, address.port)) as client:
            asked = {
                "Host": address.netloc,
                "Content-Length": "40000000",
                "Content-Type": "multipart/form-data; boundary=x",
            }
            asked |= {"Cookie": headers["cookie"], "X-Xsrftoken": headers["x-xsrftoken"]}
            lines = [f"PUT {address.path}-other HTTP/1.1", *(f"{name}: {value}" for name, value in asked.items())]
            client.sendall("\r\n".join([*lines, "", ""]).encode())
            client.sendall(b'--x\r\nContent-Disposition: form-data; name="file"; filename="PLANTED.dcm"\r\n\r\n')
            client.sendall(bytes(20_000_000))
        visit.rest()

        assert held(url) == before
        choose.set_input_files([SAMPLE.with_name("normal_1.png")])
        expect(page.get_by_role("heading", name="2 films")).to_be_visible()
        visit.assert_sound()
    assert "PLANTED" not in (tmp_path / "log.txt").read_text()


def held(url: str) -> int:
    """Return the bytes of uploads that the server holds."""
    metrics = urllib.request.urlopen(f"{url}/_stcore/metrics").read().decode()
    return int(re.search(r'cache_memory_bytes\{cache_type="UploadedFileManager",cache=""\} (\d+)', metrics)[1])
