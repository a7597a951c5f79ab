import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["desktop-light", "phone-dark"])
def page(request, chromium, app_url):
    width, scheme = request.param
    page = chromium.new_page(viewport={"width": width, "height": 1200}, color_scheme=scheme, base_url=app_url)
    page.set_default_timeout(30_000)
    yield page
    page.close()


def query(page):
    return parse_qs(urlsplit(page.url).query)


def assert_sound(page):
    expect(page.get_by_test_id("stException")).to_have_count(0)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"the page is {overflow} px wider than the window"


def test_the_choice_of_the_gallery_stands_in_its_address_and_comes_back_from_it(page):
    page.goto("/gallery")
    # A picture has a button of its own, to be seen in full.
    films = page.get_by_role("button", name=re.compile("^(viral|normal)_"))
    expect(films).to_have_count(8)

    page.get_by_role("combobox", name="Kind").click()
    page.get_by_role("option", name="Viral pneumonia").click()
    # An open list hides the rest of the page from assistive technology, and so from this test.
    page.keyboard.press("Escape")
    expect(films).to_have_count(4)
    assert query(page)["kind"] == ["Viral pneumonia"]

    page.reload()
    expect(page.get_by_role("heading", name="Gallery", level=1)).to_be_visible()
    expect(films).to_have_count(4)
    expect(page.get_by_role("button", name=re.compile("^normal_1"))).to_have_count(0)
    assert_sound(page)


def test_a_film_has_an_address_of_its_own(page):
    page.goto("/gallery")
    page.get_by_role("button", name="bacterial_1.dcm", exact=True).click()
    expect(page.get_by_role("heading", name="bacterial_1.dcm")).to_be_visible()
    assert query(page)["film"] == ["bacterial_1.dcm"]

    page.reload()
    expect(page.get_by_text("DICOM, ")).to_be_visible()
    assert_sound(page)
    page.get_by_role("button", name="Back to the films").click()
    expect(page.get_by_role("button", name=re.compile("^bacterial_2"))).to_be_visible()
    assert "film" not in query(page)


@pytest.mark.phone
def test_every_room_opens_and_fits_the_window(page):
    for path, title in (
        ("dataset", "Dataset"),
        ("leaks", "What leaks"),
        ("augmentation", "Augmentation"),
        ("own_data", "Bring your own"),
    ):
        page.goto(f"/{path}")
        expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
        assert_sound(page)
    expect(page.get_by_role("button", name="Fetch")).to_be_visible()


def test_the_sliders_of_the_augmentation_stand_in_the_address(page):
    page.goto("/augmentation?gamma=0.5&seed=3")
    expect(page.get_by_text("Changed from the recipe: gamma")).to_be_visible()
    expect(page.get_by_role("spinbutton", name="Seed").or_(page.get_by_label("Seed", exact=True)).first).to_have_value(
        "3"
    )

    page.get_by_role("button", name="Back to the recipe").click()
    expect(page.get_by_text("These are the ranges of")).to_be_visible()
    assert "gamma" not in query(page)
    assert_sound(page)
