import pytest
from browser.server import serve
from browser.visit import open_page
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
