import datetime

import numpy as np
import pytest
from toy import synthetic

from pneumo.datasets import kaggle
from pneumo.model_store import card, weights


def test_a_card_says_which_weights_a_model_started_from(tmp_path):
    path = tmp_path / "backbone.weights.h5"
    path.write_bytes(b"weights")

    assert card.initial_weights(None) == "random"
    assert "ImageNet" in card.initial_weights("imagenet")
    assert card.initial_weights(path) == f"backbone.weights.h5 (sha256 {weights.sha256(path)})"
    with pytest.raises(ValueError, match=r"no weights file .*nowhere\.h5"):
        card.initial_weights(tmp_path / "nowhere.h5")


def test_the_latest_of_equally_good_epochs_was_kept(toy_data):
    parts = kaggle.development_split(kaggle.scan(toy_data), fold=1)
    history = [{"dice": dice, "seconds": 10.04} for dice in (0.5, 0.9, 0.9, 0.7)]

    facts = card.training_facts(parts, 1, {"epochs": 4}, history, "dice", "mean Dice")

    assert (facts["epochs_run"], facts["epoch_kept"], facts["kept_by"]) == (4, 3, "mean Dice")
    assert (facts["fold"], facts["recipe"], facts["seconds"]) == (1, {"epochs": 4}, 40.2)
    assert facts["films"] == {"train": len(parts.train), "validation": len(parts.validation)}


def test_the_machine_is_described_by_the_packages_it_has():
    machine = card.machine()

    assert "CPU cores" in machine["hardware"]
    assert machine["software"]["numpy"] == np.__version__
    assert all(machine["software"].values())


def test_an_opening_of_the_test_split_is_added_to_the_others():
    earlier = {"date": "2026-01-01", "sha256": "1" * 64}

    opened = card.with_test_opened(synthetic.card(test_openings=[earlier]))

    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    assert opened.test_openings == [earlier, {"date": today, "sha256": "0" * 64}]


def test_figures_are_rounded_and_what_is_unknown_is_null():
    figures = {"dice": {"value": 2 / 3, "low": float("nan")}, "films": 3, "best": np.inf, "name": "x"}

    assert card.tidy(figures) == {"dice": {"value": 0.666667, "low": None}, "films": 3, "best": None, "name": "x"}
