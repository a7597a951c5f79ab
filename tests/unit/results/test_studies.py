import pandas as pd
import pytest
from toy import synthetic

from pages.parts.charts.studies import ablation_plot, trials_plot
from pneumo.errors import ModelError
from pneumo.model_store import store
from pneumo.model_store.store import SHIPPED
from pneumo.results import studies


def test_the_trials_of_the_search_come_best_first_without_those_that_were_never_measured():
    tried = pd.read_csv(SHIPPED / "cnn_search" / "trials.csv")

    shown = studies.trials(store.read_card("cnn_search", SHIPPED), SHIPPED)

    assert len(shown) == tried["shifted_auroc"].notna().sum()
    assert shown["auroc"].is_monotonic_decreasing
    assert set(shown["state"]) <= set(studies.STATES.values())
    assert trials_plot(shown).to_dict()


def test_a_model_of_no_search_and_no_ablation_has_none(tmp_path):
    card = synthetic.card(name="toy")

    assert studies.trials(card, tmp_path).empty
    assert studies.ablation(card).empty
    # It is built like the network of the ablation, and learns another task.
    assert studies.ablation(store.read_card("pathogen", SHIPPED)).empty


def test_a_difference_is_that_from_the_recipe_with_the_same_seed(tmp_path):
    rows = [("full", 0, 0.9), ("full", 1, 0.8), ("no_crop", 0, 0.85), ("no_crop", 1, 0.85)]
    path = tmp_path / "ablation.csv"
    pd.DataFrame(rows, columns=["ingredient", "seed", "shifted_auroc"]).to_csv(path, index=False)

    runs = studies.ablation(synthetic.card(architecture=studies.ABLATED), path)

    assert runs["ingredient"].tolist() == ["Without random crops"] * 2
    assert runs["difference"].tolist() == pytest.approx([-0.05, 0.05])
    assert ablation_plot(runs).to_dict()


def test_damaged_trials_are_a_model_error(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "trials.csv").write_text("number\n1\n")

    with pytest.raises(ModelError, match="Restore"):
        studies.trials(synthetic.card(name="toy"), tmp_path)
