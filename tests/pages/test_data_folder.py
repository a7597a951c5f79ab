import pytest

from pages.parts.data import data_folder
from pneumo.datasets import samples


def test_an_address_names_films_of_the_dataset_and_composites(toy_data, monkeypatch):
    monkeypatch.setenv("PNEUMO_DATA", str(toy_data))
    film = "train/NORMAL/IM-0115-0001.jpeg"

    assert data_folder.film(film) == toy_data / film
    assert data_folder.film("viral_1.png") == samples.FOLDER / "viral_1.png"
    monkeypatch.delenv("PNEUMO_DATA")
    assert data_folder.film(film) is None


@pytest.mark.parametrize(
    "file", ["", "train/NORMAL", "train/NORMAL/..", "/etc/passwd", "../train/NORMAL/a.jpeg", "samples.json", "a\0b"]
)
def test_an_address_names_nothing_else_on_the_machine(toy_data, monkeypatch, file):
    monkeypatch.setenv("PNEUMO_DATA", str(toy_data))

    assert data_folder.film(file) is None


def test_what_one_session_changes_of_a_list_no_other_one_sees(toy_data):
    first = data_folder._listed(toy_data, "unchanged")
    first.films["kind"] = "changed"

    assert "changed" not in set(data_folder._listed(toy_data, "unchanged").films["kind"])


def test_what_one_session_changes_of_the_figures_no_other_one_sees(toy_data):
    data = data_folder._listed(toy_data, "unchanged")
    first = data_folder._summary(toy_data, "unchanged", data, None)
    first.counts["films"] = 0
    for picture in first.pictures.values():
        picture[:] = 0

    second = data_folder._summary(toy_data, "unchanged", data, None)
    assert (second.counts["films"] > 0).all()
    assert all(picture.any() for picture in second.pictures.values())
