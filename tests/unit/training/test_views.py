import dataclasses

import numpy as np
import pytest

from pneumo.preprocessing.augmentation import Augmentation
from pneumo.training import views
from pneumo.training.films import Films
from pneumo.training.views import Mix, RandomView

STILL = Augmentation(min_area=1, max_stretch=1, brightness=0, contrast=0, gamma=0, flip=0)
SIDE = 72


@pytest.fixture(scope="module")
def films():
    """Forty films of home and sixteen of each of two other hospitals, a quarter of them with pneumonia, with lungs.

    A film's lungs have a grey value of their own, and its surroundings that of its hospital.
    """
    hospitals = np.repeat(["guangzhou", "east", "west"], [40, 16, 16])
    labels = (np.arange(len(hospitals)) % 4 == 0).astype(np.float32)
    masks = np.zeros((len(hospitals), SIDE, SIDE), bool)
    masks[:, 24:48, 24:34], masks[:, 24:48, 38:48] = True, True
    around = {"guangzhou": 10, "east": 20, "west": 30}
    squares = np.array([np.full((SIDE, SIDE), around[name], np.uint8) for name in hospitals])
    squares[masks] = 100
    return Films(squares, labels, tuple(map(str, range(len(labels)))), hospitals=hospitals, masks=masks)


@pytest.mark.parametrize(("home", "expected"), [(0.5, [10, 5, 5]), (0.8, [16, 2, 2])])
def test_every_batch_has_its_share_of_each_hospital_and_each_class_within_it(films, home, expected):
    many = dataclasses.replace(
        films, labels=np.tile(films.labels, 5), hospitals=np.tile(films.hospitals, 5), files=films.files * 5
    )

    order = views.balanced_order(many, Mix(home=home), np.random.default_rng(0))

    assert len(order) == pytest.approx(len(many.labels), abs=3)
    for start in range(0, len(order) - 20, 20):
        batch = order[start : start + 20]
        counts = [int(np.sum(many.hospitals[batch] == name)) for name in ("guangzhou", "east", "west")]
        assert counts == pytest.approx(expected, abs=2)
        assert many.labels[batch].mean() == pytest.approx(0.5, abs=0.15)
    shown = np.bincount(order[many.hospitals[order] == "east"])
    assert np.ptp(shown[(many.hospitals == "east")[: len(shown)] & (many.labels == 0)[: len(shown)]]) <= 1


def test_the_home_and_the_other_hospitals_share_a_batch(films):
    assert views.shares(films, Mix(home=0.6)) == {"guangzhou": 0.6, "east": 0.2, "west": 0.2}


def test_lungs_are_laid_over_the_surroundings_of_films_of_either_class_of_the_same_hospital(films):
    # Films tell by their surroundings which film they are.
    squares = films.squares.copy()
    squares[~films.masks] = np.repeat(np.arange(len(squares), dtype=np.uint8), (~films.masks[0]).sum())
    marked = dataclasses.replace(films, squares=squares)
    view = RandomView(SIDE, STILL, mix=Mix(swapped=1.0))
    rng = np.random.default_rng(0)

    drawn = [view(marked, 41, rng) for _ in range(60)]

    around = [round(float(picture[0, 0, 0]) * 255) for picture, _ in drawn]
    assert set(films.hospitals[around]) == {"east"}
    assert np.mean(films.labels[around]) == pytest.approx(0.5, abs=0.2)
    assert all(label == films.labels[41] for _, label in drawn)
    assert all(picture[36, 29, 0] * 255 == pytest.approx(100, abs=2) for picture, _ in drawn)


@pytest.mark.parametrize("change", [{"mix": None}, {"mix": Mix(swapped=0.0)}])
def test_without_swapping_a_view_is_of_the_film_itself(films, change):
    view = dataclasses.replace(RandomView(SIDE, STILL), **change)

    picture, _ = view(films, 3, np.random.default_rng(0))

    np.testing.assert_allclose(picture[..., 0] * 255, films.squares[3], atol=1e-3)
