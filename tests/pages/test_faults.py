import logging

import pytest
from streamlit.testing.v1 import AppTest

from pages.parts.shared import faults

NAME = "Planted^Name"


def script(error):
    from pages.parts.shared import faults

    def read(film):
        raise error from KeyError(film)

    try:
        read("Planted^Name")
    except Exception as raised:
        assert faults.tell(raised)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError(f"{NAME}.dcm has no rows"), "Something went wrong here."),
        (MemoryError(NAME), "too little memory"),
        (OSError(28, NAME), "The disk of the server is full."),
    ],
)
def test_an_error_is_a_sentence_with_a_number_that_the_log_knows_and_nothing_of_what_it_said(caplog, error, words):
    with caplog.at_level(logging.ERROR):
        app = AppTest.from_function(script, args=(error,)).run()

    [shown] = app.error
    number = shown.value.split()[-1].strip(".")
    assert words in shown.value
    assert f"Error {number} " in caplog.text
    assert "in read" in caplog.text and type(error).__name__ in caplog.text and "KeyError" in caplog.text
    assert NAME not in caplog.text + shown.value


def test_errors_that_caused_each_other_in_a_circle_are_told_once():
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first

    assert faults.trace(first).split("\n") == ["ValueError", "after KeyError"]
