import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from toy import synthetic

from pneumo.datasets import kaggle, summary
from pneumo.datasets.samples import FOLDER
from pneumo.datasets.summary import (
    ABOVE,
    BELOW,
    FRAMES,
    INDEX,
    TABLES,
    _development,
    _frames,
    class_difference,
    difference_text,
    full_contrast,
    load,
    measure,
    signed_picture,
    summarise,
    write,
)
from pneumo.errors import DatasetError, ImageError


def films(folder, greys, *, split="train", label="NORMAL", pathogen="", size=(224, 224)):
    rows = []
    for number, grey in enumerate(greys):
        cv2.imwrite(str(folder / f"{split}{pathogen}{number}.png"), np.full(size, grey, np.uint8))
        rows.append((f"{split}{pathogen}{number}.png", split, label, pathogen))
    return pd.DataFrame(rows, columns=["file", "split", "label", "pathogen"])


def test_mean_and_deviation_are_taken_over_the_train_films_of_a_kind(tmp_path):
    table = pd.concat([films(tmp_path, [100, 120] * 4), films(tmp_path, [250] * 9, split="test")], ignore_index=True)

    pictures = measure(table, tmp_path).pictures

    assert sorted(pictures) == ["mean_normal", "std_normal"]
    assert (pictures["mean_normal"] == 110).all()
    assert (pictures["std_normal"] == 10).all()


def test_pneumonia_is_bacterial_and_viral_together(tmp_path):
    bacterial = films(tmp_path, [100] * 8, label="PNEUMONIA", pathogen="bacteria")
    viral = films(tmp_path, [200] * 8, label="PNEUMONIA", pathogen="virus")

    pictures = measure(pd.concat([bacterial, viral], ignore_index=True), tmp_path).pictures

    assert pictures["mean_bacterial"][0, 0] == 100
    assert pictures["mean_viral"][0, 0] == 200
    assert pictures["mean_pneumonia"][0, 0] == 150
    assert pictures["std_pneumonia"][0, 0] == 50


def test_the_mean_of_seven_films_is_not_taken(tmp_path):
    assert measure(films(tmp_path, [100] * 7), tmp_path).pictures == {}


def test_full_size_films_are_measured_as_they_are_and_counted_at_224(tmp_path):
    found = measure(films(tmp_path, [7, 255], size=(448, 672)), tmp_path)

    assert found.height.tolist() == [448, 448]
    assert found.width.tolist() == [672, 672]
    assert found.histograms.sum(axis=1).tolist() == [224 * 224] * 2
    assert found.histograms.argmax(axis=1).tolist() == [1, 63]


def test_an_unreadable_film_is_named(tmp_path):
    table = films(tmp_path, [100])
    (tmp_path / "train0.png").write_bytes(b"no picture")

    with pytest.raises(ImageError, match=r"train0\.png"):
        measure(table, tmp_path)


def test_full_contrast_uses_all_grey_values():
    picture = np.array([[10, 20, 30]], np.uint8)

    assert full_contrast(picture).tolist() == [[0, 128, 255]]
    assert full_contrast(np.full((2, 2), 9, np.uint8)).tolist() == [[0, 0], [0, 0]]


def test_the_difference_of_the_means_has_a_sign():
    means = {"mean_pneumonia": np.full((2, 2), 10, np.uint8), "mean_normal": np.full((2, 2), 30, np.uint8)}

    assert (class_difference(means) == -20).all()
    assert class_difference(means, "normal", "pneumonia").tolist() == [[20, 20], [20, 20]]
    assert class_difference(means, "bacterial", "viral") is None


def test_a_signed_picture_is_white_at_zero_and_coloured_at_its_ends():
    picture = signed_picture(np.array([[-40, 0, 40, 20]], np.int16))

    assert picture.dtype == np.uint8
    assert picture[0, 0].tolist() == list(BELOW)
    assert picture[0, 1].tolist() == [255, 255, 255]
    assert picture[0, 2].tolist() == list(ABOVE)
    assert (picture[0, 3] > picture[0, 2]).all()
    assert (signed_picture(np.zeros((2, 2), np.int16)) == 255).all()


def test_a_difference_is_told_with_its_ends():
    assert difference_text("Pneumonia less normal", np.array([-37, 4], np.int16)) == (
        "Pneumonia less normal: from −37 to +4 grey values of 255."
    )


SHARED = Path(__file__).parents[4] / "shared" / "data"
HEIGHT, WIDTH = 64, 128


def save(folder: Path, split: str, name: str, grey: int) -> None:
    label = "NORMAL" if name.startswith(("IM", "NORMAL2")) else "PNEUMONIA"
    (folder / split / label).mkdir(parents=True, exist_ok=True)
    # PNG bytes under a JPEG name keep the grey value exact; the reader goes by content.
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
def measured(data):
    return summarise(data)


def figures(table: pd.DataFrame, **where) -> dict:
    for column, value in where.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0].to_dict()


def test_films_and_patients_are_counted(measured, data):
    assert measured.counts.equals(kaggle.counts(kaggle.scan(data)))
    virus = figures(measured.counts, split="train", pathogen="virus")
    assert (virus["films"], virus["patients"]) == (2, 1), "identical films are of one patient"


def test_groups_of_identical_films_are_counted(measured):
    assert (measured.identical_groups, measured.identical_films) == (1, 2)
    assert measured.identical.to_dict("records") == [
        {"split": "train", "label": "PNEUMONIA", "files": 2, "children": 2, "groups": 1}
    ]


def test_patients_are_counted_by_their_films(measured):
    expected = {("NORMAL", 1): 7, ("NORMAL", 2): 1, ("PNEUMONIA", 1): 1, ("PNEUMONIA", 2): 2}

    found = measured.films_per_patient.set_index(["label", "films"])["patients"].to_dict()

    assert found == expected


def test_intensity_is_a_share_of_pixels_in_64_bins(measured):
    dark = measured.intensity.query("split == 'test' and label == 'NORMAL'")
    train = measured.intensity.query("split == 'train' and label == 'PNEUMONIA'").set_index("low")["share"]

    assert len(dark) == 64
    assert figures(dark, low=0) == {"split": "test", "label": "NORMAL", "low": 0, "high": 3, "share": 1.0}
    assert train[train > 0].to_dict() == {20: 0.25, 28: 0.25, 40: 0.5}


def test_without_a_table_the_files_are_measured(measured):
    assert measured.sizes_from == "files"
    assert figures(measured.size_quartiles, label="NORMAL", quantity="width")["median"] == WIDTH
    ratio = figures(measured.sizes, label="NORMAL", quantity="aspect_ratio")
    assert (ratio["low"], ratio["high"], ratio["films"]) == (2.0, 2.1, 9)


def test_a_table_of_lung_masks_tells_the_original_sizes(data, tmp_path):
    rows = [
        ("person1_bacteria_1.jpeg", "a.png", 1000, 500),
        ("person1_bacteria_2.jpeg", "b.png", 1100, 1000),
        ("person2_virus_3.jpeg", "c.png", 1199, 1000),
        ("unknown.jpeg", "d.png", 1, 1),
    ]
    columns = ["kermany_file", "mask", "orig_width", "orig_height"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "labels.csv", index=False)

    measured = summarise(data, tmp_path / "labels.csv")

    assert measured.sizes_from == "originals"
    widths = measured.sizes.query("quantity == 'width'")
    assert widths[["low", "high", "films"]].to_numpy().tolist() == [[1000, 1100, 1], [1100, 1200, 2]]
    assert figures(measured.size_quartiles, quantity="width") == {
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

    measured = summarise(tmp_path)

    assert measured.development.empty
    assert list(measured.development) == ["part", "label", "pathogen", "films", "patients"]


def test_pictures_are_made_of_eight_films_or_more(measured):
    assert sorted(measured.pictures) == ["mean_normal", "std_normal"]
    assert (measured.pictures["mean_normal"] == 105).all()


def test_progress_is_told(data):
    told = []

    summarise(data, progress=told.append)

    assert told[0] == "0 of 14 films read"
    assert told[-1] == "14 of 14 films read"


def test_what_is_written_is_what_is_loaded(measured, tmp_path):
    write(measured, tmp_path)

    loaded = load(tmp_path)

    for name in TABLES:
        pd.testing.assert_frame_equal(
            getattr(loaded, name), getattr(measured, name), check_dtype=False, rtol=1e-5, check_column_type=False
        )
    for name, picture in measured.pictures.items():
        assert np.array_equal(loaded.pictures[name], picture)
    assert loaded.source == measured.source
    assert loaded.fingerprint == measured.fingerprint
    assert (loaded.identical_groups, loaded.identical_films, loaded.sizes_from) == (1, 2, "files")


def test_a_missing_summary_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(DatasetError, match=r"missing or damaged.*research.composites"):
        load(tmp_path)


@pytest.mark.parametrize("damage", ["index", "table", "picture"])
def test_a_damaged_summary_is_refused(measured, tmp_path, damage):
    path = write(measured, tmp_path)
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
    assert shipped.frames["label"].value_counts().to_dict() == {"NORMAL": FRAMES, "PNEUMONIA": FRAMES}
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
    rows = summary.class_counts(COUNTS)

    assert rows.groupby("split")["share"].sum().to_list() == pytest.approx([1, 1])
    viral = rows.query("split == 'Test' and kind == 'Viral pneumonia'").iloc[0]
    assert (viral["films"], viral["patients"], viral["share"]) == (148, 126, pytest.approx(148 / 624))


def test_readable_counts_have_a_row_a_split():
    table = summary.readable_counts(COUNTS)

    assert table.to_dict("list") == {
        "Split": ["Training", "Test"],
        "Normal": [1341, 234],
        "Bacterial pneumonia": [2530, 242],
        "Viral pneumonia": [1345, 148],
        "All films": [5216, 624],
        "Share of pneumonia": ["74.3 %", "62.5 %"],
    }


def test_pneumonia_without_a_named_cause_is_a_kind_of_its_own():
    table = summary.readable_counts(COUNTS.assign(pathogen=""))

    assert list(table["Pneumonia, cause not named"]) == [3875, 390]


def test_development_is_told_by_part():
    rows = COUNTS[COUNTS["split"] == "train"]
    development = pd.concat([rows.assign(part="train"), rows.assign(part="validation", films=[10, 20, 10])])

    table = summary.readable_development(development)

    assert list(table["Part"]) == ["Training", "Held out for validation"]
    assert list(table["All films"]) == [5216, 40]
    assert table["Share of pneumonia"][1] == "75.0 %"


def test_patients_with_many_films_are_one_row():
    table = pd.DataFrame(
        [("NORMAL", 1, 9), ("NORMAL", 2, 1), ("PNEUMONIA", 1, 6), ("PNEUMONIA", 9, 3), ("PNEUMONIA", 30, 1)],
        columns=["label", "films", "patients"],
    )

    rows = summary.films_per_patient(table)

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

    rows = summary.size_shares(sizes, "width")

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
    text = summary.size_leak(quartiles(), "originals")

    assert "original films" in text
    assert "1,654 pixels wide and 1,323 high, at a width : height of 1.23" in text
    assert "1,160 pixels wide and 776 high, at a width : height of 1.49" in text


def test_one_class_has_no_leak():
    assert "median" not in summary.size_leak(quartiles(["NORMAL"]), "files")
    assert summary.frame_text(quartiles(["NORMAL"])) == ""


def test_the_frame_is_told_to_give_the_label_away_only_where_it_does():
    alike = quartiles().assign(median=1.3)

    assert "1.23 of normal films and 1.49 of films with pneumonia: the frame" in summary.frame_text(quartiles())
    assert summary.frame_text(alike) == "Median width : height is 1.30 in both classes."


def test_few_films_are_drawn_by_their_size_and_many_are_drawn_from():
    sizes = pd.DataFrame({"label": ["NORMAL"] * 900 + ["PNEUMONIA"] * 3, "width": range(903), "height": 7})

    frames = _frames(sizes)

    assert frames["label"].value_counts().to_dict() == {"NORMAL": FRAMES, "PNEUMONIA": 3}
    assert frames["width"].is_unique
    assert frames["width"].is_monotonic_increasing
    assert frames.equals(_frames(sizes))


def test_examples_show_that_numbers_are_reused_between_causes():
    examples = summary.key_examples().set_index("File name")["Patient"]

    assert examples["person109_bacteria_12.jpeg"] == examples["person109_bacteria_14.jpeg"] == "person109_bacteria"
    assert examples["person109_virus_203.jpeg"] == "person109_virus"
    assert examples["NORMAL2-IM-0115-0001.jpeg"] == "NORMAL2-IM-0115"


def test_grey_values_are_in_words(toy_data):
    rows = summary.intensity_shares(summary.summarise(toy_data).intensity)

    assert set(rows["split"]) == {"Training", "Validation", "Test"}
    assert set(rows["class"]) == {"Normal", "Pneumonia"}


def test_identical_films_are_in_words_and_listed(toy_data):
    films = kaggle.scan(toy_data)
    groups = summary.readable_identical(kaggle.identical_groups(films))

    assert groups.to_dict("records") == [
        {
            "Split": "Training",
            "Class": "Normal",
            "Files in a group": 2,
            "Children that their names tell": 2,
            "Groups": 1,
        }
    ]
    listed = summary.identical_files(films)
    assert listed["File"].to_list() == list(synthetic.IDENTICAL)
    assert listed["Patient after merging"].to_list() == ["IM-0119"] * 2


def test_a_group_in_two_splits_names_both():
    both = pd.DataFrame([("test + train", "NORMAL + PNEUMONIA", 2, 2, 1)])
    both.columns = ["split", "label", "files", "children", "groups"]

    row = summary.readable_identical(both).iloc[0]

    assert (row["Split"], row["Class"]) == ("Test, Training", "Normal, Pneumonia")


def test_the_source_of_everything_that_is_known_is_told():
    sources = summary.label_sources()

    assert len(sources) == 5
    assert sources["Where it comes from"].str.endswith(".").all()


def test_films_whose_names_tell_no_patient_are_counted():
    films = pd.DataFrame(
        {"file": ["test/NORMAL/test_00003.png", "test/NORMAL/IM-0001-0001.jpeg"], "patient": ["test_00003", "IM-0001"]}
    )

    assert summary.unnamed_patients(films).tolist() == [True, False]
    assert "names of 1 of the 2 films tell no patient" in summary.unnamed_text(films)
    assert summary.unnamed_text(films.iloc[1:]) == ""
