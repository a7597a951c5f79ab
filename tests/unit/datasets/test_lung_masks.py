import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pneumo import radiograph
from pneumo.datasets import lung_masks
from pneumo.errors import DatasetError

FILES = ("train/NORMAL/a.jpeg", "train/NORMAL/b.jpeg", "train/PNEUMONIA/c.jpeg", "train/PNEUMONIA/d.jpeg")


@pytest.fixture
def data(tmp_path):
    """Four films, the last of which is a square."""
    sizes = [(120, 100), (130, 100), (150, 100), (100, 100)]
    for file, (width, height) in zip(FILES, sizes, strict=True):
        path = tmp_path / "chest_xray" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((height, width), 90, np.uint8))
    return tmp_path / "chest_xray"


def masks_table(folder, rows):
    path = folder / lung_masks.FOLDER / lung_masks.TABLE
    path.parent.mkdir()
    columns = ["kermany_file", "orig_width", "orig_height"]
    pd.DataFrame(rows, columns=columns).assign(mask="a.png").to_csv(path, index=False)
    return path


def test_the_ratio_is_that_of_the_pixels_and_unknown_in_a_square(data):
    ratios = lung_masks.aspect_ratios(data, pd.DataFrame({"file": FILES}))

    assert ratios.tolist()[:3] == pytest.approx([1.2, 1.3, 1.5])
    assert np.isnan(ratios[3])


def test_the_table_of_the_masks_beside_the_data_knows_better(data):
    masks_table(data.parent, [("a.jpeg", 800, 400), ("d.jpeg", 900, 600), ("d.jpeg", 1, 1)])

    ratios = lung_masks.aspect_ratios(data, pd.DataFrame({"file": FILES}))

    assert ratios.tolist() == pytest.approx([2.0, 1.3, 1.5, 1.5])


def test_a_film_that_cannot_be_read_has_no_ratio(data):
    (data / FILES[0]).write_bytes(b"no picture")
    (data / FILES[1]).unlink()

    ratios = lung_masks.aspect_ratios(data, pd.DataFrame({"file": FILES}))

    assert np.isnan(ratios).tolist() == [True, True, False, True]


def test_a_table_without_the_columns_is_named(data, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / lung_masks.TABLE).write_text("file,label\na,NORMAL\n", "utf-8")

    with pytest.raises(DatasetError, match=r"labels\.csv is no table of lung masks"):
        lung_masks.aspect_ratios(data, pd.DataFrame({"file": FILES}), tmp_path / "other")


def test_a_mask_is_read_as_it_was_drawn(tmp_path):
    drawn = np.zeros((80, 70), np.uint8)
    drawn[20:60, 10:30] = 255
    drawn[20:60, 30] = 128
    cv2.imwrite(str(tmp_path / "mask.png"), drawn)

    np.testing.assert_array_equal(lung_masks.read_mask(tmp_path / "mask.png"), drawn)


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_a_mask_that_cannot_be_read_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "mask.png").write_bytes(content)

    with pytest.raises(DatasetError, match=r"mask\.png is missing or not a picture.*Unpack"):
        lung_masks.read_mask(tmp_path / "mask.png")


def test_a_film_that_lies_on_its_side_in_the_file_has_the_ratio_that_it_is_shown_with(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (100, 150)).save(tmp_path / "a.jpeg", exif=exif)

    assert lung_masks.aspect_ratios(tmp_path, pd.DataFrame({"file": ["a.jpeg"]})).tolist() == [1.5]


@pytest.mark.shared
def test_the_sizes_and_greys_of_the_real_films_and_masks_are_those_of_opencv(shared_data):
    films = sorted((shared_data / "chest_xray").rglob("*.jpeg"))[::200]
    originals = sorted((shared_data / "originals").rglob("*.jpeg"))[::10]
    masks = sorted((shared_data / "lung_masks").rglob("*.png"))[::200]

    for path in [*films, *originals, *masks]:
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(radiograph.grey_levels(path), picture)
        assert radiograph.size(path) == picture.shape[::-1]
