import cv2
import numpy as np
import pandas as pd
import pytest

from pneumo.errors import DatasetError
from pneumo.film_statistics import full_contrast, measure


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
    assert found.brightness.tolist() == [7, 255]
    assert found.histograms.sum(axis=1).tolist() == [224 * 224] * 2
    assert found.histograms.argmax(axis=1).tolist() == [1, 63]


def test_an_unreadable_film_is_named(tmp_path):
    table = films(tmp_path, [100])
    (tmp_path / "train0.png").write_bytes(b"no picture")

    with pytest.raises(DatasetError, match=r"train0\.png"):
        measure(table, tmp_path)


def test_full_contrast_uses_all_grey_values():
    picture = np.array([[10, 20, 30]], np.uint8)

    assert full_contrast(picture).tolist() == [[0, 128, 255]]
    assert full_contrast(np.full((2, 2), 9, np.uint8)).tolist() == [[0, 0], [0, 0]]
