"""What a user sees where a file of a model is missing or was changed, before the start or while the server runs."""

import shutil

import pytest
import streamlit as st
from toy.opened import app

from pneumo.datasets import samples
from pneumo.model_store import store

MODELS = ("everywhere", "gate", "lungs", "opacity")
FILM = "bacterial_1.png"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The models of the image, in a folder that can be spoiled."""
    for name in MODELS:
        shutil.copytree(store.SHIPPED / name, tmp_path / name)
    monkeypatch.setenv("PNEUMO_MODELS", str(tmp_path))
    # Known by their cards, the models of another test would answer for these.
    st.cache_resource.clear()
    return tmp_path


def seen(page, film: str = FILM) -> str:
    """Upload a film and return what stands on the page then."""
    page.file_uploader[0].set_value([(film, (samples.FOLDER / film).read_bytes(), "image/png")]).run()
    assert not page.exception
    shown = (*page.error, *page.warning, *page.markdown, *page.subheader, *page.header)
    return "\n".join(str(element.value) for element in shown).replace("\\", "")


def spoil(file) -> None:
    """Change one byte in the middle."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def test_weights_that_were_changed_are_told_of_and_give_no_answer(folder):
    spoil(folder / "everywhere" / "model.keras")

    said = seen(app().run())

    assert "is not the file that its card describes" in said
    assert "Pneumonia likely" not in said


def test_weights_that_are_missing_are_told_of(folder):
    (folder / "everywhere" / "model.keras").unlink()

    assert "model.keras is missing" in seen(app().run())


@pytest.mark.parametrize("name", ["gate", "lungs"])
def test_without_the_check_no_film_is_assessed(folder, name):
    spoil(folder / name / "model.keras")

    said = seen(app().run())

    assert "is not the file that its card describes" in said
    assert "Pneumonia likely" not in said


def test_without_any_model_the_page_says_how_to_get_one(folder):
    for name in MODELS:
        shutil.rmtree(folder / name)

    page = app().run()

    assert not page.exception
    assert "There is no model yet" in page.warning[0].value


def test_a_server_that_runs_answers_from_memory_until_the_card_changes(folder):
    page = app().run()
    assert "Pneumonia likely" in seen(page)

    spoil(folder / "everywhere" / "model.keras")
    assert "Pneumonia" in seen(page, "bacterial_2.png")

    card = folder / "everywhere" / "card.json"
    card.write_text(card.read_text("utf-8") + "\n")
    assert "is not the file that its card describes" in seen(page, "bacterial_3.png")

    card.write_text("{")
    assert "Pneumonia likely" not in seen(page, "bacterial_4.png")
