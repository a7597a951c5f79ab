import json
import shutil

import numpy as np
import pandas as pd
import pytest
from toy import synthetic
from toy.command_line import pneumo

from pneumo.errors import ModelError
from pneumo.evaluation.comparison import Difference, delong, interval, mcnemar
from pneumo.model_store import store
from pneumo.results.comparison import Comparison, all_pairs, compare, markdown, matrix

FILMS = 120


def write(folder, name, noise, films=FILMS, split="test", **changes):
    """Write the folder of a model that tells the same films apart, the worse the more noise; return its predictions."""
    labels = np.arange(films) % 2
    table = pd.DataFrame({"label": np.where(labels, "PNEUMONIA", "NORMAL"), "pathogen": ""})
    table["file"] = [f"test/{row:03d}.jpeg" for row in range(films)]
    table["patient"] = [f"P{row // 4}-{row % 2}" for row in range(films)]
    seen = labels - 0.5 + np.random.default_rng(len(name)).normal(0, noise, films)
    table["probability"] = (1 / (1 + np.exp(-4 * seen))).round(6)
    store.write_predictions(table, name, split, folder)
    store.write_card(synthetic.card(**({"name": name, "title": name.capitalize()} | changes)), folder)
    return table


@pytest.fixture
def models(tmp_path):
    """Three models of the same films: `good`, `poor`, and `alike`, as good as `good`."""
    for name, noise in (("good", 0.2), ("poor", 1.5), ("alike", 0.2)):
        write(tmp_path, name, noise)
    return tmp_path


def change(folder, name, changed):
    path = folder / name / "predictions" / "test.csv"
    changed(pd.read_csv(path)).to_csv(path, index=False)


def test_a_comparison_is_that_of_the_predictions(models):
    good, poor = (store.read_predictions(name, "test", models) for name in ("good", "poor"))
    labels, patients = (good["label"] == "PNEUMONIA").to_numpy(int), good["patient"].to_numpy(str)
    scores = [table["probability"].to_numpy() for table in (good, poor)]

    told = compare("good", "poor", "test", models)

    assert told.auroc == delong(labels, *scores, patients)
    assert told.auroc_by_film == delong(labels, *scores)
    by_patient = mcnemar(labels, *(score >= 0.5 for score in scores), patients)
    assert told.accuracy == by_patient.accuracy
    assert told.accuracy_by_film == mcnemar(labels, *(score >= 0.5 for score in scores)).accuracy
    assert (told.only_first_right, told.only_second_right) == (
        by_patient.only_first_right,
        by_patient.only_second_right,
    )
    assert (told.films, told.patients, told.split) == (FILMS, FILMS // 2, "test")
    assert (told.first, told.second, told.first_title, told.second_title) == ("good", "poor", "Good", "Poor")


def test_each_model_is_judged_at_its_own_threshold(models):
    write(models, "strict", 0.2, thresholds={"decision": 1.0, "low": 0.2, "high": 1.0})

    told = compare("good", "strict", "test", models)

    # The strict one calls no film pneumonia.
    right = store.read_predictions("good", "test", models).eval("(probability >= 0.5) == (label == 'PNEUMONIA')")
    assert told.accuracy.value == pytest.approx(right.mean() - 0.5)


def test_the_order_of_the_files_does_not_matter(models):
    before = compare("good", "poor", "test", models)

    change(models, "poor", lambda table: table.sample(frac=1, random_state=3))

    assert compare("good", "poor", "test", models) == before


def test_models_of_one_title_are_told_apart(models):
    write(models, "other", 0.3, title="Good")

    told = compare("good", "other", "test", models)

    assert (told.first_title, told.second_title) == ("Good (good)", "Good (other)")


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        (lambda table: table.iloc[:-1], "of 120 and 119 films they share 119"),
        (lambda table: table.assign(file="new-" + table["file"]), "they share 0"),
        (lambda table: table.assign(patient=["other", *table["patient"][1:]]), "they share 119"),
        (lambda table: table.assign(label=["PNEUMONIA", *table["label"][1:]]), "they share 119"),
        (lambda table: pd.concat([table, table.iloc[:1]]), "twice"),
        (lambda table: table.assign(label="COVID"), "a label is unknown"),
        (lambda table: table.assign(probability="seven"), "seven"),
        (lambda table: table.assign(probability=np.nan), "damaged"),
        (lambda table: table.assign(probability=1.5), "not in 0…1"),
        (lambda table: table.drop(columns="patient"), "lacks patient"),
    ],
)
def test_predictions_that_cannot_be_compared_are_one_error_with_a_remedy(models, changed, complaint):
    change(models, "poor", changed)

    with pytest.raises(ModelError, match="evaluate") as raised:
        compare("good", "poor", "test", models)
    assert complaint in str(raised.value)


def test_films_of_one_class_are_a_model_error(models):
    for name in ("good", "poor"):
        change(models, name, lambda table: table[table["label"] == "NORMAL"])

    with pytest.raises(ModelError, match=r"good and poor cannot be compared on test: .* both classes"):
        compare("good", "poor", "test", models)


def told(auroc, accuracy):
    """Return a comparison of A and B with two differences, each with the interval that lies around it."""
    auroc, accuracy = (Difference(value, value - width, value + width, p) for value, width, p in (auroc, accuracy))
    return str(Comparison("a", "b", "A", "B", "test", 9, 9, auroc, auroc, accuracy, accuracy, 1, 1))


def test_a_comparison_is_a_plain_sentence_for_each_figure():
    ahead, behind, level = (0.02, 0.01, 0.003), (-0.02, 0.01, 0.003), (0.004, 0.024, 0.6)

    assert told(ahead, level) == (
        "AUROC: A beats B by 0.020 (0.010–0.030, p = 0.003). "
        "Accuracy: A and B cannot be told apart, difference 0.004 (−0.020–0.028, p = 0.600)."
    )
    assert told(level, behind) == (
        "AUROC: A and B cannot be told apart, difference 0.004 (−0.020–0.028, p = 0.600). "
        "Accuracy: B beats A by 0.020 (0.010–0.030, p = 0.003)."
    )
    assert told((0.5, np.nan, np.nan), level).startswith(
        "AUROC: A and B cannot be told apart, difference 0.500 (too few patients for an interval). "
    )


def test_the_table_has_a_row_for_each_model_compared_with(models):
    lines = markdown("good", ["poor", "alike"], "test", models).splitlines()

    one = compare("good", "poor", "test", models)
    assert lines[0] == "| Against | AUROC | Accuracy | Right alone | AUROC, by film | Accuracy, by film |"
    assert len(lines) == 4
    assert lines[2].startswith(f"| Poor | {one.auroc} | {one.accuracy} | {one.only_first_right} : ")
    assert lines[2].endswith(f" | {interval(one.accuracy_by_film)} |")


def test_the_command_prints_a_table_and_a_sentence_for_each_model(models):
    result = pneumo("compare", "good", "poor", "alike", "--models", models)

    assert result.exit_code == 0
    assert result.stderr == ""
    assert "Good less each, on test, 120 films of 60 patients" in result.stdout
    for name in ("poor", "alike"):
        assert str(compare("good", name, "test", models)) in result.stdout


def test_the_command_prints_json_and_markdown(models):
    recorded = json.loads(pneumo("compare", "good", "poor", "alike", "--models", models, "--json").stdout)
    table = pneumo("compare", "good", "poor", "alike", "--models", models, "--markdown").stdout

    one = compare("good", "poor", "test", models)
    assert [record["second"] for record in recorded] == ["poor", "alike"]
    assert recorded[0]["auroc"] == {
        "value": one.auroc.value,
        "low": one.auroc.low,
        "high": one.auroc.high,
        "p_value": one.auroc.p_value,
    }
    assert recorded[0]["sentence"] == str(one)
    assert table == markdown("good", ["poor", "alike"], "test", models) + "\n"


def test_json_has_null_for_what_too_few_patients_cannot_tell(tmp_path):
    for name, noise in (("one", 0.1), ("other", 2)):
        write(tmp_path, name, noise, films=4)

    record = json.loads(pneumo("compare", "one", "other", "--models", tmp_path, "--json").stdout)[0]

    assert record["auroc"]["low"] is record["auroc"]["p_value"] is None
    assert "too few patients" in record["sentence"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["good", "lenet"], "no model 'lenet'"),
        (["lenet", "good"], "Choose one of: alike, good, poor."),
        (["good", "poor", "lenet", "--json"], "no model 'lenet'"),
        (["good", "lungs"], "for segmentation"),
        (["good", "poor", "--split", "val"], "not measured on val"),
        (["good", "short"], "not measured on the same films"),
        (["good"], "Missing argument"),
        ([], "Missing argument"),
    ],
)
def test_a_comparison_that_cannot_be_made_says_why_and_exits_with_2(models, arguments, complaint):
    write(models, "short", 0.2, films=8)
    write(models, "lungs", 0.2, task="segmentation")
    if "Choose" in complaint:
        shutil.rmtree(models / "short")

    result = pneumo("compare", *arguments, "--models", models)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert complaint in " ".join(result.stderr.replace("│", " ").split())


def test_a_difference_too_small_to_matter_is_practically_equal_whatever_its_p_value():
    small = (0.003, 0.002, 0.04)

    assert told(small, (0.0, 0.016, 1.0)) == (
        "AUROC: A and B are practically equal, difference 0.003 (0.001–0.005, p = 0.040). "
        "Accuracy: A and B are practically equal, difference 0.000 (−0.016–0.016, p = 1.000)."
    )


def test_more_than_two_models_are_a_matrix_that_reads_both_ways(models):
    shown = matrix(all_pairs(["good", "poor", "alike"], "test", models))

    assert shown.loc["Good", "Poor"] == "better" and shown.loc["Poor", "Good"] == "worse"
    assert [shown.loc[each, each] for each in shown.index] == ["–"] * 3
    pair = compare("good", "alike", "test", models)
    assert not (pair.first_is_better or pair.second_is_better)
    assert shown.loc["Good", "Alike"] == shown.loc["Alike", "Good"]
