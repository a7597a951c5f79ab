import numpy as np
import pytest
from toy.synthetic import arrays

from pneumo import radiograph
from pneumo.datasets import checks, kaggle, medmnist
from pneumo.errors import DatasetError


def write(folder, side=64, **changes):
    np.savez(folder / "pneumoniamnist_64.npz", **arrays(side, **changes))
    return folder / "pneumoniamnist_64.npz"


def test_pictures_become_films_of_the_same_grey_values(tmp_path):
    path, told = write(tmp_path), []

    root = medmnist.unpack(path, tmp_path / "new", lambda *now: told.append(now))

    films = kaggle.scan(root)
    assert root == tmp_path / "new" / "pneumoniamnist_64"
    assert films.groupby("split")["label"].value_counts().to_dict() == {
        (split, label): films for split, films in (("train", 3), ("val", 2), ("test", 2)) for label in kaggle.LABELS
    }
    film = radiograph.read(root / "test" / "PNEUMONIA" / "test_00003.png")
    assert np.array_equal(np.rint(film.pixels * 255), medmnist.read(path).images["test"][3])
    assert told == [(14, 14)]
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["pneumoniamnist_64"]
    assert checks.check(root).is_sound


def test_a_picture_that_is_too_small_for_a_film_is_enlarged():
    picture = np.tile(np.arange(28, dtype=np.uint8) * 9, (28, 1))

    film = radiograph.read(medmnist.png(picture), "a.png")

    assert film.pixels.shape == (medmnist.ENLARGED, medmnist.ENLARGED)
    assert np.all(np.diff(film.pixels[0]) >= 0)


def test_what_is_there_already_is_kept(tmp_path):
    path = write(tmp_path)
    root = medmnist.unpack(path, tmp_path)

    with pytest.raises(DatasetError, match="is there already"):
        medmnist.unpack(path, tmp_path)

    assert len(kaggle.scan(root)) == 14


def test_unknown_labels_are_refused(tmp_path):
    path = write(tmp_path, test_labels=np.array([0, 1, 2, 1]))

    with pytest.raises(DatasetError, match="neither 0 nor 1"):
        medmnist.unpack(path, tmp_path)


def test_a_folder_that_cannot_be_written_costs_a_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    path = write(tmp_path)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(medmnist, "png", fail)
    with pytest.raises(DatasetError, match="disk full"):
        medmnist.unpack(path, tmp_path / "new")

    assert list((tmp_path / "new").iterdir()) == []
