from pathlib import Path

import pytest
import streamlit as st
from toy.opened import page

from pages.parts.shared import public
from pneumo.results import published

TYPED = {"dataset": 1, "leaks": 1, "gallery": 2, "augmentation": 1, "failures": 1, "own_data": 3}


@pytest.mark.parametrize(
    ("asked", "address", "expected"),
    [
        (None, "localhost", False),
        (None, "127.0.0.1", False),
        (None, "0.0.0.0", True),
        (None, "pneumo.hospital.example", True),
        (None, None, True),
        ("", "localhost", False),
        ("", None, True),
        ("1", "localhost", True),
        ("yes", "localhost", True),
        ("0", "0.0.0.0", False),
    ],
)
def test_a_server_is_public_where_it_is_told_so_or_listens_to_others(monkeypatch, asked, address, expected):
    monkeypatch.delenv("PNEUMO_PUBLIC", raising=False)
    if asked is not None:
        monkeypatch.setenv("PNEUMO_PUBLIC", asked)
    monkeypatch.setattr(st, "get_option", {"server.address": address}.__getitem__)

    assert public.is_public() is expected


@pytest.mark.parametrize("name", TYPED)
def test_visitors_of_a_public_server_type_no_folder(models, shipped, monkeypatch, name):
    monkeypatch.setenv("PNEUMO_PUBLIC", "1")
    app = page(name)
    assert not app.exception
    assert [box.label for box in app.text_input if box.label != "Patient"] == []
    assert not {"own_data.check", "own_data.fetch"} & {button.key for button in app.button}
    said = " ".join(element.value for element in (*app.caption, *app.markdown))
    assert not any(words in said.lower() for words in ("name the folder", "name its folder", "name a folder"))

    monkeypatch.setenv("PNEUMO_PUBLIC", "0")
    assert len(page(name).text_input) == TYPED[name]


def test_a_folder_typed_before_is_not_read_once_the_server_is_public(shipped, toy_data, monkeypatch):
    monkeypatch.setenv("PNEUMO_PUBLIC", "1")

    app = page("dataset", state={"shared.data_folder": str(toy_data)})

    assert not app.exception
    assert str(toy_data) not in "".join(element.value for element in app.caption).replace("\\", "")


def test_a_public_server_shows_the_data_set_of_who_runs_it(shipped, toy_data, monkeypatch):
    monkeypatch.setenv("PNEUMO_PUBLIC", "1")
    monkeypatch.setenv("PNEUMO_DATA", str(toy_data))

    said = "".join(element.value for element in page("dataset").caption).replace("\\", "")
    assert f"films in {toy_data}" in said


@pytest.mark.parametrize(("asked", "offered"), [("1", False), ("0", True)])
def test_latency_is_measured_only_where_no_stranger_can(models, monkeypatch, asked, offered):
    monkeypatch.setattr(published, "load", list)
    monkeypatch.setenv("PNEUMO_PUBLIC", asked)

    assert ("leaderboard.latency" in {button.key for button in page("leaderboard").button}) is offered


def test_the_readme_says_how_to_open_and_close_these_pages():
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")

    assert "PNEUMO_PUBLIC=1" in readme and "PNEUMO_PUBLIC=0" in readme
