import cv2
import numpy as np
import pandas as pd
import pytest
from toy import synthetic

from pneumo import radiograph
from pneumo.datasets import kaggle, lung_masks
from pneumo.errors import DatasetError, ImageError
from pneumo.inference import lungs
from pneumo.inference.lungs import Segmenter
from pneumo.preprocessing import augmentation, crops
from pneumo.preprocessing.network_input import SQUARE, film_square
from pneumo.training import films

# The lungs that `synthetic` draws.
MASK = lungs.of_probability(synthetic.lung_mask(SQUARE, SQUARE).astype(np.float32))


def test_films_are_loaded_in_the_order_of_the_table(toy_data):
    table = kaggle.scan(toy_data).iloc[[5, 2, 40]]
    steps = []

    squares = films.load_squares(toy_data, table, lambda stage: steps.append((stage.done, stage.total)))

    expected = film_square(radiograph.read(toy_data / table["file"].iloc[1]).pixels)
    assert squares.shape == (3, SQUARE, SQUARE)
    assert squares.dtype == np.uint8
    np.testing.assert_allclose(squares[1] / 255, expected, atol=0.5 / 255 + 1e-6)
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_a_film_that_cannot_be_read_is_named(toy_data, tmp_path):
    table = kaggle.scan(toy_data).iloc[:1]
    broken = tmp_path / table["file"].iloc[0]
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"\xff\xd8\xff broken")

    with pytest.raises(ImageError, match=broken.name):
        films.load_squares(tmp_path, table)


class Drawing(Segmenter):
    """Finds the drawn lungs in every film."""

    def __init__(self):
        pass

    def probability(self, squares):
        return np.stack([synthetic.lung_mask(SQUARE, SQUARE).astype(np.float32)] * len(squares))


@pytest.mark.parametrize("crop_names", [[crops.LUNGS], [crops.FILM, crops.LUNGS]])
def test_many_films_are_cut_like_each_of_them(crop_names):
    squares = np.random.default_rng(1).integers(0, 256, (35, SQUARE, SQUARE), np.uint8)
    reported = []

    drawn = films.cropped_squares(squares, crop_names, Drawing(), lambda stage: reported.append(stage.done))

    assert reported == [32, 35]
    assert drawn.dtype == np.uint8
    for square, picture in zip(squares, drawn, strict=True):
        np.testing.assert_array_equal(picture, crops.cropped(square, crop_names, MASK.box))


def test_shifted_films_are_those_that_whole_film_models_are_validated_on():
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


@pytest.mark.parametrize(("hidden", "stays"), [(crops.LUNGS, False), (films.SURROUNDINGS, True)])
def test_a_part_of_a_film_is_made_black_and_the_rest_stays(hidden, stays):
    squares = np.random.default_rng(5).integers(1, 256, (2, SQUARE, SQUARE), np.uint8)
    given = squares.copy()

    film, lung_part = np.moveaxis(films.cropped_squares(squares, crops.CROPS, Drawing(), hidden=hidden)[0], -1, 0)

    lung = MASK.pieces > 0
    np.testing.assert_array_equal(film, np.where(lung == stays, squares[0], 0))
    np.testing.assert_array_equal(lung_part, crops.cut(film, crops.box(crops.LUNGS, MASK.box)))
    np.testing.assert_array_equal(squares, given)


def test_the_rectangle_over_the_lungs_is_grey_and_the_same_for_all_films():
    squares = np.random.default_rng(5).integers(0, 128, (2, SQUARE, SQUARE), np.uint8)

    covered = films.cropped_squares(squares, [crops.FILM], Drawing(), hidden=films.RECTANGLE)

    assert (covered[:, 30:195, 18:206] == 128).all()
    assert (covered == 128).sum() == 2 * 165 * 188
    around = covered < 128
    np.testing.assert_array_equal(covered[around], squares[around])


def test_lungs_are_those_that_a_human_drew_where_there_are_any(tmp_path):
    drawn = np.zeros((112, 112), np.uint8)
    drawn[40:60, 40:60] = 255
    (tmp_path / "m.png").write_bytes(cv2.imencode(".png", drawn)[1].tobytes())
    table = "kermany_file,mask,orig_width,orig_height\nb.jpeg,m.png,100,100\n"
    (tmp_path / lung_masks.TABLE).write_text(table)
    listed = pd.DataFrame({"file": ["train/NORMAL/a.jpeg", "train/NORMAL/b.jpeg"]})
    squares = np.zeros((2, SQUARE, SQUARE), np.uint8)

    found = films.lung_masks_of(listed, squares, tmp_path, Drawing())

    np.testing.assert_array_equal(found[0], MASK.pieces > 0)
    np.testing.assert_array_equal(found[1], cv2.resize(drawn, (SQUARE, SQUARE)) > 127)
    assert (films.lung_masks_of(listed, squares, None, Drawing())[1] == found[0]).all()


LABELS = np.array([0, 0, 1, 1])
FILES = ("train/NORMAL/a.jpeg", "train/NORMAL/b.jpeg", "train/PNEUMONIA/c.jpeg", "train/PNEUMONIA/d.jpeg")


def test_films_take_the_aspect_ratio_of_the_other_class():
    columns = np.stack([np.tile(np.arange(200, dtype=np.uint8), (200, 1))] * 4)

    swapped = films.aspect_swapped_squares(columns, FILES, LABELS, np.array([1.0, 1.0, 2.0, 2.0]))

    # A normal film half as wide as those with pneumonia keeps its width and half its height, and the other way round.
    shown = np.ptp(swapped.reshape(4, -1).astype(int), axis=1)
    assert shown.tolist() == pytest.approx([199, 199, 100, 100], abs=3)
    rows = films.aspect_swapped_squares(columns.transpose(0, 2, 1), FILES, LABELS, np.array([1.0, 1.0, 2.0, 2.0]))
    assert np.ptp(rows.reshape(4, -1).astype(int), axis=1).tolist() == pytest.approx([100, 100, 199, 199], abs=3)


def test_a_film_of_unknown_ratio_stays_as_it_is_and_the_views_are_the_same_each_time():
    squares, ratios = (
        np.random.default_rng(0).integers(0, 255, (4, 64, 64), np.uint8),
        np.array([1.1, np.nan, 1.5, 1.6]),
    )

    swapped = films.aspect_swapped_squares(squares, FILES, LABELS, ratios)

    np.testing.assert_array_equal(swapped[1], squares[1])
    assert all((swapped[film] != squares[film]).any() for film in (0, 2, 3))
    np.testing.assert_array_equal(swapped, films.aspect_swapped_squares(squares, FILES, LABELS, ratios))


def test_aspect_ratios_cannot_be_swapped_where_those_of_one_class_are_unknown():
    with pytest.raises(DatasetError, match=r"put lung_masks/labels\.csv"):
        films.aspect_swapped_squares(np.zeros((4, 8, 8), np.uint8), FILES, LABELS, np.array([np.nan, np.nan, 1.5, 1.6]))
