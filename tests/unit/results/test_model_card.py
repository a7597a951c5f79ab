import dataclasses

import pandas as pd
import pytest
from toy import synthetic

from pneumo import DISCLAIMER
from pneumo.errors import PneumoError
from pneumo.evaluation.metrics import Confusion
from pneumo.labels import SPLITS
from pneumo.model_store import store
from pneumo.results import leaderboard, markdown_tables, model_card, model_facts
from pneumo.results.model_card import IN_PART, MET, NEEDS, NOT_APPLICABLE, NOT_MET

TITLES = [
    "At a glance",
    "Model details",
    "Uses",
    "Bias, risks and limits",
    "How to start",
    "Training",
    "Evaluation",
    "Environmental impact",
    "Citation",
    "Hashes",
]


@pytest.fixture
def card():
    training = {"seconds": 600.0, "hardware": "2 CPU cores", "software": {"keras": "3.15"}, "split_rule": "by patient"}
    return synthetic.card(training=training, test_openings=[{"date": "2026-11-21"}], seed_system="A notebook")


@pytest.fixture
def measurements(card, tmp_path):
    table = pd.DataFrame(
        {"label": ["NORMAL", "NORMAL", "PNEUMONIA", "PNEUMONIA"], "pathogen": "", "file": list("abcd")}
    )
    table = table.assign(patient=list("wxyz"), probability=[0.1, 0.6, 0.7, 0.9])
    found = {}
    for split in ("external_nih", "test"):
        store.write_predictions(table, "toy", split, tmp_path)
        found[split] = leaderboard.measure(card, split, folder=tmp_path)
    return found


def test_a_card_has_every_section(card, measurements):
    parts = model_card.sections(card, measurements)

    assert list(parts) == TITLES
    assert all(parts.values())
    assert "A notebook" in parts["Model details"] and "once" in parts["Model details"]
    assert "by patient" in parts["Training"]
    assert "python -m pneumo predict film.png --model toy" in parts["How to start"]
    assert "10 minutes" in parts["Environmental impact"] and "2 CPU cores" in parts["Environmental impact"]
    assert "not measured" in parts["Environmental impact"]


def test_the_evaluation_is_that_of_the_predictions(card, measurements):
    table = model_card.evaluation_table(measurements)
    parts = model_card.sections(card, measurements)

    assert table["Films"].tolist() == [f"{SPLITS[split].title} (4)" for split in ("test", "external_nih")]
    assert table["AUROC"][0] == str(measurements["test"].metrics.auroc)
    assert markdown_tables.table(table) in parts["Evaluation"]
    assert str(measurements["external_nih"].metrics.auroc) in parts["Bias, risks and limits"]


def test_a_model_that_was_not_measured_says_how_to(card):
    parts = model_card.sections(card, {})

    assert "python -m pneumo evaluate toy" in parts["Evaluation"]
    assert "another hospital" not in parts["Bias, risks and limits"]


@pytest.mark.parametrize(("task", "command"), [("segmentation", "pneumo lungs"), ("screening", "pneumo check")])
def test_other_networks_have_the_figures_of_their_cards(task, command):
    metrics = {"test": {"films": 3, "dice": {"value": 0.9, "low": 0.8, "high": 1.0}}}
    card = synthetic.card(task=task, calibration={}, metrics=metrics)

    parts = model_card.sections(card, {})

    assert parts["Evaluation"] == model_facts.table(card)
    assert "0.900 (0.800–1.000)" in parts["Evaluation"]
    assert command in parts["How to start"]
    assert "prevalence" not in parts["Bias, risks and limits"]


def test_the_document_holds_all_sections_and_both_lists(card, measurements, tmp_path):
    parts, listed = model_card.sections(card, measurements), model_card.checklist(card, tmp_path)

    document = model_card.markdown(card, parts, listed)

    assert document.startswith(f"# Toy model\n\n> {DISCLAIMER}\n")
    for title, text in parts.items():
        assert f"## {title}\n\n{text}" in document
    assert "## CLAIM 2024" in document and "## TRIPOD+AI" in document
    assert sum(line.startswith("| ") for line in document.splitlines()) > len(listed)


def test_an_interval_stands_on_one_line():
    assert markdown_tables.unbroken("0.9 (0.8–1.0), A–B") == "0.9 (0.8\u2060–\u20601.0), A–B"


def measured(folder, *splits):
    for split in splits:
        path = folder / "toy" / "predictions" / f"{split}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return folder


def status(folder, guideline, number, **changes):
    (found,) = (
        each
        for each in model_card.checklist(synthetic.card(**changes), folder)
        if (each.guideline, each.number) == (guideline, number)
    )
    return found.status, found.reason


def test_every_item_of_both_guidelines_is_there_once(tmp_path):
    listed = model_card.checklist(synthetic.card(), tmp_path)

    numbers = {name: [each.number for each in listed if each.guideline == name] for name in ("CLAIM 2024", "TRIPOD+AI")}
    assert numbers["CLAIM 2024"] == [str(number) for number in range(1, 45)]
    mains = dict.fromkeys(number.rstrip("abcdefg") for number in numbers["TRIPOD+AI"])
    assert list(mains) == [str(number) for number in range(1, 28)]
    assert len(set(numbers["TRIPOD+AI"])) == len(numbers["TRIPOD+AI"]) == 52
    assert all(each.asks and each.reason for each in listed)


def test_every_need_is_asked_for():
    table = pd.read_csv(model_card.CHECKLIST, keep_default_na=False)

    assert set(table["needs"]) - {""} == set(NEEDS)


def test_external_testing_is_met_by_models_that_were_tested_elsewhere_only(tmp_path):
    assert status(tmp_path, "CLAIM 2024", "33") == (NOT_MET, "the model was not measured at another hospital")
    assert status(measured(tmp_path, "external_nih"), "CLAIM 2024", "33")[0] == MET


def test_the_test_split_is_asked_for(tmp_path):
    assert status(tmp_path, "TRIPOD+AI", "12e")[0] == NOT_MET
    assert status(measured(tmp_path, "test"), "TRIPOD+AI", "12e")[0] == MET


def test_ensembling_applies_to_ensembles_only(tmp_path):
    assert status(tmp_path, "CLAIM 2024", "27") == (NOT_APPLICABLE, "the model is a single network")
    assert status(tmp_path, "CLAIM 2024", "27", members=[{"name": "a"}])[0] == MET
    assert status(tmp_path, "CLAIM 2024", "31", cam_layer=None)[0] == NOT_MET


def test_the_summary_counts_every_item(tmp_path):
    listed = model_card.checklist(synthetic.card(), tmp_path)

    counts = [sum(each.status == wanted for each in listed) for wanted in (MET, IN_PART, NOT_MET, NOT_APPLICABLE)]
    assert sum(counts) == len(listed)
    met, part, missing, beside = counts
    assert model_card.checklist_summary(listed) == (
        f"{met} of {len(listed)} met, {part} in part, {missing} not met, {beside} not applicable"
    )
    assert set(model_card.readable_checklist(listed)["Status"]) == set(model_card.STATUSES.values())


@pytest.mark.parametrize(
    "content",
    [
        "",
        "a,b\n1,2\n",
        "guideline,item,asks,status,needs,reason\nX,1,asks,perhaps,,why\n",
        "guideline,item,asks,status,needs,reason\nX,1,asks,met,luck,why\n",
        "guideline,item,asks,status,needs,reason\nX,1,asks,met,,\n",
    ],
)
def test_a_damaged_list_is_one_error(tmp_path, content):
    path = tmp_path / "list.csv"
    path.write_text(content)

    with pytest.raises(PneumoError):
        model_card.checklist(synthetic.card(), tmp_path, path)


def test_at_a_glance_tells_children_of_100_and_that_a_model_was_measured_nowhere_else(card, measurements, tmp_path):
    del measurements["external_nih"]
    (tmp_path / "toy" / "predictions" / "external_nih.csv").unlink()

    glance = model_card.sections(card, measurements, tmp_path)["At a glance"]

    assert "(Official test split, 4 films) it finds 100 of 100 pneumonias and raises 50 false alarms" in glance
    assert "Not measured at another hospital." in glance


def test_hashes_come_last_and_nowhere_else(card, measurements):
    weights = "imagenet.h5 (sha256 abc)"
    card = dataclasses.replace(card, initial_weights=weights, training={"data_fingerprint": "f" * 64})

    parts = model_card.sections(card, measurements)

    assert weights in parts["Hashes"] and card.sha256 in parts["Hashes"] and "f" * 64 in parts["Hashes"]
    assert "abc" not in parts["Model details"] and card.sha256 not in parts["Model details"]


def test_the_commands_make_and_compare_this_very_model(tmp_path):
    for name in ("one", "other"):
        store.write_predictions(pd.DataFrame(columns=store.PREDICTION_COLUMNS), name, "val", tmp_path)
        store.write_card(synthetic.card(name=name), tmp_path)
    card = synthetic.card(name="one", initial_weights="ImageNet", training={"hospitals": {}})

    found = model_card.commands(card, tmp_path)

    assert found["Make"] == (
        "python -m pneumo train one --data data/chest_xray --hospitals data/hospitals --weights imagenet"
    )
    assert found["Compare"] == "python -m pneumo compare one other"


def test_what_joins_others_is_made_after_those_that_do_not_ship_themselves(tmp_path):
    members = [{"name": "inside", "training": {"hospitals": {}}}, {"name": "shipped", "training": {}}]
    store.write_predictions(pd.DataFrame(columns=store.PREDICTION_COLUMNS), "shipped", "val", tmp_path)
    store.write_card(synthetic.card(name="shipped"), tmp_path)
    card = synthetic.card(name="joined", members=members, training={"hospitals": {}})

    assert model_card.commands(card, tmp_path)["Make"] == (
        "python -m pneumo train inside --data data/chest_xray --hospitals data/hospitals && "
        "python -m pneumo train joined --data data/chest_xray"
    )


def test_a_confusion_matrix_in_words():
    assert model_card.matrix_text(Confusion(384, 6, 209, 25)) == (
        "Of 390 films with pneumonia it finds 384 and misses 6; of 234 normal films it calls 209 normal and raises 25 "
        "false alarms."
    )
    assert model_card.rates_text(Confusion(384, 6, 209, 25)).startswith("Sensitivity, 98.5 % (96.7–99.3): the share")
