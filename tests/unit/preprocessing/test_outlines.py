import cv2
import numpy as np
import pytest

from pneumo.preprocessing import network_input, outlines
from pneumo.preprocessing.crops import WHOLE
from pneumo.preprocessing.outlines import Outline

LIMITS = (0.16, 0.27, 0.02)


def body(height=120, width=160):
    """A picture without straight edges or uniform borders."""
    rough = np.random.default_rng(0).random((height, width)).astype(np.float32)
    return 0.2 + 0.6 * cv2.normalize(cv2.GaussianBlur(rough, (0, 0), 8), None, 0, 1, cv2.NORM_MINMAX)


def bordered(left, right, top, bottom, grey):
    return np.pad(body(), ((top, bottom), (left, right)), constant_values=np.float32(grey))


@pytest.mark.parametrize("grey", [1.0, 0.9, 0.0])
@pytest.mark.parametrize("widths", [(60, 60, 0, 0), (0, 0, 50, 50), (90, 0, 0, 0), (60, 60, 50, 50)])
def test_a_wide_uniform_border_is_found_to_the_pixel(widths, grey):
    left, right = widths[:2]
    picture = bordered(*widths, grey)

    cut = outlines.cut_out(picture, outlines.box_corners(outlines.uniform_border(picture, *LIMITS)))

    np.testing.assert_array_equal(cut, body())
    assert outlines.border_widths(picture)[0].max() == pytest.approx(left / (160 + left + right))


def test_a_border_as_jpeg_leaves_it_is_found():
    noise = np.random.default_rng(1).uniform(-5, 5, (120, 400)) / 255
    picture = np.clip(bordered(120, 120, 0, 0, 0.95) + noise, 0, 1).astype(np.float32)

    assert outlines.uniform_border(picture, *LIMITS) == pytest.approx((0.3, 0, 0.7, 1))


def test_what_a_film_has_of_itself_stays():
    assert outlines.uniform_border(body(), *LIMITS) == WHOLE
    assert outlines.uniform_border(bordered(20, 12, 8, 0, 0.0), *LIMITS) == WHOLE
    assert outlines.uniform_border(bordered(2, 0, 0, 0, 1.0), *LIMITS) == WHOLE
    assert outlines.uniform_border(np.zeros((50, 50), np.float32), *LIMITS) == WHOLE


def test_dark_borders_on_both_sides_are_cut_where_they_are_wide_together():
    assert outlines.uniform_border(bordered(32, 32, 0, 0, 0.0), *LIMITS) == pytest.approx((1 / 7, 0, 6 / 7, 1))


def on_ground(corners, ground=0.9):
    """Lay a body on a ground so that its corners lie at shares of the picture."""
    picture = np.full((448, 448), ground, np.float32)
    film = body()
    source = np.array([[0, 0], [160, 0], [160, 120], [0, 120]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, np.array(corners, np.float32) * 448)
    return cv2.warpPerspective(film * 0.6, matrix, (448, 448), picture, borderMode=cv2.BORDER_TRANSPARENT)


@pytest.mark.parametrize(
    "corners",
    [
        ((0.2, 0.3), (0.7, 0.3), (0.7, 0.8), (0.2, 0.8)),
        ((0.2, 0.25), (0.8, 0.2), (0.75, 0.8), (0.25, 0.7)),
        ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),
    ],
    ids=["screen", "photograph", "side by side"],
)
def test_a_film_on_a_ground_has_an_outline(corners):
    square = network_input.stretched(on_ground(corners))

    best = outlines.quadrilaterals(square, 0.5, 0.05, 0.9)[0]

    assert outlines.overlap(best.corners, corners)[0] > 0.95
    assert min(best.support) > 0.9


def test_a_body_alone_has_neither_frame_nor_seam():
    alone = outlines.layout(network_input.film_square(body()))
    screen = outlines.layout(network_input.film_square(on_ground(((0.2, 0.3), (0.7, 0.3), (0.7, 0.8), (0.2, 0.8)))))
    pair = outlines.layout(network_input.film_square(np.hstack([body(), 0.5 * body()])))

    assert (alone.seam < 0.6, alone.framing < 0.3) == (True, True)
    assert screen.framing > 0.9
    assert pair.seam > 0.9


def test_what_lies_apart_on_a_ground_is_boxed():
    picture = np.zeros((200, 400), np.float32)
    picture[20:140, 10:170] = picture[60:180, 220:380] = body() + 0.1

    found = outlines.islands(picture, 0.05, 0.9)

    boxes = sorted(outlines.bounds(each.corners) for each in found)
    np.testing.assert_allclose(boxes, [(0.025, 0.1, 0.425, 0.7), (0.55, 0.3, 0.95, 0.9)], atol=0.01)
    assert outlines.islands(body(), 0.05, 0.9) == []


def test_a_box_holds_what_lies_in_it():
    assert outlines.holds((0.2, 0.2, 0.6, 0.6), (0.195, 0.3, 0.5, 0.6))
    assert not outlines.holds((0.2, 0.2, 0.6, 0.6), (0.3, 0.3, 0.7, 0.5))


def test_what_is_straightened_is_what_was_there_before_it_was_seen_askew():
    corners = ((0.2, 0.25), (0.8, 0.2), (0.75, 0.8), (0.25, 0.7))

    straight = outlines.cut_out(on_ground(corners), corners)

    height, width = straight.shape
    assert abs(cv2.resize(0.6 * body(), (width, height))[5:-5, 5:-5] - straight[5:-5, 5:-5]).max() < 0.05


def test_a_part_of_what_was_cut_out_is_found_on_the_picture():
    assert outlines.on_picture(
        outlines.box_corners((0.5, 0.0, 1.0, 0.5)), outlines.box_corners((0.2, 0.2, 0.6, 0.8))
    ) == pytest.approx(np.array(outlines.box_corners((0.4, 0.2, 0.6, 0.5))))


def outline(box, support):
    return Outline(outlines.box_corners(box), (support,) * 4, 4, (box[2] - box[0]) * (box[3] - box[1]))


def test_the_tightest_of_outlines_that_are_drawn_alike_comes_first():
    page, film, rib = (
        outline((0, 0, 0.9, 0.9), 1.0),
        outline((0.1, 0.1, 0.6, 0.6), 0.9),
        outline((0.2, 0.2, 0.5, 0.5), 0.4),
    )

    assert outlines.tightest_first([rib, page, film]) == [film, page, rib]
    assert outlines.distinct([page, page, film], 2) == [page, film]
