import dataclasses
import json

import keras
import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score
from toy.training import toy_films

from pneumo.preprocessing import augmentation, network_input
from pneumo.preprocessing.augmentation import Augmentation
from pneumo.training import loop
from pneumo.training.films import Films
from pneumo.training.loop import Recipe, fit, predict

MILD = Augmentation(min_area=0.8, max_stretch=1.1, brightness=0.1, contrast=0.1, gamma=0.1)
RECIPE = Recipe(epochs=4, batch=8, learning_rate=0.02, average=0.8, augmentation=MILD)
COLUMNS = [
    "epoch",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "val_auroc",
    "shifted_loss",
    "shifted_accuracy",
    "shifted_auroc",
    "seconds",
]


def toy_model(seed=0, dropout=0.4):
    keras.utils.set_random_seed(seed)
    picture = keras.Input((12, 12, 1))
    x = keras.layers.Flatten()(picture)
    x = keras.layers.Dense(8, "relu")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(dropout)(x)
    return keras.Model(picture, keras.layers.Dense(1, "sigmoid")(x))


@pytest.fixture(scope="module")
def films():
    return toy_films(40, seed=1), toy_films(24, seed=2)


@pytest.fixture(scope="module")
def whole_run(films, tmp_path_factory):
    """A run that nothing disturbed: its model, its history, the calls of progress."""
    model, calls = toy_model(), []
    history = fit(model, *films, RECIPE, tmp_path_factory.mktemp("whole"), progress=calls.append)
    return model, history, calls


def without_time(history):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]


def test_learns_what_can_be_told_apart(whole_run, films):
    model, history, _ = whole_run
    unseen = toy_films(60, seed=9)

    probability = predict(model, unseen)

    assert roc_auc_score(unseen.labels, predict(toy_model(), unseen)) < 0.9
    assert roc_auc_score(unseen.labels, probability) > 0.97
    assert history[-1]["loss"] < history[0]["loss"]


def test_the_history_has_one_row_an_epoch(whole_run):
    _, history, _ = whole_run

    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert all(list(row) == COLUMNS for row in history)
    json.dumps(history, allow_nan=False)


@pytest.fixture(scope="module")
def declining_run(films, tmp_path_factory):
    """A run judged by wrong labels: the more it learns, the worse its figure."""
    train, validation = films
    wrong = dataclasses.replace(validation, labels=1 - validation.labels)
    recipe = dataclasses.replace(RECIPE, epochs=12, patience=2, learning_rate=0.003)
    model = toy_model()
    return model, wrong, fit(model, train, wrong, recipe, tmp_path_factory.mktemp("declining"))


def best_epoch(history):
    return max(history, key=lambda row: (row["shifted_auroc"], row["epoch"]))


def test_it_stops_when_patience_ends(declining_run):
    _, _, history = declining_run

    assert len(history) < 12
    assert history[-1]["epoch"] - best_epoch(history)["epoch"] == 2


def test_it_ends_with_the_weights_of_the_best_epoch(declining_run):
    model, validation, history = declining_run

    shifted, plain = predict(model, validation, shifted=True), predict(model, validation)

    best = best_epoch(history)
    assert history[-1]["shifted_auroc"] < best["shifted_auroc"]
    assert roc_auc_score(validation.labels, shifted) == pytest.approx(best["shifted_auroc"])
    assert log_loss(validation.labels, shifted) == pytest.approx(best["shifted_loss"])
    assert roc_auc_score(validation.labels, plain) == pytest.approx(best["val_auroc"])
    assert log_loss(validation.labels, plain) == pytest.approx(best["val_loss"])
    assert np.mean((plain >= 0.5) == validation.labels) == pytest.approx(best["val_accuracy"])


def test_every_step_and_every_epoch_is_reported(whole_run):
    _, history, calls = whole_run

    steps = [(call.what, call.done) for call in calls if call.row is None]
    assert steps == [(f"epoch {epoch} of 4", 5 * (epoch - 1) + step) for epoch in range(1, 5) for step in range(1, 6)]
    assert {call.total for call in calls} == {20}
    assert [call.row for call in calls if call.row is not None] == history


class PowerCutError(Exception):
    """The power fails."""


@pytest.mark.parametrize(("epoch", "step"), [(2, 5), (3, 2)], ids=["after an epoch", "within an epoch"])
def test_a_resumed_run_equals_one_that_was_never_interrupted(whole_run, films, tmp_path, epoch, step):
    undisturbed, history, _ = whole_run

    def interrupt(now):
        at_epoch_end = step == 5
        if now.done == 5 * (epoch - 1) + step and (now.row is not None) == at_epoch_end:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        fit(toy_model(), *films, RECIPE, tmp_path, progress=interrupt)
    resumed = toy_model(seed=77)

    resumed_history = fit(resumed, *films, RECIPE, tmp_path, resume=True)

    assert without_time(resumed_history) == without_time(history)
    for one, other in zip(resumed.get_weights(), undisturbed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_finished_run_is_resumed_without_training_and_only_by_its_own_recipe(films, tmp_path):
    one_epoch, calls = dataclasses.replace(RECIPE, epochs=1), []
    first = fit(toy_model(), *films, one_epoch, tmp_path)

    again = fit(toy_model(5), *films, one_epoch, tmp_path, resume=True, progress=calls.append)

    assert again == first
    assert calls == []
    with pytest.raises(ValueError, match="another recipe"):
        fit(toy_model(), *films, dataclasses.replace(RECIPE, epochs=2), tmp_path, resume=True)


def test_the_seed_decides_the_run_and_an_old_checkpoint_does_not(films, tmp_path):
    runs = [fit(toy_model(), *films, dataclasses.replace(RECIPE, epochs=1, seed=seed), tmp_path) for seed in (3, 3, 4)]

    assert without_time(runs[0]) == without_time(runs[1])
    assert runs[0][0]["loss"] != runs[2][0]["loss"]


def test_a_step_of_several_workers_is_made_of_their_parts_and_each_part_of_its_own_views():
    train, recipe = toy_films(51, seed=3), dataclasses.replace(RECIPE, workers=2)
    alone, together = (loop.balanced_epoch(train, 12, each, epoch=1) for each in (RECIPE, recipe))

    assert [together.count(step) for step in range(len(together))] == [16, 16, 16, 4]
    for step in range(3):
        for part, number in ((together.part(step, 0), 2 * step), (together.part(step, 1), 2 * step + 1)):
            np.testing.assert_array_equal(part[0], alone[number][0])
    for which in (0, 1):
        parts = [together.part(3, worker)[which] for worker in (0, 1)]
        np.testing.assert_array_equal(together[3][which], np.concatenate(parts))
    assert [len(together.part(3, worker)[0]) for worker in (0, 1)] == [2, 2]


def test_a_last_step_with_fewer_films_than_workers_is_left_out():
    train = toy_films(50, seed=3)

    epoch = loop.balanced_epoch(train, 12, dataclasses.replace(RECIPE, workers=3), epoch=1)

    assert [epoch.count(step) for step in range(len(epoch))] == [24, 24]


def test_a_run_of_several_workers_is_told_from_one_of_another_number_of_them():
    assert "workers" not in RECIPE.facts()
    assert dataclasses.replace(RECIPE, workers=2).facts() == {**RECIPE.facts(), "workers": 2}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_half_of_the_shown_films_are_of_each_class(share):
    train = toy_films(100, seed=3, share=share)

    views = loop.balanced_epoch(train, 12, RECIPE, epoch=1)
    labels = np.concatenate([views[index][1] for index in range(len(views))])

    assert labels.shape == (100, 1)
    assert labels.mean() == 0.5


def test_an_epoch_shows_as_many_different_films_of_the_rare_class_as_there_are():
    # A film whose pixels are all its number tells which film a view shows.
    squares = np.arange(20, dtype=np.uint8)[:, None, None].repeat(12, axis=1).repeat(12, axis=2)
    labels = (np.arange(20) < 4).astype(np.float32)
    still = Augmentation(min_area=1, max_stretch=1, brightness=0, contrast=0, gamma=0, flip=0)
    views = loop.balanced_epoch(
        Films(squares, labels, ("x",) * 20), 12, dataclasses.replace(RECIPE, augmentation=still), epoch=1
    )

    shown = np.concatenate([np.rint(views[index][0][:, 0, 0, 0] * 255) for index in range(len(views))])

    times = np.bincount(shown.astype(int), minlength=20)
    assert sorted(times[:4]) == [2, 2, 3, 3]
    assert sorted(times[4:]) == [0] * 6 + [1] * 10


@pytest.mark.parametrize(("ratios", "randomised"), [(None, False), ([np.nan] * 20, False), ([1.5] * 20, True)])
def test_the_aspect_ratio_is_randomised_where_it_is_known(ratios, randomised):
    # The grey values of a ramp tell how much of the width a view kept.
    squares = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (20, 60, 1))
    films = Films(squares, (np.arange(20) < 10).astype(np.float32), ("x",) * 20)
    films = dataclasses.replace(films, aspect_ratios=None if ratios is None else np.array(ratios))
    still = Augmentation(min_area=1, max_stretch=1, brightness=0, contrast=0, gamma=0, flip=0)
    # All views take the aspect ratio of a film that is half as wide.
    recipe = dataclasses.replace(RECIPE, augmentation=still, aspect_ratio=(0.75, 0.75))
    views = loop.balanced_epoch(films, 60, recipe, epoch=1)

    shown = np.concatenate([np.ptp(views[index][0], axis=(1, 2, 3)) for index in range(len(views))])

    assert shown * 255 == pytest.approx(4 * (29 if randomised else 59), abs=5)


def test_the_views_depend_on_seed_and_epoch_alone():
    train = toy_films(20, seed=3)

    def view(seed, epoch, index=1):
        return loop.balanced_epoch(train, 12, dataclasses.replace(RECIPE, seed=seed), epoch)[index][0]

    first = view(0, 1)
    np.random.seed(99)  # noqa: NPY002
    np.testing.assert_array_equal(view(0, 1), first)
    assert not np.array_equal(view(0, 2), first)
    assert not np.array_equal(view(1, 1), first)
    assert not np.array_equal(view(0, 1, index=0), first)


def test_predictions_are_the_model_of_the_plain_or_the_shifted_input(films):
    model, (_, validation) = toy_model(), films
    squares = validation.squares / np.float32(255)
    plain = np.stack([network_input.model_input(square, 12) for square in squares])
    shifted = np.stack(
        [augmentation.shifted_input(square, 12, file) for square, file in zip(squares, validation.files, strict=True)]
    )

    probability = predict(model, validation, batch=7)

    assert probability.dtype == np.float64
    np.testing.assert_allclose(probability, model.predict(plain, verbose=0)[:, 0], atol=1e-6)
    np.testing.assert_allclose(
        predict(model, validation, shifted=True), model.predict(shifted, verbose=0)[:, 0], atol=1e-6
    )
    assert np.abs(probability - predict(model, validation, shifted=True)).max() > 0.001


def test_averaging_changes_the_kept_weights_and_not_the_course_of_training(films, tmp_path):
    start, moved, losses = toy_model().get_weights()[0], [], []
    for average in (0.0, 0.999):
        model, recipe = toy_model(), dataclasses.replace(RECIPE, epochs=2, average=average)
        losses.append([row["loss"] for row in fit(model, *films, recipe, tmp_path / str(average))])
        moved.append(np.abs(model.get_weights()[0] - start).mean())

    assert losses[1] == pytest.approx(losses[0])
    assert 0 < moved[1] < 0.5 * moved[0]


def test_a_run_that_starts_anew_leaves_nothing_of_the_last_one(films, tmp_path):
    stale = tmp_path / "epoch-9.weights.h5"
    stale.write_bytes(b"of an older run")

    fit(toy_model(), *films, dataclasses.replace(RECIPE, epochs=1), tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.weights.h5", "epoch-1.weights.h5", "state.json"]


def test_a_checkpoint_of_other_films_is_refused(films, tmp_path):
    recipe = dataclasses.replace(RECIPE, epochs=1)
    fit(toy_model(), *films, recipe, tmp_path)
    swapped = reversed(films)

    with pytest.raises(ValueError, match="other films"):
        fit(toy_model(), *swapped, recipe, tmp_path, resume=True)


def test_multiplying_in_bfloat16_leaves_a_float32_model_that_learned(tmp_path, films):
    model = toy_model()
    before = [weights.copy() for weights in model.get_weights()]
    recipe = dataclasses.replace(RECIPE, epochs=1, precision="mixed_bfloat16")

    fit(model, *films, recipe, tmp_path)

    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert all(not np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))
