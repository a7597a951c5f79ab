import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import synthetic

from pneumo.inference import lungs
from pneumo.preprocessing import crops, network_input
from pneumo.preprocessing.network_input import SQUARE

# The lungs that `synthetic` draws.
MASK = lungs.of_probability(synthetic.lung_mask(SQUARE, SQUARE).astype(np.float32))
NO_LUNGS = lungs.of_probability(np.zeros((SQUARE, SQUARE), np.float32))


def test_the_box_of_the_lungs_has_a_margin_and_stays_on_the_film():
    left, top, right, bottom = MASK.box

    box = crops.box(crops.LUNGS, MASK.box)

    across, down = crops.MARGIN * (right - left), crops.MARGIN * (bottom - top)
    assert box == pytest.approx(
        (max(left - across, 0), max(top - down, 0), min(right + across, 1), min(bottom + down, 1))
    )
    assert 0 < crops.share(box) < 1


@pytest.mark.parametrize(("view", "mask"), [(crops.FILM, MASK), (crops.LUNGS, NO_LUNGS), (crops.LUNGS, None)])
def test_without_lungs_or_need_of_them_the_view_is_the_film(view, mask):
    assert crops.box(view, mask and mask.box) == crops.WHOLE


def test_a_part_is_cut_out_and_stretched():
    square = np.zeros((SQUARE, SQUARE), np.float32)
    square[56:168, 28:196] = np.linspace(0, 1, 168, dtype=np.float32)

    part = crops.cut(square, (28 / SQUARE, 56 / SQUARE, 196 / SQUARE, 168 / SQUARE))

    assert part.shape == square.shape
    np.testing.assert_allclose(part[10], part[200])
    assert (part[0, 0], part[0, -1]) == (0, 1)
    assert np.all(np.diff(part[0]) >= 0)
    assert crops.cut(square, crops.WHOLE) is square


def test_views_are_stacked_in_their_order():
    square = np.random.default_rng(0).random((SQUARE, SQUARE), np.float32)
    lung_part = crops.cut(square, crops.box(crops.LUNGS, MASK.box))

    both = crops.cropped(square, [crops.LUNGS, crops.FILM], MASK.box)

    np.testing.assert_array_equal(both[..., 0], lung_part)
    np.testing.assert_array_equal(both[..., 1], square)
    np.testing.assert_array_equal(crops.cropped(square, [crops.LUNGS], MASK.box), lung_part)
    assert network_input.model_input(both, 96).shape == (96, 96, 2)
    np.testing.assert_array_equal(network_input.model_input(both, 96)[..., 1:], network_input.model_input(square, 96))


@given(
    edges=st.tuples(*[st.floats(0, 0.4)] * 2, *[st.floats(0.6, 1)] * 2),
    shape=st.tuples(st.integers(60, 300), st.integers(60, 300)),
)
def test_what_is_drawn_on_a_view_lies_in_its_place_on_the_film(edges, shape):
    height, width = shape
    left, top, right, bottom = edges

    film = crops.onto_film(np.ones((5, 5), np.float32), edges, shape)

    assert film.shape == shape
    rows, columns = np.nonzero(film)
    assert (columns.min(), columns.max() + 1) == (round(left * width), round(right * width))
    assert (rows.min(), rows.max() + 1) == (round(top * height), round(bottom * height))
    np.testing.assert_allclose(film[film > 0], 1, atol=1e-5)


def test_a_map_of_the_whole_film_is_spread_as_it_is():
    cam = np.random.default_rng(4).random((5, 5), np.float32)

    film = crops.onto_film(cam, crops.WHOLE, (90, 70))

    np.testing.assert_array_equal(film, cv2.resize(cam, (70, 90), interpolation=cv2.INTER_CUBIC))
