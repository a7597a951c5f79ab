import cv2
import numpy as np
import pytest

from pneumo.explanation.regions import HOTTEST, HotRegion, hot_regions, hottest
from pneumo.inference import lungs


def spot(row, column, height=100, width=200, radius=10):
    """Return a map with one hot disc."""
    rows, columns = np.mgrid[:height, :width]
    return ((rows - row) ** 2 + (columns - column) ** 2 <= radius**2).astype(np.float32)


def test_regions_are_sorted_by_their_heat_and_specks_are_left_out():
    large, small, speck = spot(50, 60), 0.6 * spot(40, 150, radius=6), 0.9 * spot(90, 190, radius=2)
    heat = large + small + speck

    regions = hot_regions(heat)

    # A speck of 13 of 20,000 pixels is no region.
    assert [region.box for region in regions] == [(50, 40, 71, 61), (144, 34, 157, 47)]
    assert regions[0].share == pytest.approx(large.sum() / heat.sum(), rel=1e-6)
    assert [region.area for region in regions] == [(large > 0).mean(), (small > 0).mean()]


def test_only_the_hottest_tenth_is_a_region():
    ramp = np.tile(np.linspace(0, 1, 200, dtype=np.float32), (100, 1))

    [region] = hot_regions(ramp)

    assert region.box == (180, 0, 200, 100)
    assert region.area == HOTTEST
    assert region.share == pytest.approx(ramp[:, 180:].sum() / ramp.sum())


@pytest.mark.parametrize("heat", [spot(50, 60), spot(50, 60, radius=25) + spot(40, 80, radius=8), spot(4, 195)])
def test_the_contour_of_a_region_encloses_it(heat):
    [region] = hot_regions(heat)

    filled = cv2.fillPoly(np.zeros(heat.shape, np.uint8), [np.floor(region.contour).astype(np.int32)], 1)
    # Points that say little are left out, so the line may stray by half a pixel.
    assert np.abs(filled.astype(int) - (heat > 0)).sum() <= 0.05 * (heat > 0).sum()


def test_the_contour_of_a_region_that_the_frame_cuts_off_runs_outside():
    [region] = hot_regions(spot(0, 195))

    assert region.box == (185, 0, 200, 11)
    assert region.contour[:, 1].min() < 0
    assert region.contour[:, 0].max() > 200
    assert region.contour[:, 0].min() == pytest.approx(185.5)


def test_on_the_absolute_scale_a_cool_film_has_no_regions():
    heat = spot(50, 60) + 0.6 * spot(40, 150)

    assert len(hot_regions(heat, absolute=heat)) == 2
    assert [region.box for region in hot_regions(heat, absolute=0.6 * heat)] == [hot_regions(heat)[0].box]
    assert hot_regions(heat, absolute=0.4 * heat) == ()


def test_a_region_is_named_after_the_zone_with_most_of_its_heat():
    heat = spot(50, 60)
    zones = np.zeros(heat.shape, np.uint8)

    assert hot_regions(heat)[0].zone is None
    assert hot_regions(heat, zones)[0].zone is None
    zones[:, :55] = 1 + lungs.ZONES.index("right upper")
    assert hot_regions(heat, zones)[0].zone == ""
    zones[:, 58:] = 1 + lungs.ZONES.index("left lower")
    assert hot_regions(heat, zones)[0].zone == "left lower"


@pytest.mark.parametrize(
    ("zone", "share", "words"),
    [
        ("right lower", 0.41, "above all in the right lower zone, 41 % of the heat on 9 % of the film"),
        ("", 0.004, "mostly outside the lungs, under 1 % of the heat on 9 % of the film"),
        (None, 0.41, "41 % of the heat on 9 % of the film"),
    ],
)
def test_a_region_is_told_in_words(zone, share, words):
    assert str(HotRegion((0, 0, 1, 1), np.zeros((1, 2), np.float32), share, 0.09, zone)) == words


@pytest.mark.parametrize("heat", [np.zeros((50, 50), np.float32), np.ones((50, 50), np.float32)])
def test_a_flat_map_has_no_hottest_part(heat):
    assert not hottest(heat).any()
    assert hot_regions(heat) == ()


def test_the_hottest_part_is_a_tenth_or_all_that_is_warm():
    heat = np.random.default_rng(0).random((50, 40), np.float32)

    assert hottest(heat).sum() == 200
    assert heat[hottest(heat)].min() > heat[~hottest(heat)].max()
    np.testing.assert_array_equal(hottest(np.where(heat > 0.95, heat, 0)), heat > 0.95)
