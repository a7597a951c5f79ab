import pandas as pd
import pytest
from toy import synthetic

from pneumo import DISCLAIMER
from pneumo.labels import SPLITS
from pneumo.model_store import store
from pneumo.results import card_figures, checklist, leaderboard, model_card

TITLES = [
    "Model details",
    "Uses",
    "Bias, risks and limits",
    "How to start",
    "Training",
    "Evaluation",
    "Environmental impact",
    "Citation",
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
    assert leaderboard.markdown_table(table) in parts["Evaluation"]
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

    assert parts["Evaluation"] == card_figures.table(card)
    assert "0.900 (0.800–1.000)" in parts["Evaluation"]
    assert command in parts["How to start"]
    assert "prevalence" not in parts["Bias, risks and limits"]


def test_the_document_holds_all_sections_and_both_lists(card, measurements, tmp_path):
    parts, listed = model_card.sections(card, measurements), checklist.items(card, tmp_path)

    document = model_card.markdown(card, parts, listed)

    assert document.startswith(f"# Toy model\n\n> {DISCLAIMER}\n")
    for title, text in parts.items():
        assert f"## {title}\n\n{text}" in document
    assert "## CLAIM 2024" in document and "## TRIPOD+AI" in document
    assert sum(line.startswith("| ") for line in document.splitlines()) > len(listed)


def test_an_interval_stands_on_one_line():
    assert model_card.unbroken("0.9 (0.8–1.0), A–B") == "0.9 (0.8\u2060–\u20601.0), A–B"
