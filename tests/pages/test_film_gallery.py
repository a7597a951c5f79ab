import base64
import dataclasses
import os

import cv2
import numpy as np
import pandas as pd
import pytest
from toy import synthetic

from pages.parts.data import catalogue as film_gallery
from pages.parts.data.catalogue import Choice
from pneumo import radiograph
from pneumo.datasets import kaggle
from pneumo.datasets.samples import Sample
from pneumo.errors import DatasetError, ImageError


def test_a_data_set_is_found_from_a_typed_name(toy_data):
    assert film_gallery.locate(f"  {toy_data}\n") == toy_data
    assert film_gallery.locate(str(toy_data.parent)) == toy_data


@pytest.mark.parametrize("folder", ["/nowhere", "x" * 900, "a\0b", "~nobody-of-that-name/films"])
def test_a_bad_name_is_a_data_set_error(folder):
    with pytest.raises(DatasetError):
        film_gallery.locate(folder)


def test_the_state_follows_new_films(tmp_path):
    folder = tmp_path / "train" / "NORMAL"
    folder.mkdir(parents=True)
    os.utime(folder, ns=(1, 1))
    before = film_gallery.state(tmp_path)

    assert film_gallery.state(tmp_path) == before
    (folder / "IM-0001-0001.png").write_bytes(b"")
    assert film_gallery.state(tmp_path) != before


@pytest.fixture(scope="module")
def catalogue(toy_data):
    return film_gallery.of_data_set(toy_data)


def test_films_are_listed_with_their_kind_and_size(catalogue, toy_data):
    films = catalogue.films.set_index("file")

    assert len(films) == len(kaggle.scan(toy_data))
    assert films.loc["train/NORMAL/IM-0115-0001.jpeg", "kind"] == "Normal"
    assert films.loc["test/PNEUMONIA/person109_virus_204.jpeg", "kind"] == "Viral pneumonia"
    assert set(films["width"]) == {synthetic.WIDTH}
    assert set(films["height"]) == {synthetic.HEIGHT}


def test_a_film_without_a_readable_header_has_no_size(tmp_path):
    (tmp_path / "train" / "NORMAL").mkdir(parents=True)
    (tmp_path / "train" / "NORMAL" / "IM-0001-0001.png").write_bytes(b"no picture")

    films = film_gallery.of_data_set(tmp_path).films

    assert films[["width", "height"]].to_numpy().tolist() == [[0, 0]]
    assert film_gallery.width_range(films) is None


def test_shipped_figures_are_taken_for_the_very_same_films_only(catalogue):
    measured = film_gallery.summary(catalogue)
    known = dataclasses.replace(measured, sizes_from="originals")

    assert film_gallery.summary(catalogue, known) is known
    other = dataclasses.replace(known, fingerprint="0")
    assert film_gallery.summary(catalogue, other).sizes_from == "files"
    assert measured.counts["films"].sum() == len(catalogue.films)


def test_composites_are_listed_like_films(tmp_path):
    cv2.imwrite(str(tmp_path / "viral_1.png"), np.zeros((80, 100), np.uint8))
    sample = Sample(tmp_path / "viral_1.png", "PNEUMONIA", "virus", 12, "Viral 1", "Drawn.")

    [row] = film_gallery.of_samples([sample], tmp_path).films.to_dict("records")

    assert (row["file"], row["split"], row["kind"]) == ("viral_1.png", film_gallery.COMPOSITES, "Viral pneumonia")
    assert (row["width"], row["height"], row["patient"]) == (100, 80, "")


def films_of(catalogue, **choice):
    return film_gallery.matching(catalogue.films, Choice(**choice))


def test_films_are_chosen_by_split_kind_and_patient(catalogue):
    assert set(films_of(catalogue, split="val")["split"]) == {"val"}
    assert set(films_of(catalogue, kinds=("Viral pneumonia",))["pathogen"]) == {"virus"}
    assert set(films_of(catalogue, patient=" PERSON109_v ")["patient"]) == {"person109_virus"}
    assert films_of(catalogue, patient="person109_(").empty
    assert len(films_of(catalogue)) == len(catalogue.films)
    assert len(films_of(catalogue, split="test", kinds=("Normal",))) == 8


def test_films_are_chosen_by_width(catalogue):
    narrow = catalogue.films.assign(width=range(100, 100 + len(catalogue.films)))

    assert film_gallery.width_range(narrow) == (100, 99 + len(narrow))
    assert film_gallery.matching(narrow, Choice(width=(101, 103)))["width"].to_list() == [101, 102, 103]


def test_films_chosen_by_calls_stand_in_the_order_of_the_error(catalogue):
    films = catalogue.films.head(4).assign(call=["Missed", "Right", "Missed", ""], error=[0.6, 0.9, 0.8, np.nan])

    assert film_gallery.matching(films, Choice(calls=("Missed",)))["error"].to_list() == [0.8, 0.6]


def test_every_film_is_on_one_page():
    films = pd.DataFrame({"file": range(2 * film_gallery.PER_PAGE + 1)})

    assert film_gallery.page_count(len(films)) == 3
    assert [len(film_gallery.page(films, number)) for number in (1, 2, 3)] == [24, 24, 1]
    assert pd.concat([film_gallery.page(films, number) for number in (1, 2, 3)])["file"].to_list() == [*range(49)]
    assert film_gallery.page(films, 99)["file"].to_list() == [48]
    assert film_gallery.page_count(0) == 1


def test_a_header_is_told_in_words(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((400, 800), 51, np.uint8))
    film = radiograph.read(tmp_path / "a.png")

    facts = film_gallery.facts(film, 1234)

    assert facts["Size"] == "800 × 400 pixels, 1 kB"
    assert facts["Width : height"] == "2.00"
    assert facts["Mean grey value"] == "51 of 255"
    assert "Age" not in facts
    child = dataclasses.replace(film, age_years=3.0, view_position="AP")
    assert film_gallery.facts(child, 1)["Age"] == "3.0 years"
    assert film_gallery.facts(child, 1)["View"] == "AP"


def test_a_thumbnail_keeps_its_proportions(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((400, 800), 51, np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), np.full((80, 100), 255, np.uint8))

    small = film_gallery.thumbnail(tmp_path / "a.png", side=200)

    assert small.shape == (100, 200)
    assert small.dtype == np.uint8
    assert (small == 51).all()
    assert film_gallery.thumbnail(tmp_path / "b.png", side=200).shape == (80, 100)


def test_a_thumbnail_travels_within_its_address(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((400, 800), 51, np.uint8))

    kind, data = film_gallery.thumbnail_url(tmp_path / "a.png", side=200).split(",")

    assert kind == "data:image/jpeg;base64"
    small = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert small.shape == (100, 200)
    assert abs(int(small.mean()) - 51) <= 1


def test_a_damaged_film_is_an_image_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")

    with pytest.raises(ImageError):
        film_gallery.thumbnail(tmp_path / "a.png")
