import threading

import pytest
from streamlit.testing.v1 import AppTest
from toy.opened import text

from pneumo.serving import queue as queues
from pneumo.serving.queue import Queue


@pytest.fixture
def queue(monkeypatch) -> Queue:
    """A queue for two films, that all sessions share."""
    queue = Queue(most=2)
    monkeypatch.setattr(queues, "of_process", lambda: queue)
    return queue


@pytest.fixture
def page() -> AppTest:
    def script():
        import streamlit as st

        from pages.parts.predict import turns

        class Film:
            def is_read(self, key):
                return False

            def read(self, models, key):
                return "the reading"

        st.markdown(str(turns.read(Film(), None, "key")))

    return AppTest.from_function(script, default_timeout=60)


def test_a_film_is_read_in_its_turn(page, queue):
    assert "the reading" in text(page.run())
    with queue.turn("another session"):
        pass


def test_a_session_that_waits_is_told_its_place(page, queue, monkeypatch):
    shown = []
    turn = queue.turn

    def watched(session, progress, **options):
        def note(before):
            shown.append(before)
            progress(before)
            if before:
                is_waiting.set()

        return turn(session, note, **options)

    is_waiting, is_read = threading.Event(), threading.Event()

    def read_another_film():
        with turn("another session"):
            is_read.set()
            is_waiting.wait(10)

    other = threading.Thread(target=read_another_film)
    other.start()
    is_read.wait(10)
    monkeypatch.setattr(queue, "turn", watched)

    page.run()
    other.join(10)

    assert shown == [1, 0]
    assert "before yours" not in text(page) and "the reading" in text(page)


def test_a_full_queue_is_said_and_tried_again_at_a_click(page, queue):
    with queue.turn("a"), queue.enter("b"):
        page.run()
        assert "pneumo is busy: 2 films are waiting" in page.warning[0].value
    page.button(key="predict.try_again").click().run()
    assert "the reading" in text(page) and not page.warning
