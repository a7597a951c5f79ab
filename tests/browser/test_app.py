from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data_samples" / "bacterial_1.png"

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)


class Visit:
    """A page, and what went wrong on it."""

    def __init__(self, browser: Browser, url: str, width: int, scheme: str) -> None:
        self.page: Page = browser.new_page(viewport={"width": width, "height": 1200}, color_scheme=scheme)
        self.page.set_default_timeout(30_000)
        self.errors: list[str] = []
        self.hosts: set[str | None] = set()
        self.page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))
        self.page.goto(url)

    def open(self, title: str) -> None:
        # A phone has the pages in a drawer.
        drawer = self.page.get_by_test_id("stExpandSidebarButton")
        if drawer.is_visible():
            drawer.click()
        self.page.get_by_role("link", name=title).click()

    def assert_sound(self) -> None:
        expect(self.page.get_by_test_id("stException")).to_have_count(0)
        assert self.errors == []
        # None is the host of data: and blob: addresses.
        assert self.hosts <= {"localhost", None}
        overflow = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"the page is {overflow} px wider than the window"


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["desktop-light", "phone-dark"])
def visit(request, chromium, app_url):
    visit = Visit(chromium, app_url, *request.param)
    yield visit
    visit.page.close()


def test_a_film_is_uploaded_answered_and_explained_and_the_other_pages_open(visit):
    page = visit.page
    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files([SAMPLE])
    expect(page.get_by_role("heading", name="Pneumonia likely")).to_be_visible()
    expect(page.get_by_text("Probability of pneumonia:")).to_be_visible()
    expect(page.get_by_text("not a medical device").first).to_be_visible()
    pictures = page.get_by_test_id("stImage").locator("img")
    expect(pictures).to_have_count(2)
    assert pictures.nth(0).get_attribute("src") != pictures.nth(1).get_attribute("src")
    visit.assert_sound()

    before = pictures.nth(1).get_attribute("src")
    slider = page.get_by_role("slider", name="Opacity of the heat map")
    slider.focus()
    for _ in range(10):
        slider.press("ArrowLeft")
    expect(pictures.nth(1)).not_to_have_attribute("src", before)

    film, before = (pictures.nth(number).get_attribute("src") for number in (0, 1))
    page.get_by_text("Show the outline of the lungs").click()
    expect(pictures.nth(0)).not_to_have_attribute("src", film)
    expect(pictures.nth(1)).not_to_have_attribute("src", before)
    expect(page.get_by_text("of the heat lies inside the lungs")).to_be_visible()

    with page.expect_download() as download:
        page.get_by_role("button", name="Download as JSON").click()
    assert '"answer": "likely"' in download.value.path().read_text("utf-8")
    visit.assert_sound()

    visit.open("Leaderboard")
    expect(page.get_by_role("heading", name="Leaderboard", level=1)).to_be_visible()
    expect(page.get_by_role("rowheader").first).to_be_visible()
    visit.assert_sound()

    visit.open("Dataset")
    expect(page.get_by_role("heading", name="Dataset", level=1)).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart").locator("canvas, svg.marks").first).to_be_visible()
    visit.assert_sound()


def test_a_file_that_is_no_film_is_told_so(visit, tmp_path):
    letter = tmp_path / "letter.jpg"
    letter.write_text("Dear colleague")

    visit.page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files([letter])

    expect(visit.page.get_by_text("This file was not assessed.")).to_be_visible()
    expect(visit.page.get_by_text("Probability of pneumonia")).to_have_count(0)
    visit.assert_sound()


def test_a_picture_that_is_no_chest_film_is_refused_unless_the_user_insists(visit, tmp_path):
    page, noise = visit.page, tmp_path / "noise.png"
    cv2.imwrite(str(noise), np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8))

    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files([noise])

    expect(page.get_by_role("heading", name="Not assessed")).to_be_visible()
    expect(page.get_by_text("Probability of pneumonia:")).to_have_count(0)
    visit.assert_sound()

    page.get_by_role("button", name="Assess anyway").click()

    expect(page.get_by_text("although pneumo refuses this film")).to_be_visible()
    expect(page.get_by_text("Probability of pneumonia:")).to_be_visible()
    expect(page.get_by_role("heading", name="Not assessed")).to_have_count(0)
    visit.assert_sound()


def test_an_inverted_film_is_righted_only_when_the_user_asks(visit, tmp_path):
    page, inverted = visit.page, tmp_path / "inverted.png"
    cv2.imwrite(str(inverted), 255 - cv2.imread(str(SAMPLE), cv2.IMREAD_GRAYSCALE))

    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files([inverted])
    page.get_by_role("button", name="Invert and assess").click()

    expect(page.get_by_text("corrected at the user's request: invert").first).to_be_visible()
    expect(page.get_by_text("Probability of pneumonia:")).to_be_visible()
    visit.assert_sound()

    page.get_by_role("button", name="Undo the correction").click()

    expect(page.get_by_role("heading", name="Not assessed")).to_be_visible()
    visit.assert_sound()


@pytest.mark.parametrize(("path", "title"), [("compare", "Compare"), ("dataset", "Dataset")])
def test_a_link_to_a_page_opens_it_on_a_server_that_nobody_has_visited(chromium, fresh_app_url, path, title):
    visit = Visit(chromium, f"{fresh_app_url}/{path}", 1280, "light")

    expect(visit.page.get_by_role("heading", name=title, level=1)).to_be_visible()
    expect(visit.page.get_by_test_id("stVegaLiteChart").locator("canvas, svg.marks").first).to_be_visible()
    expect(visit.page.get_by_role("navigation", name="App pages").get_by_role("link")).to_contain_text(
        ["Predict", "Leaderboard", "Dataset"]
    )
    expect(visit.page.get_by_role("dialog")).to_have_count(0)
    expect(visit.page.get_by_test_id("stException")).to_have_count(0)
    visit.page.close()
