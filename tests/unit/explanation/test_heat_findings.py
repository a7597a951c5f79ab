from types import SimpleNamespace

import numpy as np
import pytest
from toy import synthetic

from pneumo.explanation import heat_findings
from pneumo.explanation.heat_findings import HeatInLungs, examine, examine_opacity, heat_in_lungs, off_body_share
from pneumo.inference import lungs

ZONES = np.array([[0, 1, 4, 0], [0, 2, 5, 0], [0, 3, 6, 0]], np.uint8)


@pytest.mark.parametrize(
    ("heat", "expected", "sentence"),
    [
        (
            [[0.2, 0, 0.1, 0], [0, 0, 0, 0], [0.1, 0.6, 0, 0]],
            HeatInLungs(0.7, "right lower", 0.6 / 0.7),
            "30 % of the score came from outside the lungs, most of the rest from the right lower zone.",
        ),
        (
            [[0, 0.2, 0.3, 0], [0.5, 0.25, 0, 0], [0, 0, 0, 0]],
            HeatInLungs(0.75 / 1.25, "left upper", 0.3 / 0.75),
            "40 % of the score came from outside the lungs.",
        ),
        (
            [[0.9, 0, 0, 0.9], [0, 0, 0.002, 0], [0, 0, 0, 0]],
            HeatInLungs(0.002 / 1.802, "left middle", 1.0),
            "100 % of the score came from outside the lungs.",
        ),
        ([[1, 0, 0, 0]] + [[0] * 4] * 2, HeatInLungs(0.0, "", 0.0), "All of the score came from outside the lungs."),
    ],
)
def test_the_heat_inside_the_lungs_is_measured_as_by_hand(heat, expected, sentence):
    # Of the second example, 0.75 of 1.25 lies inside, and 0.3 of those 0.75 in the left upper zone.
    measured = heat_in_lungs(np.array(heat, np.float32), ZONES)

    assert (measured.share, measured.zone_share) == pytest.approx((expected.share, expected.zone_share), abs=1e-6)
    assert measured.zone == expected.zone
    assert str(measured) == sentence


def test_a_map_without_heat_lies_nowhere():
    assert heat_in_lungs(np.zeros((3, 4), np.float32), ZONES) is None


@pytest.mark.parametrize(("share", "outside"), [(0.24, True), (0.25, False), (1.0, False)])
def test_less_than_a_quarter_inside_is_mostly_outside(share, outside):
    assert HeatInLungs(share, "left upper", 1.0).mostly_outside == outside


def spot(row, column, height=100, width=200, radius=10):
    """Return a map with one hot disc."""
    rows, columns = np.mgrid[:height, :width]
    return ((rows - row) ** 2 + (columns - column) ** 2 <= radius**2).astype(np.float32)


# Of the size of `spot`: a grey body up to the edges.
BODY = np.full((100, 200), 0.5, np.float32)


def test_heat_on_the_border_counts_unless_lungs_lie_there():
    heat = np.zeros((100, 200), np.float32)
    heat[4, 100] = heat[95, 100] = heat[50, 9] = heat[50, 190] = 1
    heat[5, 100] = heat[94, 100] = heat[50, 10] = heat[50, 189] = 1
    zones = np.zeros(heat.shape, np.uint8)
    zones[:20] = 1

    assert off_body_share(BODY, heat) == 0.5
    assert off_body_share(BODY, heat, zones) == pytest.approx(3 / 8)
    assert off_body_share(BODY, np.ones((100, 200))) == pytest.approx(0.19)
    assert off_body_share(BODY, np.zeros((100, 200))) == 0


def test_heat_beside_the_body_and_on_a_letter_there_counts_and_dark_lungs_within_it_do_not():
    film = np.zeros((100, 200), np.float32)
    film[:, 60:140] = 0.5
    film[40:60, 80:95] = 0.02
    film[30:36, 30:36] = 1
    heat = np.zeros_like(film)
    heat[50, 30] = heat[33, 33] = heat[50, 88] = heat[50, 120] = 1

    assert off_body_share(film, heat) == 0.5


@pytest.fixture(scope="module")
def zones():
    mask = lungs.of_probability(synthetic.lung_mask(224, 224).astype(np.float32))
    return mask.zones(100, 200)


def test_a_spot_in_a_lung_is_found_there_and_trusted(zones):
    heat = spot(50, 60)

    found = examine(BODY, heat, zones, absolute=0.4 * heat)

    assert found.inside.zone == "right middle"
    assert found.inside.share == pytest.approx(found.inside.zone_share)
    assert [region.zone for region in found.regions] == ["right middle"]
    assert found.absolute_regions == ()
    assert found.warnings == ()


def test_a_spot_where_letters_stand_is_warned_of(zones):
    heat = spot(0, 10)
    off_body = off_body_share(BODY, heat, zones)

    found = examine(BODY, heat, zones)

    assert found.inside.share == 0
    assert found.warnings == (
        f"Give this answer no weight: {100 * off_body:.0f} % of the score came from outside the body or from the "
        "edge of the film, where letters stand.",
    )


def test_heat_beside_the_lungs_within_the_body_gives_the_answer_little_weight(zones):
    [warning] = examine(BODY, spot(85, 100), zones).warnings

    assert warning == "Give this answer little weight: hardly any of the score came from the lungs."


def test_a_map_is_told_without_flattering_and_its_warnings_only_where_the_answer_is_likely(zones):
    found = examine(BODY, spot(85, 100), zones)

    likely, unlikely = found.meaning("likely"), found.meaning("unlikely")

    assert likely[:2] == (
        "The colours show where the score came from, not the disease itself.",
        "All of the score came from outside the lungs.",
    )
    assert likely[2:] == found.warnings
    assert unlikely == (*likely[:2], "With this answer, a bright spot is no sign of disease.")


@pytest.mark.parametrize(
    ("share", "zone_share", "zone"), [(0.51, 0.51, "left lower"), (0.5, 1.0, None), (0.9, 0.5, None)]
)
def test_a_zone_is_named_only_where_most_of_the_heat_is_in_the_lungs_and_most_of_that_in_it(share, zone_share, zone):
    assert HeatInLungs(share, "left lower", zone_share).points_to == zone


@pytest.mark.parametrize("zones", [None, np.zeros((100, 200), np.uint8)])
def test_without_lungs_only_the_film_is_judged(zones):
    found = examine(BODY, spot(50, 60), zones, absolute=spot(50, 60))

    assert (found.inside, found.warnings) == (None, ())
    assert [region.zone for region in found.regions] == [None]
    assert found.absolute_regions is not None


def test_an_empty_map_says_nothing(zones):
    found = examine(BODY, np.zeros((100, 200), np.float32), zones, absolute=np.zeros((100, 200), np.float32))

    assert (found.inside, found.regions, found.warnings) == (None, (), ())


def test_an_opacity_map_is_read_on_the_scale_of_all_films_and_warned_of_by_the_model_s_own_map(monkeypatch):
    reading = SimpleNamespace(lungs=lungs.of_probability(synthetic.lung_mask(224, 224).astype(np.float32)))
    monkeypatch.setattr(heat_findings, "warnings_of", lambda *_: ("Beware.",))
    heat = spot(50, 60)

    opaque, faint = (examine_opacity(reading, BODY, map_, likely=True) for map_ in (heat, 0.4 * heat))

    assert [region.zone for region in opaque.regions] == ["right middle"]
    assert faint.regions == ()
    assert (opaque.inside.zone, opaque.warnings) == ("right middle", ("Beware.",))
    assert examine_opacity(reading, BODY, heat, likely=False).warnings == ()
