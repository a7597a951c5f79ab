"""A short load of few visitors; `make load` puts fifty on the server for five minutes."""

import asyncio

import pytest
from browser.server import serve
from load.streamlit_session import Answer, Shown
from load.visitors import Film, Outcome, films, load

SESSIONS, SECONDS, EVERY = 3, 15, 4


def test_visitors_at_once_get_the_answers_of_their_own_films(tmp_path):
    shown = films(6)
    with serve(tmp_path) as url:
        outcome = asyncio.run(load(url, shown, sessions=SESSIONS, seconds=SECONDS, every=EVERY))
    assert outcome.is_good, f"{outcome}\n{outcome.errors}\n{outcome.wrong}"
    assert len(outcome.seconds) >= SESSIONS * 2


@pytest.mark.parametrize(
    ("record", "errors", "wrong"),
    [
        ({"file": "a.png", "probability": 0.5}, 0, 0),
        ({"file": "b.png", "probability": 0.5}, 0, 1),
        ({"file": "a.png", "probability": 0.6}, 0, 1),
        (None, 1, 0),
    ],
)
def test_an_answer_of_another_film_and_a_missing_one_are_noticed(record, errors, wrong):
    outcome = Outcome()
    outcome.note("a.png", Film(b"", {"file": "film.png", "probability": 0.5}), Answer(record, 1.0, Shown()))
    assert (len(outcome.errors), len(outcome.wrong)) == (errors, wrong)
    assert outcome.is_good == (not errors and not wrong)


def test_memory_that_grows_after_the_first_minute_is_noticed():
    flat, growing = Outcome([1.0]), Outcome([1.0])
    flat.memory = [(at, 500.0 + 5 * min(at, 60)) for at in range(300)]
    growing.memory = [(at, 500.0 + at) for at in range(300)]
    assert flat.is_good and not growing.is_good
