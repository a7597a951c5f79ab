import dataclasses
import json

import numpy as np
import pytest
from toy import sites, synthetic

from pneumo.errors import ModelError
from pneumo.model_store import site as store
from pneumo.model_store.site import site_of


@pytest.fixture(scope="module")
def made():
    return sites.site(synthetic.card())


def written(tmp_path, content):
    path = tmp_path / "site.json"
    path.write_text(content)
    return path


@pytest.mark.parametrize("sick", [0, 25])
def test_a_site_is_what_was_written(tmp_path, sick):
    site = sites.site(synthetic.card(), "Clínica “Niño”, 3", sick)

    read = store.read(written(tmp_path, site.as_json()))

    assert read.found.calibration == site.found.calibration
    assert read.found.thresholds == site.found.thresholds
    assert (read.name, read.made, read.normal_films, read.pneumonia_films) == (site.name, site.made, 40, sick)
    assert np.isnan(read.found.sensitivity.value) == (sick == 0)
    assert read.as_json() == site.as_json()


def test_a_card_gets_the_thresholds_of_the_site_and_keeps_the_rest(made):
    card = made.of_card(synthetic.card())

    assert card.as_thresholds() == made.found.thresholds
    assert card.thresholds["evidence"]["normal_films"] == 40
    assert dataclasses.replace(card, thresholds=synthetic.card().thresholds) == synthetic.card()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "other"}, "calibrated for the model toy, not for other"),
        ({"sha256": "1" * 64}, "another version of the model toy"),
        ({"calibration": synthetic.card().calibration | {"slope": 1.1}}, "another version of the model toy"),
    ],
)
def test_a_site_is_refused_for_another_model_other_weights_and_another_calibration(made, changes, why):
    with pytest.raises(ModelError, match=rf"^St Mary.*{why}.*`pneumo calibrate`"):
        made.of_card(synthetic.card(**changes))


def changed(site, /, **changes):
    return json.dumps(json.loads(site.as_json()) | changes)


@pytest.mark.parametrize(
    "damage",
    [
        lambda made: "",
        lambda made: "[]",
        lambda made: made.as_json()[:-20],
        lambda made: changed(made, site=""),
        lambda made: changed(made, site="x" * 81),
        lambda made: changed(made, made="yesterday"),
        lambda made: changed(made, model=None),
        lambda made: changed(made, films={"normal_films": 40}),
        lambda made: changed(made, thresholds={"decision": 0.5, "low": 0.6, "high": 0.8}),
        lambda made: changed(made, thresholds={"decision": "0.5", "low": 0.1, "high": 0.8}),
        lambda made: changed(made, calibration={"slope": -1.0, "intercept": 0.0, "prevalence": 0.5}),
        lambda made: changed(made, calibration={"slope": float("nan"), "intercept": 0.0, "prevalence": 0.5}),
        lambda made: changed(made, figures={}),
    ],
)
def test_a_damaged_file_costs_a_sentence(made, tmp_path, damage):
    with pytest.raises(ModelError, match=r"site\.json is no site file .*, or it is damaged .*`pneumo calibrate`"):
        store.read(written(tmp_path, damage(made)))


def test_the_site_is_the_one_that_the_environment_names(made, tmp_path, monkeypatch):
    path = written(tmp_path, made.as_json())

    monkeypatch.delenv("PNEUMO_SITE", raising=False)
    assert store.configured() is None
    monkeypatch.setenv("PNEUMO_SITE", "  ")
    assert store.configured() is None
    monkeypatch.setenv("PNEUMO_SITE", str(path))
    assert store.configured().name == "St Mary"
    monkeypatch.setenv("PNEUMO_SITE", str(tmp_path / "gone.json"))
    with pytest.raises(ModelError, match=r"gone\.json cannot be opened.*PNEUMO_SITE"):
        store.configured()


@pytest.mark.parametrize("name", ["", " ", "x" * 81])
def test_a_hospital_has_a_name_that_fits_an_answer(made, name):
    with pytest.raises(ValueError, match="1 to 80 letters"):
        site_of(synthetic.card(), name, made.found)
