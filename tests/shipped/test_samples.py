import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from pneumo.datasets.samples import FOLDER, INDEX, Sample, load_samples, save_index
from pneumo.errors import DatasetError

SHIPPED = load_samples(FOLDER)


def a_sample(folder: Path) -> Sample:
    Image.new("L", (8, 8)).save(folder / "normal_1.png")
    return Sample(folder / "normal_1.png", "NORMAL", "", 12, "Normal 1", "Composite of 12 films …")


def test_an_index_comes_back_as_it_was_saved(tmp_path):
    sample = a_sample(tmp_path)

    save_index([sample], tmp_path)

    assert load_samples(tmp_path) == [sample]


def test_a_folder_without_index_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(DatasetError, match=r"no list of samples.*research.composites"):
        load_samples(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[{}]", "[1]", '{"file": 1}'])
def test_a_damaged_index_is_refused(tmp_path, text):
    (tmp_path / INDEX).write_text(text, encoding="utf-8")

    with pytest.raises(DatasetError, match="damaged"):
        load_samples(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("file", "gone.png", "which is not in"),
        ("file", "../normal_1.png", "which is not in"),
        ("label", "HEALTHY", "unknown label"),
        ("pathogen", "fungus", "unknown label or pathogen"),
    ],
)
def test_an_index_that_contradicts_the_folder_is_refused(tmp_path, key, value, message):
    save_index([a_sample(tmp_path)], tmp_path)
    (tmp_path.parent / "normal_1.png").touch()
    rows = json.loads((tmp_path / INDEX).read_text(encoding="utf-8"))
    rows[0][key] = value
    (tmp_path / INDEX).write_text(json.dumps(rows), encoding="utf-8")

    with pytest.raises(DatasetError, match=message):
        load_samples(tmp_path)


def test_four_composites_of_each_kind_and_a_dicom_are_shipped():
    pictures = [sample for sample in SHIPPED if sample.path.suffix == ".png"]

    assert {path.name for path in FOLDER.glob("*_[0-9].*")} == {sample.path.name for sample in SHIPPED}
    assert [sample.path.name for sample in SHIPPED if sample.path.suffix != ".png"] == ["bacterial_1.dcm"]
    for label, pathogen in (("NORMAL", ""), ("PNEUMONIA", "bacteria"), ("PNEUMONIA", "virus")):
        assert sum((sample.label, sample.pathogen) == (label, pathogen) for sample in pictures) == 4


def test_titles_of_shipped_samples_differ():
    assert len({sample.title for sample in SHIPPED}) == len(SHIPPED)


@pytest.mark.parametrize("sample", SHIPPED, ids=lambda sample: sample.path.name)
def test_a_shipped_sample_is_a_composite_of_at_least_eight_films(sample):
    assert sample.composite_of >= 8
    assert f"Composite of {sample.composite_of} radiographs of different patients" in sample.description


@pytest.mark.parametrize("sample", [s for s in SHIPPED if s.path.suffix == ".png"], ids=lambda s: s.path.name)
def test_a_shipped_picture_is_a_grey_film_that_says_what_it_is(sample):
    with Image.open(sample.path) as picture:
        pixels = np.asarray(picture)
        text = picture.info

    assert pixels.dtype == np.uint8
    assert pixels.ndim == 2
    assert pixels.shape[1] >= 400
    assert 1.2 <= pixels.shape[1] / pixels.shape[0] <= 1.4
    assert 110 < pixels.mean() < 165, "the exposure of the films it is made of"
    assert pixels.max() - pixels.min() > 150
    assert text["Description"] == sample.description
    assert "doi:10.17632/rscbjbr9sj" in text["Source"]
    assert text["Copyright"] == "CC BY 4.0"


def test_the_shipped_dicom_shows_the_same_pixels_as_its_png():
    film = pydicom.dcmread(FOLDER / "bacterial_1.dcm")

    assert np.array_equal(film.pixel_array, np.asarray(Image.open(FOLDER / "bacterial_1.png")))
    assert str(film.PatientName) == "COMPOSITE^OF 12 FILMS"


def test_no_streak_crosses_a_shipped_picture():
    for sample in SHIPPED:
        if sample.path.suffix == ".png":
            pixels = np.asarray(Image.open(sample.path)).astype(float)
            middle = slice(pixels.shape[1] // 4, -pixels.shape[1] // 4)
            assert (pixels[:, middle].mean(axis=1) > 50).all(), f"a dark row in {sample.path.name}"


def test_shipped_pictures_are_small():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.png")) < 3_000_000
