import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from sklearn.metrics import roc_auc_score
from toy import synthetic

from pneumo.errors import ModelError
from pneumo.model_store import store
from pneumo.model_store.store import HARD_SPLIT
from research import ensemble_choice

LABELS = ["NORMAL"] * 6 + ["PNEUMONIA"] * 6


def write(folder, name, probability, size=1_000_000, files=None):
    card = synthetic.card(name=name, size_bytes=size)
    (folder / name).mkdir(parents=True)
    store.write_card(card, folder)
    table = pd.DataFrame(
        {
            "file": files or [f"{index:02}.jpeg" for index in range(len(LABELS))],
            "patient": [str(index) for index in range(len(LABELS))],
            "label": LABELS,
            "pathogen": "",
            "probability": probability,
        }
    )
    store.write_predictions(table, name, HARD_SPLIT, folder)
    return card


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(3)
    for name, size in (("a", 10), ("b", 20), ("c", 30), ("huge", ensemble_choice.LARGEST_FILE)):
        write(tmp_path, name, rng.uniform(0.1, 0.9, len(LABELS)).round(6), size)
    return tmp_path


def cards(folder):
    return [store.read_card(path.name, folder) for path in sorted(folder.iterdir())]


def test_every_mean_that_fits_into_a_file_is_measured_and_the_best_comes_first(folder):
    found = ensemble_choice.means(cards(folder), folder)

    assert {each.members for each in found} == {("a", "b"), ("a", "c"), ("b", "c"), ("a", "b", "c")}
    assert [each.auroc for each in found] == sorted((each.auroc for each in found), reverse=True)
    [two] = [each for each in found if each.members == ("a", "c")]
    scores = [logit(store.read_predictions(name, HARD_SPLIT, folder)["probability"]) for name in "ac"]
    sick = np.array(LABELS) == "PNEUMONIA"
    assert two.auroc == pytest.approx(roc_auc_score(sick, sum(scores)))
    mean = 1 / (1 + np.exp(-sum(scores) / 2))
    assert two.log_loss == pytest.approx(-np.log(np.where(sick, mean, 1 - mean)).mean())
    assert two.size_bytes == 40


def test_models_that_were_measured_on_other_films_are_not_compared(folder):
    write(folder, "other", 0.5, files=[f"x{index:02}.jpeg" for index in range(len(LABELS))])

    with pytest.raises(ModelError, match="other was measured on other validation films"):
        ensemble_choice.means(cards(folder), folder)


def test_ensembles_are_not_joined_again(folder):
    shutil.copytree(folder / "a", folder / "joined")
    card = dataclasses.replace(synthetic.card(name="joined"), members=[{"name": "a"}, {"name": "b"}])
    store.write_card(card, folder)

    assert "joined" not in {card.name for card in ensemble_choice.candidates(folder)}


def test_the_means_are_printed_in_order(folder):
    found = ensemble_choice.means(cards(folder), folder)

    lines = ensemble_choice.markdown(found).splitlines()[2:]
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines] == [", ".join(each.members) for each in found]
