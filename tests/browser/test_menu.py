"""The pages one after the other in one session, as the menu opens them."""

import pytest
from browser.visit import DATA_SET, MODELS, SAMPLE, open_page
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

TITLES = (*MODELS, *DATA_SET)


@pytest.mark.parametrize(
    ("width", "scheme", "titles"),
    [(1280, "light", TITLES), (390, "dark", TITLES[::-1])],
    ids=["desktop-light-forwards", "phone-dark-backwards"],
)
def test_every_page_opens_by_the_menu_after_a_film_was_read_and_choices_stay_on_their_page(
    chromium, app_url, width, scheme, titles
):
    visit = open_page(chromium, app_url, width, scheme)
    page = visit.page
    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files([SAMPLE])
    expect(page.get_by_role("heading", name="Pneumonia likely")).to_be_visible()

    for title in titles:
        visit.open(title)
        expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
        visit.assert_sound()
        expect(page).to_have_title(f"{title} · pneumo")
        # Another page has sections, too; it must open on its own first one.
        if tabs := page.get_by_role("tab").all():
            expect(tabs[0]).to_have_attribute("aria-selected", "true")
            tabs[-1].click()
            visit.assert_sound()

    visit.open("Predict")
    expect(page.get_by_role("heading", name="Pneumonia likely")).to_be_visible()
    visit.assert_sound()


def test_the_document_says_the_language_of_its_page(chromium, app_url):
    visit = open_page(chromium, f"{app_url}/?lang=fr", 1280, "light")
    document = visit.page.locator("html")

    expect(document).to_have_attribute("lang", "fr")
    expect(visit.page).to_have_title("Lire · pneumo")
    visit.page.goto(f"{app_url}/dataset?lang=fr")
    expect(visit.page.get_by_role("heading", name="Les données", level=1)).to_be_visible()
    expect(document).to_have_attribute("lang", "fr")
    visit.page.goto(f"{app_url}/?lang=zh")
    expect(document).to_have_attribute("lang", "zh")


def test_back_and_forward_go_through_the_choices_of_a_page(chromium, app_url):
    visit = open_page(chromium, f"{app_url}/compare?models=ensemble&models=cnn", 1280, "light")
    page = visit.page
    expect(page.get_by_role("tab", name="Scores")).to_be_visible()
    visit.rest()
    page.get_by_role("tab", name="Scores").click()
    expect(page.get_by_text("less overlap is better")).to_be_visible()
    visit.rest()

    page.go_back()
    expect(page.get_by_role("tab", name="ROC")).to_have_attribute("aria-selected", "true")
    visit.rest()
    page.go_forward()

    expect(page.get_by_text("less overlap is better")).to_be_visible()
    assert "models=ensemble&models=cnn" in page.url
