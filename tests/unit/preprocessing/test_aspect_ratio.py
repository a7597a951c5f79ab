import cv2
import numpy as np
import pandas as pd
import pytest

from pneumo.errors import DatasetError
from pneumo.preprocessing import aspect_ratio

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
    path = folder / aspect_ratio.MASKS / aspect_ratio.TABLE
    path.parent.mkdir()
    pd.DataFrame(rows, columns=["kermany_file", "orig_width", "orig_height"]).to_csv(path, index=False)
    return path


def test_the_ratio_is_that_of_the_pixels_and_unknown_in_a_square(data):
    ratios = aspect_ratio.aspect_ratios(data, pd.DataFrame({"file": FILES}))

    assert ratios.tolist()[:3] == pytest.approx([1.2, 1.3, 1.5])
    assert np.isnan(ratios[3])


def test_the_table_of_the_masks_beside_the_data_knows_better(data):
    masks_table(data.parent, [("a.jpeg", 800, 400), ("d.jpeg", 900, 600), ("d.jpeg", 1, 1)])

    ratios = aspect_ratio.aspect_ratios(data, pd.DataFrame({"file": FILES}))

    assert ratios.tolist() == pytest.approx([2.0, 1.3, 1.5, 1.5])


def test_a_film_that_cannot_be_read_has_no_ratio(data):
    (data / FILES[0]).write_bytes(b"no picture")
    (data / FILES[1]).unlink()

    ratios = aspect_ratio.aspect_ratios(data, pd.DataFrame({"file": FILES}))

    assert np.isnan(ratios).tolist() == [True, True, False, True]


def test_a_table_without_the_columns_is_named(data, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / aspect_ratio.TABLE).write_text("file,label\na,NORMAL\n", "utf-8")

    with pytest.raises(DatasetError, match=r"labels\.csv is no table of lung masks"):
        aspect_ratio.aspect_ratios(data, pd.DataFrame({"file": FILES}), tmp_path / "other")
