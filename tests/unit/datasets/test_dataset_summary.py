import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from pneumo.datasets import kaggle
from pneumo.datasets.samples import FOLDER
from pneumo.datasets.summary import INDEX, TABLES, _development, load, summarise, write
from pneumo.errors import DatasetError

SHARED = Path(__file__).parents[4] / "shared" / "data"
HEIGHT, WIDTH = 56, 112


def save(folder: Path, split: str, name: str, grey: int) -> None:
    label = "NORMAL" if name.startswith(("IM", "NORMAL2")) else "PNEUMONIA"
    (folder / split / label).mkdir(parents=True, exist_ok=True)
    # PNG bytes under a JPEG name keep the grey value exact; OpenCV goes by content.
    pixels = np.full((HEIGHT, WIDTH), grey, np.uint8)
    (folder / split / label / name).write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Eight normal and four pneumonia train films, two of them identical, and one test film of each label."""
    folder = tmp_path_factory.mktemp("data")
    for number, grey in enumerate((100, 110, 102, 108, 101, 109), start=1):
        save(folder, "train", f"IM-000{number}-0001.jpeg", grey)
    save(folder, "train", "IM-0007-0001.jpeg", 106)
    save(folder, "train", "IM-0007-0002.jpeg", 104)
    save(folder, "train", "person1_bacteria_1.jpeg", 20)
    save(folder, "train", "person1_bacteria_2.jpeg", 30)
    save(folder, "train", "person2_virus_3.jpeg", 40)
    save(folder, "train", "person3_virus_4.jpeg", 40)
    save(folder, "test", "IM-0009-0001.jpeg", 3)
    save(folder, "test", "person9_bacteria_9.jpeg", 252)
    return folder


@pytest.fixture(scope="module")
def summary(data):
    return summarise(data)


def figures(table: pd.DataFrame, **where) -> dict:
    for column, value in where.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0].to_dict()


def test_films_and_patients_are_counted(summary, data):
    assert summary.counts.equals(kaggle.counts(kaggle.scan(data)))
    virus = figures(summary.counts, split="train", pathogen="virus")
    assert (virus["films"], virus["patients"]) == (2, 1), "identical films are of one patient"


def test_groups_of_identical_films_are_counted(summary):
    assert (summary.identical_groups, summary.identical_films) == (1, 2)
    assert summary.identical.to_dict("records") == [
        {"split": "train", "label": "PNEUMONIA", "files": 2, "children": 2, "groups": 1}
    ]


def test_patients_are_counted_by_their_films(summary):
    expected = {("NORMAL", 1): 7, ("NORMAL", 2): 1, ("PNEUMONIA", 1): 1, ("PNEUMONIA", 2): 2}

    found = summary.films_per_patient.set_index(["label", "films"])["patients"].to_dict()

    assert found == expected


def test_intensity_is_a_share_of_pixels_in_64_bins(summary):
    dark = summary.intensity.query("split == 'test' and label == 'NORMAL'")
    train = summary.intensity.query("split == 'train' and label == 'PNEUMONIA'").set_index("low")["share"]

    assert len(dark) == 64
    assert figures(dark, low=0) == {"split": "test", "label": "NORMAL", "low": 0, "high": 3, "share": 1.0}
    assert train[train > 0].to_dict() == {20: 0.25, 28: 0.25, 40: 0.5}


def test_without_a_table_the_files_are_measured(summary):
    assert summary.sizes_from == "files"
    assert figures(summary.size_quartiles, label="NORMAL", quantity="width")["median"] == WIDTH
    ratio = figures(summary.sizes, label="NORMAL", quantity="aspect_ratio")
    assert (ratio["low"], ratio["high"], ratio["films"]) == (2.0, 2.1, 9)


def test_a_table_of_lung_masks_tells_the_original_sizes(data, tmp_path):
    rows = [
        ("person1_bacteria_1.jpeg", 1000, 500),
        ("person1_bacteria_2.jpeg", 1100, 1000),
        ("person2_virus_3.jpeg", 1199, 1000),
        ("unknown.jpeg", 1, 1),
    ]
    columns = ["kermany_file", "orig_width", "orig_height"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "labels.csv", index=False)

    summary = summarise(data, tmp_path / "labels.csv")

    assert summary.sizes_from == "originals"
    widths = summary.sizes.query("quantity == 'width'")
    assert widths[["low", "high", "films"]].to_numpy().tolist() == [[1000, 1100, 1], [1100, 1200, 2]]
    assert figures(summary.size_quartiles, quantity="width") == {
        **{"label": "PNEUMONIA", "quantity": "width", "films": 3},
        **{"q1": 1050, "median": 1100, "q3": 1149.5},
    }


def test_a_table_of_another_kind_is_refused(data, tmp_path):
    (tmp_path / "labels.csv").write_text("a,b\n1,2\n", encoding="utf-8")

    with pytest.raises(DatasetError, match=r"no table of lung masks"):
        summarise(data, tmp_path / "labels.csv")


def test_too_few_patients_for_a_development_split_leave_it_empty(tmp_path):
    save(tmp_path, "train", "IM-0001-0001.jpeg", 10)
    save(tmp_path, "train", "person1_virus_1.jpeg", 20)

    summary = summarise(tmp_path)

    assert summary.development.empty
    assert list(summary.development) == ["part", "label", "pathogen", "films", "patients"]


def test_pictures_are_made_of_eight_films_or_more(summary):
    assert sorted(summary.pictures) == ["mean_normal", "std_normal"]
    assert (summary.pictures["mean_normal"] == 105).all()


def test_progress_is_told(data):
    told = []

    summarise(data, progress=told.append)

    assert told[0] == "0 of 14 films read"
    assert told[-1] == "14 of 14 films read"


def test_what_is_written_is_what_is_loaded(summary, tmp_path):
    write(summary, tmp_path)

    loaded = load(tmp_path)

    for name in TABLES:
        pd.testing.assert_frame_equal(
            getattr(loaded, name), getattr(summary, name), check_dtype=False, rtol=1e-5, check_column_type=False
        )
    for name, picture in summary.pictures.items():
        assert np.array_equal(loaded.pictures[name], picture)
    assert loaded.source == summary.source
    assert loaded.fingerprint == summary.fingerprint
    assert (loaded.identical_groups, loaded.identical_films, loaded.sizes_from) == (1, 2, "files")


def test_a_missing_summary_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(DatasetError, match=r"missing or damaged.*research.composites"):
        load(tmp_path)


@pytest.mark.parametrize("damage", ["index", "table", "picture"])
def test_a_damaged_summary_is_refused(summary, tmp_path, damage):
    path = write(summary, tmp_path)
    if damage == "index":
        path.write_text("{", encoding="utf-8")
    elif damage == "table":
        content = json.loads(path.read_text(encoding="utf-8"))
        del content["tables"]["counts"]
        path.write_text(json.dumps(content), encoding="utf-8")
    else:
        (tmp_path / "mean_normal.png").write_bytes(b"no picture")

    with pytest.raises(DatasetError, match="missing or damaged"):
        load(tmp_path)


def test_the_shipped_summary_has_the_official_counts():
    shipped = load(FOLDER)
    films = shipped.counts.groupby(["split", "label"])["films"].sum().to_dict()

    assert films == {
        **{("train", "NORMAL"): 1341, ("train", "PNEUMONIA"): 3875},
        **{("val", "NORMAL"): 8, ("val", "PNEUMONIA"): 8},
        **{("test", "NORMAL"): 234, ("test", "PNEUMONIA"): 390},
    }
    assert shipped.identical_groups == 30
    assert shipped.development["films"].sum() == 1341 + 3875 + 16
    assert shipped.sizes.groupby("quantity")["films"].sum().to_list() == [5851] * 3
    assert shipped.intensity.groupby(["split", "label"])["share"].sum().to_list() == pytest.approx([1] * 6, abs=1e-4)


def test_the_shipped_summary_has_a_mean_and_a_deviation_of_each_kind():
    shipped = load(FOLDER)

    assert len(shipped.pictures) == 8
    assert all(picture.shape == (224, 224) and picture.dtype == np.uint8 for picture in shipped.pictures.values())
    assert (FOLDER / INDEX).stat().st_size < 200_000


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_the_shipped_summary_is_of_the_official_films():
    films = kaggle.scan(SHARED / "chest_xray")
    shipped = load(FOLDER)

    assert shipped.fingerprint == kaggle.fingerprint(films)
    assert shipped.counts.equals(kaggle.counts(films))
    pd.testing.assert_frame_equal(shipped.development, _development(films), check_dtype=False)
