import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import synthetic

from pneumo.errors import DatasetError
from pneumo.inference import lungs
from pneumo.inference.lungs import Segmenter
from pneumo.preprocessing import augmentation, crops, network_input
from pneumo.preprocessing.network_input import SQUARE
from pneumo.training import films

# The lungs that `synthetic` draws.
MASK = lungs.of_probability(synthetic.lung_mask(SQUARE, SQUARE).astype(np.float32))
NO_LUNGS = lungs.of_probability(np.zeros((SQUARE, SQUARE), np.float32))


class Drawing(Segmenter):
    """Finds the drawn lungs in every film."""

    def __init__(self):
        pass

    def probability(self, squares):
        return np.stack([synthetic.lung_mask(SQUARE, SQUARE).astype(np.float32)] * len(squares))


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


@pytest.mark.parametrize("seen", [[crops.LUNGS], [crops.FILM, crops.LUNGS]])
def test_many_films_are_cut_like_each_of_them(seen):
    squares = np.random.default_rng(1).integers(0, 256, (35, SQUARE, SQUARE), np.uint8)
    told = []

    drawn = films.all_stacked(squares, seen, Drawing(), lambda done, total: told.append((done, total)))

    assert told == [(32, 35), (35, 35)]
    assert drawn.dtype == np.uint8
    for square, picture in zip(squares, drawn, strict=True):
        np.testing.assert_array_equal(picture, crops.cropped(square, seen, MASK.box))


def test_shifted_films_are_those_that_whole_film_models_are_judged_on():
    squares = np.random.default_rng(2).integers(0, 256, (2, SQUARE, SQUARE), np.uint8)

    shifted = films.shifted_squares(squares, ["a/x.jpg", "b/y.jpg"])
    hard = films.shifted_squares(squares, ["a/x.jpg", "b/y.jpg"], augmentation.HARD_SHIFT)
    other = films.shifted_squares(squares, ["a/x.jpg", "b/y.jpg"], augmentation.HARD_SHIFT, draw=1)

    by_hand = augmentation.shifted_input(squares[1] / np.float32(255), SQUARE, "y.jpg")[..., 0]
    np.testing.assert_allclose(shifted[1] / 255, by_hand, atol=0.5 / 255 + 1e-6)
    assert shifted.dtype == np.uint8
    for draw, pictures in enumerate((hard, other)):
        view = augmentation.shifted_input(squares[0] / np.float32(255), SQUARE, "x.jpg", augmentation.HARD_SHIFT, draw)
        np.testing.assert_allclose(pictures[0] / 255, view[..., 0], atol=0.5 / 255 + 1e-6)
    assert not np.array_equal(hard, other)
    assert not np.array_equal(hard, shifted)


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


@pytest.mark.parametrize(("hidden", "stays"), [(crops.LUNGS, False), (films.SURROUNDINGS, True)])
def test_a_part_of_a_film_is_made_black_and_the_rest_stays(hidden, stays):
    squares = np.random.default_rng(5).integers(1, 256, (2, SQUARE, SQUARE), np.uint8)
    given = squares.copy()

    film, lung_part = np.moveaxis(films.all_stacked(squares, crops.CROPS, Drawing(), hidden=hidden)[0], -1, 0)

    lung = MASK.pieces > 0
    np.testing.assert_array_equal(film, np.where(lung == stays, squares[0], 0))
    np.testing.assert_array_equal(lung_part, crops.cut(film, crops.box(crops.LUNGS, MASK.box)))
    np.testing.assert_array_equal(squares, given)


LABELS = np.array([0, 0, 1, 1])
FILES = ("train/NORMAL/a.jpeg", "train/NORMAL/b.jpeg", "train/PNEUMONIA/c.jpeg", "train/PNEUMONIA/d.jpeg")


def test_films_take_the_frame_of_the_other_class():
    columns = np.stack([np.tile(np.arange(200, dtype=np.uint8), (200, 1))] * 4)

    swapped = films.swapped_frames(columns, FILES, LABELS, np.array([1.0, 1.0, 2.0, 2.0]))

    # A normal film half as wide as those with pneumonia keeps its width and half its height, and the other way round.
    shown = np.ptp(swapped.reshape(4, -1).astype(int), axis=1)
    assert shown.tolist() == pytest.approx([199, 199, 100, 100], abs=3)
    rows = films.swapped_frames(columns.transpose(0, 2, 1), FILES, LABELS, np.array([1.0, 1.0, 2.0, 2.0]))
    assert np.ptp(rows.reshape(4, -1).astype(int), axis=1).tolist() == pytest.approx([100, 100, 199, 199], abs=3)


def test_a_film_of_unknown_ratio_stays_as_it_is_and_the_views_are_the_same_each_time():
    squares, ratios = (
        np.random.default_rng(0).integers(0, 255, (4, 64, 64), np.uint8),
        np.array([1.1, np.nan, 1.5, 1.6]),
    )

    swapped = films.swapped_frames(squares, FILES, LABELS, ratios)

    np.testing.assert_array_equal(swapped[1], squares[1])
    assert all((swapped[film] != squares[film]).any() for film in (0, 2, 3))
    np.testing.assert_array_equal(swapped, films.swapped_frames(squares, FILES, LABELS, ratios))


def test_frames_cannot_be_swapped_where_those_of_one_class_are_unknown():
    with pytest.raises(DatasetError, match=r"put lung_masks/labels\.csv"):
        films.swapped_frames(np.zeros((4, 8, 8), np.uint8), FILES, LABELS, np.array([np.nan, np.nan, 1.5, 1.6]))
