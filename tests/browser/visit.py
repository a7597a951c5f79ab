"""A page in a real browser, and what went wrong on it."""

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data_samples" / "bacterial_1.png"
expect.set_options(timeout=60_000)

MODELS = ("Leaderboard", "Compare", "At your clinic", "Mistakes", "Model card")
DATA_SET = ("Dataset", "Shortcuts in the data", "Gallery", "Augmentation", "Check your data")
SECTIONS = dict.fromkeys(MODELS, "Models") | dict.fromkeys(DATA_SET, "Dataset")
# Streamlit draws the drawer of pages in narrow windows, and closes it behind a choice on what calls itself a phone.
NARROW = 768
PHONE = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36"
# Streamlit first asks for these below the address of the page, and is told that there are none.
NOT_THERE = ("/_stcore/health", "/_stcore/host-config")
# In milliseconds; what has appeared has sent its requests by then.
QUIET = 300
# For answers once the script has run, which itself may take its time on a busy machine.
PATIENCE = 60_000

OVERFLOW = """Math.max(...[document.documentElement, document.querySelector("[data-testid=stMain]")]
    .map(each => each ? each.scrollWidth - each.clientWidth : 0))"""


class Visit:
    """A window, and what went wrong on the page in it since it was opened there."""

    def __init__(self, browser: Browser, width: int, scheme: str, height: int, **options: Any) -> None:
        if width < NARROW:
            options["user_agent"] = PHONE
        self.page: Page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
        self.page.set_default_timeout(30_000)
        self.page.on("console", self._logs)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._asks)
        self.page.on("response", lambda response: self._answered(response.request))
        self.page.on("requestfailed", self._answered)
        self._forget()

    def _forget(self) -> None:
        self.errors: list[str] = []
        self.hosts: set[str | None] = set()
        self.unanswered: set[Request] = set()

    def begin(self, url: str) -> None:
        """Open a page in a new session of the app."""
        self.page.goto("about:blank")
        self._forget()
        self.page.goto(url)

    def _logs(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.location["url"].endswith(NOT_THERE):
            self.errors.append(f"{message.text} {message.location['url']}")

    def _asks(self, request: Request) -> None:
        self.hosts.add(urlsplit(request.url).hostname)
        self.unanswered.add(request)

    def _answered(self, request: Request) -> None:
        self.unanswered.discard(request)

    def open(self, title: str) -> None:
        # A phone has the pages in a drawer, a desktop those of a section in a menu.
        drawer = self.page.get_by_test_id("stExpandSidebarButton")
        link = self.page.get_by_role("link", name=title, exact=True)
        if drawer.is_visible():
            drawer.click()
        elif title in SECTIONS:
            self.page.get_by_test_id("stTopNavSection").filter(has_text=SECTIONS[title]).click()
            link = self.page.get_by_role("menuitem", name=title, exact=True)
        link.click()
        expect(self.page.locator("[data-testid=stSidebar][data-collapsed=false]")).to_have_count(0)

    def rest(self) -> None:
        """Wait until the script has run and all that the page then asks for is answered.

        A download button asks for its file when it appears; a click that takes the file away first is an error.
        """
        script = self.page.get_by_test_id("stApp")
        quiet = waited = 0
        while quiet < QUIET:
            assert waited < PATIENCE, f"not answered: {[request.url for request in self.unanswered]}"
            expect(script).to_have_attribute("data-test-script-state", "notRunning", timeout=120_000)
            self.page.wait_for_timeout(100)
            waited += 100
            quiet = 0 if self.unanswered else quiet + 100

    def assert_sound(self) -> None:
        """Say that nothing went wrong, once the page has come to rest."""
        self.rest()
        self.assert_nothing_went_wrong()

    def assert_nothing_went_wrong(self) -> None:
        """Say that there was no error, that nobody else was asked for anything, and that the page fits its window."""
        expect(self.page.get_by_test_id("stException")).to_have_count(0)
        assert self.errors == []
        # None is the host of data: and blob: addresses.
        assert self.hosts <= {"localhost", None}
        # The page moves within its main part, which hides from the document how wide it is.
        overflow = self.page.evaluate(OVERFLOW)
        assert overflow <= 0, f"the page is {overflow} px wider than the window"


# A window stays open for the next test: in a new one the browser compiles all of Streamlit anew, for a second.
window = cache(Visit)


def open_page(
    browser: Browser, url: str, width: int, scheme: str = "light", height: int = 1200, **options: Any
) -> Visit:
    """Open a page in a window of such a size; a further one of that size takes its place."""
    shown = window(browser, width, scheme, height, **options)
    shown.begin(url)
    return shown
