import numpy as np
import pytest
from toy.synthetic import arrays

from pneumo import radiograph
from pneumo.datasets import checks, kaggle, medmnist
from pneumo.errors import DatasetError


@pytest.fixture
def path(tmp_path):
    np.savez(tmp_path / "pneumoniamnist.npz", **arrays())
    return tmp_path / "pneumoniamnist.npz"


def test_pictures_and_labels_are_read_by_split(path):
    found = medmnist.read(path)

    assert {split: pictures.shape for split, pictures in found.images.items()} == {
        "train": (6, 28, 28),
        "val": (4, 28, 28),
        "test": (4, 28, 28),
    }
    assert found.labels["train"].tolist() == [0, 1, 0, 1, 0, 1]


def test_pictures_are_listed_like_films(path):
    table = medmnist.table(medmnist.read(path))

    assert table["file"].to_list()[:2] == ["train[0]", "train[1]"]
    assert table["label"].value_counts().to_dict() == {"NORMAL": 7, "PNEUMONIA": 7}
    assert table["sha256"].nunique() == 14
    assert not table["flat"].any()


def test_a_few_pictures_of_a_class_are_shown(path):
    found = medmnist.read(path)

    assert np.array_equal(medmnist.first(found, 1, 2), found.images["train"][[1, 3]])
    assert len(medmnist.first(found, 0, 99)) == 3


@pytest.mark.parametrize("side", medmnist.SIDES)
def test_every_published_size_is_read(tmp_path, side):
    np.savez_compressed(tmp_path / "a.npz", **arrays(side))

    assert medmnist.read(tmp_path / "a.npz").images["test"].shape == (4, side, side)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train_images": np.zeros((6, 28, 28, 3), np.uint8)}, "no square grey"),
        ({"val_images": np.zeros((4, 28, 28), np.float32)}, "float32"),
        ({"test_images": np.zeros((4, 28, 20), np.uint8)}, "no square grey"),
        ({"train_labels": np.zeros((5, 1), int)}, "one whole number"),
        ({"train_labels": np.zeros((6, 14), int)}, "one whole number"),
        ({"train_labels": np.array(["a"] * 6)}, "one whole number"),
    ],
)
def test_other_arrays_are_refused(tmp_path, changes, said):
    np.savez(tmp_path / "a.npz", **arrays(**changes))

    with pytest.raises(DatasetError, match=said):
        medmnist.read(tmp_path / "a.npz")


def test_pickled_objects_are_not_executed(tmp_path):
    np.savez(tmp_path / "a.npz", train_images=np.array([{"a": 1}], object), train_labels=np.array([1]))

    with pytest.raises(DatasetError, match="no sound"):
        medmnist.read(tmp_path / "a.npz")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_damaged_files_are_refused(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)

    with pytest.raises(DatasetError, match="no sound"):
        medmnist.read(tmp_path / "a.npz")


def test_an_archive_of_other_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros(3))

    with pytest.raises(DatasetError, match="no MedMNIST file"):
        medmnist.read(tmp_path / "a.npz")


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
