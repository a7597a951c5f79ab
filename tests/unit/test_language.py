import copy
import json
import pickle
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumo.errors import UnreadableImageError
from pneumo.evaluation.calibration import as_percent
from pneumo.language import ENGLISH, LANGUAGES, best_match, catalogue
from pneumo.sentences import Sentence, say, say_many, visible

FRENCH, SPANISH, CHINESE = (LANGUAGES[code] for code in ("fr", "es", "zh"))
OTHERS = (FRENCH, SPANISH, CHINESE)


@pytest.mark.parametrize(
    ("locales", "code"),
    [
        (["fr-CA"], "fr"),
        (["zh-CN"], "zh"),
        (["zh_TW"], "zh"),
        (["ES"], "es"),
        (["de-DE", "es-MX", "fr"], "es"),
        (["de-DE"], "en"),
        ([None, ""], "en"),
        ([], "en"),
    ],
)
def test_a_reader_gets_the_language_that_her_browser_asks_for(locales, code):
    assert best_match(locales).code == code


def test_a_sentence_is_its_english_text_wherever_it_is_written_down():
    told = say("{done} of {total} films read", done=1, total=2)

    assert told == "1 of 2 films read"
    assert json.dumps([told]) == '["1 of 2 films read"]'
    assert ENGLISH.tell(told) == told
    assert type(ENGLISH.tell(told)) is str


def test_a_sentence_keeps_its_template_through_an_error_a_copy_and_a_pickle():
    error = UnreadableImageError("{name} is empty. Send or export it again.", name="a.png")

    for kept in (str(error), copy.deepcopy(str(error)), str(pickle.loads(pickle.dumps(error)))):
        assert isinstance(kept, Sentence)
        assert FRENCH.tell(kept) == "a.png est vide. Envoyez-le ou exportez-le de nouveau."


def test_braces_in_a_name_or_in_a_text_without_values_are_no_fields():
    assert FRENCH.tell(say("Open: {name}", name="{x}.png")) == "Ouvert\u00a0: {x}.png"
    assert say("{x}.png is odd") == "{x}.png is odd"
    assert SPANISH.tell("{x}.png") == "{x}.png"


def test_a_sentence_within_a_sentence_is_told_too():
    told = say("The model's probability of pneumonia is {probability}", probability=as_percent(0.973))

    assert told == "The model's probability of pneumonia is 97.3 %"
    assert FRENCH.tell(told) == "La probabilité de pneumonie selon le modèle est de 97,3\u00a0%"
    assert CHINESE.tell(told) == "模型给出的肺炎概率为 97.3%"


@pytest.mark.parametrize(
    ("language", "one", "many"),
    [(ENGLISH, "1 film", "2 films"), (FRENCH, "1 cliché", "2 clichés"), (CHINESE, "1 张胸片", "2 张胸片")],
)
def test_a_number_chooses_the_form(language, one, many):
    assert [language.tell(say_many("{number} film", "{number} films", number)) for number in (1, 2)] == [one, many]


def test_numbers_and_dates_are_written_as_the_language_does():
    model = {"name": "a", "sha256": "b", "parameters": 2259265, "initial": "none"}
    weights = say("`{name}` · SHA-256 `{sha256}` · {parameters:,} weights · from {initial}", **model)
    at = datetime(2026, 11, 21, 17, 54, tzinfo=UTC)

    assert FRENCH.tell(say("{share:.1%}", share=0.125)) == "12,5\u00a0%"
    assert SPANISH.tell(say("{share:.0%}", share=0.5)) == "50\u00a0%"
    assert CHINESE.tell(say("{share:.0%}", share=0.5)) == "50%"
    assert "2,259,265 weights" in weights
    assert "2.259.265 pesos" in SPANISH.tell(weights)
    assert FRENCH.moment(at) == "21 novembre 2026 17:54 UTC"
    assert CHINESE.moment(at) == "2026年11月21日 17:54 UTC"
    assert ENGLISH.moment(at) == "2026-11-21 17:54 UTC"


@given(st.floats(0, 1))
def test_all_languages_show_the_same_digits(share):
    wanted = f"{share:.1%}"[:-1]

    for language in OTHERS:
        told = language.tell(say("{share:.1%}", share=share))
        assert "".join(letter for letter in told.replace(",", ".") if letter in ".0123456789") == wanted


def test_what_no_catalogue_holds_is_told_in_english():
    assert FRENCH.tell(say("Nobody ever says this.")) == "Nobody ever says this."
    assert catalogue("fr") is catalogue("fr")


def test_names_that_strangers_gave_cannot_break_or_turn_a_line():
    hostile = "a\nb\x1b[2J\u202egnp.\u2028exe"
    shown = r"a\nb\x1b[2J\u202egnp.\u2028exe"

    assert say("{name} is empty.", name=hostile) == f"{shown} is empty."
    assert say("{why}", why=say("{name} is empty.", name=hostile)) == f"{shown} is empty."
    assert LANGUAGES["fr"].tell(say("{name} is {size}", name=hostile, size=3)).startswith(shown)
    assert visible("Röntgen 胸片 \u202f\u200d.png") == "Röntgen 胸片 \u202f\u200d.png"
