import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference
from toy import synthetic
from toy.measured import PUBLISHED, measured_model, measured_models

from pneumo.errors import ModelError
from pneumo.evaluation.intervals import wilson
from pneumo.labels import FIGURES, SPLITS
from pneumo.model_store import store
from pneumo.results import leaderboard
from pneumo.results.leaderboard import COLUMNS, ELSEWHERE, EXTERNAL, Latency

# Two normal films and three with pneumonia; at 0.5 one of each is called wrong.
LABELS = ["NORMAL", "NORMAL", "PNEUMONIA", "PNEUMONIA", "PNEUMONIA"]
PROBABILITY = [0.1, 0.6, 0.4, 0.8, 0.9]


def write(folder, name="toy", split="test", labels=LABELS, probability=PROBABILITY, **changes):
    """Write a model folder without a model; return its card."""
    card = synthetic.card(name=name, **changes)
    table = pd.DataFrame({"label": labels, "probability": probability, "pathogen": ""})
    table["file"] = [f"test/{label}/{row}.jpeg" for row, label in enumerate(labels)]
    table["patient"] = [f"P{row}" for row in range(len(labels))]
    store.write_predictions(table, name, split, folder)
    store.write_card(card, folder)
    return card


def test_a_hand_worked_measurement(tmp_path):
    card = write(tmp_path)

    measured = leaderboard.measure(card, "test", folder=tmp_path)

    cells = measured.metrics.confusion
    assert (cells.true_positive, cells.false_negative, cells.true_negative, cells.false_positive) == (2, 1, 1, 1)
    assert measured.label == "Toy model"
    # Of the six pairs of a normal and a sick film, five are in order.
    assert measured.metrics.auroc.value == pytest.approx(5 / 6)


def test_the_table_agrees_with_scikit_learn(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    probability = np.round((truth + rng.normal(0.5, 1, 200)).clip(0, 2) / 2, 3)
    card = write(tmp_path, labels=np.where(truth, "PNEUMONIA", "NORMAL"), probability=probability)

    row = leaderboard.table([leaderboard.measure(card, "test", folder=tmp_path)]).iloc[0]

    called = probability >= 0.5
    assert row["auroc"] == pytest.approx(reference.roc_auc_score(truth, probability))
    assert row["auprc"] == pytest.approx(reference.average_precision_score(truth, probability))
    assert row["accuracy"] == pytest.approx(reference.accuracy_score(truth, called))
    assert row["sensitivity"] == pytest.approx(reference.recall_score(truth, called))
    assert row["specificity"] == pytest.approx(reference.recall_score(1 - truth, ~called))
    assert row["precision"] == pytest.approx(reference.precision_score(truth, called))
    assert row["f1"] == pytest.approx(reference.f1_score(truth, called))
    assert row["brier"] == pytest.approx(reference.brier_score_loss(truth, probability))
    assert all(row[f"{figure}_low"] <= row[figure] <= row[f"{figure}_high"] for figure in FIGURES if figure != "ece")


def test_the_threshold_of_the_card_decides(tmp_path):
    card = write(tmp_path, thresholds={"decision": 0.3, "low": 0.2, "high": 0.8})

    metrics = leaderboard.measure(card, "test", folder=tmp_path).metrics

    assert metrics.sensitivity.value == 1.0
    assert metrics.threshold == 0.3


def test_the_best_model_comes_first_whichever_way_a_figure_points(tmp_path):
    good = write(tmp_path, "good", probability=[0.0, 0.1, 0.9, 0.9, 1.0], title="Good")
    poor = write(tmp_path, "poor", title="Poor")
    both = [leaderboard.measure(card, "test", folder=tmp_path) for card in (poor, good)]

    for figure in FIGURES:
        assert list(leaderboard.table(both, figure)["model"]) == ["Good", "Poor"]


def test_a_readable_table_has_value_and_interval(tmp_path):
    card = write(
        tmp_path, parameters=2259265, size_bytes=4_512_345, seed_system="Some system", test_openings=[{"date": "x"}] * 2
    )

    row = leaderboard.readable(leaderboard.table([leaderboard.measure(card, "test", folder=tmp_path)])).iloc[0]

    interval = wilson(3, 5)
    assert row["Accuracy"] == f"0.600 ({interval.low:.3f}–{interval.high:.3f})"
    assert row["Parameters"] == "2,259,265"
    assert row["Size"] == "4.5 MB"
    assert row["Test opened"] == "twice"
    assert row["Stands for"] == "Some system"


def test_films_of_one_class_have_no_auroc(tmp_path):
    card = write(tmp_path, labels=["NORMAL"] * 3, probability=[0.1, 0.2, 0.7])

    measured = leaderboard.measure(card, "test", folder=tmp_path)
    numbers = leaderboard.table([measured])

    assert leaderboard.readable(numbers)["AUROC"][0] == "–"
    assert numbers["specificity"].to_list() == [pytest.approx(2 / 3)]


def test_confusion_shares_are_of_the_truth(tmp_path):
    cells = leaderboard.confusion_table(leaderboard.measure(write(tmp_path), "test", folder=tmp_path).metrics.confusion)

    table = cells.set_index(["truth", "call"])
    assert table["films"].to_dict() == {
        ("Normal", "Normal"): 1,
        ("Normal", "Pneumonia"): 1,
        ("Pneumonia", "Normal"): 1,
        ("Pneumonia", "Pneumonia"): 2,
    }
    assert table.loc[("Pneumonia", "Pneumonia"), "share"] == pytest.approx(2 / 3)


def test_only_measured_splits_are_listed_in_a_fixed_order(tmp_path):
    cards = [write(tmp_path, "a", "val_shifted"), write(tmp_path, "b", "test"), write(tmp_path, "b", "unheard_of")]

    assert leaderboard.splits(cards, tmp_path) == ["test", "val_shifted"]
    assert set(leaderboard.splits(cards, tmp_path)) <= set(SPLITS)


def test_the_state_follows_the_predictions_and_the_card(tmp_path):
    card = write(tmp_path)
    before = leaderboard.state(card, "test", tmp_path)

    assert leaderboard.state(card, "test", tmp_path) == before
    write(tmp_path, probability=[0.2, *PROBABILITY[1:]])
    assert leaderboard.state(card, "test", tmp_path) != before
    write(tmp_path)
    store.write_card(dataclasses.replace(card, thresholds=card.thresholds | {"decision": 0.6}), tmp_path)
    assert leaderboard.state(card, "test", tmp_path) != before


@pytest.mark.parametrize(
    "content",
    [
        "",
        "file,patient\nx,y\n",
        "file,patient,label,pathogen,probability\na,P,NORMAL,,seven\n",
        "file,patient,label,pathogen,probability\na,P,NORMAL,,1.5\n",
        "file,patient,label,pathogen,probability\n",
    ],
)
def test_damaged_predictions_are_one_error_with_a_remedy(tmp_path, content):
    card = write(tmp_path)
    (tmp_path / "toy" / "predictions" / "test.csv").write_text(content)

    with pytest.raises(ModelError, match="evaluate"):
        leaderboard.measure(card, "test", folder=tmp_path)


def test_a_card_without_thresholds_is_a_model_error(tmp_path):
    write(tmp_path)

    with pytest.raises(ModelError, match="thresholds"):
        leaderboard.measure(synthetic.card(thresholds={}), "test", folder=tmp_path)


def test_a_split_without_predictions_is_a_model_error(tmp_path):
    card = write(tmp_path)

    with pytest.raises(ModelError, match="not measured on val"):
        leaderboard.state(card, "val", tmp_path)


def test_extent_counts_films_and_patients(tmp_path):
    assert leaderboard.extent([leaderboard.measure(write(tmp_path), "test", folder=tmp_path)]) == (
        "5 films of 5 patients"
    )


def test_the_three_answers_are_counted_by_kind_of_film(tmp_path):
    card = write(
        tmp_path, probability=[0.1, 0.5, 0.9, 0.89, 0.05], thresholds={"decision": 0.5, "low": 0.1, "high": 0.9}
    )
    path = tmp_path / "toy" / "predictions" / "test.csv"
    table = pd.read_csv(path).assign(pathogen=["", "", "bacteria", "bacteria", "virus"])
    table.to_csv(path, index=False)

    counted = leaderboard.answers(card, "test", tmp_path)

    assert counted.to_numpy().tolist() == [
        ["Normal", 2, 0, 2, 0],
        ["Bacterial pneumonia", 2, 1, 1, 0],
        ["Viral pneumonia", 1, 0, 0, 1],
    ]


def test_the_markdown_table_has_a_row_for_each_measured_model(tmp_path):
    write(tmp_path, name="one")
    write(tmp_path, name="two", split="val")

    lines = leaderboard.markdown("test", tmp_path).splitlines()

    assert len(lines) == 3
    assert lines[0].startswith("| Model | AUROC | Accuracy | Sensitivity | Specificity |")
    assert "| 0.833 (" in lines[2]
    with pytest.raises(ModelError, match="evaluate"):
        leaderboard.markdown("external_nih", tmp_path)


def test_only_classifiers_stand_on_the_leaderboard(tmp_path):
    write(tmp_path, name="one")
    write(tmp_path, name="lungs", task="segmentation", calibration={}, thresholds={"decision": 0.5})

    assert len(leaderboard.markdown("test", tmp_path).splitlines()) == 3


def test_a_model_decides_on_the_films_beyond_its_thresholds(tmp_path):
    card = write(tmp_path, name="toy")
    path = tmp_path / "toy" / "predictions" / "test.csv"
    pd.read_csv(path).assign(probability=[0.1, 0.9, 0.5, 0.9, 0.95]).to_csv(path, index=False)

    decided = leaderboard.decided(card, "test", tmp_path)

    assert decided.coverage.value == pytest.approx(4 / 5)
    assert decided.error.value == pytest.approx(1 / 4)


@pytest.fixture
def measurements(tmp_path):
    return measured_models(tmp_path)


def test_a_row_a_model_and_a_row_a_published_result(measurements):
    table = leaderboard.rows(measurements, results=[PUBLISHED])

    assert table["system"].tolist() == ["GOOD", "POOR", "Other <b>net</b>"]
    assert table["kind"].tolist() == ["model", "model", "published"]
    good, poor, other = (table.iloc[row] for row in range(3))
    for figure in FIGURES:
        estimate = measurements[1].metrics.estimates()[figure]
        assert (good[figure], good[f"{figure}_low"], good[f"{figure}_high"]) == (
            estimate.value,
            estimate.low,
            estimate.high,
        )
    assert (poor["size_mb"], poor["seed_system"]) == (2.1, "Some notebook")
    assert (other["accuracy"], other["sensitivity"]) == (0.9, 0.8)
    assert (other["accuracy_low"], other["accuracy_high"]) == (
        PUBLISHED.accuracy_interval.low,
        PUBLISHED.accuracy_interval.high,
    )
    assert other["source"] == "Someone 2020; test; chosen on test"
    assert pd.isna(other["auroc"]) and pd.isna(other["parameters"])


def test_the_external_auroc_stands_beside_the_model_it_is_of(measurements, tmp_path):
    external = measured_model(tmp_path, "poor", [0.9, 0.6, 0.4, 0.8, 0.1], split="external_nih")

    table = leaderboard.rows(measurements, [external]).set_index("system")

    auroc = external.metrics.auroc
    assert table.loc["POOR", [EXTERNAL, f"{EXTERNAL}_low", f"{EXTERNAL}_high"]].tolist() == [
        auroc.value,
        auroc.low,
        auroc.high,
    ]
    assert pd.isna(table.loc["GOOD", EXTERNAL])


def test_latency_belongs_to_the_file_it_was_measured_with(measurements):
    table = leaderboard.rows(measurements, latencies={"good" * 10: Latency(11, 22)}).set_index("system")

    assert table.loc["GOOD", ["p50", "p95", "machine"]].tolist() == [11, 22, "this machine"]
    assert table.loc["POOR", ["p50", "p95", "machine"]].isna().all()


def test_a_latency_that_ships_is_shown_with_its_machine_until_one_is_measured_here(measurements):
    stored = {"p50": 7.6, "p95": 9.0, "films": 3, "hardware": "2 <cores>"}
    card = dataclasses.replace(measurements[0].card, latency=stored)
    shipped = [dataclasses.replace(measurements[0], card=card)]

    table = leaderboard.rows(shipped)
    here = leaderboard.rows(shipped, latencies={card.sha256: Latency(1, 2)})

    assert table.loc[0, ["p50", "p95", "machine"]].tolist() == [7.6, 9.0, "2 <cores>"]
    assert here.loc[0, ["p50", "p95", "machine"]].tolist() == [1, 2, "this machine"]


@pytest.mark.parametrize("key", list(COLUMNS))
def test_the_best_of_a_column_comes_first_and_what_is_not_known_last(measurements, key):
    column = COLUMNS[key]
    rows = leaderboard.rows(measurements, results=[PUBLISHED])
    table = leaderboard.in_order(rows, key, higher_is_better=column.higher_is_better)

    known = table[key].dropna()
    assert table[key].isna().to_numpy().tolist() == [False] * len(known) + [True] * (3 - len(known))
    if len(known) > 1:
        assert known.is_monotonic_decreasing if column.higher_is_better else known.is_monotonic_increasing


@pytest.mark.parametrize(
    ("text", "found"),
    [("go", ["GOOD"]), ("NOTEBOOK", ["POOR"]), ("someone", ["Other <b>net</b>"]), (" ", 3), ("(", []), ("nobody", [])],
)
def test_the_search_looks_at_systems_and_sources(measurements, text, found):
    table = leaderboard.matching(leaderboard.rows(measurements, results=[PUBLISHED]), text)

    assert len(table) == found if isinstance(found, int) else table["system"].tolist() == found


def test_missed_and_false_alarms_are_the_rest_of_sensitivity_and_specificity(measurements):
    rows = leaderboard.rows(measurements)

    for share, rest in (("missed", "sensitivity"), ("alarms", "specificity")):
        assert rows[share].to_numpy() == pytest.approx(1 - rows[rest].to_numpy())
        assert rows[f"{share}_low"].to_numpy() == pytest.approx(1 - rows[f"{rest}_high"].to_numpy())


def test_the_few_columns_to_see_first_are_six_and_begin_with_what_rows_are_sorted_by():
    assert leaderboard.shown_first("test") == ["accuracy", "missed", "alarms", ELSEWHERE, "p50", "size_mb"]
    assert list(leaderboard.columns("test"))[:6] == leaderboard.shown_first("test")


@pytest.mark.parametrize("split", ["val_without_lungs", "val_surroundings_only"])
def test_a_test_to_lose_is_sorted_by_the_lowest_auroc_and_tells_nothing_of_calls(split, measurements):
    known = leaderboard.columns(split)

    rows = leaderboard.in_order(
        leaderboard.rows(measurements), "auroc", higher_is_better=known["auroc"].higher_is_better
    )

    assert rows["system"].tolist() == ["POOR", "GOOD"]
    assert next(iter(known)) == leaderboard.shown_first(split)[0] == "auroc"
    assert not {"accuracy", "missed", "alarms", "sensitivity", "brier"} & set(known)
    assert set(leaderboard.shown_first(split)) <= set(known)
