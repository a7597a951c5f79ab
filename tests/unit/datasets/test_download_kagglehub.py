import time

import kagglehub
import pytest
import requests

from pneumo.datasets import download_kagglehub, kaggle
from pneumo.errors import DatasetError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    monkeypatch.setattr(download_kagglehub, "LOOK_EVERY", 0.02)
    return tmp_path


def test_what_arrives_is_told_and_counted(toy_data, cache, monkeypatch):
    monkeypatch.setattr(kaggle, "PUBLISHED_FILMS", kaggle.film_counts(kaggle.scan(toy_data)))
    asked, told = [], []

    def fetch(handle):
        asked.append(handle)
        archive = download_kagglehub.folder() / "2.archive"
        archive.parent.mkdir(parents=True)
        archive.write_bytes(bytes(3_000_000))
        time.sleep(0.2)
        return str(toy_data.parent)

    monkeypatch.setattr(kagglehub, "dataset_download", fetch)

    assert download_kagglehub.fetch(told.append) == toy_data
    assert asked == ["paultimothymooney/chest-xray-pneumonia"]
    assert download_kagglehub.folder().is_relative_to(cache)
    assert told[-1].startswith("3 MB of about 2,300 MB")


def test_an_incomplete_data_set_is_told(toy_data, monkeypatch):
    monkeypatch.setattr(kagglehub, "dataset_download", lambda handle: str(toy_data))

    with pytest.raises(DatasetError, match="is not complete: train/NORMAL has"):
        download_kagglehub.fetch()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            requests.ConnectionError("no route"),
            "Kaggle cannot be reached. Check the connection, or download it by hand",
        ),
        (requests.Timeout(), "Kaggle cannot be reached"),
        (OSError("No space left on device"), "could not fetch the data set .No space left"),
        (kagglehub.exceptions.DataCorruptionError("another\n  checksum"), "another checksum"),
    ],
)
def test_what_goes_wrong_costs_a_sentence(monkeypatch, error, said):
    def fail(handle):
        raise error

    monkeypatch.setattr(kagglehub, "dataset_download", fail)

    with pytest.raises(DatasetError, match=said):
        download_kagglehub.fetch()


def test_an_empty_folder_holds_nothing(tmp_path):
    assert download_kagglehub.megabytes(tmp_path / "nowhere") == 0
