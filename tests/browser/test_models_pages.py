"""The pages about models in a real browser: selection, links, export."""

import re

import pytest
from browser.visit import open_page
from playwright.sync_api import expect

from pneumo.model_store import store
from pneumo.results import model_facts

pytestmark = pytest.mark.browser
CARDS = store.catalogue(store.SHIPPED).cards
TITLES = list(model_facts.labels(CARDS).values())
SIZES = [(1280, "light"), (390, "dark")]


def link(url, path, **query):
    pairs = [f"{key}={each.replace(' ', '+')}" for key, values in query.items() for each in values]
    return f"{url}/{path}?{'&'.join(pairs)}"


def choose(visit, label, option):
    """Choose one more option of a list that takes several."""
    box = visit.page.get_by_role("combobox", name=re.compile(label))
    # A list closes again while the page is being scrolled to it.
    box.scroll_into_view_if_needed()
    visit.page.wait_for_timeout(500)
    # On a phone the list opens without a keyboard, and nothing can be typed.
    if box.is_editable():
        box.fill(option)
    else:
        box.click()
    visit.page.get_by_role("option", name=option, exact=True).click()
    box.press("Escape")
    expect(visit.page.get_by_role("button", name=f"Remove {option}")).to_be_visible()


@pytest.fixture(params=SIZES, ids=["desktop-light", "phone-dark"])
def opened(request, chromium, app_url):
    return lambda path, **query: open_page(chromium, link(app_url, path, **query), *request.param)


@pytest.mark.phone
def test_models_chosen_on_the_leaderboard_are_in_its_address_and_go_to_the_comparison(opened):
    visit = opened("leaderboard")
    for title in TITLES[1:3]:
        choose(visit, "Models", title)

    expect(visit.page).to_have_url(re.compile(r"models=.*&models="))
    expect(visit.page.get_by_role("rowheader").filter(has_not_text="published")).to_have_count(2)
    visit.assert_sound()
    visit.page.get_by_role("link", name="Compare these").click()

    expect(visit.page.get_by_role("heading", name="Compare", level=1)).to_be_visible()
    for title in TITLES[1:3]:
        expect(visit.page.get_by_test_id("stMultiSelect").get_by_text(title, exact=True)).to_be_visible()
    expect(visit.page).to_have_url(re.compile(r"/compare\?.*models="))
    visit.assert_sound()


@pytest.mark.parametrize(
    ("path", "button"), [("failures", "Download the mistakes (CSV)"), ("model_card", "Download the card (Markdown)")]
)
def test_a_link_to_a_model_shows_it_and_exports_it(opened, path, button):
    visit = opened(path, model=[TITLES[-1]])

    expect(visit.page.get_by_role("combobox", name="Model")).to_have_value(TITLES[-1])
    visit.rest()
    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name=button).click()

    assert CARDS[-1].name in download.value.suggested_filename
    visit.assert_sound()
