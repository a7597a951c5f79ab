import dataclasses
import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from toy import synthetic

from pneumo.datasets import kaggle
from pneumo.errors import DatasetError
from pneumo.evaluation import metrics
from pneumo.preprocessing import network_input
from pneumo.preprocessing.network_input import SQUARE
from pneumo.training import lungs
from pneumo.training.films import load_squares
from pneumo.training.lungs import (
    COLUMNS,
    DrawnFilms,
    augmented_pair,
    compare,
    fit_network,
    load,
    overlap_loss,
    with_masks,
)

RECIPE = dataclasses.replace(lungs.RECIPE, epochs=6, batch=4, learning_rate=0.1, average=0.5)


def toy_films(count, seed):
    rng = np.random.default_rng(seed)
    squares = np.stack([network_input.film_square(synthetic.film(rng, False) / np.float32(255)) for _ in range(count)])
    mask = 255 * synthetic.lung_mask(SQUARE, SQUARE).astype(np.uint8)
    names = [f"{seed}-{number}.jpeg" for number in range(count)]
    table = pd.DataFrame({"file": names, "patient": names, "label": "NORMAL"})
    return DrawnFilms(np.rint(255 * squares).astype(np.uint8), np.stack([mask] * count), table)


def toy_model(seed=0):
    keras.utils.set_random_seed(seed)
    film = keras.Input((32, 32, 1))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(film)
    return keras.Model(film, keras.layers.Conv2D(1, 1, activation="sigmoid")(x))


@pytest.fixture(scope="module")
def films():
    return toy_films(24, seed=1), toy_films(8, seed=2)


@pytest.fixture(scope="module")
def whole_run(films, tmp_path_factory):
    """A run that nothing disturbed: its model, its history, the calls of progress."""
    model, calls = toy_model(), []
    history = fit_network(model, *films, RECIPE, tmp_path_factory.mktemp("whole"), progress=calls.append)
    return model, history, calls


def test_learns_to_draw_the_lungs(whole_run, films):
    model, history, _ = whole_run
    unseen = toy_films(6, seed=9)

    before, after = (compare(each, unseen)["dice"].mean() for each in (toy_model(), model))

    assert before < 0.8 < 0.9 < after
    assert history[-1]["loss"] < history[0]["loss"]


def test_the_history_has_one_row_an_epoch(whole_run):
    _, history, calls = whole_run

    assert all(list(row) == ["epoch", "loss", "val_dice", "seconds"] for row in history)
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5, 6]
    assert [call.row for call in calls if call.row] == history
    assert [call.done for call in calls if not call.row] == list(range(1, 37))
    json.dumps(history, allow_nan=False)


def test_it_ends_with_the_weights_of_the_best_epoch(whole_run, films):
    model, history, _ = whole_run

    assert compare(model, films[1])["dice"].mean() == pytest.approx(max(row["val_dice"] for row in history))


def test_a_checkpoint_of_another_recipe_or_other_films_is_refused(films, tmp_path):
    one_epoch = dataclasses.replace(RECIPE, epochs=1)
    fit_network(toy_model(), *films, one_epoch, tmp_path)

    with pytest.raises(ValueError, match="another recipe"):
        fit_network(toy_model(), *films, dataclasses.replace(one_epoch, batch=8), tmp_path, resume=True)
    with pytest.raises(ValueError, match="other films"):
        fit_network(toy_model(), *reversed(films), one_epoch, tmp_path, resume=True)


@pytest.mark.parametrize("size", [64, 192])
def test_a_film_and_its_mask_stay_aligned(size):
    # A film that is its own mask shows whether both were moved alike.
    mask = synthetic.lung_mask(SQUARE, SQUARE).astype(np.float32)
    rng = np.random.default_rng(0)

    for _ in range(20):
        view, truth = augmented_pair(mask, mask, size, rng)
        assert view.shape == truth.shape == (size, size, 1)
        assert view.dtype == truth.dtype == np.float32
        assert 0 <= min(view.min(), truth.min()) <= max(view.max(), truth.max()) <= 1
        middle = (np.median(view[truth > 0.9]) + np.median(view[truth < 0.1])) / 2
        bright = view[..., 0] > middle
        assert metrics.dice(bright, truth[..., 0] > 0.5) > 0.93


def test_views_are_turned_stretched_shifted_and_mirrored_within_their_ranges():
    mask = np.zeros((SQUARE, SQUARE), np.float32)
    mask[60:160, 40:90] = 1
    rng = np.random.default_rng(0)

    truths = [augmented_pair(mask, mask, SQUARE, rng)[1][..., 0] > 0.5 for _ in range(200)]

    centres = np.array([np.argwhere(truth).mean(axis=0) / SQUARE for truth in truths])
    areas = np.array([truth.sum() for truth in truths]) / mask.sum()
    assert 0.35 < (centres[:, 1] > 0.5).mean() < 0.65
    assert areas.min() > 0.95 / lungs.ZOOM**2
    assert areas.max() < 1.05 * lungs.ZOOM**2
    assert areas.max() > 1.3 > 0.8 > areas.min()
    assert 0.05 < np.ptp(centres[:, 0]) < 0.4


def test_the_views_depend_on_seed_and_epoch_alone(films):
    def view(seed, epoch, index=1):
        return lungs.random_pairs(films[0], 32, dataclasses.replace(RECIPE, seed=seed), epoch)[index]

    first = view(0, 1)
    np.random.seed(99)  # noqa: NPY002
    for one, other in zip(view(0, 1), first, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(view(0, 2)[0], first[0])
    assert not np.array_equal(view(1, 1)[0], first[0])
    assert not np.array_equal(view(0, 1, index=0)[0], first[0])


def test_an_epoch_shows_every_film_once():
    films = toy_films(11, seed=4)

    views = lungs.random_pairs(films, 32, RECIPE, epoch=1)

    assert len(views) == 3
    assert sorted(views._order) == list(range(11))
    assert [len(views[index][0]) for index in range(3)] == [4, 4, 3]


def test_the_loss_equals_a_hand_worked_table():
    truth = np.array([1, 1, 0, 0], np.float32).reshape(1, 2, 2, 1)
    drawn = np.array([0.8, 0.5, 0.5, 0.2], np.float32).reshape(1, 2, 2, 1)
    entropy = -(2 * np.log(0.8) + 2 * np.log(0.5)) / 4
    # Shared 1.3, total 2 + 2, and one is added to both halves of the fraction.
    soft_dice = (2 * 1.3 + 1) / (4 + 1)

    assert keras.ops.convert_to_numpy(overlap_loss(truth, drawn)) == pytest.approx([entropy + 1 - soft_dice], rel=1e-4)


def test_a_measurement_has_a_row_a_film(films):
    measured = compare(toy_model(), films[1], batch=3)

    assert list(measured) == COLUMNS
    assert measured["file"].tolist() == films[1].table["file"].tolist()
    pd.testing.assert_frame_equal(measured, compare(toy_model(), films[1], batch=8))


def test_a_film_without_a_drawn_lung_scores_nothing_and_has_no_distance(films):
    model = toy_model()
    model.layers[-1].set_weights([np.zeros((1, 1, 4, 1), np.float32), np.full(1, -9.0, np.float32)])

    measured = compare(model, films[1])

    assert (measured["dice"] == 0).all()
    assert measured["boundary_distance"].isna().all()


@pytest.fixture(scope="module")
def toy_masks(toy_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("masks") / "lung_masks"
    synthetic.write_lung_masks(toy_data, folder)
    return folder


def test_films_and_masks_are_read_in_the_order_of_the_table(toy_data, toy_masks):
    table = with_masks(kaggle.scan(toy_data), toy_masks).iloc[[5, 2]]
    calls = []

    films = load(toy_data, toy_masks, table, lambda stage: calls.append((stage.done, stage.total)))

    assert films.squares.shape == films.masks.shape == (2, SQUARE, SQUARE)
    np.testing.assert_array_equal(films.squares, load_squares(toy_data, table))
    np.testing.assert_array_equal(films.masks[1] == 255, synthetic.lung_mask(SQUARE, SQUARE))
    assert calls == [(1, 2), (2, 2)]


def test_films_that_nobody_drew_are_left_out(toy_data, toy_masks, tmp_path):
    shutil.copytree(toy_masks, tmp_path / "masks")
    index = pd.read_csv(toy_masks / "labels.csv")
    index[index["kermany_file"].str.startswith("person")].to_csv(tmp_path / "masks" / "labels.csv", index=False)

    drawn = with_masks(kaggle.scan(toy_data), tmp_path / "masks")

    assert drawn["label"].eq("PNEUMONIA").all()
    assert drawn.index.tolist() == list(range(len(drawn)))
    assert drawn["mask"].str.startswith("masks224/person").all()


def test_masks_that_are_not_there_are_reported(toy_data, toy_masks, tmp_path):
    table = kaggle.scan(toy_data)
    (tmp_path / "labels.csv").write_text("kermany_file,mask\nother.jpeg,masks224/other.png\n")

    with pytest.raises(DatasetError, match="--masks"):
        with_masks(table, tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="none of the films"):
        with_masks(table, tmp_path)
    with pytest.raises(DatasetError, match=r"IM-\S+png is missing or not a picture"):
        load(toy_data, tmp_path, with_masks(table, toy_masks))
