import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import special
from toy import synthetic
from typer.testing import CliRunner

from pneumo.errors import ModelError
from pneumo.model_store import store
from research import site_calibration

SPLIT = "hospital_east"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A model that calls most normal films of a hospital pneumonia, and yet ranks the films well."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "toy").mkdir()
    store.write_card(synthetic.card(), folder)
    rng = np.random.default_rng(0)
    places = np.concatenate([rng.normal(1, 1, 90), rng.normal(4, 1, 60)])
    table = pd.DataFrame(
        {
            "file": [f"{number}.png" for number in range(150)],
            # Of the normal films two of every patient.
            "patient": [f"p{number // 2 if number < 90 else number}" for number in range(150)],
            "label": np.repeat(["NORMAL", "PNEUMONIA"], [90, 60]),
            "pathogen": "",
            "probability": special.expit(places),
        }
    )
    store.write_predictions(table, "toy", SPLIT, folder)
    store.write_predictions(table[table["label"] == "NORMAL"], "toy", "hospital_west", folder)
    return folder


def test_more_films_bring_the_specificity_nearer_to_what_is_promised(models):
    curve = site_calibration.learning_curve(synthetic.card(), SPLIT, models, draws=60)

    # Of 45 patients with normal films 20 are left to measure on.
    assert list(curve) == [(0, 0), (10, 0), (20, 0)]
    assert curve[0, 0].specificity[0] < 0.3
    for size, outcome in curve.items():
        if size != (0, 0):
            assert outcome.specificity.mean() == pytest.approx(0.9, abs=0.04)
    assert curve[20, 0].specificity.std() < curve[10, 0].specificity.std()


def test_films_are_drawn_one_a_patient():
    labels, patients = np.repeat([0, 1], [8, 4]), np.array([*"aabbccdd", *"aefg"])

    chosen = site_calibration._drawn(labels, patients, (4, 2), np.random.default_rng(0))

    assert labels[chosen].tolist() == [0, 0, 0, 0, 1, 1]
    assert len(set(patients[chosen][:4])) == 4


def test_shares_are_those_of_a_hand_worked_table():
    labels, own = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0.1, 0.3, 0.6, 0.9, 0.1, 0.4, 0.85, 0.9])

    found = site_calibration._measured(labels, own, site_calibration.Calibration(), synthetic.card().as_thresholds())

    # Of the normal films 2 are below 0.5, one at or above 0.8 and one below 0.2; of the others 2, 2 and one.
    assert found == (0.5, 0.5, 0.25, 0.25, (0.5 + 0.25 + 0.25 + 0.25) / 2, 0.4)


def test_the_table_has_a_row_for_each_size_and_hospitals_of_one_kind_are_left_out(models):
    result = CliRunner().invoke(site_calibration.app, ["--models", str(models)])

    lines = result.stdout.strip().splitlines()
    assert result.exit_code == 0
    assert [line.split(" | ")[2] for line in lines[2:]] == ["none", "10 normal", "20 normal"]
    assert {field.name for field in dataclasses.fields(site_calibration.Outcome)} == set(site_calibration.TITLES)


def test_a_hospital_of_one_kind_cannot_be_measured(models):
    with pytest.raises(ModelError, match="one kind alone"):
        site_calibration.markdown(["toy"], ["hospital_west"], models)
