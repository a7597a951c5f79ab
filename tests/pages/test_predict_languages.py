"""The predict page in each language: nothing of what it says in English is left on it."""

import catalogue
import pytest
from streamlit.testing.v1 import AppTest
from toy import synthetic
from toy.english import english_left, shown
from toy.opened import ROOT, app

from pneumo import DISCLAIMER
from pneumo.labels import ANSWER_WORDS
from pneumo.language import LANGUAGES


@pytest.fixture
def page(toy_models, monkeypatch) -> AppTest:
    monkeypatch.setenv("PNEUMO_MODELS", str(toy_models))
    monkeypatch.chdir(ROOT)
    return app()


@pytest.fixture(scope="module")
def film() -> bytes:
    return synthetic.png(synthetic.sound_film())


def test_english_would_be_found(page, film):
    page.run().file_uploader(key="predict.upload_0").set_value([("film.png", film, "image/png")]).run()

    assert DISCLAIMER in english_left(page, "fr")


@pytest.mark.parametrize("code", catalogue.CODES)
def test_an_answer_is_told_in_the_language_of_the_address(page, film, code):
    language = LANGUAGES[code]
    page.query_params["lang"] = code
    page.run()
    assert not page.exception
    assert english_left(page, code) == []

    page.file_uploader(key="predict.upload_0").set_value([("film.png", film, "image/png")]).run()

    assert not page.exception
    told = "\n".join(shown(page))
    assert any(language.tell(words) in told for words in ANSWER_WORDS.values())
    assert language.tell(DISCLAIMER) in told
    assert english_left(page, code) == []


@pytest.mark.parametrize("code", catalogue.CODES)
def test_a_list_a_refusal_and_an_unreadable_file_are_told_in_the_language(page, film, code):
    noise = synthetic.png(synthetic.noise())
    page.query_params["lang"] = code
    files = [("film.png", film, "image/png"), ("noise.png", noise, "image/png"), ("empty.png", b"", "image/png")]

    page.run().file_uploader(key="predict.upload_0").set_value(files).run()

    for name in ("noise.png", "empty.png"):
        films = page.session_state["predict.films"]
        films.open(next(key for key, entry in films.films.items() if entry.name == name))
        page.run()
        assert not page.exception
        assert page.error
        assert english_left(page, code) == []


def test_a_result_follows_the_language_that_is_chosen_later_and_the_address_with_it(page, film):
    page.run().file_uploader(key="predict.upload_0").set_value([("film.png", film, "image/png")]).run()
    assert DISCLAIMER in "\n".join(shown(page))

    page.selectbox(key="shared.language_choice").select("fr").run()

    assert not page.exception
    assert page.query_params["lang"] in ("fr", ["fr"])
    assert english_left(page, "fr") == []

    page.selectbox(key="shared.language_choice").select("en").run()

    assert DISCLAIMER in "\n".join(shown(page))


def test_an_unknown_language_in_the_address_is_passed_over(page):
    page.query_params["lang"] = "tlh"

    page.run()

    assert not page.exception
    assert page.title[0].value == "Is there pneumonia on this film?"
