"""A page in a real browser, and what went wrong on it."""

import time
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Request, expect

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data_samples" / "bacterial_1.png"
expect.set_options(timeout=60_000)

MODELS = ("Leaderboard", "Compare", "At your clinic", "Where it fails", "Model card")
DATA_SET = ("Dataset", "What leaks", "Gallery", "Augmentation", "Bring your own")
SECTIONS = dict.fromkeys(MODELS, "Models") | dict.fromkeys(DATA_SET, "Data set")
# Streamlit draws the drawer of pages in narrow windows, and closes it behind a choice on what calls itself a phone.
NARROW = 768
PHONE = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36"
# In milliseconds; what has appeared has sent its requests by then.
QUIET = 300


class Visit:
    """A page, and what went wrong on it."""

    def __init__(self, browser: Browser, url: str, width: int, scheme: str) -> None:
        agent = PHONE if width < NARROW else None
        self.page: Page = browser.new_page(
            viewport={"width": width, "height": 1200}, color_scheme=scheme, user_agent=agent
        )
        self.page.set_default_timeout(30_000)
        self.errors: list[str] = []
        self.hosts: set[str | None] = set()
        self.page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.unanswered: set[Request] = set()
        self.page.on("request", self._asks)
        self.page.on("response", lambda response: self._answered(response.request))
        self.page.on("requestfailed", self._answered)
        self.page.goto(url)

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
        quiet, deadline = 0, time.monotonic() + 60
        while quiet < QUIET:
            assert time.monotonic() < deadline, f"not answered: {[request.url for request in self.unanswered]}"
            expect(script).to_have_attribute("data-test-script-state", "notRunning", timeout=120_000)
            self.page.wait_for_timeout(100)
            quiet = 0 if self.unanswered else quiet + 100

    def assert_sound(self) -> None:
        """Say that nothing went wrong, once the page has come to rest."""
        self.rest()
        expect(self.page.get_by_test_id("stException")).to_have_count(0)
        assert self.errors == []
        # None is the host of data: and blob: addresses.
        assert self.hosts <= {"localhost", None}
        overflow = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"the page is {overflow} px wider than the window"
