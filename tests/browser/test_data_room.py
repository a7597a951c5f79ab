import re
from urllib.parse import parse_qs, urlsplit

import pytest
from browser.visit import open_page
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["desktop-light", "phone-dark"])
def visit(request, chromium, app_url):
    return open_page(chromium, "about:blank", *request.param, base_url=app_url)


def query(page):
    return parse_qs(urlsplit(page.url).query)


def test_a_film_has_an_address_of_its_own(visit):
    page = visit.page
    page.goto("/gallery")
    page.get_by_role("button", name="bacterial_1.dcm", exact=True).click()
    expect(page.get_by_role("heading", name="bacterial_1.dcm")).to_be_visible()
    assert query(page)["film"] == ["bacterial_1.dcm"]

    page.reload()
    expect(page.get_by_text("DICOM, ")).to_be_visible()
    visit.assert_sound()
    page.get_by_role("button", name="Back to the films").click()
    expect(page.get_by_role("button", name=re.compile("^bacterial_2"))).to_be_visible()
    assert "film" not in query(page)


# The menu opens them on a desktop.
@pytest.mark.phone
@pytest.mark.parametrize("visit", [(390, "dark")], ids=["phone-dark"], indirect=True)
def test_every_room_opens_and_fits_the_window(visit):
    page = visit.page
    for path, title in (
        ("dataset", "Dataset"),
        ("leaks", "Shortcuts in the data"),
        ("augmentation", "Augmentation"),
        ("own_data", "Check your data"),
    ):
        page.goto(f"/{path}")
        expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
        visit.assert_sound()
    expect(page.get_by_role("button", name="Fetch")).to_be_visible()


def test_a_click_on_a_film_opens_it_in_predict_and_back_leads_to_the_same_films(visit):
    page = visit.page
    page.goto("/gallery?kind=Viral+pneumonia")
    picture = page.get_by_alt_text("The film viral_1, small")
    link = page.get_by_role("link", name="Open viral_1 in Predict")
    expect(picture).to_be_visible()
    visit.rest()
    assert link.bounding_box() == picture.bounding_box()

    link.click()
    expect(page.get_by_role("heading", name="Pneumonia likely")).to_be_visible()
    expect(page.get_by_role("combobox", name=re.compile("^Sample"))).to_have_value("Viral pneumonia 1")
    visit.assert_sound()
    page.go_back()

    expect(page.get_by_role("link", name=re.compile("^Open viral_"))).to_have_count(4)
    expect(page.get_by_role("link", name=re.compile("^Open normal_"))).to_have_count(0)
    visit.assert_sound()
