import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from pages.parts.predict import loaded_models, readiness
from pneumo.datasets import samples
from pneumo.errors import ModelError
from pneumo.inference import reading


@pytest.fixture
def server(monkeypatch):
    """Models that can be replaced, and what they make of a sample."""
    state = SimpleNamespace(keys=("model", "1"), reading=SimpleNamespace(assessment="an answer", reasons=()), films=[])

    def keys():
        if state.keys is None:
            raise ModelError("model.keras is missing. Restore it.")
        return state.keys

    def read(source, name, models):
        state.films.append(name)
        return state.reading

    monkeypatch.setattr(loaded_models, "default_keys", keys)
    monkeypatch.setattr(loaded_models, "load_default", lambda: "models")
    monkeypatch.setattr(samples, "load_samples", lambda: [SimpleNamespace(path=Path("sample.png"))])
    monkeypatch.setattr(reading, "read_film", read)
    return state


def status(probe) -> int:
    code = probe.answer(None).status_code
    if probe._trial:
        probe._trial.join()
    return code


def test_the_server_is_ready_once_the_model_has_answered_and_reads_no_film_again(server):
    probe = readiness.Readiness()

    assert [status(probe) for _ in range(3)] == [503, 200, 200]
    assert server.films == ["sample.png"]


def test_a_model_that_is_replaced_has_to_answer_anew(server):
    probe = readiness.Readiness()
    assert [status(probe) for _ in range(2)] == [503, 200]

    server.keys = ("model", "2")

    assert [status(probe) for _ in range(2)] == [503, 200]


def test_a_model_that_is_missing_keeps_the_server_from_being_ready_and_the_log_says_why(server, caplog):
    server.keys, probe = None, readiness.Readiness()

    with caplog.at_level(logging.ERROR):
        assert [status(probe) for _ in range(2)] == [503, 503]

    assert "model.keras is missing. Restore it." in caplog.text
    server.keys = ("model", "1")
    assert [status(probe) for _ in range(2)] == [503, 200]


def test_a_model_that_gives_no_answer_keeps_the_server_from_being_ready(server, caplog):
    server.reading, probe = SimpleNamespace(assessment=None, reasons=("The film is too dark.",)), readiness.Readiness()

    with caplog.at_level(logging.ERROR):
        assert [status(probe) for _ in range(2)] == [503, 503]

    assert "The film is too dark." in caplog.text
