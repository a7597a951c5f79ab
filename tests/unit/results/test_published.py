import re

import pytest
from toy.measured import measured_model

from pneumo.datasets import samples, summary
from pneumo.errors import PneumoError
from pneumo.model_store import store
from pneumo.networks.classifiers import REGISTRY
from pneumo.results import published
from pneumo.results.published import Published

HEADER = ",".join(published.COLUMNS) + "\n"


def result(**changes):
    blank = dict.fromkeys(published.FIGURES)
    words = {"system": "CNN", "stands_for": "", "split": "test", "source": "Someone 2020", "note": ""}
    return Published(**(blank | words | changes))


@pytest.mark.parametrize("each", published.load(), ids=lambda each: f"{each.system}-{each.source}")
def test_every_result_has_a_source_and_figures_from_0_to_1(each):
    figures = [each.accuracy, each.auroc, each.precision, each.recall]

    assert each.system
    assert each.source
    assert each.split in published.SPLITS
    assert all(0 <= figure <= 1 for figure in figures if figure is not None)
    # Below it would be a percentage that was divided twice, or a test loss.
    assert all(figure > 0.5 for figure in figures if figure is not None)
    assert each.accuracy is not None or "no figure stated" in each.note


def test_what_stands_for_a_result_is_an_architecture_of_pneumo():
    named = {each.stands_for for each in published.load()} - {""}

    assert named <= {*REGISTRY, "cnn_search"}


def test_every_architecture_that_stands_for_a_published_system_has_its_results():
    named = {each.stands_for for each in published.load()}

    assert {name for name, architecture in REGISTRY.items() if architecture.seed_system} <= named


def test_no_result_stands_there_twice():
    results = published.load()

    assert len(results) == len(set(results))


def test_the_interval_is_wilsons_on_624_films():
    # By hand, for 571 of 624 films: centre 0.91252, half width 0.02195.
    interval = result(accuracy=0.915).accuracy_interval

    assert interval.value == 0.915
    assert interval.low == pytest.approx(0.8906, abs=5e-5)
    assert interval.high == pytest.approx(0.9345, abs=5e-5)


@pytest.mark.parametrize("changes", [{"accuracy": 0.9, "split": "val"}, {"accuracy": 0.9, "split": "not stated"}, {}])
def test_only_a_test_accuracy_has_an_interval(changes):
    assert result(**changes).accuracy_interval is None


def test_a_figure_is_shown_with_the_digits_of_its_source_and_a_dash_where_there_is_none():
    shown = published.readable([result(accuracy=0.62, split="val"), result(accuracy=0.915, auroc=0.97), result()])

    assert list(shown["Accuracy"]) == ["0.62", "0.915 (0.891–0.934)", "–"]
    assert list(shown["AUROC"]) == ["–", "0.97", "–"]
    assert set(shown["Figures"]) == {"published"}


def test_precision_and_recall_are_told_in_the_note():
    shown = published.readable([result(precision=0.967, recall=0.973, note="chosen on validation"), result()])

    assert list(shown["Note"]) == ["precision 0.967; recall 0.973; chosen on validation", "–"]


def test_the_sentences_on_how_to_read_them_count_the_films_right():
    labels = store.read_predictions("dense", "test")["label"]
    counts = summary.load(samples.FOLDER).counts
    validation = counts.loc[counts["split"] == "val", "films"].sum()

    assert len(labels) == published.OFFICIAL_TEST_FILMS
    assert f"validation folder has {validation} films" in published.HOW_TO_READ
    assert f"accuracy of {(labels == 'PNEUMONIA').mean()} is what calling every film pneumonia" in published.HOW_TO_READ


@pytest.mark.parametrize(
    "line, complaint",
    [
        ("CNN,cnn,95.7,,,,test,Someone,", "row 1: accuracy 95.7 is no share"),
        ("CNN,cnn,,-0.1,,,test,Someone,", "row 1: auroc -0.1 is no share"),
        ("CNN,cnn,,,nan,,test,Someone,", "row 1: precision nan is no share"),
        ("CNN,cnn,high,,,,test,Someone,", "row 1: could not convert"),
        ("CNN,cnn,0.9,,,,train,Someone,", "row 1: there is no split 'train'"),
        (",cnn,0.9,,,,test,Someone,", "row 1: the system or its source is missing"),
        ("CNN,cnn,0.9,,,,test,,", "row 1: the system or its source is missing"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, line, complaint):
    path = tmp_path / "published.csv"
    path.write_text(HEADER + line + "\n", "utf-8")

    with pytest.raises(PneumoError, match=complaint):
        published.load(path)


def test_a_missing_or_foreign_table_is_named(tmp_path):
    foreign = tmp_path / "foreign.csv"
    foreign.write_text("a,b\n1,2\n", "utf-8")

    with pytest.raises(PneumoError, match=re.escape("foreign.csv has other columns")):
        published.load(foreign)
    with pytest.raises(PneumoError, match=re.escape("none.csv cannot be read")):
        published.load(tmp_path / "none.csv")


def rebuilt_rows(tmp_path):
    ours = [
        measured_model(tmp_path, name, probability, architecture=name, seed_system="x")
        for name, probability in (("higher", [0.1, 0.2, 0.7, 0.8, 0.9]), ("lower", [0.9, 0.9, 0.9, 0.1, 0.1]))
    ]
    ours.append(measured_model(tmp_path, "own", [0.1, 0.2, 0.7, 0.8, 0.9]))
    stated = [("A", "higher", 0.5, "test"), ("A", "higher", 0.7, "val"), ("B", "lower", 0.6, "not stated")]
    nothing = [("C", "higher", None, "not stated"), ("D", "own", 0.9, "test"), ("E", "", 0.9, "test")]
    results = [
        Published(system, stands, accuracy, None, None, None, split, "someone", "")
        for system, stands, accuracy, split in stated + nothing
    ]
    return published.rebuilt(results, ours)


def test_a_rebuilt_system_stands_beside_all_that_was_published_of_it(tmp_path):
    rows = rebuilt_rows(tmp_path)

    assert rows[["system", "figures", "films"]].to_numpy().tolist() == [
        ["A", "Published", "Test"],
        ["A", "Published", "Validation"],
        ["A", "Rebuilt by pneumo", "Test"],
        ["B", "Published", "Not stated"],
        ["B", "Rebuilt by pneumo", "Test"],
        ["C", "Rebuilt by pneumo", "Test"],
    ]
    assert rows.loc[rows["system"] == "A", "accuracy"].tolist() == [0.5, 0.7, 1.0]
    assert rows["low"].notna().tolist() == (rows["figures"] == published.REBUILT).tolist()


def test_where_the_rebuilt_one_is_not_higher_is_said(tmp_path):
    assert published.rebuilt_text(rebuilt_rows(tmp_path)) == [
        "Higher than every published figure: A.",
        "Not higher: B (20.0 % against 60.0 % on other films).",
        "No accuracy was published: C.",
    ]


def test_published_accuracies_stand_beside_those_measured_here_the_highest_first(tmp_path):
    ours = [measured_model(tmp_path, "ours", [0.1, 0.2, 0.7, 0.8, 0.9])]

    shown = published.beside([result(accuracy=0.9, note="chosen on test"), result(accuracy=0.8, split="val")], ours)

    assert shown[["System", "Source"]].to_numpy().tolist() == [
        ["OURS", "measured here"],
        ["CNN", "published: Someone 2020; chosen on test"],
    ]
    assert shown["Accuracy"].iloc[1].startswith("90.0 % (")
