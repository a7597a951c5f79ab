import numpy as np
import pandas as pd
from toy import synthetic

from pneumo.model_store import store
from pneumo.results import recommendation


def write(folder, name, split="test", *, missed=2, alarms=10, sharpness=8.0, shifted=0.9, **training):
    """Write a model that misses and alarms so often among 100 films of each class; `shifted` orders the catalogue."""
    rng = np.random.default_rng(0)
    wrong = np.concatenate([np.arange(100) < missed, np.arange(100) < alarms])
    sick = np.arange(200) < 100
    table = pd.DataFrame({"label": np.where(sick, "PNEUMONIA", "NORMAL"), "pathogen": ""})
    table["probability"] = np.abs((sick ^ wrong) - rng.uniform(0, 0.5 / sharpness, 200))
    table["file"] = table["patient"] = [f"{row:03}" for row in range(200)]
    store.write_predictions(table, name, split, folder)
    metrics = {"val_shifted": {"auroc": {"value": shifted}}}
    store.write_card(synthetic.card(name=name, title=name.upper(), metrics=metrics, training=training), folder)


def recommended(folder):
    return recommendation.recommend(store.catalogue(folder).cards, folder)


def test_the_answer_counts_children_and_says_that_no_other_model_is_shown_to_be_better(tmp_path):
    write(tmp_path, "one", shifted=0.99)
    write(tmp_path, "other", missed=3, alarms=9)

    found = recommended(tmp_path)

    assert found.title == "ONE"
    assert "finds 98; of 100 healthy children it raises a false alarm for 10" in found.at_home
    assert found.against == "The other model is not shown to be better."
    assert found.at_others == "It was not measured at another hospital."


def test_a_better_model_is_named_and_where_it_is_worse(tmp_path):
    write(tmp_path, "one", missed=30, alarms=30, shifted=0.99)
    write(tmp_path, "other")
    assert recommended(tmp_path).against == "On these films, shown to be better: OTHER."
    write(tmp_path, "one", "hospital_shenzhen", missed=5, alarms=5, shifted=0.99, hospitals={"runs": {"shenzhen": {}}})
    write(tmp_path, "other", "hospital_shenzhen", missed=40, alarms=40)

    found = recommended(tmp_path)

    assert found.against.endswith("At other hospitals it is shown to be better than OTHER.")
    assert (
        "(Shenzhen, measured by runs that left each out) it finds 95 of 100 films with an opacity, and"
        in found.at_others
    )
    assert "false alarm for 5 of 100" in found.at_others


def test_the_figures_behind_the_answer_have_their_intervals(tmp_path):
    write(tmp_path, "one")
    write(tmp_path, "one", "external_nih", missed=60, alarms=60)

    rows = recommendation.sources(recommended(tmp_path))

    assert rows["Films"].tolist() == ["Official test split (200)", "NIH, labels by software (200)"]
    assert rows["Pneumonias found"].tolist() == ["98.0 % (93.0–99.4)", "40.0 % (30.9–49.8)"]


def test_a_model_that_was_never_measured_is_not_recommended(tmp_path):
    write(tmp_path, "one", "val")

    assert recommended(tmp_path) is None
