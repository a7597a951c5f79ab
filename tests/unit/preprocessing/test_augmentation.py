import dataclasses
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import synthetic

from pneumo.inference.lungs import of_probability
from pneumo.preprocessing import augmentation, network_input
from pneumo.preprocessing.augmentation import RANGES, Augmentation, augmented_input, shifted_input
from pneumo.preprocessing.network_input import SQUARE, film_square, model_input

FILM = synthetic.film(np.random.default_rng(3), sick=True) / np.float32(255)
IDENTITY = Augmentation(min_area=1, max_stretch=1, brightness=0, contrast=0, gamma=0, flip=0)


@pytest.fixture(scope="module")
def square():
    return film_square((synthetic.film(np.random.default_rng(3), True, 400, 500) / 255).astype(np.float32))


@given(
    seed=st.integers(0, 2**32),
    size=st.integers(8, 96),
    drawn=st.builds(
        Augmentation,
        min_area=st.floats(0.01, 1),
        max_stretch=st.floats(1, 3),
        brightness=st.floats(0, 1),
        contrast=st.floats(0, 1),
        gamma=st.floats(0, 0.9),
        flip=st.floats(0, 1),
    ),
)
def test_every_random_view_is_a_possible_input(square, seed, size, drawn):
    view = augmented_input(square, size, drawn, np.random.default_rng(seed))

    assert view.shape == (size, size, 1)
    assert view.dtype == np.float32
    assert np.isfinite(view).all()
    assert view.min() >= 0
    assert view.max() <= 1


@given(seed=st.integers(0, 2**32), size=st.sampled_from([32, 64, 160]))
def test_augmentation_by_nothing_is_the_plain_input(square, seed, size):
    view = augmented_input(square, size, IDENTITY, np.random.default_rng(seed))

    np.testing.assert_allclose(view, model_input(square, size), atol=1e-6)


def test_a_flip_mirrors_left_and_right(square):
    mirrored = Augmentation(min_area=1, max_stretch=1, brightness=0, contrast=0, gamma=0, flip=1)

    view = augmented_input(square, 64, mirrored, np.random.default_rng(0))

    np.testing.assert_allclose(view, model_input(square, 64)[:, ::-1], atol=1e-6)


def kept_sides(cropping, count, **film):
    """Return the heights and the widths, in pixels of 224, that random crops keep of a film."""
    # The grey values of a ramp tell how much of a side a crop kept.
    ramp = np.linspace(0, 1, 224, dtype=np.float32)[:, None].repeat(224, axis=1)
    return (
        np.array(
            [
                np.ptp(augmented_input(picture, 224, cropping, np.random.default_rng(seed), **film)) * 223 + 1
                for seed in range(count)
            ]
        )
        for picture in (ramp, np.ascontiguousarray(ramp.T))
    )


def test_a_crop_keeps_the_area_and_the_stretch_that_it_may():
    cropping = Augmentation(min_area=0.5, max_stretch=1.25, brightness=0, contrast=0, gamma=0, flip=0)
    heights, widths = kept_sides(cropping, 60)

    areas, ratios = heights * widths / 224**2, widths / heights
    assert areas.min() > 0.49
    assert areas.max() > 0.85
    assert areas.min() < 0.65
    assert 1 / 1.27 < ratios.min() < 0.95
    assert 1.05 < ratios.max() < 1.27


@pytest.mark.parametrize("aspect_ratio", [0.9, 1.23, 1.51, 2.4])
def test_a_crop_of_given_shape_keeps_it_and_fits(aspect_ratio):
    cropping = dataclasses.replace(IDENTITY, min_area=0.5)

    heights, widths = kept_sides(cropping, 60, aspect_range=(1 / aspect_ratio, 2 / aspect_ratio))

    shown = aspect_ratio * widths / heights
    assert 0.98 < shown.min() < 1.1
    assert 1.85 < shown.max() < 2.05
    assert np.log(shown).mean() == pytest.approx(np.log(2) / 2, abs=0.08)
    assert max(widths.max(), heights.max()) <= 225


def test_detail_is_lost_along_rows_and_columns_apart():
    # Stripes two pixels wide: gone where the side across them is shrunk to a quarter.
    stripes = np.tile(np.repeat([0.2, 0.8], 2).astype(np.float32), (224, 56))
    coarse = dataclasses.replace(IDENTITY, detail=0.25)

    def contrasts(picture):
        return np.array(
            [augmented_input(picture, 224, coarse, np.random.default_rng(seed)).std() for seed in range(40)]
        )

    across, along = contrasts(stripes), contrasts(np.ascontiguousarray(stripes.T))
    for contrast in (across, along):
        assert contrast.min() < 0.06
        assert contrast.max() > 0.15
    assert np.corrcoef(across, along)[0, 1] < 0.5


def test_brightness_contrast_and_gamma_change_what_they_are_named_for(square):
    plain = model_input(square, 64)
    inner = (plain > 0.35) & (plain < 0.65)

    def view(**changes):
        options = {"min_area": 1, "max_stretch": 1, "brightness": 0, "contrast": 0, "gamma": 0, "flip": 0}
        return augmented_input(square, 64, Augmentation(**(options | changes)), np.random.default_rng(0))

    brighter, contrasted, bent = view(brightness=0.3), view(contrast=0.3), view(gamma=0.3)

    np.testing.assert_allclose(np.std((brighter - plain)[inner]), 0, atol=1e-6)
    assert abs(np.mean((brighter - plain)[inner])) > 0.01
    gain = ((contrasted - plain.mean()) / (plain - plain.mean()))[inner & (np.abs(plain - plain.mean()) > 0.02)]
    np.testing.assert_allclose(gain, gain[0], atol=1e-3)
    assert abs(gain[0] - 1) > 0.01
    exponent = np.log(bent[inner]) / np.log(plain[inner])
    np.testing.assert_allclose(exponent, exponent[0], atol=1e-3)
    assert abs(exponent[0] - 1) > 0.01


def test_the_shifted_view_belongs_to_the_name_of_a_file(square):
    view = shifted_input(square, 64, "train/NORMAL/IM-0115-0001.jpeg")

    np.testing.assert_array_equal(view, shifted_input(square, 64, "elsewhere/IM-0115-0001.jpeg"))
    assert np.abs(view - shifted_input(square, 64, "IM-0117-0001.jpeg")).max() > 0.05


def test_the_shifted_view_is_drawn_from_the_checksum_of_the_name(square):
    rng = np.random.default_rng(zlib.crc32(b"IM-0115-0001.jpeg"))

    expected = augmented_input(square, 64, augmentation.SHIFT, rng)

    np.testing.assert_array_equal(shifted_input(square, 64, "IM-0115-0001.jpeg"), expected)


def test_shifted_views_are_never_mirrored():
    ramp = np.linspace(0, 1, SQUARE, dtype=np.float32)[None].repeat(SQUARE, axis=0)

    views = [shifted_input(ramp, 32, f"film-{number}.jpeg") for number in range(60)]

    assert all(view[:, -1].mean() > view[:, 0].mean() for view in views)


def test_a_file_has_as_many_views_as_are_drawn_each_its_own(square):
    views = [shifted_input(square, 32, "a.jpeg", augmentation.HARD_SHIFT, draw) for draw in (0, 1, 2, 1)]

    np.testing.assert_array_equal(views[1], views[3])
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(views[first] - views[second]).max() > 0.05
    assert dataclasses.replace(augmentation.SHARP_SHIFT, flip=0.5) == Augmentation()


def test_every_field_of_an_augmentation_has_a_range_that_holds_its_default():
    fields = augmentation.on_sliders(Augmentation())

    assert set(fields) == set(RANGES)
    assert all(RANGES[name].low <= value <= RANGES[name].high for name, value in fields.items())
    assert fields["max_stretch"] == 1.33


def test_a_film_is_rounded_to_8_bits_as_in_training():
    square = augmentation.training_square(FILM)

    assert square.shape == (SQUARE, SQUARE)
    assert square.dtype == np.float32
    stored = np.rint(network_input.film_square(FILM) * 255.0).astype(np.uint8)
    assert np.array_equal(square, stored / np.float32(255))


def test_the_lungs_cut_the_film():
    lungs = of_probability(synthetic.lung_mask(SQUARE, SQUARE).astype(np.float32))

    cut = augmentation.training_square(FILM, lungs.box)

    assert cut.shape == (SQUARE, SQUARE)
    assert not np.array_equal(cut, augmentation.training_square(FILM))


def test_draws_are_those_of_training_and_repeat_with_their_seed():
    square, recipe = augmentation.training_square(FILM), Augmentation()

    drawn = augmentation.draws(square, 48, recipe, 3, seed=5)

    rng = np.random.default_rng(5)
    expected = [augmented_input(square, 48, recipe, rng)[..., 0] for _ in range(3)]
    assert np.array_equal(drawn, expected)
    assert not np.array_equal(drawn, augmentation.draws(square, 48, recipe, 3, seed=6))


def test_without_augmentation_every_draw_is_what_is_predicted():
    square = augmentation.training_square(FILM)
    nothing = Augmentation(min_area=1.0, max_stretch=1.0, brightness=0.0, contrast=0.0, gamma=0.0, flip=0.0)

    for picture in augmentation.draws(square, 48, nothing, 2, seed=0):
        assert picture == pytest.approx(model_input(square, 48)[..., 0], abs=1e-6)


def test_changes_are_told():
    recipe = Augmentation()

    assert augmentation.differences(recipe, recipe) == ""
    rounded = Augmentation(**augmentation.on_sliders(recipe))
    assert augmentation.differences(rounded, recipe) == ""
    changed = Augmentation(brightness=0.5, flip=0.0)
    assert augmentation.differences(changed, recipe) == "Brightness ± 0.30 → 0.50, Share mirrored 0.50 → 0.00"


def drawn_lungs(left, top, right, bottom, side=100):
    """Two lungs in a box, with a gap between them."""
    mask = np.zeros((side, side), bool)
    middle = (left + right) // 2
    mask[top:bottom, left : middle - 4], mask[top:bottom, middle + 4 : right] = True, True
    return mask


def test_lungs_are_laid_into_the_lungs_box_of_another_film_and_the_rest_is_that_film():
    lungs, other_lungs = drawn_lungs(20, 30, 60, 70), drawn_lungs(20, 20, 80, 80)
    film = np.where(lungs, 200, 100).astype(np.uint8)
    other = np.where(other_lungs, 50, 10).astype(np.uint8)

    swapped = augmentation.swapped_surroundings(film, lungs, other, other_lungs, 10, 2)

    assert swapped.dtype == np.uint8
    assert (swapped[22:78, 22:42] == 200).all()
    assert swapped[50, 50] == 100
    assert (swapped[:, :2] == 10).all()
    assert (swapped[:2] == 10).all()
    # The seam is a slope and no edge.
    assert np.abs(np.diff(swapped[:20, 30].astype(int))).max() < 60


def test_a_film_that_ends_at_its_lungs_ends_there_in_the_other_film_too():
    lungs, other_lungs = drawn_lungs(0, 0, 100, 100), drawn_lungs(20, 20, 80, 80)
    other = np.full((100, 100), 10, np.uint8)

    swapped = augmentation.swapped_surroundings(np.full((100, 100), 200, np.uint8), lungs, other, other_lungs, 15, 2)

    assert swapped[50, 50] == 200
    assert (swapped[:, :12] == 10).all()
    assert (swapped[:, 88:] == 10).all()


@pytest.mark.parametrize("without", [0, 1])
def test_a_film_without_lungs_keeps_its_surroundings(without):
    masks = [drawn_lungs(20, 20, 80, 80), drawn_lungs(20, 20, 80, 80)]
    masks[without] = np.zeros((100, 100), bool)
    film, other = np.full((100, 100), 7, np.uint8), np.full((100, 100), 90, np.uint8)

    assert augmentation.swapped_surroundings(film, masks[0], other, masks[1], 5, 2) is film
