import numpy as np
import pytest

from research.composites.opacity_groups import group_by_opacity, opacity
from research.composites.registration import HEIGHT, WIDTH

SHAPE = (HEIGHT // 8, WIDTH // 8)
LEFT, RIGHT = (slice(10, 40), slice(8, 28)), (slice(10, 40), slice(42, 62))


def chest(*opaque, grey=1.0, noise=0.0, seed=0):
    """A thumbnail: lungs at 0.2, the rest at 0.8, the named lungs at 0.6."""
    brightness = np.full(SHAPE, 0.8)
    brightness[LEFT] = brightness[RIGHT] = 0.2
    for lung in opaque:
        brightness[lung[0].start : 25, lung[1]] = 0.6
    mask = np.zeros(SHAPE)
    mask[LEFT] = mask[RIGHT] = 1
    brightness = brightness * grey + noise * np.random.default_rng(seed).standard_normal(SHAPE)
    return np.stack([brightness, mask]).astype(np.float32)


def test_a_healthy_lung_has_no_opacity():
    assert opacity(chest()[None], chest()) == pytest.approx(0)


def test_opacity_is_measured_against_lung_and_spine():
    places = opacity(chest(LEFT)[None], chest())[0]

    # From 0.2 (lung) to 0.8 (spine), 0.6 lies at two thirds.
    assert places.max() == pytest.approx(2 / 3, abs=1e-5)
    assert (places > 0.5).mean() == pytest.approx(0.25)


def test_exposure_does_not_change_opacity():
    dark, bright = (opacity(chest(LEFT, grey=grey)[None], chest()) for grey in (0.6, 1.0))

    assert dark == pytest.approx(bright, abs=1e-5)


def test_films_with_opacity_in_the_same_place_are_grouped():
    films = [chest(LEFT, noise=0.01, seed=n) for n in range(10)] + [chest(RIGHT, noise=0.01, seed=n) for n in range(10)]

    groups = group_by_opacity(np.stack(films), chest(), films=8, groups=2, seek=True)

    sides = [{member // 10 for member in group} for group in groups]
    assert sorted(map(tuple, sides)) == [(0,), (1,)]


@pytest.mark.parametrize(("seek", "expected"), [(True, 1), (False, 0)])
def test_pneumonia_is_sought_for_opacity_and_normal_films_for_its_absence(seek, expected):
    films = [chest(noise=0.01, seed=n) for n in range(10)] + [chest(LEFT, noise=0.01, seed=n) for n in range(10)]

    (group,) = group_by_opacity(np.stack(films), chest(), films=8, groups=1, seek=seek)

    assert {member // 10 for member in group} == {expected}


def test_no_film_stands_in_two_groups():
    films = np.stack([chest(LEFT, noise=0.05, seed=n) for n in range(24)])

    groups = group_by_opacity(films, chest(), films=8, groups=3, seek=True)

    assert sorted(member for group in groups for member in group) == list(range(24))
