from pathlib import Path

import keras
import numpy as np
import pytest

from pneumo.training import checkpoints

FIGURES = [0.5, 0.9, 0.7, 0.9, 0.8, 0.6, 0.5]


def model_of(value):
    keras.utils.set_random_seed(0)
    number = keras.Input((1,))
    model = keras.Model(number, keras.layers.Dense(1, use_bias=False)(number))
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.set_weights([np.full((1, 1), value, np.float32)])
    return model


def weight_of(model):
    return float(model.get_weights()[0][0, 0])


def run(folder, model=None, figures=FIGURES, **options):
    """Train by adding one to the only weight; what is judged is ten times that. Returns the model and its history."""
    model = model or model_of(0.0)

    def one_epoch(epoch):
        trained = [model.get_weights()[0] + 1]
        model.set_weights([10 * trained[0]])
        return trained, {"epoch": epoch, "figure": figures[epoch - 1]}

    settings = {"monitor": "figure", "epochs": len(figures), "patience": 99} | options
    return model, checkpoints.run(model, folder, settings.pop("fingerprint", "this"), one_epoch, **settings)


def test_the_judged_weights_of_the_last_best_epoch_are_left_in_the_model(tmp_path):
    model, history = run(tmp_path)

    assert [row["figure"] for row in history] == FIGURES
    assert weight_of(model) == 40


def test_it_stops_when_patience_ends(tmp_path):
    _, history = run(tmp_path, patience=2)

    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5, 6]


def test_training_goes_on_from_the_trained_weights_and_not_from_the_judged_ones(tmp_path):
    run(tmp_path, epochs=2)

    model, history = run(tmp_path, model_of(77.0), resume=True)

    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5, 6, 7]
    assert weight_of(model) == 40


def test_only_the_best_and_the_last_weights_are_kept(tmp_path):
    run(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.weights.h5", "epoch-7.weights.h5", "state.json"]


def test_a_new_run_starts_from_nothing_and_a_foreign_one_is_refused(tmp_path):
    run(tmp_path)

    _, history = run(tmp_path, epochs=1)

    assert len(history) == 1
    with pytest.raises(ValueError, match="without --resume"):
        run(tmp_path, fingerprint="other", resume=True)


@pytest.mark.parametrize("written", ["best.weights.h5", "epoch-2.weights.h5", "state.json"])
def test_a_crash_while_a_file_is_written_leaves_the_old_one(tmp_path, monkeypatch, written):
    run(tmp_path, epochs=1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    replace = Path.replace

    def crash(unfinished, target):
        if Path(target).name == written:
            raise OSError("the disk is full")
        return replace(unfinished, target)

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(OSError, match="full"):
        run(tmp_path, model_of(77.0), epochs=2, resume=True)

    monkeypatch.undo()
    assert (tmp_path / "state.json").read_bytes() == before["state.json"]
    assert (tmp_path / "epoch-1.weights.h5").read_bytes() == before["epoch-1.weights.h5"]
    assert written not in before or (tmp_path / written).read_bytes() == before[written]
    model, history = run(tmp_path, model_of(77.0), resume=True)
    assert ([row["figure"] for row in history], weight_of(model)) == (FIGURES, 40)
