import cv2
import numpy as np
import pandas as pd
import pytest

from pneumo.datasets.summary import (
    ABOVE,
    BELOW,
    class_difference,
    difference_text,
    full_contrast,
    measure,
    signed_picture,
)
from pneumo.errors import DatasetError


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

    with pytest.raises(DatasetError, match=r"train0\.png"):
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
    assert difference_text("pneumonia less normal", np.array([-37, 4], np.int16)) == (
        "Pneumonia less normal: from −37 to +4 grey values of 255."
    )
