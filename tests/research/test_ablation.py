import dataclasses

import numpy as np
import pandas as pd
import pytest
from toy import synthetic
from typer.testing import CliRunner

from pneumo.errors import DatasetError
from pneumo.networks import classifiers
from pneumo.preprocessing import crops
from pneumo.preprocessing.augmentation import Augmentation
from pneumo.training import loop, recipes
from pneumo.training.loop import Recipe
from research import ablation
from research.ablation import CHANGES, FULL


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with the network that draws the lungs."""
    folder = tmp_path_factory.mktemp("models")
    synthetic.write_screening_models(folder)
    return folder


@pytest.fixture
def small(monkeypatch):
    """A small network, with three changes, one of them of what is seen."""
    monkeypatch.setattr(ablation, "NAME", "cnn")
    monkeypatch.setitem(recipes.RECIPES, "cnn", Recipe(batch=8))
    chosen = {name: dataclasses.replace(CHANGES[name], pretrained=False) for name in (FULL, "no_views", "lungs")}
    monkeypatch.setattr(ablation, "CHANGES", chosen)


@pytest.fixture
def trained(monkeypatch):
    """What each run would have been trained with: the share of mirrored films, the seed, and the mean of the films.

    Nothing is trained: a model stays as it begins, which the seed alone decides.
    """
    runs = []

    def fit(model, films, validation, recipe, folder, **options):
        runs.append((recipe.augmentation.flip, recipe.seed, films.squares.mean()))
        return [{"seconds": 1.0}]

    monkeypatch.setattr(loop, "fit", fit)
    return runs


def run(toy_data, models, folder, **options):
    settings = {"seeds": 1, "epochs": 1, "size": 32, "runs": folder / "runs", "models": models, **options}
    return ablation.run(toy_data, None, folder / "ablation.csv", **settings)


def test_each_change_is_trained_once_a_seed_and_nothing_is_run_twice(small, trained, toy_data, models, tmp_path):
    first = run(toy_data, models, tmp_path)
    both = run(toy_data, models, tmp_path, seeds=2)
    again = run(toy_data, models, tmp_path, seeds=2)

    assert len(trained) == 6
    assert first["ingredient"].tolist() == [FULL, "no_views", "lungs"]
    assert sorted(zip(both["ingredient"], both["seed"], strict=True)) == sorted(
        (name, seed) for name in (FULL, "no_views", "lungs") for seed in (0, 1)
    )
    pd.testing.assert_frame_equal(again, both, check_dtype=False, atol=1e-6)
    assert both["shifted_auroc"].between(0, 1).all()
    assert (both["low"] <= both["shifted_auroc"]).all() and (both["shifted_auroc"] <= both["high"]).all()
    assert trained[0][0] > 0 == trained[1][0]
    # The box of the lungs is another picture.
    assert trained[2][2] != trained[0][2]


def test_a_table_of_other_settings_is_not_gone_on_with(small, trained, toy_data, models, tmp_path):
    row = dict.fromkeys(ablation.COLUMNS, 1) | {"ingredient": FULL, "size": 32, "epochs": 1}
    pd.DataFrame([row]).to_csv(tmp_path / "ablation.csv", index=False)

    with pytest.raises(DatasetError, match="another size"):
        run(toy_data, models, tmp_path, epochs=2)

    assert trained == []


def test_a_change_leaves_all_else_of_the_recipe_as_it_is():
    full = recipes.RECIPES[ablation.NAME]

    for name, change in CHANGES.items():
        changed = change.applied_to(full)
        differs = {
            field.name
            for field in dataclasses.fields(full)
            if getattr(full, field.name) != getattr(changed, field.name)
        }
        assert differs <= {*change.recipe, "augmentation"}, name
        assert (differs or change.view != crops.FILM or not change.pretrained) or name == FULL, name
    assert CHANGES["no_views"].applied_to(full).augmentation == Augmentation(1, 1, 0, 0, 0, 0)
    assert classifiers.REGISTRY[ablation.NAME].pretrained


def test_the_table_tells_what_each_seed_gained(tmp_path):
    rows = [
        (FULL, 0, 0.99, 0.98, 0.97, 0.99),
        (FULL, 1, 0.99, 0.982, 0.97, 0.99),
        ("no_crop", 0, 0.985, 0.95, 0.94, 0.96),
        ("no_crop", 1, 0.985, 0.985, 0.97, 0.99),
    ]
    columns = ["ingredient", "seed", "val_auroc", "shifted_auroc", "low", "high"]

    table = ablation.markdown(pd.DataFrame(rows, columns=columns)).splitlines()

    assert table[2] == "| The recipe as it is | 0.990 / 0.990 | 0.980 (0.970–0.990) / 0.982 | – |"
    assert table[3].endswith("| 0.985 / 0.985 | 0.950 (0.940–0.960) / 0.985 | −0.0300 / +0.0030 |")
    assert len(table) == 4


@pytest.mark.parametrize(("content", "complaint"), [(None, "There is no"), ("ingredient,seed\nfull,0\n", "lacks size")])
def test_a_table_that_is_missing_or_incomplete_is_told(tmp_path, content, complaint):
    if content:
        (tmp_path / "a.csv").write_text(content)

    with pytest.raises(DatasetError, match=complaint):
        ablation.read(tmp_path / "a.csv")


@pytest.mark.slow
def test_the_command_trains_and_prints_the_table(small, toy_data, models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ablation, "CHANGES", {FULL: ablation.CHANGES[FULL]})

    options = ["--data", toy_data, "--models", models, "--seeds", 1, "--epochs", 1, "--size", 32]

    result = CliRunner().invoke(ablation.app, [str(option) for option in options])

    assert result.exit_code == 0, result.stderr
    assert "The recipe as it is" in result.stdout
    assert np.isfinite(ablation.read(tmp_path / "docs" / "ablation.csv")["val_auroc"]).all()
