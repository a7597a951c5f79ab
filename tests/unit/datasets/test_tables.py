import pandas as pd
import pytest
from toy import synthetic

from pneumo.datasets import kaggle, summary, tables

COUNTS = pd.DataFrame(
    [
        ("test", "NORMAL", "", 234, 224),
        ("test", "PNEUMONIA", "bacteria", 242, 77),
        ("test", "PNEUMONIA", "virus", 148, 126),
        ("train", "NORMAL", "", 1341, 1211),
        ("train", "PNEUMONIA", "bacteria", 2530, 1353),
        ("train", "PNEUMONIA", "virus", 1345, 1090),
    ],
    columns=["split", "label", "pathogen", "films", "patients"],
)


def test_shares_of_a_split_add_up():
    rows = tables.class_counts(COUNTS)

    assert rows.groupby("split")["share"].sum().to_list() == pytest.approx([1, 1])
    viral = rows.query("split == 'Test' and kind == 'Viral pneumonia'").iloc[0]
    assert (viral["films"], viral["patients"], viral["share"]) == (148, 126, pytest.approx(148 / 624))


def test_readable_counts_have_a_row_a_split():
    table = tables.readable_counts(COUNTS)

    assert table.to_dict("list") == {
        "Split": ["Training", "Test"],
        "Normal": [1341, 234],
        "Bacterial pneumonia": [2530, 242],
        "Viral pneumonia": [1345, 148],
        "All films": [5216, 624],
        "Share of pneumonia": ["74.3%", "62.5%"],
    }


def test_pneumonia_without_a_named_cause_is_a_kind_of_its_own():
    table = tables.readable_counts(COUNTS.assign(pathogen=""))

    assert list(table["Pneumonia, cause not named"]) == [3875, 390]


def test_development_is_told_by_part():
    rows = COUNTS[COUNTS["split"] == "train"]
    development = pd.concat([rows.assign(part="train"), rows.assign(part="validation", films=[10, 20, 10])])

    table = tables.readable_development(development)

    assert list(table["Part"]) == ["Training", "Held out for validation"]
    assert list(table["All films"]) == [5216, 40]
    assert table["Share of pneumonia"][1] == "75.0%"


def test_patients_with_many_films_are_one_row():
    table = pd.DataFrame(
        [("NORMAL", 1, 9), ("NORMAL", 2, 1), ("PNEUMONIA", 1, 6), ("PNEUMONIA", 9, 3), ("PNEUMONIA", 30, 1)],
        columns=["label", "films", "patients"],
    )

    rows = tables.films_per_patient(table)

    assert list(rows["films"]) == ["1", "1", "2", "8 or more"]
    assert list(rows["patients"]) == [9, 6, 1, 4]
    assert list(rows["share"]) == pytest.approx([0.9, 0.6, 0.1, 0.4])


def test_size_shares_are_of_the_class():
    sizes = pd.DataFrame(
        [
            ("NORMAL", "width", 0, 100, 3),
            ("NORMAL", "width", 100, 200, 1),
            ("PNEUMONIA", "width", 0, 100, 5),
            ("PNEUMONIA", "height", 0, 100, 5),
        ],
        columns=["label", "quantity", "low", "high", "films"],
    )

    rows = tables.size_shares(sizes, "width")

    assert list(rows["share"]) == [0.75, 0.25, 1.0]
    assert list(rows["class"]) == ["Normal", "Normal", "Pneumonia"]


def quartiles(labels=("NORMAL", "PNEUMONIA")):
    medians = {"NORMAL": (1654, 1323, 1.234), "PNEUMONIA": (1160, 776, 1.49)}
    rows = [
        (label, quantity, median)
        for label in labels
        for quantity, median in zip(("width", "height", "aspect_ratio"), medians[label], strict=True)
    ]
    return pd.DataFrame(rows, columns=["label", "quantity", "median"])


def test_the_leak_is_told_with_the_medians():
    text = tables.size_leak(quartiles(), "originals")

    assert "original films" in text
    assert "1,654 pixels wide and 1,323 high, at a width : height of 1.23" in text
    assert "1,160 pixels wide and 776 high, at a width : height of 1.49" in text


def test_one_class_has_no_leak():
    assert "median" not in tables.size_leak(quartiles(["NORMAL"]), "files")


def test_examples_show_that_numbers_are_reused_between_causes():
    examples = tables.key_examples().set_index("File name")["Patient"]

    assert examples["person109_bacteria_12.jpeg"] == examples["person109_bacteria_14.jpeg"] == "person109_bacteria"
    assert examples["person109_virus_203.jpeg"] == "person109_virus"
    assert examples["NORMAL2-IM-0115-0001.jpeg"] == "NORMAL2-IM-0115"


def test_grey_values_are_in_words(toy_data):
    rows = tables.intensity_shares(summary.summarise(toy_data).intensity)

    assert set(rows["split"]) == {"Training", "Validation", "Test"}
    assert set(rows["class"]) == {"Normal", "Pneumonia"}


def test_identical_films_are_in_words_and_listed(toy_data):
    films = kaggle.scan(toy_data)
    groups = tables.readable_identical(kaggle.identical_groups(films))

    assert groups.to_dict("records") == [
        {
            "Split": "Training",
            "Class": "Normal",
            "Files in a group": 2,
            "Children that their names tell": 2,
            "Groups": 1,
        }
    ]
    listed = tables.identical_files(films)
    assert listed["File"].to_list() == list(synthetic.IDENTICAL)
    assert listed["Patient after merging"].to_list() == ["IM-0119"] * 2


def test_a_group_in_two_splits_names_both():
    both = pd.DataFrame([("test + train", "NORMAL + PNEUMONIA", 2, 2, 1)])
    both.columns = ["split", "label", "files", "children", "groups"]

    row = tables.readable_identical(both).iloc[0]

    assert (row["Split"], row["Class"]) == ("Test and Training", "Normal and Pneumonia")


def test_the_source_of_everything_that_is_known_is_told():
    sources = tables.label_sources()

    assert len(sources) == 5
    assert sources["Where it comes from"].str.endswith(".").all()


def test_films_whose_names_tell_no_patient_are_counted():
    films = pd.DataFrame(
        {"file": ["test/NORMAL/test_00003.png", "test/NORMAL/IM-0001-0001.jpeg"], "patient": ["test_00003", "IM-0001"]}
    )

    assert tables.unnamed_patients(films).tolist() == [True, False]
    assert "names of 1 of the 2 films tell no patient" in tables.unnamed_text(films)
    assert tables.unnamed_text(films.iloc[1:]) == ""
