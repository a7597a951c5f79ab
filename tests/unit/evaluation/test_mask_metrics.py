import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.distance import cdist

from pneumo.evaluation.metrics import boundary_distance, dice, energy_inside, iou, outline, points_inside

MASKS = arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))
PAIRS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: st.tuples(arrays.arrays(bool, shape), arrays.arrays(bool, shape))
)


def mask(*lines):
    return np.array([[letter == "#" for letter in line] for line in lines])


def test_overlap_equals_a_hand_worked_table():
    drawn, truth = mask("##..", "##.."), mask(".##.", ".#..")

    # 4 and 3 pixels, 2 of them shared, 5 in either.
    assert dice(drawn, truth) == pytest.approx(2 * 2 / (4 + 3))
    assert iou(drawn, truth) == pytest.approx(2 / 5)


@pytest.mark.parametrize(
    ("drawn", "truth", "overlap"),
    [(mask(".."), mask(".."), 1.0), (mask("#."), mask(".."), 0.0), (mask("#."), mask(".#"), 0.0)],
    ids=["both empty", "one empty", "apart"],
)
def test_masks_that_share_nothing(drawn, truth, overlap):
    assert dice(drawn, truth) == iou(drawn, truth) == overlap


@given(PAIRS)
def test_dice_and_iou_tell_the_same(pair):
    overlap = iou(*pair)

    assert dice(*pair) == pytest.approx(2 * overlap / (1 + overlap))
    assert 0 <= overlap <= 1
    assert iou(*reversed(pair)) == overlap


@given(MASKS)
def test_a_mask_agrees_with_itself(drawn):
    assert dice(drawn, drawn) == iou(drawn, drawn) == 1
    assert boundary_distance(drawn, drawn) == 0 or not outline(drawn).any()


def test_the_outline_is_what_touches_the_outside():
    drawn = mask("......", ".####.", ".####.", ".####.", "......")

    assert np.array_equal(outline(drawn), mask("......", ".####.", ".#..#.", ".####.", "......"))


def test_a_lung_that_the_frame_cuts_off_has_no_outline_there():
    assert np.array_equal(outline(mask("##.", "##.", "##.")), mask(".#.", ".#.", ".#."))


def test_parallel_edges_lie_as_far_apart_as_they_are_moved():
    truth, drawn = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    truth[:, :8], drawn[:, :11] = True, True

    assert boundary_distance(drawn, truth) == 3


@given(PAIRS)
def test_the_distance_is_that_between_all_pairs_of_outline_pixels(pair):
    one, other = (np.argwhere(outline(drawn)) for drawn in pair)
    distance = boundary_distance(*pair)

    if len(one) and len(other):
        between = cdist(one, other)
        assert distance == pytest.approx(np.concatenate([between.min(axis=0), between.min(axis=1)]).mean())
        assert boundary_distance(*reversed(pair)) == pytest.approx(distance)
    else:
        assert np.isnan(distance)


def test_where_the_heat_of_a_map_lies_is_counted_by_hand():
    heat, mask = np.array([[0.1, 0.2, 0.0], [0.5, 1.0, 0.2]]), np.array([[0, 0, 1], [0, 1, 1]], bool)

    assert energy_inside(heat, mask) == pytest.approx(1.2 / 2.0)
    assert points_inside(heat, mask) == 1
    assert points_inside(heat, ~mask) == 0
    assert np.isnan(energy_inside(0 * heat, mask))
    assert points_inside(0 * heat, np.ones((2, 3), bool)) == 0
