"""Measure how long a user waits, in a real browser, and set it against the targets.

    python tests/browser/bench.py [runs]

Prints a table and ends with 0 whatever the figures are: how fast a machine is, and what else it does, is no fault.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from browser.server import FLAGS, ROOT, chromium_path, serve
from playwright.sync_api import Browser, Page, sync_playwright

RUNS, WARM_UP = 30, 2
# Each cold opening takes a server of its own, each new tab a browser without a cache.
COLD_RUNS, NEW_RUNS = 3, 10
FILM = ROOT / "data_samples" / "bacterial_1.png"
WIDTH, HEIGHT = 1280, 1200
# In milliseconds.
ANSWER, HEAT, SHOWN, SLIDER, SWITCH, COLD, WARM = 250, 400, 120, 100, 300, 2500, 1000


class Place(NamedTuple):
    """A page of the app: its address, its title in the menu, the section it stands in, and its heading."""

    path: str
    title: str
    section: str
    heading: str


PLACES = [
    Place("leaderboard", "Leaderboard", "Models", "Leaderboard"),
    Place("compare", "Compare", "Models", "Compare"),
    Place("clinic", "At your clinic", "Models", "At your clinic"),
    Place("failures", "Mistakes", "Models", "Mistakes"),
    Place("model_card", "Model card", "Models", "Model card"),
    Place("dataset", "Dataset", "Dataset", "Dataset"),
    Place("leaks", "Shortcuts in the data", "Dataset", "Shortcuts in the data"),
    Place("gallery", "Gallery", "Dataset", "Gallery"),
    Place("augmentation", "Augmentation", "Dataset", "Augmentation"),
    Place("own_data", "Check your data", "Dataset", "Check your data"),
]
# TensorFlow is loaded when this page is opened first, so it has no target of its own.
PREDICT = Place("", "Predict", "", "Is there pneumonia on this film?")

# Playwright's own waiting looks again after half a second at last; these conditions are asked in every frame.
# When the last element was added to the page, charts and tables included; half a second without any proves it.
SETTLED = """(heading) => new Promise((done) => {
    let last = performance.now();
    // A grid writes its copy for screen readers into its canvas a while after it is drawn.
    const isSeen = (each) => !each.target.closest?.("canvas");
    const observer = new MutationObserver((found) => { if (found.some(isSeen)) last = performance.now(); });
    observer.observe(document, { subtree: true, childList: true, characterData: true });
    const look = () => {
        const headings = document.querySelectorAll("[data-test-script-state=notRunning] h1");
        const isThere = [...headings].some((each) => each.innerText.includes(heading));
        if (!isThere || performance.now() - last < 500) return requestAnimationFrame(look);
        observer.disconnect();
        done(last);
    };
    look();
})"""
ANSWERED = """() => Boolean(document.querySelector("[class*=answer_] h2")?.getClientRects().length)"""
# Written in the frame that first draws the pictures.
DRAWN = """() => [...document.querySelectorAll("div")].some(
    (each) => each.shadowRoot?.querySelector(".viewer output")?.textContent.includes("%"))"""
# From the browser's word that a film was chosen, to the frame that draws its answer and its heat map: without the time
# that Playwright takes to hand the film over and to ask.
SHOWN_AFTER = f"""() => {{
    window.shownAfter = null;
    addEventListener("change", () => {{
        const start = performance.now();
        const isShown = () => ({ANSWERED})() && ({DRAWN})();
        const look = () => {{
            if (isShown()) window.shownAfter = performance.now() - start;
            else requestAnimationFrame(look);
        }};
        requestAnimationFrame(look);
    }}, {{ capture: true, once: true }});
}}"""
# The middle row of the overlay, until a frame shows it changed.
BLEND = """(slider) => new Promise((done) => {
    const canvas = slider.getRootNode().querySelector("[data-side=heat] .stage canvas");
    const row = () => canvas.getContext("2d").getImageData(0, canvas.height >> 1, canvas.width, 1).data.join();
    const before = row();
    const start = performance.now();
    slider.value = slider.value === "30" ? "80" : "30";
    slider.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
    const look = () => (row() === before ? requestAnimationFrame(look) : done(performance.now() - start));
    requestAnimationFrame(look);
})"""


class Timing(NamedTuple):
    """What was measured of one thing, in milliseconds, and what it should not exceed (None: no target)."""

    what: str
    target: float | None
    milliseconds: list[float]


def of_films(browser: Browser, url: str, runs: int) -> list[Timing]:
    """Time films in one tab, one after the other: from its choice to the answer, to the heat map, and the slider."""
    answers, heats, shown, slides = [], [], [], []
    page = _open(browser)
    _visit(page, url, PREDICT)
    for film in _films(WARM_UP + runs):
        page.evaluate(SHOWN_AFTER)
        answered, drawn = _read(page, film)
        answers.append(answered)
        heats.append(drawn)
        shown.append(float(page.evaluate("window.shownAfter")))
        page.locator("details", has_text="Adjust picture").evaluate("controls => { controls.open = true }")
        slides.append(page.get_by_role("slider", name="Opacity of the heat map").evaluate(BLEND))
        page.get_by_test_id("stFileUploader").get_by_role("button", name="Remove").click()
        page.locator("[class*=answer_]").wait_for(state="detached")
        _settled(page, PREDICT)
    page.context.close()
    return [
        Timing("Upload to answer", ANSWER, answers[WARM_UP:]),
        Timing("Answer to heat map", HEAT, heats[WARM_UP:]),
        Timing("Both, by the browser's clock", SHOWN, shown[WARM_UP:]),
        Timing("Opacity slider to pixels", SLIDER, slides[WARM_UP:]),
    ]


def of_new_tabs(browser: Browser, url: str, runs: int) -> list[Timing]:
    """Time the first film of a tab in a browser that has never been here, and has the viewer's program to fetch."""
    answers, heats = [], []
    for film in _films(runs):
        page = _open(browser)
        _visit(page, url, PREDICT)
        answered, drawn = _read(page, film)
        answers.append(answered)
        heats.append(drawn)
        page.context.close()
    return [
        Timing("Upload to answer, new browser", None, answers),
        Timing("Answer to heat map, new browser", None, heats),
    ]


def _films(count: int) -> Iterator[dict[str, Any]]:
    """Yield films that the app has not seen: of each the last bit of one pixel is another."""
    pixels = cv2.imread(str(FILM), cv2.IMREAD_GRAYSCALE)
    for number in range(count):
        changed = pixels.copy()
        changed.flat[number] ^= 1
        yield {
            "name": f"film_{number}.png",
            "mimeType": "image/png",
            "buffer": cv2.imencode(".png", changed)[1].tobytes(),
        }


def _read(page: Page, film: dict[str, Any]) -> tuple[float, float]:
    """Give the page a film and return the milliseconds to the answer, and from there to the heat map."""
    start = time.perf_counter()
    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files([film])
    page.wait_for_function(ANSWERED)
    answered = time.perf_counter()
    page.wait_for_function(DRAWN)
    drawn = time.perf_counter()
    _settled(page, PREDICT)
    return 1000 * (answered - start), 1000 * (drawn - answered)


def of_switches(browser: Browser, url: str, runs: int) -> Timing:
    """Time the way from the menu to all of the next page, through all pages in turn; the first round warms up."""
    page, measured = _open(browser), []
    _visit(page, url, PREDICT)
    for turn in range(len(PLACES) + runs):
        place = PLACES[turn % len(PLACES)]
        page.get_by_test_id("stTopNavSection").filter(has_text=place.section).click()
        link = page.get_by_role("menuitem", name=place.title, exact=True)
        link.wait_for()
        start = page.evaluate("performance.now()")
        link.click()
        measured.append(_settled(page, place) - start)
    page.context.close()
    return Timing("Page switch", SWITCH, measured[len(PLACES) :])


def of_opening(browser: Browser, place: Place, runs: int) -> list[Timing]:
    """Time the first and the second visit to a page of a server that has just started."""
    cold, warm = [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as url:
            page = _open(browser)
            cold.append(_visit(page, url, place))
            warm.append(_visit(page, url, place))
            page.context.close()
    targets = (COLD, WARM) if place.path else (None, None)
    return [
        Timing(f"{place.title}, {visit}", target, measured)
        for visit, target, measured in zip(("cold", "warm"), targets, (cold, warm), strict=True)
    ]


def line(timing: Timing) -> str:
    """Return a line of the table; one whose median misses its target ends in a mark."""
    median, late = np.median(timing.milliseconds), np.percentile(timing.milliseconds, 95)
    target = "" if timing.target is None else f"{timing.target:.0f}"
    mark = "  MISSED" if timing.target is not None and median > timing.target else ""
    return f"{timing.what:<32}{target:>8}{median:>8.0f}{late:>8.0f}{len(timing.milliseconds):>6}{mark}"


def timings(browser: Browser, runs: int) -> Iterator[Timing]:
    """Measure all there is to measure."""
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as url:
        yield from of_films(browser, url, runs)
        yield from of_new_tabs(browser, url, min(runs, NEW_RUNS))
        yield of_switches(browser, url, runs)
    for place in [PREDICT, *PLACES]:
        yield from of_opening(browser, place, min(runs, COLD_RUNS))


def _open(browser: Browser) -> Page:
    page = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}).new_page()
    page.set_default_timeout(120_000)
    return page


def _visit(page: Page, url: str, place: Place) -> float:
    """Go to a page and return the milliseconds until all of it is there."""
    page.goto(f"{url}/{place.path}")
    return _settled(page, place)


def _settled(page: Page, place: Place) -> float:
    """Wait until all of a page is there, and return when that was, in milliseconds since it was asked for."""
    return float(page.evaluate(SETTLED, place.heading))


def main(runs: int) -> None:
    """Print the table line by line, for it takes minutes."""
    path = chromium_path()
    if path is None:
        sys.exit("There is no Chromium here. Install it, or set PNEUMO_CHROMIUM.")
    print(f"Milliseconds; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the first figure")
    print(f"{'':<32}{'target':>8}{'median':>8}{'p95':>8}{'runs':>6}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for timing in timings(browser, runs):
            print(line(timing), flush=True)
        browser.close()
    print(f"Load at the end, this measurement's own with it: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
