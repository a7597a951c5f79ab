import threading
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumo.errors import BusyError
from pneumo.serving.queue import Queue


class Crowd:
    """Films that wait, each in a thread of its own, and the order in which they are read."""

    def __init__(self, queue: Queue) -> None:
        self.queue, self.read, self.told, self._threads = queue, [], {}, []

    def add(self, session: str, film: str) -> None:
        """Let a film wait, and return once it does."""
        is_waiting = threading.Event()
        self.told[film] = []

        def wait() -> None:
            def progress(before: int) -> None:
                self.told[film].append(before)
                is_waiting.set()

            with self.queue.turn(session, progress):
                self.read.append(film)

        self._threads.append(threading.Thread(target=wait))
        self._threads[-1].start()
        assert is_waiting.wait(10)

    def end(self) -> None:
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()


def test_a_film_that_comes_alone_is_read_at_once_and_told_nothing():
    told = []
    with Queue().turn("a", told.append):
        pass
    assert told == []


def test_a_session_with_many_films_lets_others_in_between():
    queue = Queue()
    crowd = Crowd(queue)
    with queue.turn("z"):
        for film in ("a1", "a2", "a3"):
            crowd.add("a", film)
        crowd.add("b", "b1")
        crowd.add("c", "c1")
        crowd.add("b", "b2")
    crowd.end()
    assert crowd.read == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_tells_how_many_films_are_before_and_that_the_turn_has_come():
    queue = Queue()
    crowd = Crowd(queue)
    with queue.turn("z"):
        crowd.add("a", "a1")
        crowd.add("b", "b1")
    crowd.end()
    assert crowd.told["a1"] == [1, 0]
    assert crowd.told["b1"][0] == 2 and crowd.told["b1"][-1] == 0
    assert crowd.told["b1"] == sorted(crowd.told["b1"], reverse=True)


@given(sessions=st.lists(st.sampled_from("abc"), min_size=1, max_size=9))
def test_the_place_that_is_told_is_the_order_in_which_films_are_read(sessions):
    queue = Queue()
    with ExitStack() as stack:
        stack.enter_context(queue.turn("z"))
        tickets = [queue.enter(session) for session in sessions]
        for ticket in tickets:
            queue._stand(ticket)
        places = {ticket: queue._before(ticket) for ticket in tickets}
    order = []
    for _ in tickets:
        [served] = queue._served
        order.append(served)
        served.leave()
    assert [places[ticket] for ticket in order] == list(range(1, len(tickets) + 1))


def test_a_full_queue_says_that_pneumo_is_busy():
    queue = Queue(most=2)
    with queue.turn("a"), queue.enter("b"):
        with pytest.raises(BusyError, match="2 films are waiting"):
            queue.enter("c")
        with queue.enter("a", admitted=True):
            pass
    with queue.turn("c"):
        pass


def test_who_stops_waiting_holds_nobody_up():
    queue = Queue(most=3)

    def gone(before: int) -> None:
        raise ConnectionError

    with queue.turn("a"), pytest.raises(ConnectionError), queue.turn("b", gone):
        pytest.fail("it was not its turn")
    with queue.turn("c"):
        pass


def test_a_film_that_fails_makes_room():
    queue = Queue(most=1)
    with pytest.raises(ValueError), queue.turn("a"):
        raise ValueError
    with queue.turn("a"):
        pass


def test_as_many_films_are_read_at_once_as_it_is_told():
    queue = Queue(at_once=2)
    with queue.turn("a"), queue.turn("b"):
        crowd = Crowd(queue)
        crowd.add("c", "c1")
        assert crowd.told["c1"] == [2] and not crowd.read
    crowd.end()


def test_leaving_twice_does_nothing():
    queue = Queue()
    ticket = queue.enter("a")
    ticket.wait()
    ticket.leave()
    other = queue.enter("b")
    other.wait()
    ticket.leave()
    assert other in queue._served
