import shutil

import numpy as np
import pandas as pd
import pytest
from toy import synthetic
from toy.training import untrained
from typer.testing import CliRunner

from pneumo import radiograph
from pneumo.cli import app
from pneumo.explanation.explainer import Explainer
from pneumo.inference.classifier import Classifier
from pneumo.model_store import store
from pneumo.training import loop, search

NAME = "cnn_search"


class PowerCutError(Exception):
    """The power fails."""


@pytest.fixture(scope="module", autouse=True)
def tiny_family():
    """Small networks that are not trained."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "fit", untrained)
        patch.setattr(search, "SIZES", (32,))
        patch.setattr(search, "BLOCKS", (2, 2))
        patch.setattr(search, "FIRST_FILTERS", (8, 16, 8))
        patch.setattr(search, "WIDEST", (16, 16, 8))
        patch.setattr(search, "RANDOM_TRIALS", 1)
        patch.setattr(search, "FULL_EPOCHS", 2)
        yield


@pytest.fixture(scope="module")
def searched(toy_data, tmp_path_factory):
    """The folder of a search from the command line where every test film is unreadable, and what it printed."""
    work = tmp_path_factory.mktemp("searched")
    shutil.copytree(toy_data, work / "data")
    for film in (work / "data" / "test").rglob("*.jpeg"):
        film.write_bytes(b"poison " + film.name.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        result = CliRunner().invoke(
            app.app, ["search", "--data", str(work / "data"), "--trials", "2", "--epochs", "1", "--seed", "5"]
        )
    assert result.exit_code == 0, result.stderr
    return work / "models", result


@pytest.fixture(scope="module")
def resumed(toy_data, tmp_path_factory):
    """The same search on whole data, cut off within its second trial and gone on with."""
    return cut_off(toy_data, tmp_path_factory.mktemp("resumed"))


def cut_off(data, work):
    """Run a search that is cut off within its second trial and gone on with; what it ended in, and what it reported."""

    def interrupt(stage):
        if stage.what == "trial 2 of 2":
            raise PowerCutError

    settings = {"trials": 2, "epochs": 1, "seed": 5, "folder": work / "runs"}
    with pytest.raises(PowerCutError):
        search.run(data, work / "models", **settings, progress=interrupt)
    ended, stages = [], []
    settings |= {"resume": True, "trial_done": ended.append, "progress": stages.append}
    return search.run(data, work / "models", **settings), ended, stages


def test_each_trial_has_a_line_and_the_best_stands_first_and_is_named(searched):
    folder, result = searched
    trials = pd.read_csv(folder / NAME / "trials.csv").sort_values("shifted_auroc", ascending=False, kind="stable")

    rows = [line.split("│")[1].strip() for line in result.stdout.splitlines() if "│ complete" in line]

    assert rows == [str(number) for number in trials["number"]]
    for trial in trials.itertuples():
        assert f"trial {trial.number}: complete, {trial.parameters:,} parameters, shifted AUROC" in result.stderr
    assert f"Winner: trial {trials['number'].iloc[0]}, " in result.stdout
    assert "on val," in result.stdout
    assert result.stderr.count("epoch 2: loss") == 1


def test_the_winner_is_trained_anew_in_full_and_shipped_with_its_configuration(searched):
    folder, _ = searched
    trials = pd.read_csv(folder / NAME / "trials.csv").set_index("number")
    card, model = store.load(NAME, folder)
    configuration = search.Configuration(**card.training["configuration"])

    best = trials.loc[card.training["search"]["winner"]]
    history = store.read_history(NAME, folder)

    assert best["shifted_auroc"] == trials["shifted_auroc"].max()
    assert best["learning_rate"] == pytest.approx(configuration.learning_rate, rel=1e-5)
    assert (card.architecture, card.family, card.title) == (NAME, "cnn", "Best of 2 CNNs")
    assert card.seed_system == search.SEED_SYSTEM
    assert card.cam_layer == configuration.cam_layer
    assert card.input["size"] == configuration.size == model.input_shape[1]
    assert card.parameters == best["parameters"] == search.parameters(configuration)
    assert len(history) == card.training["epochs_run"] == card.training["recipe"]["epochs"] == 2
    assert card.training["recipe"]["learning_rate"] == configuration.learning_rate
    found = card.training["search"]
    assert (found["trials"], found["pruned"], found["epochs"], found["seed"]) == (2, 0, 1, 5)
    assert found["seconds"] == pytest.approx(trials["seconds"].sum(), abs=0.2)
    assert card.initial_weights == "random"


def test_the_test_split_is_not_opened(searched):
    folder, _ = searched
    card = store.read_card(NAME, folder)

    assert set(card.metrics) == {"val", "val_shifted"}
    assert card.test_openings == []


def test_a_search_that_was_cut_off_finds_what_an_undisturbed_one_does(searched, resumed):
    folder, _ = searched
    outcome, ended, _ = resumed
    undisturbed = pd.read_csv(folder / NAME / "trials.csv")

    assert [trial.state for trial in outcome.trials] == ["complete", "failed", "complete"]
    assert [trial.number for trial in ended] == [3]
    finished = [trial for trial in outcome.trials if trial.state == "complete"]
    assert [trial.shifted_auroc for trial in finished] == pytest.approx(undisturbed["shifted_auroc"], abs=1e-5)
    assert [trial.parameters for trial in finished] == undisturbed["parameters"].tolist()
    assert [trial.configuration.dropout for trial in finished] == pytest.approx(undisturbed["dropout"], rel=1e-5)
    card = store.read_card(NAME, folder)
    assert outcome.card.training["configuration"] == card.training["configuration"]
    assert outcome.card.metrics["val"] == card.metrics["val"]


def test_the_work_is_reported_trial_by_trial_and_then_epoch_by_epoch(resumed):
    _, _, stages = resumed

    what = list(dict.fromkeys(stage.what for stage in stages))
    trained = [stage for stage in stages if stage.what.startswith("epoch ")]

    assert what == ["reading films", "trial 2 of 2", "epoch 1 of 2", "epoch 2 of 2"]
    assert all(stage.row is None for stage in stages if stage.what.startswith("trial"))
    assert sum(stage.row is not None for stage in trained) == 2
    assert trained[-1].done == trained[-1].total


def test_the_winner_assesses_a_film_and_shows_where_it_looked(searched):
    folder, _ = searched
    film = radiograph.read(synthetic.jpeg(synthetic.film(np.random.default_rng(3), sick=True)))
    classifier = Classifier.open(NAME, folder)

    assessment = classifier.assess(film)
    heat = Explainer(classifier).heat_map(assessment)

    assert 0 < assessment.probability < 1
    assert heat.layer == classifier.card.cam_layer
    values = heat.values  # noqa: PD011
    assert values.shape == film.pixels.shape
    assert np.isfinite(values).all()
