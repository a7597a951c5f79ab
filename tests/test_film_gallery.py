import os

import cv2
import numpy as np
import pytest

from pneumo import dataset, film_gallery
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


def test_an_open_data_set_has_films_and_figures(toy_data):
    data = film_gallery.open_dataset(toy_data)

    assert len(data.films) == data.summary.counts["films"].sum()
    assert (data.root / data.films["file"][0]).is_file()


def test_drawn_films_are_of_the_kind_and_the_draw_repeats(toy_data):
    films = dataset.scan(toy_data)

    drawn = film_gallery.draw_films(films, "train", "Viral pneumonia", 5, seed=1)

    assert len(drawn) == 5
    assert set(drawn["pathogen"]) == {"virus"}
    assert set(drawn["split"]) == {"train"}
    assert drawn.equals(film_gallery.draw_films(films, "train", "Viral pneumonia", 5, seed=1))
    assert not drawn.equals(film_gallery.draw_films(films, "train", "Viral pneumonia", 5, seed=2))
    assert film_gallery.draw_films(films, "train", "Pneumonia, cause not named", 5, seed=1).empty


def test_a_thumbnail_keeps_its_proportions(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((400, 800), 51, np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), np.full((80, 100), 255, np.uint8))

    small = film_gallery.thumbnail(tmp_path / "a.png", side=200)

    assert small.shape == (100, 200)
    assert small.dtype == np.uint8
    assert (small == 51).all()
    assert film_gallery.thumbnail(tmp_path / "b.png", side=200).shape == (80, 100)


def test_a_damaged_film_is_an_image_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")

    with pytest.raises(ImageError):
        film_gallery.thumbnail(tmp_path / "a.png")
