import shutil

import pandas as pd
import pytest

from pneumo.datasets.external import (
    CHILDREN,
    RELIABLE,
    drawn_opacities,
    opacity_boxes,
    parts,
    publication,
    scan,
    strangers,
)
from pneumo.datasets.kaggle import COLUMNS
from pneumo.errors import DatasetError


@pytest.fixture
def external(tmp_path, toy_data):
    (tmp_path / "images").mkdir()
    for name in ("a", "b", "c"):
        shutil.copy(toy_data / f"train/NORMAL/IM-011{'abc'.index(name) + 5}-0001.jpeg", tmp_path / f"images/{name}.jpg")
    return tmp_path


def test_external_films_come_from_their_table_without_the_contradicted_ones(external):
    (external / "labels.csv").write_text(
        "file,label,patient_id,label_contradicted\n"
        "images/c.jpg,PNEUMONIA,7,0\nimages/a.jpg,NORMAL,7,0\nimages/b.jpg,PNEUMONIA,8,1\n"
    )

    films = scan(external)

    assert films[["file", "label", "patient", "split"]].to_numpy().tolist() == [
        ["images/a.jpg", "NORMAL", "7", "external"],
        ["images/c.jpg", "PNEUMONIA", "7", "external"],
    ]
    assert tuple(films.columns) == COLUMNS


def test_external_films_without_patients_are_patients_of_their_own(external):
    (external / "labels.csv").write_text("file,label\nimages/a.jpg,NORMAL\nimages/b.jpg,PNEUMONIA\n")

    assert scan(external)["patient"].tolist() == ["a", "b"]


def test_reliable_labels_are_the_normal_ones_and_those_that_a_person_confirmed(external):
    (external / "labels.csv").write_text(
        "file,label,box_or_adjudicated,paediatric_under18\n"
        "images/c.jpg,PNEUMONIA,1,0\nimages/a.jpg,NORMAL,0,0\nimages/b.jpg,PNEUMONIA,0,0\n"
    )

    found = parts(external, scan(external))

    assert found[RELIABLE].tolist() == [True, False, True]
    assert CHILDREN not in found


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "labels.csv is missing"),
        ("file\nimages/a.jpg\n", "lacks label"),
        ("file,label\nimages/a.jpg,SICK\n", "NORMAL or PNEUMONIA"),
        ("file,label\nimages/a.jpg,NORMAL\nimages/z.jpg,NORMAL\n", "1 films that are not there, such as images/z.jpg"),
    ],
)
def test_a_faulty_table_of_external_films_is_refused(external, content, complaint):
    if content is not None:
        (external / "labels.csv").write_text(content)

    with pytest.raises(DatasetError, match=complaint):
        scan(external)


def test_a_folder_without_a_table_of_pictures_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"labels.csv is missing"):
        strangers(tmp_path)
    (tmp_path / "labels.csv").write_text("file\na.png\n")
    with pytest.raises(DatasetError, match="lacks category, near_ood"):
        strangers(tmp_path)


def test_a_table_that_was_saved_in_a_spreadsheet_is_read(external):
    table = "file,label,patient_id,label_contradicted\nimages/c.jpg,PNEUMONIA,7,0\nimages/a.jpg,NORMAL,7,0\n"
    (external / "labels.csv").write_text(table, "utf-8")
    before = scan(external)
    (external / "labels.csv").write_text(table, "utf-8-sig")

    assert scan(external).equals(before)


def test_drawn_opacities_are_listed_by_publication_and_case(tmp_path):
    names = ["covid-19-pneumonia-1-day0.jpg", "covid-19-pneumonia-1-day3.png", "kjr-21-e24.jpg", "no-opacity.jpg"]
    pd.DataFrame(
        {
            "file": [f"images/{number}.jpg" for number in range(4)],
            "orig_name": names,
            "lung_mask": "lung.png",
            "opacity_mask": "opacity.png",
            "opacity_inside_lung": [1.0, 0.7, 0.9, 0.4],
        }
    ).to_csv(tmp_path / "labels.csv", index=False)

    drawn = drawn_opacities(tmp_path)

    assert drawn["source"].tolist() == ["radiopaedia", "radiopaedia", "kjr"]
    assert drawn["patient"].nunique() == 2
    assert publication("93FE0BB1-022D-4F24-9727-987A07975FFB.jpeg") == "nameless"


def test_boxes_of_radiologists_are_read_from_both_tables(tmp_path):
    pd.DataFrame({"file": ["a.jpg", "b.jpg"], "rsna_boxes": ["[[0.1, 0.2, 0.3, 0.4]]", "[]"]}).to_csv(
        tmp_path / "labels.csv", index=False
    )
    rows = [("a.jpg", "Pneumonia", 0.5, 0.5, 0.1, 0.1), ("b.jpg", "Mass", 0, 0, 1, 1)]
    pd.DataFrame(rows, columns=["file", "finding", *"xywh"]).to_csv(tmp_path / "boxes.csv", index=False)

    boxes = opacity_boxes(tmp_path)

    assert {file: found.tolist() for file, found in boxes.items()} == {
        "a.jpg": [[0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0.1, 0.1]]
    }
