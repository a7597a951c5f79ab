import shutil

import pandas as pd
import pytest

from pneumo.datasets import hospitals, kaggle
from pneumo.errors import DatasetError


@pytest.fixture(scope="module")
def films(toy_data):
    """The files of six different films, those with pneumonia last."""
    table = kaggle.scan(toy_data).drop_duplicates("sha256")
    chosen = pd.concat([table[table["label"] == label].head(3) for label in kaggle.LABELS])
    return [toy_data / file for file in chosen["file"]]


def hospital(folder, films, table):
    """Write a hospital's folder: its films, and the table, whose films are named 0.jpg, 1.jpg, …"""
    folder.mkdir()
    for number, film in enumerate(films):
        shutil.copy(film, folder / f"{number}.jpg")
    (folder / "labels.csv").write_text(table)
    return folder


def test_a_hospital_of_ones_own_needs_no_more_than_files_opacities_and_readers(films, tmp_path):
    own = hospital(tmp_path / "ours", films[2:4], "file,opacity,read_by\n0.jpg,0,Dr Weiß\n1.jpg,1,Dr Weiß\n")

    read = hospitals.read([own])

    assert read.names == ["ours"]
    assert read.films[["file", "patient", "opacity", "read_by"]].to_numpy().tolist() == [
        ["0.jpg", "ours/0", 0, "dr weiß"],
        ["1.jpg", "ours/1", 1, "dr weiß"],
    ]
    assert read.films["age"].isna().all()
    table = read.of_both_classes("ours")
    assert table["label"].tolist() == ["NORMAL", "PNEUMONIA"]
    assert set(kaggle.COLUMNS) <= set(table)


def test_a_folder_may_hold_several_hospitals_under_the_names_that_their_tables_use(films, tmp_path):
    folder = hospital(
        tmp_path / "many",
        films[:3],
        "file,hospital,patient_id,age_years,finding,opacity,label_quality\n"
        "0.jpg,east,7,41.5,normal,0,radiologist\n1.jpg,west,7,,tb,1,radiologist\n2.jpg,west,8,3,covid,1,folder\n",
    )

    read = hospitals.read([folder]).films

    assert read["patient"].tolist() == ["east/7", "west/7", "west/8"]
    assert read["age"].fillna(-1).tolist() == [41.5, -1, 3]
    assert read["finding"].tolist() == ["normal", "tb", "covid"]


def test_only_what_a_person_read_is_evidence_and_the_rest_is_counted_apart(films, tmp_path):
    folder = hospital(
        tmp_path / "nih",
        films,
        "file,label,patient_id,radiologist_opacity,rsna_class,label_contradicted\n"
        "0.jpg,PNEUMONIA,1,0,Normal,0\n1.jpg,NORMAL,2,,,0\n2.jpg,PNEUMONIA,3,,,0\n"
        "3.jpg,PNEUMONIA,4,1,Lung Opacity,0\n4.jpg,NORMAL,5,,,1\n",
    )

    read = hospitals.read([folder])

    assert read.evidence("nih")[["listed_as", "label"]].to_numpy().tolist() == [
        ["0.jpg", "NORMAL"],
        ["3.jpg", "PNEUMONIA"],
    ]
    counts = read.counts().drop(columns="patients").to_numpy().tolist()
    assert counts == [["nih", "radiologist", 2, 1, 1], ["nih", "software", 3, 1, 1]]
    # Software's normal films are learned from, its pneumonias are not.
    assert read.to_learn_from()["listed_as"].tolist() == ["0.jpg", "1.jpg", "3.jpg"]


def test_identical_films_count_once_and_join_their_patients(films, tmp_path):
    east = hospital(
        tmp_path / "east", films[:2], "file,patient,opacity,read_by\n0.jpg,a,1,software\n1.jpg,a,0,software\n"
    )
    west = hospital(tmp_path / "west", films[:1], "file,patient,opacity,read_by\n0.jpg,b,0,radiologist\n")

    read = hospitals.read([east, west]).films

    assert read[["hospital", "file", "read_by"]].to_numpy().tolist() == [
        ["east", "1.jpg", "software"],
        ["west", "0.jpg", "radiologist"],
    ]
    assert set(read["patient"]) == {"east/a"}


def test_films_of_the_data_set_itself_and_their_patients_are_no_other_hospital(films, toy_data, tmp_path):
    table = "file,patient,opacity,read_by\n0.jpg,a,0,radiologist\n1.jpg,b,0,radiologist\n2.jpg,a,0,radiologist\n"
    folder = hospital(tmp_path / "ours", films[:3], table)
    home = kaggle.scan(toy_data)

    assert hospitals.read([folder], home).films.empty
    first = hospitals.read([folder]).films["sha256"].iloc[0]
    assert hospitals.read([folder], home[home["sha256"] == first]).films["file"].tolist() == ["1.jpg"]


def test_a_hospital_that_is_left_out_or_has_one_class_is_not_learned_from(films, tmp_path):
    rows = ["0.jpg,east,0", "1.jpg,west,0", "2.jpg,north,0", "3.jpg,east,1", "4.jpg,west,1"]
    table = "file,hospital,opacity,read_by\n" + "".join(f"{row},radiologist\n" for row in rows)
    read = hospitals.read([hospital(tmp_path / "many", films, table)])

    assert set(read.to_learn_from(["west"])["hospital"]) == {"east"}
    with pytest.raises(DatasetError, match=r"No hospital is left.*east, west"):
        read.to_learn_from(["east", "west"])
    with pytest.raises(DatasetError, match="north has no film with an opacity"):
        read.of_both_classes("north")
    with pytest.raises(DatasetError, match=r"no hospital 'south'.*east, north, west"):
        read.evidence("south")


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("file,opacity\n0.jpg,1\n", r"labels\.csv lacks read_by.*who read it"),
        ("file,read_by\n0.jpg,me\n", "lacks opacity.*1 where the film shows an opacity"),
        ("opacity,read_by\n1,me\n", "lacks file"),
        ("file,opacity,read_by\n0.jpg,yes,me\n", "says 'yes' in opacity; write 1, 0 or nothing"),
        ("file,opacity,read_by\n0.jpg,1,me\n9.jpg,1,me\n", r"lists 1 films that are not there, such as 9\.jpg"),
        ("file,opacity,read_by,hospital\n0.jpg,1,me,a_normal\n", r"can be called 'a_normal'\. Call it otherwise"),
        ("file,opacity,read_by\n0.jpg,1,me\n1.jpg,0,you\n", r"2 identical films were read differently, such as 0\.jpg"),
    ],
)
def test_a_faulty_table_is_refused_with_what_to_write(films, tmp_path, table, complaint):
    folder = hospital(tmp_path / "ours", [films[0], films[0]], table)

    with pytest.raises(DatasetError, match=complaint):
        hospitals.read([folder])


def test_films_that_nobody_read_cannot_be_measured(films, tmp_path):
    folder = hospital(tmp_path / "ours", films[:1], "file,opacity,read_by\n0.jpg,1,folder\n")

    with pytest.raises(DatasetError, match=r"Nobody read the films of ours.*Let a radiologist read some"):
        hospitals.read([folder]).evidence("ours")


def test_the_fingerprint_does_not_depend_on_where_the_films_lie(films, tmp_path):
    table = "file,hospital,opacity,read_by\n0.jpg,east,0,me\n1.jpg,east,1,me\n"
    first, second = (hospital(tmp_path / name, films[:2], table) for name in "ab")

    prints = [hospitals.fingerprint(hospitals.read([folder]).to_learn_from()) for folder in (first, second)]

    assert prints[0] == prints[1]


def sorted_by_hand(folder, films):
    for number, film in enumerate(films):
        label = film.parent.name
        (folder / label / f"child {number}").mkdir(parents=True)
        shutil.copy(film, folder / label / f"child {number}" / "IM0001.jpg")
    return folder


def test_the_films_of_one_hospital_may_be_sorted_into_folders(films, tmp_path):
    own = sorted_by_hand(tmp_path / "ours", films)
    (own / "NORMAL" / ".DS_Store").write_bytes(b"Bud1")

    listed = hospitals.local_films(own)

    assert listed["label"].tolist() == ["NORMAL"] * 3 + ["PNEUMONIA"] * 3
    # Of one name, and yet of several children.
    assert listed["patient"].nunique() == 6
    assert listed["age"].isna().all()


def test_a_film_that_was_sorted_twice_is_told(films, tmp_path):
    own = sorted_by_hand(tmp_path / "ours", films)
    shutil.copy(films[0], own / "PNEUMONIA" / "again.jpg")

    with pytest.raises(DatasetError, match=r"lies in NORMAL and in PNEUMONIA: .*again\.jpg.*Look at it again"):
        hospitals.local_films(own)


def test_a_folder_without_normal_films_is_told_what_to_put_where(films, tmp_path):
    sorted_by_hand(tmp_path, films[3:])

    with pytest.raises(DatasetError, match=r"called normal into .*NORMAL"):
        hospitals.local_films(tmp_path)


def test_films_with_another_disease_are_not_known_to_be_normal(films, tmp_path):
    table = "file,finding,opacity,read_by\n0.jpg,Normal,0,a\n1.jpg,nodule,0,a\n2.jpg,,0,a\n3.jpg,nodule,1,a\n"
    own = hospital(tmp_path / "ours", films[:4], table)

    listed = hospitals.local_films(own)

    assert [file.rpartition("/")[2] for file in listed["file"]] == ["0.jpg", "2.jpg", "3.jpg"]


def test_of_several_hospitals_in_a_table_one_is_chosen(films, tmp_path):
    table = "file,hospital,opacity,read_by,age\n0.jpg,east,0,a,3\n1.jpg,west,0,a,\n2.jpg,west,1,software,5\n"
    own = hospital(tmp_path / "ours", films[:3], table)

    with pytest.raises(DatasetError, match=r"several hospitals \(east, west\).*--hospital"):
        hospitals.local_films(own)
    assert hospitals.local_films(own, "east")["age"].tolist() == [3]
    assert [file.rpartition("/")[2] for file in hospitals.local_films(own, "west")["file"]] == ["1.jpg"]
