import pandas as pd
import pytest
from toy import synthetic

from pneumo.errors import ModelError
from pneumo.model_store import store
from pneumo.model_store.store import SHIPPED
from pneumo.preprocessing.augmentation import Augmentation
from pneumo.results import model_facts

HISTORY = "epoch,loss,accuracy,val_loss,val_accuracy,val_auroc,shifted_loss,shifted_accuracy,shifted_auroc,seconds\n"
TRAINING = {
    "films": {"train": 4194, "validation": 1038},
    "epochs_run": 12,
    "epoch_kept": 9,
    "kept_by": "AUROC on val_shifted",
    "recipe": {"epochs": 12, "batch": 32, "learning_rate": 0.0003, "augmentation": {"min_area": 0.2}},
    "seconds": 3600.0,
    "hardware": "2 CPU cores",
    "data_fingerprint": "0123456789abcdef",
    "software": {"keras": "3.15.1"},
}


def test_models_of_one_title_are_told_apart_by_name():
    cards = [synthetic.card(name=name, title=title) for name, title in [("a", "CNN"), ("b", "CNN"), ("c", "VGG19")]]

    assert model_facts.labels(cards) == {"a": "CNN (a)", "b": "CNN (b)", "c": "VGG19"}


def test_the_facts_of_a_full_card():
    chosen = {"low": "sensitivity at least 0.98 on val_shifted"}
    thresholds = {"decision": 0.5, "low": 0.125, "high": 0.9, "chosen_on": chosen}

    facts = model_facts.card_facts(synthetic.card(training=TRAINING, thresholds=thresholds))

    assert facts["Initial weights"] == "random"
    assert facts["Recipe"] == "batch 32, learning rate 0.0003"
    assert facts["Augmentation"] == "min area 0.2"
    assert facts["Epochs"] == "12 run; epoch 9 kept by AUROC on validation films (Cropped and exposed anew)"
    assert facts["Films"] == "4,194 for training, 1,038 for validation"
    assert facts["Training time"] == "60 minutes"
    assert facts["Hardware"] == "2 CPU cores"
    assert facts["Data fingerprint"] == "0123456789ab"
    assert facts["Software"] == "keras 3.15.1"
    assert facts["Unlikely below"] == "0.125: sensitivity at least 0.98 on validation films (Cropped and exposed anew)"
    assert facts["Likely from"] == "0.900"
    assert facts["Test split opened"] == "never"
    assert facts["SHA-256 of model.keras"] == "0" * 64


def test_a_bare_card_leaves_out_what_it_does_not_say():
    facts = model_facts.card_facts(synthetic.card(training={}))

    assert not {"Epochs", "Films", "Recipe", "Training time", "Stands for"} & set(facts)


def test_the_facts_of_a_model_that_does_not_classify():
    thresholds = {"decision": 0.5, "chosen_on": {"decision": "one half"}}

    facts = model_facts.card_facts(
        synthetic.card(task="segmentation", training=TRAINING, thresholds=thresholds, calibration={})
    )

    assert facts["Decision threshold"] == "0.500: one half"
    assert not {"Unlikely below", "Likely from", "Calibration"} & set(facts)


@pytest.mark.parametrize("part", [{"training": []}, {"thresholds": {"decision": "half"}}, {"input": {}}])
def test_a_damaged_card_is_a_model_error(part):
    with pytest.raises(ModelError, match="damaged"):
        model_facts.card_facts(synthetic.card(**part))


def test_openings_are_counted_for_each_model():
    cards = [
        synthetic.card(name=name, title=name.upper(), test_openings=[{"date": "2026-11-21"}] * count)
        for name, count in [("b", 1), ("a", 1), ("c", 2), ("d", 3), ("e", 0)]
    ]

    assert model_facts.openings(cards) == ("Opened never: E. Opened once: A, B. Opened twice: C. Opened 3 times: D.")
    assert model_facts.openings([]) == ""


def test_training_curves_are_in_long_form(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "history.csv").write_text(
        HISTORY + "1,.7,.6,.65,.7,.8,.66,.68,.75,9\n2,.5,.7,.6,.75,.85,.6,.7,.8,9\n"
    )

    curves = model_facts.read_curves(synthetic.card(), tmp_path)

    assert len(curves) == 2 * 8
    assert set(curves[curves["figure"] == "auroc"]["films"]) == {"Validation", "Validation, cropped and exposed anew"}
    row = curves.query("epoch == 2 and figure == 'loss' and films == 'Validation, cropped and exposed anew'")
    assert row["value"].to_list() == [0.6]


def test_a_model_without_history_has_no_curves(tmp_path):
    assert model_facts.read_curves(synthetic.card(), tmp_path).empty
    assert model_facts.training_curves(pd.DataFrame({"loss": [1.0]})).empty


@pytest.mark.parametrize("content", ["", HISTORY + "1,a,b,c,d,e,f,g,h,i\n"])
def test_a_damaged_history_is_a_model_error(tmp_path, content):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "history.csv").write_text(content)

    with pytest.raises(ModelError, match="damaged"):
        model_facts.read_curves(synthetic.card(), tmp_path)


def test_the_gate_has_no_decision_threshold():
    facts = model_facts.card_facts(synthetic.card(task="screening", calibration={}, thresholds={"novelty": 3.1}))

    assert "Decision threshold" not in facts


def card_of(augmentation):
    return synthetic.card(training={"recipe": {"augmentation": augmentation}})


def test_the_recipe_is_read_from_the_card():
    stated = {"min_area": 0.5, "max_stretch": 1.3, "brightness": 0.1, "contrast": 0.2, "gamma": 0.3, "flip": 0.0}

    assert model_facts.augmentation(card_of(stated)) == Augmentation(**stated)
    assert model_facts.augmentation(synthetic.card(training={})) is None


@pytest.mark.parametrize(
    "stated", [{"min_area": "small"}, {"degrees": 3.0}, {"brightness": 7.0}, {"min_area": 0.0}, [1, 2]]
)
def test_a_damaged_recipe_is_a_model_error(stated):
    with pytest.raises(ModelError, match="toy"):
        model_facts.augmentation(card_of(stated))


def test_the_layers_of_a_network_hold_all_its_parameters():
    card = store.read_card("cnn", SHIPPED)

    kinds = model_facts.layer_kinds(card, SHIPPED)

    assert kinds["parameters"].sum() == card.parameters
    assert kinds.set_index("kind")["layers"].to_dict() == {
        **{"Dense": 2, "Conv2D": 2},
        **{"MaxPooling2D": 2, "InputLayer": 1, "Flatten": 1},
    }


def test_a_damaged_network_is_a_model_error(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "model.keras").write_bytes(b"no zip")

    with pytest.raises(ModelError, match="retrain"):
        model_facts.layer_kinds(synthetic.card(name="toy"), tmp_path)
