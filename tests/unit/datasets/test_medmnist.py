import numpy as np
import pytest
from toy.synthetic import arrays

from pneumo.datasets import medmnist
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
