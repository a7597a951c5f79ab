"""The shipped classifiers are those of their cards."""

import itertools
import json
from pathlib import Path

import pandas as pd
import pytest
from scipy.special import logit

from pneumo import radiograph
from pneumo.datasets import kaggle
from pneumo.datasets.samples import FOLDER
from pneumo.evaluation import metrics
from pneumo.explanation import agreement
from pneumo.explanation.cam import METHODS
from pneumo.explanation.explainer import DEFAULT_METHOD
from pneumo.inference.reading import Models, read_film
from pneumo.model_store import store, weights
from pneumo.model_store.card import CLASSIFICATION
from pneumo.model_store.store import SELECTION_SPLIT, SHIPPED
from pneumo.networks import classifiers
from pneumo.training import classifier, places, recipes, search
from pneumo.training.search import Configuration

MIB = 1024**2
FOLDERS = sorted(path.name for path in SHIPPED.glob("*") if path.is_dir() and not path.name.startswith("."))
NAMES = store.names(SHIPPED, CLASSIFICATION)
SAMPLE_LOG_ODDS = Path(__file__).with_name("sample_log_odds.json")

# With the tests of the indexes, so that a model is loaded once for both.
pytestmark = [
    pytest.mark.skipif(not FOLDERS, reason="models/ is empty: no model is shipped yet"),
]


def test_every_folder_holds_a_sound_card():
    catalogue = store.catalogue(SHIPPED)

    assert catalogue.problems == {}
    assert sorted(card.name for card in catalogue.cards) == NAMES
    assert [store.read_card(name, SHIPPED).name for name in FOLDERS] == FOLDERS


def test_all_models_together_stay_small():
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < 160 * MIB


def described(card):
    """Return family, seed system and layer for heat maps of the architecture that a card names."""
    if card.members:
        return recipes.JOINED[card.name].family, None, None
    if card.architecture == search.NAME:
        found = Configuration(**card.training["configuration"])
        return "cnn", search.SEED_SYSTEM, found.cam_layer
    architecture = classifiers.REGISTRY[card.architecture]
    return architecture.family, architecture.seed_system, architecture.cam_layer


def test_the_card_is_of_the_architecture_that_it_names(card):
    assert card.title
    assert (card.family, card.seed_system, card.cam_layer) == described(card)
    assert card.labels == ["NORMAL", "PNEUMONIA"]
    assert set(card.input) >= {"size", "channels", "views", "crop", "scaling"}
    assert set(card.training) >= {
        "data",
        "data_fingerprint",
        "split_rule",
        "seconds",
        "hardware",
        "software",
        *(["rule"] if card.members else ["recipe", "epochs_run", "epoch_kept"]),
    }


def test_a_model_that_draws_heat_maps_has_an_absolute_scale_for_them(card):
    assert (DEFAULT_METHOD in card.heat_references) == bool(card.cam_layer or card.members)
    assert set(card.heat_references) <= set(METHODS)
    pairs = [pair for pair in itertools.combinations(METHODS, 2) if set(pair) <= set(card.heat_references)]
    for pair in pairs:
        usual = agreement.usual(card, *pair)
        assert -1 <= usual.correlation.low <= usual.correlation.value <= usual.correlation.high <= 1 + 1e-6
        assert 0 <= usual.overlap.low <= usual.overlap.value <= usual.overlap.high <= 1


def test_the_file_is_the_one_of_the_card_and_loads(card, classifier):
    file, model = SHIPPED / card.name / "model.keras", classifier.model

    assert classifier.card == card
    assert (card.sha256, card.size_bytes) == (weights.sha256(file), file.stat().st_size)
    assert card.size_bytes < 50 * MIB
    assert card.parameters == model.count_params()
    assert model.input_shape == (None, card.input["size"], card.input["size"], card.input["channels"])
    assert model.outputs[0].shape == (None, 1)
    if card.cam_layer:
        assert len(model.get_layer(card.cam_layer).output.shape) == 4


def test_every_figure_is_what_the_predictions_give(card):
    assert set(card.metrics) == set(store.measured_splits(card.name, SHIPPED))
    for split, figures in card.metrics.items():
        predictions = store.read_predictions(card.name, split, SHIPPED)
        computed = classifier.metrics_record(metrics.evaluate_table(predictions, card.thresholds["decision"]))
        assert figures.keys() == computed.keys()
        for key, figure in computed.items():
            assert figures[key] == pytest.approx(figure, abs=2e-6), (split, key)


def test_validation_and_test_are_measured_on_different_patients(card):
    validation, shifted, test = (
        store.read_predictions(card.name, split, SHIPPED) for split in ("val", SELECTION_SPLIT, "test")
    )

    assert validation["file"].tolist() == shifted["file"].tolist()
    assert not set(validation["patient"]) & set(test["patient"])
    assert not validation["file"].str.startswith("test/").any()
    assert test["file"].str.startswith("test/").all()
    assert test["label"].value_counts().to_dict() == {"PNEUMONIA": 390, "NORMAL": 234}
    for predictions in (validation, shifted, test):
        assert predictions["file"].is_unique
        assert predictions["probability"].between(0, 1).all()
        assert predictions["file"].map(kaggle.pathogen_of).where(predictions["label"] == "PNEUMONIA", "").tolist() == (
            predictions["pathogen"].tolist()
        )


def test_the_test_split_was_opened_for_these_weights(card):
    assert card.sha256 in {opening["sha256"] for opening in card.test_openings}


def test_the_thresholds_are_in_order_and_keep_what_they_promise(card):
    limits = card.as_thresholds()
    predictions = store.read_predictions(card.name, SELECTION_SPLIT, SHIPPED)
    sick, well = (predictions.loc[predictions["label"] == label, "probability"] for label in ("PNEUMONIA", "NORMAL"))

    assert 0 <= limits.low <= limits.decision <= limits.high <= 1
    assert card.thresholds["evidence"] == {
        "pneumonia_films": len(sick),
        "pneumonia_below_low": int((sick < limits.low).sum()),
        "normal_films": len(well),
        "normal_at_or_above_high": int((well >= limits.high).sum()),
    }
    assert (sick >= limits.low).mean() >= 0.98
    assert (well < limits.high).mean() >= 0.97


def test_the_history_holds_the_epoch_that_was_kept(card):
    if card.members:
        pytest.skip("nothing was trained to join the members")
    history = store.read_history(card.name, SHIPPED)

    assert set(history) >= {"epoch", "loss", "val_loss", "val_accuracy", "val_auroc", "shifted_auroc"}
    assert len(history) == card.training["epochs_run"]
    assert history["shifted_auroc"].idxmax() <= card.training["epoch_kept"] - 1
    assert history.loc[card.training["epoch_kept"] - 1, "shifted_auroc"] == history["shifted_auroc"].max()


@pytest.mark.shared
@pytest.mark.parametrize("rows", [slice(0, None, 312), pytest.param(slice(130, None, 130), marks=pytest.mark.slow)])
def test_predict_says_of_the_test_films_what_evaluate_wrote(card, classifier, shared_data, rows):
    written = store.read_predictions(card.name, "test", SHIPPED).iloc[rows]
    models = Models(classifier, gate=None)

    readings = [read_film(shared_data / "chest_xray" / file, file, models) for file in written["file"]]

    predicted = [reading.assessment.probability for reading in readings]
    assert predicted == pytest.approx(written["probability"].tolist(), abs=1e-3)


@pytest.mark.parametrize(("sample", "log_odds"), json.loads(SAMPLE_LOG_ODDS.read_text()).items())
def test_a_sample_gets_the_log_odds_that_it_got_when_the_model_was_shipped(card, classifier, sample, log_odds):
    found = classifier.assess(radiograph.read(FOLDER / sample)).probability

    assert logit(found) == pytest.approx(log_odds[card.name], abs=0.1)


@pytest.mark.parametrize("name", recipes.JOINED)
def test_a_model_joins_what_its_recipe_names_as_it_is_shipped(name):
    card, joined = store.read_card(name, SHIPPED), recipes.JOINED[name]

    asked = {each["name"]: (each["weight"] > 0, each["weight_elsewhere"] > 0) for each in card.members}
    assert asked == {each: (each in joined.home, each in joined.elsewhere) for each in asked}
    assert set(asked) == {*joined.home, *joined.elsewhere}
    for member in card.members:
        if member["name"] in NAMES:
            assert member["sha256"] == store.read_card(member["name"], SHIPPED).sha256
            continue
        recipe = places.RECIPE if member["name"] == places.NAME else recipes.RECIPES[member["name"]]
        assert member["training"]["recipe"] == json.loads(json.dumps(recipe.facts()))


@pytest.mark.skipif(search.NAME not in NAMES, reason="cnn_search is not shipped yet")
def test_the_winner_of_the_search_is_the_best_complete_trial_and_small():
    card = store.read_card(search.NAME, SHIPPED)
    trials = pd.read_csv(SHIPPED / card.name / "trials.csv").set_index("number")
    found = card.training["search"]
    complete = trials[trials["state"] == "complete"]

    assert complete.loc[found["winner"], "shifted_auroc"] == complete["shifted_auroc"].max()
    assert found["trials"] == (trials["state"] != "failed").sum()
    assert card.parameters == complete.loc[found["winner"], "parameters"]
    assert card.parameters < search.MAX_PARAMETERS
