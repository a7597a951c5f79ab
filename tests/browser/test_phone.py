"""What a finger presses is large enough (WCAG 2.2, 2.5.8), and no picture or chart keeps the wheel to itself."""

import pytest
from browser.visit import open_page
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.phone]

# In pixels; what is pressed often is higher. A link within a sentence and the hidden input of a slider are let pass.
LEAST, OFTEN = 24, 44
PRESSED = ":is(button, a[href], summary, [role=tab], label:has(input))"
TARGETS = """([scope, pressed]) => [...document.querySelectorAll(`${scope} ${pressed}`)]
    .filter(each => each.checkVisibility() && !each.closest("p"))
    .map(each => [each.getAttribute("aria-label") || each.innerText, each.getBoundingClientRect()])
    .filter(([, box]) => box.width > 1 && box.height > 1)
    .map(([name, box]) => [name, Math.round(box.width), Math.round(box.height)])"""


@pytest.mark.parametrize("path", ["compare", "gallery"], ids=["compare-phone", "gallery-phone"])
def test_what_is_pressed_is_large_enough_for_a_finger(chromium, app_url, path):
    visit = open_page(chromium, f"{app_url}/{path}", 390, "light", 844)
    page = visit.page
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    visit.rest()
    targets = page.evaluate(TARGETS, ["[data-testid=stMain]", PRESSED])

    assert len(targets) > 5
    assert [target for target in targets if min(target[1:]) < LEAST] == []

    page.get_by_test_id("stExpandSidebarButton").click()
    expect(page.get_by_role("link", name="Leaderboard")).to_be_visible()
    links = page.evaluate(TARGETS, ["[data-testid=stSidebarNav]", PRESSED])
    assert len(links) > 5
    assert [link for link in links if link[2] < OFTEN] == []
    # It closes the drawer for the next test.
    page.get_by_role("link", name="Leaderboard").click()
    visit.assert_sound()


def test_the_wheel_over_the_map_of_films_moves_the_page(chromium, app_url):
    visit = open_page(chromium, f"{app_url}/leaks?section=Map+of+the+films", 1280, "light", 800)
    page = visit.page
    chart = page.get_by_test_id("stVegaLiteChart").last
    expect(page.get_by_text("Each point is a film")).to_be_visible()
    visit.rest()
    main = page.get_by_test_id("stMain")
    before = main.evaluate("each => each.scrollTop")
    chart.hover()

    page.mouse.wheel(0, 200)

    page.wait_for_function("before => document.querySelector('[data-testid=stMain]').scrollTop > before", arg=before)
    visit.assert_nothing_went_wrong()
