import base64
import io
import re

import numpy as np
import pytest
from browser.server import serve
from browser.visit import open_page
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from pneumo import DISCLAIMER, radiograph
from pneumo.datasets.samples import FOLDER
from pneumo.explanation import drawing

pytestmark = pytest.mark.browser

# What the browser rounds, and what it makes of a film that it enlarges.
CLOSE = 6
HOT, COLD = (0.3, 0.6), (0.9, 0.1)


class Viewer:
    """The viewer on a page of its own."""

    def __init__(self, browser: Browser, url: str, width: int = 1280, scheme: str = "light", **options) -> None:
        self.visit = open_page(browser, url, width, scheme, 900, **options)
        self.page: Page = self.visit.page
        expect(self.zoom).to_have_text("100 %", timeout=60_000)
        self.page.get_by_text("Adjust picture").click()
        # The outline hides pixels that tests look at.
        self.tick("Outline of the lungs")
        self.settled()

    @property
    def zoom(self) -> Locator:
        return self.page.locator(".viewer output")

    def slider(self, name: str) -> Locator:
        return self.page.get_by_role("slider", name=name)

    def stage(self, side: str) -> Locator:
        return self.page.locator(f"[data-side={side}] .stage")

    def settled(self) -> None:
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def picture(self, side: str) -> np.ndarray:
        """The pixels that a canvas shows, (height, width, 3)."""
        self.settled()
        url = self.stage(side).locator("canvas").evaluate("(canvas) => canvas.toDataURL()")
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGB")).astype(int)

    def drag(self, side: str, x: int, y: int, button: str = "left") -> None:
        box = self.stage(side).bounding_box()
        self.page.mouse.move(box["x"] + 200, box["y"] + 150)
        self.page.mouse.down(button=button)
        self.page.mouse.move(box["x"] + 200 + x, box["y"] + 150 + y, steps=4)
        self.page.mouse.up(button=button)

    def tick(self, words: str) -> None:
        self.page.get_by_text(words, exact=True).click()


def at(picture: np.ndarray, place: tuple[float, float]) -> np.ndarray:
    """The mean of a few pixels around a place given as shares of width and height."""
    column, row = (round(share * side) for share, side in zip(place, picture.shape[1::-1], strict=True))
    return picture[row - 2 : row + 3, column - 2 : column + 3].mean(axis=(0, 1))


@pytest.fixture(scope="module")
def viewer_url(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("viewer"), "tests/browser/viewer_page.py") as url:
        yield url


@pytest.fixture
def viewer(chromium, viewer_url):
    viewer = Viewer(chromium, viewer_url)
    yield viewer
    viewer.visit.assert_nothing_went_wrong()


@pytest.fixture(scope="module")
def film():
    return radiograph.read(FOLDER / "bacterial_1.png").pixels


def test_the_overlay_is_the_one_that_the_library_draws(viewer, film):
    row, column = np.mgrid[: film.shape[0], : film.shape[1]] / np.array(film.shape)[:, None, None]
    heat = np.exp(-((row - 0.6) ** 2 + (column - 0.3) ** 2) / 0.02).astype(np.float32)

    for percent in (0, 60, 100):
        viewer.slider("Opacity").fill(str(percent))
        shown, expected = viewer.picture("heat"), drawing.overlay(film, heat, percent / 100).astype(int)
        for place in (HOT, COLD, (0.4, 0.55), (0.7, 0.7), (0.3, 0.8)):
            assert np.abs(at(shown, place) - at(expected, place)).max() <= CLOSE, (percent, place)

    assert np.abs(viewer.picture("film") - viewer.picture("heat")).max() > 50


def test_one_picture_blends_from_the_film_to_its_overlay(viewer):
    film = viewer.picture("film")

    viewer.tick("Heat map")
    viewer.slider("Opacity").fill("0")

    expect(viewer.stage("film")).to_be_hidden()
    alone = viewer.picture("heat")
    assert np.ptp(alone, axis=2).max() == 0
    assert np.abs(at(alone, HOT) - at(film, HOT)).max() <= CLOSE
    viewer.slider("Opacity").fill("100")
    assert np.abs(at(viewer.picture("heat"), HOT) - drawing.colour_table()[255]).max() <= CLOSE


def test_a_slider_answers_at_once(viewer):
    """Below 100 ms where nothing else runs; the limit leaves room for a busy machine."""
    waits = viewer.slider("Opacity").evaluate(
        """async (slider) => {
          const canvas = slider.getRootNode().querySelector("[data-side=heat] .stage canvas");
          const hot = () => canvas.getContext("2d").getImageData(canvas.width * 0.3, canvas.height * 0.6, 1, 1).data;
          const waits = [];
          for (const value of [10, 80, 20, 90, 30]) {
            const before = hot().join();
            const start = performance.now();
            slider.value = value;
            slider.dispatchEvent(new Event("input", { bubbles: true }));
            while (hot().join() === before && performance.now() - start < 5000)
              await new Promise(requestAnimationFrame);
            waits.push(performance.now() - start);
          }
          return waits;
        }"""
    )

    assert sorted(waits)[2] < 250, waits


def test_inversion_turns_grey_values_over_and_leaves_the_heat(viewer):
    before, overlay = viewer.picture("film"), viewer.picture("heat")

    viewer.tick("Invert")

    np.testing.assert_allclose(viewer.picture("film"), 255 - before, atol=1)
    viewer.slider("Opacity").fill("100")
    assert np.abs(at(viewer.picture("heat"), HOT) - drawing.colour_table()[255]).max() <= CLOSE
    assert np.abs(at(overlay, COLD) + at(viewer.picture("heat"), COLD) - 255).max() <= CLOSE


def test_window_and_level_follow_dicom(viewer):
    before = viewer.picture("film")

    viewer.slider("Window").fill("100")
    viewer.slider("Level").fill("150")

    expected = (((before - 149.5) / 99 + 0.5) * 255).clip(0, 255)
    for place in (HOT, COLD, (0.5, 0.5), (0.25, 0.4)):
        np.testing.assert_allclose(at(viewer.picture("film"), place), at(expected, place), atol=CLOSE)


def test_dragging_with_the_right_button_or_in_its_mode_sets_the_window(viewer):
    viewer.drag("film", -100, 20, button="right")
    expect(viewer.slider("Window")).to_have_value("156")
    expect(viewer.slider("Level")).to_have_value("148")

    viewer.tick("Drag sets window and level")
    viewer.drag("heat", 50, -20)
    expect(viewer.slider("Window")).to_have_value("206")
    expect(viewer.slider("Level")).to_have_value("128")
    expect(viewer.zoom).to_have_text("100 %")


def test_keys_zoom_move_and_reset(viewer):
    whole = viewer.picture("film")
    viewer.stage("film").focus()

    for _ in range(4):
        viewer.page.keyboard.press("+")
    expect(viewer.zoom).to_have_text("244 %")
    enlarged = viewer.picture("film")
    for _ in range(9):
        viewer.page.keyboard.press("ArrowRight")
    moved = viewer.picture("film")

    assert np.abs(at(enlarged, (0.5, 0.5)) - at(whole, (0.5, 0.5))).max() <= CLOSE
    share = 1 / 1.25**4
    assert np.abs(at(moved, (0.5, 0.5)) - at(whole, (1 - share / 2, 0.5))).max() <= CLOSE
    viewer.page.keyboard.press("-")
    expect(viewer.zoom).to_have_text("195 %")
    viewer.page.keyboard.press("0")
    expect(viewer.zoom).to_have_text("100 %")
    np.testing.assert_array_equal(viewer.picture("film"), whole)


def test_the_buttons_zoom_within_limits(viewer):
    bigger, smaller = (viewer.page.get_by_role("button", name=f"Zoom {way}") for way in ("in", "out"))

    for _ in range(12):
        bigger.click()
    expect(viewer.zoom).to_have_text("800 %")
    for _ in range(12):
        smaller.click()
    expect(viewer.zoom).to_have_text("100 %")


def test_the_wheel_scrolls_the_page_over_the_film_and_zooms_with_control_where_the_mouse_is(viewer):
    box, whole = viewer.stage("film").bounding_box(), viewer.picture("film")
    viewer.page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.6 * box["height"])

    viewer.page.keyboard.down("Control")
    viewer.page.mouse.wheel(0, -300)
    expect(viewer.zoom).to_have_text("195 %")
    viewer.page.keyboard.up("Control")

    assert np.abs(at(viewer.picture("film"), HOT) - at(whole, HOT)).max() <= CLOSE
    assert viewer.stage("film").bounding_box()["y"] == box["y"]

    viewer.page.mouse.wheel(0, 300)
    viewer.page.wait_for_function(
        "(top) => document.querySelector('.stBidiComponent').getBoundingClientRect().top < top - 100", arg=box["y"]
    )
    expect(viewer.zoom).to_have_text("195 %")


def test_a_map_that_is_off_is_shown_when_it_is_asked_for(viewer):
    viewer.tick("Map off")

    expect(viewer.stage("heat")).to_be_hidden()
    expect(viewer.stage("film")).to_be_visible()

    viewer.tick("Both")

    expect(viewer.stage("heat")).to_be_visible()


def test_dragging_moves_both_pictures(viewer):
    viewer.slider("Opacity").fill("0")
    for _ in range(4):
        viewer.page.get_by_role("button", name="Zoom in").click()
    before = viewer.picture("film")

    viewer.drag("film", 60, 40)

    after = viewer.picture("film")
    np.testing.assert_allclose(after[40:, 60:], before[:-40, :-60], atol=CLOSE)
    np.testing.assert_array_equal(viewer.picture("heat"), after)


def test_fingers_pinch_the_picture_and_scroll_the_page(chromium, viewer_url):
    viewer = Viewer(chromium, viewer_url, 390, has_touch=True, is_mobile=True)
    stage = viewer.stage("heat")
    expect(viewer.stage("film")).to_be_hidden()
    expect(stage).to_have_css("touch-action", "pan-y")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = viewer.page.context.new_cdp_session(viewer.page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x + right, "y": y + down, "id": number} for number, (right, down) in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (-40, 0), (40, 0))
    for apart in (50, 60, 70, 80):
        touch("touchMove", (-apart, 0), (apart, 0))
    touch("touchEnd")

    expect(viewer.zoom).to_have_text("200 %")
    expect(stage).to_have_css("touch-action", "none")
    assert stage.bounding_box()["y"] == box["y"]

    viewer.page.get_by_role("button", name="Reset").click()
    expect(stage).to_have_css("touch-action", "pan-y")
    stage.scroll_into_view_if_needed()
    before = stage.bounding_box()["y"]
    touch("touchStart", (0, 0))
    for up in (10, 40, 80, 120):
        touch("touchMove", (0, -up))
    touch("touchEnd")
    viewer.page.wait_for_function(
        "(top) => document.querySelector('.stBidiComponent').getBoundingClientRect().top < top", arg=before - 150
    )
    viewer.visit.assert_nothing_went_wrong()


def test_the_outline_of_the_lungs_is_drawn_on_both_pictures(viewer):
    def cyan(picture: np.ndarray) -> int:
        return int(np.all(np.abs(picture - drawing.LINE) < 40, axis=2).sum())

    assert [cyan(viewer.picture(side)) for side in ("film", "heat")] == [0, 0]

    # As it is before anyone touches it.
    viewer.page.get_by_role("button", name="Reset").click()

    assert all(cyan(viewer.picture(side)) > 500 for side in ("film", "heat"))


def whites(picture: np.ndarray) -> np.ndarray:
    """Where a picture is white, (height, width) bool."""
    return picture.min(axis=2) > 240


def test_hot_regions_are_outlined_on_both_pictures_where_the_heat_is(viewer):
    plain = {side: whites(viewer.picture(side)) for side in ("film", "heat")}
    told = viewer.page.locator(".told")
    expect(told).to_have_class("told unseen")
    expect(told.get_by_role("listitem")).to_have_count(1)

    viewer.tick("Contours")

    expect(told).to_have_class("told")
    expect(told).to_contain_text("above all in the right middle zone")
    for side, before in plain.items():
        drawn = whites(viewer.picture(side)) & ~before
        rows, columns = np.nonzero(drawn)
        height, width = drawn.shape
        # A tenth of the film around its hottest place, which is a circle in shares of its sides.
        radius = np.hypot(rows / height - HOT[1], columns / width - HOT[0])
        assert drawn.sum() > 300
        assert np.median(radius) == pytest.approx(np.sqrt(0.1 / np.pi), abs=0.01)

    viewer.tick("Contours")
    viewer.tick("Boxes")

    rows, columns = np.nonzero(whites(viewer.picture("film")) & ~plain["film"])
    height, width = plain["film"].shape
    reach = np.sqrt(0.1 / np.pi)
    assert [columns.min() / width, columns.max() / width] == pytest.approx([HOT[0] - reach, HOT[0] + reach], abs=0.02)
    assert [rows.min() / height, rows.max() / height] == pytest.approx([HOT[1] - reach, HOT[1] + reach], abs=0.02)
    # The side of the box is a straight line.
    assert np.bincount(columns).max() > 1.8 * reach * height


def test_the_outline_of_a_hot_region_moves_with_the_film(viewer):
    viewer.slider("Opacity").fill("0")
    viewer.tick("Boxes")
    whole = viewer.picture("film")
    viewer.stage("film").focus()

    for _ in range(2):
        viewer.page.keyboard.press("+")

    # The middle of the right side of the box.
    side, zoom = HOT[0] + np.sqrt(0.1 / np.pi), 1.25**2
    near = (round((0.5 + (HOT[1] - 0.5) * zoom) * whole.shape[0]), round((0.5 + (side - 0.5) * zoom) * whole.shape[1]))
    enlarged = whites(viewer.picture("film"))[near[0] - 3 : near[0] + 3, near[1] - 8 : near[1] + 8]
    assert enlarged.any(axis=1).all()


def test_on_the_absolute_scale_a_cool_film_has_no_hot_region(viewer):
    viewer.tick("Contours")
    viewer.tick("Absolute")

    told = viewer.page.locator(".told")
    expect(told.get_by_role("listitem")).to_have_count(0)
    expect(told).to_contain_text("half as hot as the usual peak")
    viewer.slider("Opacity").fill("0")
    np.testing.assert_array_equal(viewer.picture("heat"), viewer.picture("film"))
    with_contour = viewer.picture("film")
    viewer.tick("Contours")
    np.testing.assert_array_equal(viewer.picture("film"), with_contour)


def test_the_colours_are_those_of_the_map_and_the_legend_shows_them(viewer):
    viewer.slider("Opacity").fill("100")
    for name, title in drawing.COLOUR_MAPS.items():
        viewer.page.get_by_role("combobox", name="Colours").select_option(title)

        hottest = drawing.colour_table(name)[255].astype(int)
        # The place is a few pixels wide, and where it cools the last colours of the map change fast.
        assert np.abs(at(viewer.picture("heat"), HOT) - hottest).max() <= 2 * CLOSE, name
        bar = viewer.page.locator(".legend canvas").evaluate(
            "(bar) => [0, 255].map((x) => [...bar.getContext('2d').getImageData(x, 0, 1, 1).data.slice(0, 3)])"
        )
        assert np.abs(np.array(bar) - [[128] * 3, hottest]).max() <= 1, name
        expect(viewer.page.locator(".legend")).to_contain_text("No heat")


def test_on_the_absolute_scale_a_cool_film_stays_cool(viewer):
    viewer.slider("Opacity").fill("100")
    film, relative = (at(viewer.picture(side), HOT) for side in ("film", "heat"))

    viewer.tick("Absolute")

    absolute = at(viewer.picture("heat"), HOT)
    # The page's absolute map is three tenths of its relative one.
    table = drawing.colour_table().astype(float)
    np.testing.assert_allclose(absolute, 0.7 * film + 0.3 * table[round(0.3 * 255)], atol=CLOSE)
    assert np.abs(absolute - relative).max() > 50
    expect(viewer.page.locator(".legend")).to_contain_text("Usual peak")


def test_without_an_absolute_map_there_is_no_choice_of_scale(viewer):
    viewer.tick("Absolute")

    viewer.tick("Relative only")

    expect(viewer.page.get_by_text("Heat scale")).to_be_hidden()
    expect(viewer.page.locator(".legend")).to_contain_text("This film's hottest place")


def test_a_rerun_leaves_the_viewer_as_it_is_and_another_film_starts_anew(viewer):
    viewer.stage("film").press("+")
    viewer.tick("Invert")
    viewer.slider("Opacity").fill("30")
    viewer.page.locator(".viewer").evaluate("(element) => { element.marked = true; }")

    viewer.page.get_by_role("button", name="Run again").click()
    viewer.tick("Relative only")
    expect(viewer.page.get_by_text("Heat scale")).to_be_hidden()

    assert viewer.page.locator(".viewer").evaluate("(element) => element.marked")
    expect(viewer.zoom).to_have_text("125 %")
    expect(viewer.page.get_by_role("checkbox", name="Invert")).to_be_checked()

    viewer.tick("Other film")

    expect(viewer.zoom).to_have_text("100 %")
    expect(viewer.page.get_by_role("checkbox", name="Invert")).not_to_be_checked()
    expect(viewer.slider("Opacity")).to_have_value("30")


def test_reset_undoes_everything(viewer):
    before = {side: viewer.picture(side) for side in ("film", "heat")}
    viewer.stage("heat").press("+")
    viewer.tick("Invert")
    viewer.tick("Contours")
    viewer.tick("Boxes")
    viewer.slider("Window").fill("20")
    viewer.tick("Heat map")

    viewer.page.get_by_role("button", name="Reset").click()
    viewer.tick("Outline of the lungs")

    for side, picture in before.items():
        np.testing.assert_array_equal(viewer.picture(side), picture)


def test_the_saved_picture_shows_what_the_viewer_shows_and_what_it_is(viewer):
    viewer.tick("Invert")
    viewer.stage("film").press("+")
    shown = viewer.picture("film")

    with viewer.page.expect_download() as download:
        viewer.page.get_by_role("button", name="Save PNG").click()

    assert download.value.suggested_filename == "pneumo-picture.png"
    saved = np.asarray(Image.open(download.value.path()).convert("RGB")).astype(int)
    # Two pictures of 800 x 594 px, and below them sentences in black on white.
    assert saved.shape[1] == 2 * 800 + 3 * 16
    picture, text = saved[16 : 16 + 594, 16:816], saved[16 + 594 + 16 :]
    for place in (HOT, COLD, (0.5, 0.5)):
        np.testing.assert_allclose(at(picture, place), at(shown, place), atol=CLOSE)
    assert (text.min(axis=2) > 250).mean() > 0.5
    assert (text.max(axis=2) < 60).sum() > 1000


def test_the_saved_picture_holds_the_hot_regions_and_tells_them(viewer):
    def saved() -> np.ndarray:
        with viewer.page.expect_download() as download:
            viewer.page.get_by_role("button", name="Save PNG").click()
        return np.asarray(Image.open(download.value.path()).convert("RGB")).astype(int)

    plain = saved()
    viewer.tick("Contours")
    outlined = saved()

    assert whites(outlined[16 : 16 + 594, 16:816]).sum() > whites(plain[16 : 16 + 594, 16:816]).sum() + 500
    # One more sentence.
    assert outlined.shape[0] == plain.shape[0] + 24


def test_who_cannot_see_the_pictures_is_told_what_they_show(viewer):
    above = viewer.page.get_by_text("came from outside the lungs").inner_text()
    found = re.search(r"\d+ % of the score.*?\.", above)
    pictures = viewer.page.locator(".stage").get_by_role("img")

    expect(pictures.nth(0)).to_have_accessible_name("The film alone.")
    expect(pictures.nth(1)).to_have_accessible_name(
        "The film under its Grad-CAM heat map. Answer: Pneumonia likely. " + found.group()
    )
    expect(viewer.page.locator(".legend")).to_have_accessible_name(
        "Colours of the heat map, from No heat to This film's hottest place"
    )
    assert viewer.page.get_by_text(DISCLAIMER).count() == 0


def test_every_control_is_reached_and_seen_by_keyboard(viewer):
    viewer.page.locator(".viewer input").first.focus()
    names = []
    for _ in range(17):
        focused = "document.querySelector('.stBidiComponent [data-testid]').shadowRoot.activeElement"
        element = viewer.page.evaluate_handle(focused).as_element()
        names.append(
            element.evaluate(
                "(e) => e.name || e.dataset.does || e.closest('[data-side]')?.dataset.side || e.parentElement.className"
            )
        )
        marked = element.evaluate(
            "(e) => [e, e.nextElementSibling].some((part) => part && getComputedStyle(part).outlineWidth === '3px')"
        )
        viewer.page.keyboard.press("Tab")
        assert marked, names

    folded = "zoomOut zoomIn width level inverted dragsWindow opacity colours scale outline contours boxes reset"
    assert names == ["layout", "film", "heat", "adjust", *folded.split()]


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1280, "light"),
        pytest.param(1280, "dark", marks=pytest.mark.slow),
        pytest.param(390, "light", marks=pytest.mark.slow),
        (390, "dark"),
    ],
)
def test_all_words_stand_out_from_their_ground_and_fit_the_window(chromium, viewer_url, width, scheme):
    viewer = Viewer(chromium, viewer_url, width, scheme)

    ratios = viewer.page.locator(".viewer").evaluate(
        """(viewer) => {
          const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
          const page = getComputedStyle(document.querySelector(".stApp")).backgroundColor;
          const luminance = (colours) => {
            for (const colour of colours) { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); }
            const parts = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).map((byte) => byte / 255);
            const [r, g, b] = parts.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const ratios = {};
          for (const element of viewer.querySelectorAll("span, button, label, figcaption, p, output, select, legend")) {
            const { color, backgroundColor } = getComputedStyle(element);
            const [low, high] = [luminance([page, backgroundColor]), luminance([page, backgroundColor, color])].sort(
              (one, other) => one - other,
            );
            if (element.checkVisibility()) ratios[element.textContent.trim()] = (high + 0.05) / (low + 0.05);
          }
          return ratios;
        }"""
    )

    assert len(ratios) > 10
    assert min(ratios.values()) >= 4.5, ratios
    viewer.visit.assert_nothing_went_wrong()
