import cv2
import numpy as np
import pandas as pd
import pytest
from toy import synthetic

from pneumo.datasets import image_properties, kaggle
from pneumo.datasets.image_properties import FRAMING, SIDE, TRAITS
from pneumo.errors import DatasetError, ImageError
from pneumo.preprocessing.network_input import SQUARE


def body(grey=0.5):
    return np.full((SQUARE, SQUARE), grey, np.float32)


def test_brightness_and_contrast_are_those_of_the_grey_values():
    half = body(0.2)
    half[: SQUARE // 2] = 0.8

    traits = image_properties.of_square(half)

    assert traits["brightness"] == pytest.approx(0.5)
    assert traits["contrast"] == pytest.approx(0.3)


def test_dark_borders_are_counted_at_the_sides_and_at_the_ends():
    left = body()
    left[:, :20] = 0

    traits = image_properties.of_square(left)

    assert traits["dark_sides"] == pytest.approx(0.5)
    assert traits["dark_ends"] == pytest.approx(20 / SQUARE)
    assert image_properties.of_square(body())["dark_sides"] == 0


def letter(row, column, grey=1.0):
    square = np.full((SQUARE, SQUARE), 76, np.uint8)
    cv2.putText(square, "R", (column, row), cv2.FONT_HERSHEY_SIMPLEX, 0.45, round(255 * grey), 1)
    return square / np.float32(255)


def test_letters_are_found_in_the_corners_and_beside_the_child():
    assert image_properties.marks(letter(20, 10)) == (1, 0)
    assert image_properties.marks(letter(20, SQUARE - 20)) == (1, 0)
    assert image_properties.marks(letter(100, 6)) == (0, 1)


def test_what_is_no_letter_is_not_counted():
    assert image_properties.marks(body()) == (0, 0)
    assert image_properties.marks(letter(100, 110)) == (0, 0)
    assert image_properties.marks(letter(100, 6, grey=0.4)) == (0, 0)
    bone = body(0.3)
    bone[90:150, 2:10] = 1.0
    assert image_properties.marks(bone) == (0, 0)


@pytest.fixture
def masks(toy_data, tmp_path):
    synthetic.write_lung_masks(toy_data, tmp_path)
    path = tmp_path / "labels.csv"
    table = pd.read_csv(path).assign(orig_width=1200, orig_height=800)
    table[table["kermany_file"] != "IM-0115-0001.jpeg"].to_csv(path, index=False)
    return tmp_path


def test_sizes_and_framing_come_with_the_masks(toy_data, masks):
    table = kaggle.scan(toy_data).iloc[10:40]
    told = []

    traits, small = image_properties.measure(table, toy_data, masks, lambda *now: told.append(now))

    assert list(traits) == list(TRAITS)
    assert list(traits.index) == list(table.index)
    assert small.shape == (30, SIDE * SIDE)
    known = traits[traits["width"].notna()]
    assert set(known["width"]) == {1200}
    assert set(known["aspect_ratio"]) == {1.5}
    # The drawn lungs reach from 0.15 to 0.85 of the width and from 0.17 to 0.83 of the height.
    assert known["lung_width"].to_numpy() == pytest.approx(0.7, abs=0.02)
    assert known["lung_height"].to_numpy() == pytest.approx(0.66, abs=0.02)
    assert table.loc[traits["width"].isna(), "file"].to_list() == ["train/NORMAL/IM-0115-0001.jpeg"]
    assert told == [(0, 30), (25, 30), (30, 30)]


def test_without_masks_the_files_own_sizes_are_taken(toy_data):
    traits, _ = image_properties.measure(kaggle.scan(toy_data).head(2), toy_data)

    assert traits[["width", "height"]].to_numpy().tolist() == [[synthetic.WIDTH, synthetic.HEIGHT]] * 2
    assert traits[list(FRAMING)].isna().all(axis=None)


def test_an_empty_or_missing_mask_leaves_the_framing_out(toy_data, masks):
    files = kaggle.scan(toy_data).query("file.str.contains('IM-0116|IM-0117')")
    cv2.imwrite(str(masks / "masks224" / "IM-0116-0001.png"), np.zeros((224, 224), np.uint8))
    (masks / "masks224" / "IM-0117-0001.png").unlink()

    traits, _ = image_properties.measure(files[files["file"].str.endswith("-0001.jpeg")].head(2), toy_data, masks)

    assert traits[list(FRAMING)].isna().all(axis=None)
    assert set(traits["height"]) == {800}


def test_a_table_of_another_kind_is_refused(toy_data, tmp_path):
    (tmp_path / "labels.csv").write_text("a,b\n1,2\n")

    with pytest.raises(DatasetError, match="no table of lung masks"):
        image_properties.measure(kaggle.scan(toy_data).head(1), toy_data, tmp_path)


def test_a_damaged_film_is_named(tmp_path):
    (tmp_path / "a.jpeg").write_bytes(b"no picture")

    with pytest.raises(ImageError, match=r"a\.jpeg"):
        image_properties.measure(pd.DataFrame({"file": ["a.jpeg"]}), tmp_path)
