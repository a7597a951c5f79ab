import dataclasses

import keras
import numpy as np
import pandas as pd
import pytest

from pneumo.training import loop, search
from pneumo.training.films import Films, Stage
from pneumo.training.search import Configuration, attempt, finished_trials, open_study, write_trials

SETTINGS = {"films": "abc", "fold": 0, "epochs": 3, "seed": 0}
NO_FILMS = Films(np.empty((0, 8, 8), np.uint8), np.empty(0, np.float32), ())
EPOCHS = 3
RANDOM_TRIALS = 2


class PowerCutError(Exception):
    """The power fails."""


@pytest.fixture(autouse=True)
def small_space(monkeypatch):
    """Networks that are built and let go of in no time."""
    monkeypatch.setattr(keras.utils, "clear_session", lambda: None)
    monkeypatch.setattr(search, "BLOCKS", (1, 1))
    monkeypatch.setattr(search, "WIDEST", (64, 64, 32))
    monkeypatch.setattr(search, "RANDOM_TRIALS", RANDOM_TRIALS)


@pytest.fixture
def scripted(monkeypatch):
    """Training runs whose figures are written beforehand: one list of AUROCs a run; returns the lists to fill."""
    script = []

    def fit(model, films, validation, recipe, folder, *, progress):
        history = []
        for epoch, auroc in enumerate(script.pop(0), start=1):
            if auroc is None:
                raise PowerCutError
            if np.isnan(auroc):
                model.set_weights([np.full_like(weights, np.nan) for weights in model.get_weights()])
                raise ValueError("Input contains NaN.")
            progress(Stage("epoch", epoch, recipe.epochs))
            history.append({"epoch": epoch, "shifted_auroc": auroc, "seconds": 2.0})
            progress(Stage("epoch", epoch, recipe.epochs, history[-1]))
        return history

    monkeypatch.setattr(loop, "fit", fit)
    return script


def tried(study, count, seed=0):
    return [attempt(study, NO_FILMS, NO_FILMS, EPOCHS, seed, lambda _: None) for _ in range(count)]


def test_a_trial_is_worth_its_best_epoch(scripted, tmp_path):
    scripted += [[0.6, 0.9, 0.8], [0.7, 0.7, 0.85]]
    study = open_study(tmp_path, SETTINGS, resume=False)

    first, second = tried(study, 2)

    assert (first.number, first.state, first.shifted_auroc, first.epochs, first.seconds) == (1, "complete", 0.9, 3, 6.0)
    assert second.shifted_auroc == 0.85
    assert first.parameters == search.parameters(first.configuration)


def test_the_best_trial_is_the_first_complete_one_with_the_highest_figure(scripted, tmp_path):
    scripted += [[float("nan")], [0.6, 0.7, 0.8], [0.6, 0.9, 0.8], [0.9, 0.6, 0.8], [0.6, 0.1, 0.95]]
    study = open_study(tmp_path, SETTINGS, resume=False)
    tried(study, 1)
    with pytest.raises(ValueError, match="all of them diverged"):
        search.best(study)

    tried(study, 4)

    assert [trial.state.name for trial in study.trials] == ["PRUNED", "COMPLETE", "COMPLETE", "COMPLETE", "PRUNED"]
    assert search.best(study).number == 2


def test_a_trial_that_lags_behind_the_median_is_stopped(scripted, tmp_path):
    good = [[0.6, 0.7, 0.8]] * RANDOM_TRIALS
    scripted += [*good, [0.1, 0.6, 0.99], [0.1, 0.75, 0.9], [0.6, 0.7, 0.1]]

    lagging, late, last = tried(open_study(tmp_path, SETTINGS, resume=False), RANDOM_TRIALS + 3)[RANDOM_TRIALS:]

    assert (lagging.state, lagging.epochs, lagging.shifted_auroc) == ("pruned", 2, 0.6)
    # One epoch says too little, and after the last there is nothing left to save.
    assert (late.state, late.epochs) == ("complete", 3)
    assert (last.state, last.epochs) == ("complete", 3)


def test_a_trial_that_diverges_is_pruned_and_other_errors_are_not_hidden(scripted, tmp_path, monkeypatch):
    scripted += [[float("nan")], [0.6, float("nan")]]
    study = open_study(tmp_path, SETTINGS, resume=False)

    first, second = tried(study, 2)

    assert (first.state, first.shifted_auroc, first.epochs) == ("pruned", None, 0)
    assert (second.state, second.shifted_auroc, second.epochs) == ("pruned", 0.6, 1)
    monkeypatch.setattr(loop, "fit", lambda *_, **__: np.zeros(2).reshape(3))
    with pytest.raises(ValueError, match="reshape"):
        tried(study, 1)


def test_an_interrupted_search_goes_on_as_if_nothing_had_happened(scripted, tmp_path):
    figures = [[0.6, 0.7, 0.5 + 0.05 * number] for number in range(RANDOM_TRIALS + 2)]
    scripted += [*figures, *figures[: RANDOM_TRIALS + 1], [0.6, None], *figures[RANDOM_TRIALS + 1 :]]
    whole = tried(open_study(tmp_path / "whole", SETTINGS, resume=False), RANDOM_TRIALS + 2)
    with pytest.raises(PowerCutError):
        tried(open_study(tmp_path / "cut", SETTINGS, resume=False), RANDOM_TRIALS + 2)

    study = open_study(tmp_path / "cut", SETTINGS, resume=True)
    before = finished_trials(study)
    [last] = tried(study, 1)

    cut_off = search.summary(study.trials[-2])
    assert before == RANDOM_TRIALS + 1
    assert (cut_off.state, cut_off.epochs, cut_off.seconds) == ("failed", 1, 2.0)
    assert cut_off.configuration == last.configuration
    assert last == dataclasses.replace(whole[-1], number=RANDOM_TRIALS + 3)
    assert finished_trials(study) == RANDOM_TRIALS + 2


def test_the_seed_decides_what_is_tried(scripted, tmp_path):
    def configurations(folder, seed):
        scripted.extend([[0.6, 0.7, 0.8 - 0.01 * number] for number in range(RANDOM_TRIALS + 1)])
        study = open_study(tmp_path / folder, SETTINGS, resume=False)
        return [trial.configuration for trial in tried(study, RANDOM_TRIALS + 1, seed)]

    first = configurations("first", 1)

    assert configurations("second", 1) == first
    assert not set(configurations("third", 2)) & set(first)
    assert len(set(first)) == len(first)


def test_a_new_search_leaves_nothing_of_the_last_one(scripted, tmp_path):
    scripted += [[0.6, 0.7, 0.8]]
    tried(open_study(tmp_path, SETTINGS, resume=False), 1)
    (tmp_path / "winner-1").mkdir()
    (tmp_path / "winner-1" / "state.json").write_text("{}")
    (tmp_path / "study.db-journal").write_bytes(b"of a search that was cut off")

    study = open_study(tmp_path, SETTINGS | {"epochs": 5}, resume=False)

    assert study.trials == []
    assert [path.name for path in tmp_path.iterdir()] == ["study.db"]


@pytest.mark.parametrize("changed", [{"films": "def"}, {"fold": 1}, {"epochs": 4}, {"seed": 1}])
def test_a_search_of_other_settings_is_not_gone_on_with(tmp_path, changed):
    open_study(tmp_path, SETTINGS, resume=False)

    with pytest.raises(ValueError, match="other films or settings; search without --resume"):
        open_study(tmp_path, SETTINGS | changed, resume=True)


def test_a_search_that_was_never_begun_is_begun_by_resuming(tmp_path):
    assert open_study(tmp_path / "new", SETTINGS, resume=True).trials == []


def test_a_damaged_search_is_named(tmp_path):
    (tmp_path / "study.db").write_bytes(b"damaged" * 1000)

    with pytest.raises(ValueError, match=r"study\.db is no search that can be read"):
        open_study(tmp_path, SETTINGS, resume=True)


def test_every_trial_has_a_row_with_its_figures_and_hyperparameters(scripted, tmp_path):
    scripted += [[0.61, 0.7, 0.8], [float("nan")]]
    study = open_study(tmp_path, SETTINGS, resume=False)
    tried(study, 2)
    study.ask()
    cut_off = search.summary(open_study(tmp_path, SETTINGS, resume=True).trials[-1])
    trials = [*(search.summary(trial) for trial in study.trials[:2]), cut_off]

    write_trials(trials, tmp_path / "trials.csv")

    table = pd.read_csv(tmp_path / "trials.csv")
    fields = [field.name for field in dataclasses.fields(Configuration)]
    assert list(table) == ["number", "state", "parameters", "shifted_auroc", "epochs", "seconds", *fields]
    assert table["state"].tolist() == ["complete", "pruned", "failed"]
    assert table["epochs"].tolist() == [3, 0, 0]
    assert table["shifted_auroc"].fillna(-1).tolist() == [0.8, -1, -1]
    assert table.loc[2, fields].isna().all()
    for row, trial in zip(table.to_dict("records"), trials[:2], strict=False):
        assert row["parameters"] == trial.parameters
        for name in fields:
            assert str(row[name]) == str(getattr(trial.configuration, name)) or row[name] == pytest.approx(
                getattr(trial.configuration, name), rel=1e-5
            )
