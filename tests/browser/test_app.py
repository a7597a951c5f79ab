import csv
from itertools import pairwise

import cv2
import numpy as np
import pytest
from browser.visit import SAMPLE, open_page
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["desktop-light", "phone-dark"])
def visit(request, chromium, app_url):
    return open_page(chromium, app_url, *request.param)


@pytest.mark.phone
def test_a_film_is_uploaded_answered_and_explained_and_the_other_pages_open(visit):
    page = visit.page
    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files([SAMPLE])
    expect(page.get_by_role("heading", name="Pneumonia likely")).to_be_visible()
    expect(page.get_by_text("X-rayed children have pneumonia, about")).to_be_visible()
    expect(page.get_by_text("not a medical device").first).to_be_visible()
    overlay = page.get_by_role("img", name="The film under its opacity map. Answer: Pneumonia likely.")
    expect(overlay).to_be_visible()
    visit.rest()
    page.get_by_text("Adjust picture").click()
    page.get_by_text("Outline of the lungs").click()
    visit.assert_sound()
    expect(page.get_by_text("It does not show what the answer rests on.")).to_be_visible()

    with page.expect_download() as download:
        page.get_by_role("button", name="JSON", exact=True).click()
    assert '"answer": "likely"' in download.value.path().read_text("utf-8")
    visit.assert_sound()

    visit.open("Leaderboard")
    expect(page.get_by_role("heading", name="Leaderboard", level=1)).to_be_visible()
    expect(page.get_by_role("rowheader").first).to_be_visible()
    visit.assert_sound()

    visit.open("Dataset")
    expect(page.get_by_role("heading", name="Dataset", level=1)).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart").locator("canvas, svg.marks").first).to_be_visible()
    visit.assert_sound()


def test_a_file_that_is_no_film_is_told_so(visit, tmp_path):
    letter = tmp_path / "letter.jpg"
    letter.write_text("Dear colleague")

    visit.page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files([letter])

    expect(visit.page.get_by_text("This file was not assessed.")).to_be_visible()
    expect(visit.page.get_by_text("X-rayed")).to_have_count(0)
    visit.assert_sound()


def test_a_picture_that_is_no_chest_film_is_refused_unless_the_user_insists(visit, tmp_path):
    page, noise = visit.page, tmp_path / "noise.png"
    cv2.imwrite(str(noise), np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8))

    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files([noise])

    expect(page.get_by_role("heading", name="Not assessed")).to_be_visible()
    expect(page.get_by_text("X-ray")).to_have_count(0)
    visit.assert_sound()

    page.get_by_role("button", name="Assess anyway").click()

    expect(page.get_by_text("although pneumo refuses this film")).to_be_visible()
    expect(page.get_by_text("compared with no film")).to_be_visible()
    expect(page.get_by_role("heading", name="Not assessed")).to_have_count(0)
    visit.assert_sound()


def test_an_inverted_film_is_righted_only_when_the_user_asks(visit, tmp_path):
    page, inverted = visit.page, tmp_path / "inverted.png"
    cv2.imwrite(str(inverted), 255 - cv2.imread(str(SAMPLE), cv2.IMREAD_GRAYSCALE))

    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files([inverted])
    expect(page.get_by_role("button", name="Invert and assess")).to_be_visible()
    visit.rest()
    page.get_by_role("button", name="Invert and assess").click()

    expect(page.get_by_text("corrected at the user's request: invert").first).to_be_visible()
    expect(page.get_by_text("X-rayed children have pneumonia, about")).to_be_visible()
    visit.assert_sound()

    page.get_by_role("button", name="Undo the correction").click()

    expect(page.get_by_role("heading", name="Not assessed")).to_be_visible()
    visit.assert_sound()


def test_many_films_are_read_together_opened_one_by_one_and_kept_while_another_page_is_looked_at(visit, tmp_path):
    page, letter, noise = visit.page, tmp_path / "letter.jpg", tmp_path / "noise.png"
    letter.write_text("Dear colleague")
    cv2.imwrite(str(noise), np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8))

    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files([SAMPLE, noise, letter])

    expect(page.get_by_role("heading", name="3 films")).to_be_visible()
    expect(page.get_by_text("X-ray")).to_have_count(0)
    visit.assert_sound()

    # Anywhere on the first row; the table is drawn on a canvas.
    page.get_by_test_id("stDataFrame").click(position={"x": 150, "y": 56})
    expect(page.get_by_role("heading", name="Pneumonia likely")).to_be_visible()
    visit.assert_sound()

    with page.expect_download() as download:
        page.get_by_role("button", name="Results as CSV").click()
    rows = list(csv.DictReader(download.value.path().open(encoding="utf-8-sig")))
    assert [(row["file"], row["status"], row["answer"]) for row in rows] == [
        (SAMPLE.name, "ok", "likely"),
        ("noise.png", "refused", ""),
        ("letter.jpg", "error", ""),
    ]

    visit.open("Leaderboard")
    expect(page.get_by_role("heading", name="Leaderboard", level=1)).to_be_visible()
    visit.open("Predict")
    expect(page.get_by_role("heading", name="3 films")).to_be_visible()
    expect(page.get_by_role("heading", name="Pneumonia likely")).to_be_visible()

    visit.rest()
    page.get_by_role("button", name="Clear the list").click()
    expect(page.get_by_role("heading", name="3 films")).to_have_count(0)
    expect(page.get_by_text("Give pneumo children's frontal chest radiographs.")).to_be_visible()
    visit.assert_sound()


def test_how_common_pneumonia_is_changes_the_sentence_and_another_model_is_asked(visit):
    page = visit.page
    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files([SAMPLE])
    expect(page.get_by_text("Where 50 of 100 X-rayed children have pneumonia, about")).to_be_visible()

    visit.rest()
    page.get_by_role("radio", name="many (30 %)").click()
    expect(page.get_by_text("Where 30 of 100 X-rayed children have pneumonia, about")).to_be_visible()

    visit.rest()
    page.get_by_text("For researchers").click()
    page.get_by_text("Compare with another model").click()
    expect(
        page.get_by_text("They were trained on the same films.").or_(page.get_by_text("The models differ"))
    ).to_be_visible()
    expect(page.get_by_text("Grad-CAM of")).to_have_count(2)
    visit.assert_sound()


@pytest.mark.parametrize(
    ("width", "height"),
    [(1280, 800), pytest.param(390, 844, marks=pytest.mark.phone, id="phone")],
)
def test_film_heat_map_and_answer_are_on_the_first_screen(chromium, app_url, width, height):
    visit = open_page(chromium, app_url, width, "light", height)
    page = visit.page
    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files([SAMPLE])
    statement = page.get_by_text("X-rayed children have pneumonia, about")
    expect(statement).to_be_visible()
    visit.rest()

    overlay = page.get_by_role("img", name="The film under its opacity map").bounding_box()
    for box in (overlay, page.get_by_role("heading", name="Pneumonia likely").bounding_box(), statement.bounding_box()):
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= height
    visit.assert_nothing_went_wrong()


FAINT = """() => {
    const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const over = (colour, ground, opacity) => {
        canvas.globalAlpha = 1;
        canvas.fillStyle = `rgb(${ground.join()})`;
        canvas.fillRect(0, 0, 1, 1);
        canvas.globalAlpha = opacity;
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const faint = [];
    for (const text of document.querySelectorAll("[data-testid=stMain] :is(h1, h2, h3, p, li, summary)")) {
        const seen = text.checkVisibility({opacityProperty: true, visibilityProperty: true});
        // The bubble of a slider is drawn by Streamlit, over its thumb.
        if (!seen || !text.innerText.trim() || text.closest('[data-testid=stSlider]')) continue;
        const above = [];
        for (let each = text; each; each = each.parentElement) above.unshift(getComputedStyle(each));
        const ground = above.reduce((under, style) => over(style.backgroundColor, under, 1), [255, 255, 255]);
        const opacity = above.reduce((so_far, style) => so_far * style.opacity, 1);
        const pair = [light(over(getComputedStyle(text).color, ground, opacity)), light(ground)];
        const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
        if (contrast < 4.5) faint.push(`${contrast.toFixed(2)}: ${text.innerText.slice(0, 60)}`);
    }
    return faint;
}"""


@pytest.mark.parametrize("scheme", [pytest.param("light", marks=pytest.mark.slow), "dark"])
def test_headings_are_in_order_and_every_text_stands_out_from_its_ground(chromium, app_url, tmp_path, scheme):
    noise = tmp_path / "noise.png"
    cv2.imwrite(str(noise), np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8))
    visit = open_page(chromium, app_url, 1280, scheme)
    page = visit.page
    for film, title in ((SAMPLE, "Pneumonia likely"), (noise, "Not assessed")):
        page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files([film])
        expect(page.get_by_role("heading", name=title)).to_be_visible()
        expect(page.get_by_role("heading", name="Save or print")).to_be_visible()
        expect(page.get_by_test_id("stMain").locator("[data-stale=true]")).to_have_count(0)

        headings = page.get_by_test_id("stMain").locator("h1, h2, h3, h4")
        levels = [int(tag[1]) for tag in headings.evaluate_all("all => all.map(each => each.tagName)")]
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
        assert page.evaluate(FAINT) == []
        page.reload()


@pytest.mark.parametrize(
    ("path", "title"), [("compare", "Compare"), pytest.param("dataset", "Dataset", marks=pytest.mark.slow)]
)
def test_a_link_to_a_page_opens_it_on_a_server_that_nobody_has_visited(chromium, fresh_app_url, path, title):
    visit = open_page(chromium, f"{fresh_app_url}/{path}", 1280, "light")

    expect(visit.page.get_by_role("heading", name=title, level=1)).to_be_visible()
    expect(visit.page.get_by_test_id("stVegaLiteChart").locator("canvas, svg.marks").first).to_be_visible()
    pages = visit.page.get_by_role("navigation", name="App pages")
    expect(pages.get_by_role("link")).to_contain_text(["Predict"])
    expect(pages.get_by_role("button")).to_contain_text(["Models", "Dataset"])
    expect(visit.page.get_by_role("dialog")).to_have_count(0)
    expect(visit.page.get_by_test_id("stException")).to_have_count(0)
