import threading

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from toy import synthetic

from pneumo.evaluation import metrics
from pneumo.inference import lungs
from pneumo.inference.lungs import ZONES, LungMask, Segmenter, of_probability
from pneumo.preprocessing import network_input
from pneumo.preprocessing.network_input import SQUARE


def drawn(*middles):
    """The mask of lungs that stand at these columns, as shares of the width."""
    return of_probability(synthetic.lung_mask(SQUARE, SQUARE, middles).astype(np.float32))


def with_patch(mask, rows, columns, value=1.0):
    probability = mask.astype(np.float32)
    probability[rows, columns] = value
    return of_probability(probability)


@pytest.fixture(scope="module")
def chest():
    return drawn(0.3, 0.7)


def test_two_lungs_are_found_with_their_box_and_their_share(chest):
    truth = synthetic.lung_mask(SQUARE, SQUARE)

    assert chest.count == 2
    assert np.array_equal(chest.pieces > 0, truth)
    assert chest.share == truth.mean()
    assert chest.box == pytest.approx((0.15, 0.17, 0.85, 0.83), abs=0.01)


def test_the_box_is_in_shares_of_width_and_height():
    probability = np.zeros((SQUARE, SQUARE), np.float32)
    probability[56:112, 28:168] = 1

    assert of_probability(probability).box == (28 / SQUARE, 56 / SQUARE, 168 / SQUARE, 112 / SQUARE)


def test_a_film_without_lungs_has_an_empty_mask():
    nothing = of_probability(np.full((192, 192), 0.2, np.float32))

    assert (nothing.count, nothing.share, nothing.box) == (0, 0.0, None)
    assert not nothing.at(300, 200).any()
    assert not nothing.zones(300, 200).any()
    assert not nothing.outline(300, 200, 3).any()


def test_a_film_that_is_all_lung_is_one_piece():
    assert of_probability(np.ones((192, 192), np.float32)).box == (0, 0, 1, 1)


@pytest.mark.parametrize("side", [64, 192, 224, 256])
def test_the_output_of_a_network_of_any_size_is_brought_to_the_square(side):
    mask = of_probability(synthetic.lung_mask(side, side).astype(np.float32))

    assert mask.square.shape == mask.pieces.shape == (SQUARE, SQUARE)
    assert metrics.dice(mask.pieces > 0, synthetic.lung_mask(SQUARE, SQUARE)) > 0.97


@pytest.mark.parametrize(
    ("height", "width"), [(SQUARE, SQUARE), (2000, 1400), (900, 2600), (300, 150), (100, 120), (1, 1)]
)
def test_the_mask_fits_a_film_of_any_size_and_aspect_ratio(chest, height, width):
    mask = chest.at(height, width)

    assert (mask.shape, mask.dtype) == ((height, width), bool)
    if height > 1:
        assert metrics.dice(mask, synthetic.lung_mask(height, width)) > 0.98


def test_holes_in_a_lung_are_filled():
    whole = synthetic.lung_mask(SQUARE, SQUARE)

    holed = with_patch(whole, slice(100, 120), slice(60, 75), 0.0)

    assert np.array_equal(holed.pieces > 0, whole)
    assert np.array_equal(holed.at(SQUARE, SQUARE), whole)


def test_a_third_piece_is_dropped():
    whole = synthetic.lung_mask(SQUARE, SQUARE)

    with_stomach = with_patch(whole, slice(195, 220), slice(100, 130))

    assert with_stomach.count == 2
    assert np.array_equal(with_stomach.at(SQUARE, SQUARE), whole)


def test_a_speck_is_no_second_lung():
    one = synthetic.lung_mask(SQUARE, SQUARE, (0.3,))

    with_speck = with_patch(one, slice(100, 104), slice(180, 184))

    assert with_speck.count == 1
    assert np.array_equal(with_speck.at(SQUARE, SQUARE), one)


def test_a_collapsed_lung_is_kept_beside_the_sound_one():
    one = synthetic.lung_mask(SQUARE, SQUARE, (0.3,))

    with_collapsed = with_patch(one, slice(90, 130), slice(140, 170))

    assert with_collapsed.count == 2


@given(arrays.arrays(np.float32, (24, 24), elements=st.floats(0, 1, width=32)))
def test_whatever_a_network_says_the_mask_is_sound(probability):
    mask = of_probability(probability)

    assert 0 <= mask.count <= 2
    assert (mask.box is None) == (mask.share == 0) == (mask.count == 0)
    assert np.array_equal(mask.at(SQUARE, SQUARE), mask.pieces > 0)
    assert np.array_equal(mask.zones(SQUARE, SQUARE) > 0, mask.pieces > 0)
    if mask.count == 2:
        assert (mask.pieces == 1).sum() >= (mask.pieces == 2).sum()


def test_the_zones_are_three_levels_of_each_lung_of_equal_height(chest):
    zones = chest.zones(600, 400)

    assert ZONES == ("right upper", "right middle", "right lower", "left upper", "left middle", "left lower")
    assert (zones.shape, zones.dtype) == ((600, 400), np.uint8)
    assert np.array_equal(zones > 0, chest.at(600, 400))
    for number, name in enumerate(ZONES, start=1):
        rows, columns = np.nonzero(zones == number)
        # The viewer's left is the patient's right.
        assert ((columns < 200) == name.startswith("right")).all(), name
        level = ("upper", "middle", "lower").index(name.split()[1])
        assert rows.min() == pytest.approx(102 + level * 132, abs=4)
        assert rows.max() == pytest.approx(102 + (level + 1) * 132, abs=4)


def test_the_zones_of_a_mirrored_film_are_mirrored():
    probability = synthetic.lung_mask(SQUARE, SQUARE).astype(np.float32)
    probability[:100, 112:] = 0
    chest, mirrored = of_probability(probability), of_probability(probability[:, ::-1])

    zones, others = chest.zones(SQUARE, SQUARE), mirrored.zones(SQUARE, SQUARE)[:, ::-1]

    sides = np.where(others > 3, others - 3, np.where(others > 0, others + 3, 0))
    assert np.array_equal(zones, sides)


def test_each_lung_has_levels_of_its_own():
    probability = synthetic.lung_mask(SQUARE, SQUARE).astype(np.float32)
    probability[:112, 112:] = 0

    zones = of_probability(probability).zones(SQUARE, SQUARE)

    assert np.nonzero(zones == 1 + ZONES.index("left upper"))[0].min() == 112
    assert np.nonzero(zones == 1 + ZONES.index("right upper"))[0].min() < 50


@pytest.mark.parametrize(("middle", "side"), [(0.25, "right"), (0.4, "right"), (0.6, "left"), (0.75, "left")])
def test_a_single_lung_lies_on_its_own_side(middle, side):
    zones = drawn(middle).zones(300, 200)

    assert {ZONES[number - 1].split()[0] for number in np.unique(zones[zones > 0])} == {side}


def test_lungs_that_touch_are_parted_in_their_middle():
    joined = with_patch(synthetic.lung_mask(SQUARE, SQUARE), slice(100, 110), slice(80, 150))

    zones = joined.zones(SQUARE, SQUARE)

    assert joined.count == 1
    assert set(np.unique(zones)) == set(range(7))
    assert (zones[:, :111] <= 3).all()
    assert np.isin(zones[:, 113:], (0, 4, 5, 6)).all()


def test_a_lung_that_crosses_the_middle_keeps_its_side():
    probability = np.zeros((SQUARE, SQUARE), np.float32)
    probability[40:180, 20:100] = 1
    probability[140:180, 20:130] = 1
    probability[40:180, 140:200] = 1

    zones = of_probability(probability).zones(SQUARE, SQUARE)

    assert set(np.unique(zones[:, 20:130])) <= {0, 1, 2, 3}
    assert set(np.unique(zones[:, 140:])) <= {0, 4, 5, 6}


def test_the_outline_runs_around_the_lungs(chest):
    mask, line = chest.at(500, 500), chest.outline(500, 500, 3)

    assert not (line & mask).any()
    assert metrics.boundary_distance(mask | line, mask) == pytest.approx(3, abs=0.2)
    # The row through the middle meets the line left and right of each lung.
    assert np.flatnonzero(np.diff(line[250].astype(int)) == 1).size == 4


@pytest.mark.parametrize("edge", range(4))
def test_the_share_of_an_edge_that_lungs_lie_on(edge):
    probability = np.zeros((SQUARE, SQUARE), np.float32)
    probability[:56, :112] = 1

    shares = of_probability(np.rot90(probability, -edge)).edge_shares

    expected = np.roll([0.25, 0.5, 0, 0], edge)
    assert shares == pytest.approx(expected)


def brightness_network(size=32):
    """A three-layer network that takes what is dark for lung."""
    film = keras.Input((size, size, 1))
    x = keras.layers.Conv2D(1, 1, name="grey")(film)
    x = keras.layers.Activation("sigmoid")(x)
    model = keras.Model(film, x)
    model.get_layer("grey").set_weights([np.full((1, 1, 1, 1), -20.0, np.float32), np.full(1, 10.0, np.float32)])
    return model


def test_a_network_draws_the_lungs_of_a_film():
    film = synthetic.film(np.random.default_rng(3), sick=False) / np.float32(255)
    segmenter = Segmenter(brightness_network(64))

    mask = segmenter.segment(network_input.film_square(film))

    assert isinstance(mask, LungMask)
    assert mask.count == 2
    assert metrics.dice(mask.at(*film.shape), synthetic.lung_mask(*film.shape)) > 0.95


def test_probabilities_come_in_the_size_of_the_network():
    squares = np.random.default_rng(0).random((3, SQUARE, SQUARE), np.float32)

    probability = Segmenter(brightness_network()).probability(squares)

    assert (probability.shape, probability.dtype) == ((3, 32, 32), np.float32)
    for square, one in zip(squares, probability, strict=True):
        seen = network_input.model_input(square, 32)[..., 0]
        np.testing.assert_allclose(one, 1 / (1 + np.exp(20 * seen - 10)), atol=1e-5)


def test_one_segmenter_serves_many_threads():
    segmenter, truth = Segmenter(brightness_network()), {}
    squares = [1 - synthetic.lung_mask(SQUARE, SQUARE, (0.2 + 0.05 * n,)).astype(np.float32) for n in range(8)]

    def segment(number):
        truth[number] = segmenter.segment(squares[number])

    threads = [threading.Thread(target=segment, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for number, square in enumerate(squares):
        assert np.array_equal(truth[number].square, segmenter.segment(square).square)
        assert metrics.dice(truth[number].at(SQUARE, SQUARE), square < 0.5) > 0.9


def test_what_counts_as_lung_is_one_half():
    assert lungs.THRESHOLD == 0.5
    assert of_probability(np.full((SQUARE, SQUARE), 0.51, np.float32)).share == 1
    assert of_probability(np.full((SQUARE, SQUARE), 0.49, np.float32)).share == 0
