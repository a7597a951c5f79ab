import numpy as np
import pandas as pd
import pytest
from toy import synthetic

from pneumo.errors import ModelError
from pneumo.model_store import store
from research import split_agreement

FILMS = 60


def write(folder, name, noise, test_noise):
    """Write a model whose scores tell the classes the better, the less noise they have."""
    (folder / name).mkdir(parents=True)
    sick = np.arange(FILMS) % 2 == 1
    for split, spread, seed in (("val", noise, 1), ("test", test_noise, 2)):
        grain = np.random.default_rng(seed).normal(size=FILMS)
        probability = 1 / (1 + np.exp(-(np.where(sick, 1.0, -1.0) + spread * grain)))
        table = pd.DataFrame(
            {
                "file": [f"{split}/{index:02}.jpeg" for index in range(FILMS)],
                "patient": [str(index) for index in range(FILMS)],
                "label": np.where(sick, "PNEUMONIA", "NORMAL"),
                "pathogen": "",
                "probability": probability,
            }
        )
        store.write_predictions(table, name, split, folder)
    store.write_card(synthetic.card(name=name), folder)


def test_the_order_on_validation_is_compared_with_that_on_test(tmp_path):
    for name, noise, test_noise in (("best", 0.2, 4.0), ("middle", 2.0, 2.0), ("worst", 6.0, 0.5)):
        write(tmp_path, name, noise, test_noise)

    found = split_agreement.agreement(["best", "middle", "worst"], "val", tmp_path)

    assert found.models == 3
    assert found.rank_correlation == pytest.approx(-1)
    assert found.told_apart.value > 0
    assert found.same_order.value == 0


def test_models_that_validation_cannot_tell_apart_are_not_counted_as_ranked(tmp_path):
    for name, noise in (("one", 2.0), ("two", 2.001), ("three", 2.002)):
        write(tmp_path, name, noise, noise)

    found = split_agreement.agreement(["one", "two", "three"], "val", tmp_path)

    assert found.told_apart.value == 0
    assert np.isnan(found.same_order.value)


def test_models_of_other_films_are_not_compared(tmp_path):
    for name in ("one", "two", "three"):
        write(tmp_path, name, 2.0, 2.0)
    table = store.read_predictions("two", "val", tmp_path)
    store.write_predictions(table[1:], "two", "val", tmp_path)

    with pytest.raises(ModelError, match="two and one were measured on other films of val"):
        split_agreement.agreement(["one", "two", "three"], "val", tmp_path)
