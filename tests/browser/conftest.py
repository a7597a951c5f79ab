import os
from collections.abc import Iterator

import pytest
from browser.server import FLAGS, chromium_path, serve


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """A real Chromium; required where PNEUMO_REQUIRE_BROWSER is set, else its absence skips the test."""
    path = chromium_path()
    if path is None:
        if os.environ.get("PNEUMO_REQUIRE_BROWSER"):
            pytest.fail("the browser tests are required here, and there is no Chromium")
        pytest.skip("no Chromium found; install it or set PNEUMO_CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def app_url(tmp_path_factory) -> Iterator[str]:
    """The address of an app that has been visited before."""
    with serve(tmp_path_factory.mktemp("app")) as url:
        yield url


@pytest.fixture
def fresh_app_url(tmp_path) -> Iterator[str]:
    """The address of an app that nobody has visited yet."""
    with serve(tmp_path) as url:
        yield url
