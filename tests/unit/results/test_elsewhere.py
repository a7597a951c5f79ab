import numpy as np
import pandas as pd
import pytest
from toy import synthetic

from pneumo.model_store import store
from pneumo.results import elsewhere


def write(folder, found, alarms, split, name="toy", sick=100, well=100):
    """Write the predictions of a model that finds so many of its films with pneumonia, and alarms for so many."""
    calls = np.concatenate([np.arange(sick) < found, np.arange(well) < alarms])
    table = pd.DataFrame({"label": ["PNEUMONIA"] * sick + ["NORMAL"] * well, "pathogen": ""})
    table["probability"] = np.where(calls, 0.9, 0.1)
    table["file"] = table["patient"] = [f"{row:03}" for row in range(len(table))]
    store.write_predictions(table, name, split, folder)


def card(folder, learned_from=(), runs=()):
    written = synthetic.card(
        name="toy",
        training={
            "hospitals": {"learned_from": {name: {} for name in learned_from}, "runs": {name: {} for name in runs}}
        },
    )
    (folder / "toy").mkdir()
    store.write_card(written, folder)
    return written


def splits(calls):
    return calls and calls.splits


def test_the_official_test_films_are_the_models_own_hospital_and_else_the_shifted_validation_films(tmp_path):
    model = card(tmp_path)
    assert elsewhere.at_home(model, tmp_path) is None
    write(tmp_path, 90, 10, "val_shifted")
    assert splits(elsewhere.at_home(model, tmp_path)) == ("val_shifted",)
    write(tmp_path, 95, 20, "test")

    own = elsewhere.at_home(model, tmp_path)

    assert (own.splits, own.films, own.cells.sick, own.cells.true_positive) == (("test",), 200, 100, 95)


@pytest.mark.parametrize(
    ("measured", "best"),
    [
        (["external_nih"], ("external_nih",)),
        (["external_nih", "external_nih_reliable", "external_nih_under18"], ("external_nih_reliable",)),
        (
            ["hospital_left", "hospital_left_normal", "hospital_a", "hospital_b", "external_nih"],
            ("hospital_a", "hospital_b", "hospital_left"),
        ),
        (["hospital_home"], None),
        (["test"], None),
    ],
)
def test_the_evidence_that_is_worth_most_counts(tmp_path, measured, best):
    model = card(tmp_path, learned_from=["home", "left"], runs=["left"])
    for split in measured:
        write(tmp_path, 90, 10, split)

    assert splits(elsewhere.at_others(model, tmp_path)) == best


def test_a_hospital_that_was_learned_from_is_not_another_one_whatever_its_split_is_called(tmp_path):
    model = card(tmp_path, learned_from=["external_nih"])
    for split in ("external_nih", "external_nih_reliable", "hospital_external_nih"):
        write(tmp_path, 90, 10, split)

    assert elsewhere.at_others(model, tmp_path) is None


def test_films_of_several_hospitals_are_counted_together_and_those_of_one_class_are_left_out(tmp_path):
    model = card(tmp_path)
    write(tmp_path, 90, 10, "hospital_external_nih")
    write(tmp_path, 5, 40, "hospital_shenzhen", sick=10, well=80)
    write(tmp_path, 240, 0, "hospital_sick", sick=240, well=0)

    found = elsewhere.at_others(model, tmp_path)

    assert found.hospitals == "NIH and Shenzhen"
    assert (found.cells.true_positive, found.cells.sick, found.cells.false_positive, found.cells.well) == (
        *(95, 110),
        *(50, 180),
    )


@pytest.mark.parametrize(
    ("found", "alarms", "warned"), [(95, 10, False), (88, 12, False), (90, 80, True), (50, 10, True)]
)
def test_a_model_that_does_far_worse_elsewhere_is_warned_of(tmp_path, found, alarms, warned):
    model = card(tmp_path)
    write(tmp_path, 98, 10, "test")
    write(tmp_path, found, alarms, "hospital_shenzhen")

    said = elsewhere.warning(model, tmp_path)

    assert bool(said) == warned
    if said:
        assert f"it found {found} of 100 films with an opacity and raised {alarms} false alarms" in said
        assert "200 films of Shenzhen" in said and "98 and 10" in said and "“Check your data”" in said


def test_a_few_films_that_chance_explains_are_no_warning(tmp_path):
    model = card(tmp_path)
    write(tmp_path, 98, 10, "test")
    write(tmp_path, 3, 1, "hospital_small", sick=3, well=3)

    assert elsewhere.warning(model, tmp_path) is None


def test_a_model_that_was_not_measured_elsewhere_is_not_warned_of(tmp_path):
    model = card(tmp_path)
    write(tmp_path, 98, 10, "test")

    assert elsewhere.warning(model, tmp_path) is None
