from urllib.parse import parse_qs, urlsplit

import pytest
from browser.visit import SAMPLE, open_page
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("locale", "width", "likely", "save", "disclaimer"),
    [
        ("fr-FR", 1280, "Pneumonie probable", "Enregistrer en PNG", "n’est pas un dispositif médical"),
        pytest.param(
            *("es-MX", 390, "Neumonía probable", "Guardar PNG", "no es un producto sanitario"), marks=pytest.mark.slow
        ),
        ("zh-CN", 390, "很可能是肺炎", "保存 PNG", "非医疗器械"),
    ],
)
def test_a_browser_gets_its_own_language_and_no_text_runs_out_of_the_page(
    chromium, app_url, locale, width, likely, save, disclaimer
):
    visit = open_page(chromium, app_url, width, locale=locale)
    page = visit.page

    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files([SAMPLE])

    expect(page.get_by_role("heading", name=likely)).to_be_visible()
    page.locator(".viewer summary").click()
    expect(page.get_by_role("button", name=save)).to_be_visible()
    expect(page.get_by_text(disclaimer).first).to_be_visible()
    expect(page.get_by_text("Opacity of the heat map")).to_have_count(0)
    visit.assert_sound()


def test_another_language_is_chosen_kept_in_the_address_and_put_on_the_viewer_that_is_there(chromium, app_url):
    page = open_page(chromium, app_url, 1280, locale="de-DE").page
    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files([SAMPLE])
    page.locator(".viewer summary").click()
    expect(page.get_by_role("button", name="Save PNG")).to_be_visible()

    page.get_by_role("combobox").filter(has_text="English").or_(page.get_by_label("Language")).first.click()
    page.get_by_role("option", name="Français").click()

    expect(page.get_by_role("heading", name="Pneumonie probable")).to_be_visible()
    expect(page.get_by_role("button", name="Enregistrer en PNG")).to_be_visible()
    assert parse_qs(urlsplit(page.url).query)["lang"] == ["fr"]


def test_what_was_chosen_stays_chosen_and_is_told_in_the_language_that_is_chosen_then(chromium, app_url):
    page = open_page(chromium, f"{app_url}/leaderboard?sort=parameters", 1280, locale="de-DE").page
    chosen = page.get_by_test_id("stSelectbox").get_by_role("combobox")
    films, order = chosen.nth(1), chosen.nth(2)
    expect(order).to_have_value("Weights")

    page.get_by_label("Language").first.click()
    page.get_by_role("option", name="Español").click()

    expect(order).to_have_value("Pesos")
    expect(films).to_have_value("Partición oficial de prueba")
    assert parse_qs(urlsplit(page.url).query)["sort"] == ["parameters"]
