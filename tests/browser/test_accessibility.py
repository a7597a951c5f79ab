"""No page does what axe-core calls a violation of WCAG 2.2, levels A and AA."""

from pathlib import Path

import axe_playwright_python
import cv2
import numpy as np
import pytest
from browser.visit import NARROW, SAMPLE, Visit, open_page
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# What Streamlit draws and an app cannot change: rule, selector, reason.
STREAMLITS = [
    ("list", "[data-testid=stSidebarNavItems]", "each section of the drawer of pages is a div in the list"),
    ("listitem", "[data-testid=stSidebarNavItems] li", "and so are its pages outside any list"),
    ("scrollable-region-focusable", ".stTable > div", "a wide table scrolls in a box that takes no focus from a key"),
]
VIOLATIONS = """async ([levels, known]) => {
    const found = await axe.run(document, {runOnly: {type: "tag", values: levels}, elementRef: true});
    const ours = rule => node => !known.some(([id, where]) => id === rule && node.element.matches(where));
    return found.violations.flatMap(({id, nodes}) => nodes.filter(ours(id)).map(
        node => `${id}: ${node.html.slice(0, 150)} ${node.failureSummary} (${node.target.join(" ").slice(-150)})`
    ));
}"""
PAGES = {
    "leaderboard": "Leaderboard",
    "compare": "Compare",
    "clinic": "At your clinic",
    "failures": "Mistakes",
    "model_card": "Model card",
    "dataset": "Dataset",
    "leaks": "Shortcuts in the data",
    "gallery": "Gallery",
    "gallery?film=bacterial_1.dcm": "Gallery",
    "augmentation": "Augmentation",
    "own_data": "Check your data",
}
# The pages of `make test`, on both windows: the widest table, and most charts.
FIRST = ("leaderboard", "dataset")


def violations(visit: Visit) -> list[str]:
    """What axe-core finds once the page is at rest and all that was folded is open."""
    visit.rest()
    folded = visit.page.locator("[data-testid=stMain] details:not([open]) > summary")
    # What is folded may hold more that is.
    for _ in range(2):
        folded.evaluate_all("all => all.forEach(each => each.click())")
        visit.rest()
    if visit.page.evaluate("typeof axe") == "undefined":
        visit.page.evaluate(AXE)
    return visit.page.evaluate(VIOLATIONS, [LEVELS, [row[:2] for row in STREAMLITS]])


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["desktop-light", "phone-dark"])
def visit(request, chromium, app_url):
    return open_page(chromium, app_url, *request.param)


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.phone if path in FIRST else pytest.mark.slow) for path in PAGES],
)
def test_a_page_can_be_used_by_everyone(visit, app_url, path):
    visit.page.goto(f"{app_url}/{path}")
    expect(visit.page.get_by_role("heading", name=PAGES[path], level=1)).to_be_visible()

    found = violations(visit)
    # What is in a section is checked once, on the narrow and dark page.
    for tab in visit.page.get_by_role("tab").all()[1:] if visit.page.viewport_size["width"] < NARROW else ():
        tab.click()
        found += violations(visit)

    assert found == []


@pytest.mark.parametrize(
    "visit",
    [
        pytest.param((1280, "light"), id="desktop-light", marks=pytest.mark.slow),
        pytest.param((390, "dark"), id="phone-dark", marks=pytest.mark.phone),
    ],
    indirect=True,
)
def test_the_page_that_predicts_can_be_used_by_everyone(visit, tmp_path):
    page, letter, noise = visit.page, tmp_path / "letter.jpg", tmp_path / "noise.png"
    letter.write_text("Dear colleague")
    cv2.imwrite(str(noise), np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8))
    files = page.get_by_test_id("stFileUploader").locator("input[type=file]")
    expect(page.get_by_text("Give pneumo children's frontal chest radiographs.")).to_be_visible()
    found = {"empty": violations(visit)}

    files.set_input_files([noise])
    expect(page.get_by_role("heading", name="Not assessed")).to_be_visible()
    found["refused"] = violations(visit)

    files.set_input_files([SAMPLE, letter])
    expect(page.get_by_role("heading", name="3 films")).to_be_visible()
    found["list"] = violations(visit)

    # What is likely stands in the first row; the table is drawn on a canvas.
    page.get_by_test_id("stDataFrame").first.click(position={"x": 150, "y": 56})
    expect(page.get_by_role("heading", name="Pneumonia likely")).to_be_visible()
    found["likely"] = violations(visit)
    page.get_by_role("button", name="Settings").click()
    found["Settings"] = violations(visit)

    assert [state for state, ours in found.items() if ours] == [], found
