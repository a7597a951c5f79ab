import hashlib
import shutil
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import synthetic

from pneumo.datasets import kaggle
from pneumo.errors import DatasetError


@pytest.fixture(scope="module")
def table(toy_data):
    return kaggle.scan(toy_data)


def films_of(patients, split="train", label="PNEUMONIA", pathogen="bacteria"):
    rows = [(f"{split}/{label}/{name}.jpeg", split, label, pathogen, name, name) for name in patients]
    return pd.DataFrame(rows, columns=list(kaggle.COLUMNS))


@pytest.mark.parametrize(
    ("file", "patient", "pathogen"),
    [
        ("person109_bacteria_12.jpeg", "person109_bacteria", "bacteria"),
        ("person109_virus_12.jpeg", "person109_virus", "virus"),
        ("train/PNEUMONIA/person7_virus_3.jpeg", "person7_virus", "virus"),
        ("Person7_Virus_3.JPEG", "person7_virus", "virus"),
        ("IM-0115-0001.jpeg", "IM-0115", ""),
        ("IM-0429-0001-0002.jpeg", "IM-0429", ""),
        ("NORMAL2-IM-0115-0001.jpeg", "NORMAL2-IM-0115", ""),
        ("films/00001299_000.jpg", "00001299_000", ""),
        ("person109.jpeg", "person109", ""),
    ],
)
def test_a_file_name_tells_the_patient_and_the_pathogen(file, patient, pathogen):
    assert kaggle.patient_key(file) == patient
    assert kaggle.pathogen_of(file) == pathogen


def test_scan_lists_every_film_once_and_nothing_else(table):
    expected = sorted(f"{folder}/{name}" for folder, name in synthetic.film_names())

    assert table["file"].tolist() == expected
    assert tuple(table.columns) == kaggle.COLUMNS


def test_scan_takes_split_label_and_hash_from_the_file(table, toy_data):
    row = table.set_index("file").loc["test/PNEUMONIA/person109_virus_204.jpeg"]

    assert (row["split"], row["label"], row["pathogen"], row["patient"]) == (
        "test",
        "PNEUMONIA",
        "virus",
        "person109_virus",
    )
    assert row["sha256"] == hashlib.sha256((toy_data / row.name).read_bytes()).hexdigest()


def test_one_number_under_two_pathogens_is_two_children(table):
    patients = set(table["patient"])

    assert {"person109_bacteria", "person109_virus"} <= patients


def test_identical_films_make_their_patients_one(table):
    patients = table.set_index("file")["patient"]

    assert [patients[file] for file in synthetic.IDENTICAL] == ["IM-0119", "IM-0119"]
    assert kaggle.duplicate_groups(table) == [sorted(synthetic.IDENTICAL)]


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 9)), min_size=1, max_size=20))
def test_merged_patients_are_the_connected_components(films):
    patients, hashes = (pd.Series(values) for values in zip(*films, strict=True))

    merged = kaggle.merge_identical(patients, hashes)

    # By brute force: grow each patient's component until nothing is added.
    for index, patient in patients.items():
        component, before = {patient}, None
        while component != before:
            before = set(component)
            contents = {content for name, content in films if name in component}
            component |= {name for name, content in films if content in contents}
        assert merged[index] == min(component)


def test_the_root_is_found_from_the_folders_above_it(toy_data, tmp_path):
    (tmp_path / "chest_xray").mkdir()
    (tmp_path / "chest_xray" / "chest_xray").symlink_to(toy_data)

    assert kaggle.find_root(toy_data) == toy_data
    assert kaggle.find_root(toy_data.parent) == toy_data
    assert kaggle.find_root(tmp_path) == tmp_path / "chest_xray" / "chest_xray"


def test_a_folder_of_another_layout_is_refused_with_the_layout_that_is_needed(tmp_path):
    with pytest.raises(DatasetError, match="train/NORMAL"):
        kaggle.scan(tmp_path)


def test_a_layout_without_films_is_refused(tmp_path):
    (tmp_path / "train" / "NORMAL").mkdir(parents=True)

    with pytest.raises(DatasetError, match="no JPEG or PNG"):
        kaggle.scan(tmp_path)


def test_development_never_contains_a_test_film(table):
    parts = kaggle.development_split(table)

    assert not set(pd.concat(parts)["file"]) & set(table.loc[table["split"] == "test", "file"])
    assert len(parts.train) + len(parts.validation) == (table["split"] != "test").sum()


@pytest.mark.parametrize("fold", range(kaggle.FOLDS))
def test_no_patient_stands_on_both_sides_of_a_fold(table, fold):
    parts = kaggle.development_split(table, fold)

    assert not set(parts.train["patient"]) & set(parts.validation["patient"])


def test_over_all_folds_every_film_validates_exactly_once(table):
    validated = pd.concat([kaggle.development_split(table, fold).validation for fold in range(kaggle.FOLDS)])

    assert sorted(validated["file"]) == sorted(table.loc[table["split"] != "test", "file"])


def test_each_stratum_is_held_out_in_contiguous_blocks_of_numbers():
    # Written as text, 100 would come before 99.
    bacteria = films_of([f"person{number}_bacteria" for number in range(90, 114)])
    virus = films_of([f"person{number}_virus" for number in range(24)], pathogen="virus")
    normal = films_of([f"IM-{number:04}" for number in range(1, 25)], label="NORMAL", pathogen="")
    second = films_of([f"NORMAL2-IM-{number:04}" for number in range(1, 25)], label="NORMAL", pathogen="")

    held_out = kaggle.development_split(pd.concat([bacteria, virus, normal, second]), fold=1).validation

    assert sorted(held_out["patient"]) == sorted(
        [
            *("person92_bacteria", "person93_bacteria", "person104_bacteria", "person105_bacteria"),
            *("person2_virus", "person3_virus", "person14_virus", "person15_virus"),
            *("IM-0003", "IM-0004", "IM-0015", "IM-0016"),
            *("NORMAL2-IM-0003", "NORMAL2-IM-0004", "NORMAL2-IM-0015", "NORMAL2-IM-0016"),
        ]
    )


@pytest.mark.parametrize("fold", [-1, kaggle.FOLDS])
def test_a_fold_that_does_not_exist_is_refused(table, fold):
    with pytest.raises(ValueError, match="fold must be 0"):
        kaggle.development_split(table, fold)


def test_training_on_one_class_is_refused(table):
    with pytest.raises(DatasetError, match="both classes"):
        kaggle.development_split(table[table["label"] == "NORMAL"])


def test_too_few_patients_to_validate_both_classes_are_refused(table):
    few = table[(table["label"] == "NORMAL") | (table["patient"] == "person101_bacteria")]

    with pytest.raises(DatasetError, match="too few patients"):
        kaggle.development_split(few)


def test_a_patient_in_development_and_test_is_refused_by_name(toy_data, tmp_path):
    root = tmp_path / "chest_xray"
    shutil.copytree(toy_data, root)
    # Another picture under another name, and yet the same child.
    shutil.copy(root / "train/PNEUMONIA/person102_bacteria_1020.jpeg", root / "test/PNEUMONIA/person999_virus_1.jpeg")

    with pytest.raises(DatasetError, match="person102_bacteria"):
        kaggle.development_split(kaggle.scan(root))


def test_disjoint_tables_pass_and_shared_patients_are_counted():
    first, second = films_of(["a", "b", "c"]), films_of(["d"])

    kaggle.assert_disjoint(first, second)
    with pytest.raises(DatasetError, match="2 patients stand in two splits"):
        kaggle.assert_disjoint(first, second, films_of(["b", "c"]))


def test_the_fingerprint_follows_the_films_and_not_their_place(table, toy_data, tmp_path):
    shutil.copytree(toy_data, tmp_path / "moved")
    moved = kaggle.scan(tmp_path / "moved")

    assert kaggle.fingerprint(moved.sample(frac=1, random_state=0)) == kaggle.fingerprint(table)
    changed = tmp_path / "moved" / "train/NORMAL/IM-0115-0001.jpeg"
    changed.write_bytes(changed.read_bytes() + b"\0")
    assert kaggle.fingerprint(kaggle.scan(tmp_path / "moved")) != kaggle.fingerprint(table)


def test_films_and_patients_are_counted_by_hand(table):
    counts = kaggle.counts(table).set_index(["split", "label", "pathogen"])

    assert counts.loc[("train", "NORMAL", "")].to_dict() == {"films": 27, "patients": 23}
    assert counts.loc[("train", "PNEUMONIA", "bacteria")].to_dict() == {"films": 18, "patients": 12}
    assert counts.loc[("test", "PNEUMONIA", "virus")].to_dict() == {"films": 8, "patients": 4}
    assert counts["films"].sum() == len(table)


def test_a_data_set_is_described_by_what_it_holds(table):
    published = pd.DataFrame(
        [cell for cell, films in kaggle.PUBLISHED_FILMS.items() for _ in range(films)], columns=["split", "label"]
    )

    assert "10.17632/rscbjbr9sj" in kaggle.describe(published)
    assert "10.17632/rscbjbr9sj" not in kaggle.describe(published.iloc[1:])
    assert f"{len(table)} films" in kaggle.describe(table)


def test_the_default_folder_is_read_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("PNEUMO_DATA", f" {tmp_path} ")
    assert kaggle.default_folder() == tmp_path

    monkeypatch.setenv("PNEUMO_DATA", "")
    assert kaggle.default_folder() is None


@pytest.mark.shared
def test_the_published_set_is_complete_and_its_patients_are_disjoint(shared_data):
    table = kaggle.scan(shared_data / "chest_xray")

    parts = kaggle.development_split(table)

    assert kaggle.film_counts(table) == kaggle.PUBLISHED_FILMS
    kaggle.assert_disjoint(parts.train, parts.validation, table[table["split"] == "test"])
    assert 0.13 < len(parts.validation) / 5232 < 0.20


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ("missing", "There is no folder {0}/missing. Check the path and its spelling."),
        ("{0}", None),
        ('"{0}"', 'The path "{0}" is in quotation marks. Leave them out.'),
        ("'{0}'", "The path '{0}' is in quotation marks. Leave them out."),
        ("“{0}”", "The path “{0}” is in quotation marks. Leave them out."),
        ("archive.zip", "{0}/archive.zip is a file and not a folder. Unpack it, and point to the folder."),
    ],
)
def test_a_path_that_names_no_folder_is_told_as_what_it_is(toy_data, tmp_path, typed, complaint):
    (tmp_path / "archive.zip").write_bytes(b"PK")
    (tmp_path / "chest_xray").symlink_to(toy_data)
    path = Path(typed.format(tmp_path)) if "{0}" in typed else tmp_path / typed

    if complaint is None:
        assert kaggle.find_root(path) == tmp_path / "chest_xray"
    else:
        with pytest.raises(DatasetError) as refusal:
            kaggle.find_root(path)
        assert str(refusal.value) == complaint.format(tmp_path)
