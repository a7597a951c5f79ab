import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
from toy import synthetic

from pneumo.errors import DatasetError
from pneumo.model_store import store
from pneumo.preprocessing.network_input import SQUARE
from research.heat_maps.films import answered, boxed_films, films_with_lungs, opaque_films


@pytest.fixture
def models(tmp_path):
    """A folder with the card of `toy`, which answered eight validation films."""
    (tmp_path / "models/toy").mkdir(parents=True)
    store.write_card(synthetic.card(), tmp_path / "models")
    files = sorted(f"{folder}/{name}" for folder, name in synthetic.film_names() if folder.startswith("train"))[:8]
    predictions = pd.DataFrame(
        {
            "file": files,
            "patient": [f"child {number // 2}" for number in range(8)],
            "label": "NORMAL",
            "pathogen": "",
            "probability": [0.9, 0.8, 0.79, 0.5, 0.2, 0.19, 0.1, 0.95],
        }
    )
    store.write_predictions(predictions, "toy", "val", tmp_path / "models")
    return tmp_path / "models"


def names(films):
    return sorted(film.path.name for film in films)


def test_films_are_chosen_by_what_the_model_answered(toy_data, models):
    files = [file.split("/")[-1] for file in store.read_predictions("toy", "val", models)["file"]]
    card = store.read_card("toy", models)

    likely = answered(toy_data, card, models, "likely", 9)
    unlikely = answered(toy_data, card, models, "unlikely", 9)

    assert names(likely) == sorted(files[number] for number in (0, 1, 7))
    assert names(unlikely) == sorted(files[number] for number in (5, 6))
    assert {film.patient for film in likely} == {"child 0", "child 3"}
    assert all(film.truth is None for film in likely)


def test_a_few_films_are_the_same_few_each_time(toy_data, models):
    card = store.read_card("toy", models)

    few = [names(answered(toy_data, card, models, "likely", 2)) for _ in range(2)]

    assert few[0] == few[1]
    assert len(few[0]) == 2


def test_films_of_another_data_set_are_not_taken(tmp_path, models):
    with pytest.raises(DatasetError, match="is not there"):
        answered(tmp_path, store.read_card("toy", models), models, "likely", 9)


def test_a_model_that_never_gives_an_answer_has_no_films(toy_data, models):
    card = synthetic.card(thresholds={**synthetic.card().thresholds, "low": 0.0})

    with pytest.raises(DatasetError, match="toy answers “unlikely” on none"):
        answered(toy_data, card, models, "unlikely", 9)


def test_test_films_come_with_their_drawn_lungs(toy_data, tmp_path):
    synthetic.write_lung_masks(toy_data, tmp_path / "lung_masks")

    films = films_with_lungs(toy_data, tmp_path / "lung_masks", 5)

    assert len(films) == 5
    for film in films:
        assert film.path.relative_to(toy_data).parts[0] == "test"
        np.testing.assert_array_equal(film.truth, synthetic.lung_mask(SQUARE, SQUARE))


@pytest.fixture
def boxed(tmp_path, toy_data):
    (tmp_path / "images").mkdir()
    for name in "abc":
        shutil.copy(toy_data / "train/NORMAL/IM-0115-0001.jpeg", tmp_path / f"images/{name}.jpg")
    (tmp_path / "labels.csv").write_text("file,label,patient_id\nimages/a.jpg,PNEUMONIA,7\nimages/b.jpg,NORMAL,8\n")
    (tmp_path / "boxes.csv").write_text(
        "file,finding,x,y,w,h\n"
        "images/a.jpg,Pneumonia,0.25,0.5,0.25,0.125\n"
        "images/a.jpg,Infiltrate,0.75,0,0.25,0.5\n"
        "images/a.jpg,Mass,0,0,1,1\n"
        "images/c.jpg,Effusion,0,0,1,1\n"
    )
    return tmp_path


def test_the_boxes_of_a_film_are_joined_and_those_of_other_diseases_left_out(boxed):
    [film] = boxed_films(boxed, 9)

    expected = np.zeros((SQUARE, SQUARE), bool)
    expected[112:140, 56:112] = expected[:112, 168:] = True
    np.testing.assert_array_equal(film.truth, expected)
    assert (film.path, film.patient) == (boxed / "images/a.jpg", "7")


@pytest.fixture
def opaque(tmp_path, toy_data):
    for folder in ("images", "lung", "opacity"):
        (tmp_path / folder).mkdir()
    lung, opacity = np.zeros((2, 100, 200), np.uint8)
    lung[20:80, 40:160], opacity[50:90, 40:100] = 255, 255
    for name in "ab":
        shutil.copy(toy_data / "train/NORMAL/IM-0115-0001.jpeg", tmp_path / f"images/{name}.jpg")
        cv2.imwrite(str(tmp_path / f"lung/{name}.png"), lung)
        cv2.imwrite(str(tmp_path / f"opacity/{name}.png"), opacity)
    (tmp_path / "labels.csv").write_text(
        "file,lung_mask,opacity_mask,opacity_inside_lung\n"
        "images/a.jpg,lung/a.png,opacity/a.png,0.7\n"
        "images/b.jpg,lung/b.png,opacity/b.png,0.6\n"
        "images/c.jpg,lung/c.png,,\n"
    )
    return tmp_path


def test_the_amount_of_an_opacity_is_its_share_of_the_lungs(opaque):
    [film] = opaque_films(opaque, 9)

    # 30 of 60 rows and 60 of 120 columns.
    assert film.amount == pytest.approx(0.25, abs=0.01)
    assert film.truth.mean() == pytest.approx(0.4 * 0.3, abs=0.01)
    assert film.path == opaque / "images/a.jpg"


@pytest.mark.parametrize("damage", ["missing", "empty", "no picture"])
def test_a_mask_that_shows_nothing_is_reported_by_name(opaque, damage):
    mask = opaque / "opacity/a.png"
    if damage == "missing":
        mask.unlink()
    elif damage == "empty":
        cv2.imwrite(str(mask), np.zeros((100, 200), np.uint8))
    else:
        mask.write_bytes(b"no picture")

    with pytest.raises(DatasetError, match=r"a\.png"):
        opaque_films(opaque, 9)


@pytest.mark.parametrize("read", [boxed_films, opaque_films])
def test_a_folder_without_its_table_is_reported(read, tmp_path):
    with pytest.raises(DatasetError, match=r"\.csv is missing"):
        read(tmp_path, 9)
    (tmp_path / "labels.csv").write_text("file\n")
    (tmp_path / "boxes.csv").write_text("file\n")
    with pytest.raises(DatasetError, match=r"\.csv lacks"):
        read(tmp_path, 9)
