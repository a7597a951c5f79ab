"""The queue before the models: bounded, and fair between sessions.

Sessions take turns, one film each (round-robin), so that a session with fifty films holds nobody up for longer than one
with a single film does.
"""

import functools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pneumo.errors import BusyError

# Films that are in the queue or being read; 50 sessions with a film each fit in.
MOST_FILMS = 64


class Ticket:
    """The place of one film in a `Queue`; as a context manager it leaves the queue at the end.

    Attributes:
        session: whose film it is.
    """

    def __init__(self, queue: "Queue", session: str) -> None:
        self.session = session
        self._queue = queue

    def wait(self, progress: Callable[[int], None] = lambda before: None) -> None:
        """Wait until it is this film's turn.

        Args:
            progress: is told how many films come before this one whenever that changes, and 0 once it is its turn.
                What it raises ends the waiting.
        """
        self._queue._wait(self, progress)

    def leave(self) -> None:
        """Leave the queue, whether the film was read or not; leaving twice does nothing."""
        self._queue._leave(self)

    def __enter__(self) -> "Ticket":
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


class Queue:
    """Films of many sessions waiting for the models; one object serves many threads.

    Attributes:
        at_once: how many films are read at the same time.
        most: how many films may be in the queue, those that are being read included.
    """

    def __init__(self, at_once: int = 1, most: int = MOST_FILMS) -> None:
        self.at_once, self.most = at_once, most
        self._changed = threading.Condition()
        self._entered: set[Ticket] = set()
        # By session, the one whose turn is next first.
        self._waiting: dict[str, deque[Ticket]] = {}
        self._served: set[Ticket] = set()

    def enter(self, session: str, *, admitted: bool = False) -> Ticket:
        """Take a place for a film; it is read after `Ticket.wait`.

        Args:
            session: whose film it is.
            admitted: whether it is let in although the queue is full, as more work on a film that was read is.

        Raises:
            BusyError: if the queue is full.
        """
        ticket = Ticket(self, session)
        with self._changed:
            if len(self._entered) >= self.most and not admitted:
                raise BusyError(
                    "pneumo is busy: {films} films are waiting to be read. Try again in a minute.",
                    films=len(self._entered),
                )
            self._entered.add(ticket)
        return ticket

    @contextmanager
    def turn(
        self, session: str, progress: Callable[[int], None] = lambda before: None, *, admitted: bool = False
    ) -> Iterator[None]:
        """Enter, wait for the turn of a film, and leave at the end; see `enter` and `Ticket.wait`."""
        with self.enter(session, admitted=admitted) as ticket:
            ticket.wait(progress)
            yield

    def _wait(self, ticket: Ticket, progress: Callable[[int], None]) -> None:
        with self._changed:
            self._stand(ticket)
            self._serve()
        known = 0
        while (before := self._next_place(ticket, known)) != 0:
            progress(before)
            known = before
        if known:
            progress(0)

    def _stand(self, ticket: Ticket) -> None:
        self._waiting.setdefault(ticket.session, deque()).append(ticket)

    def _next_place(self, ticket: Ticket, known: int) -> int:
        """Wait until a film has another place than the one that is known, and return it; 0 where it is its turn."""
        with self._changed:
            self._changed.wait_for(lambda: ticket in self._served or self._before(ticket) != known)
            return 0 if ticket in self._served else self._before(ticket)

    def _leave(self, ticket: Ticket) -> None:
        with self._changed:
            self._entered.discard(ticket)
            self._served.discard(ticket)
            own = self._waiting.get(ticket.session, deque())
            if ticket in own:
                own.remove(ticket)
                if not own:
                    del self._waiting[ticket.session]
            self._serve()

    def _serve(self) -> None:
        """Let the next films be read as far as there is room."""
        while self._waiting and len(self._served) < self.at_once:
            session = next(iter(self._waiting))
            own = self._waiting.pop(session)
            self._served.add(own.popleft())
            if own:
                # Its next film stands behind one of each other session.
                self._waiting[session] = own
        self._changed.notify_all()

    def _before(self, ticket: Ticket) -> int:
        sessions = list(self._waiting)
        own = self._waiting[ticket.session].index(ticket)
        place = sessions.index(ticket.session)
        others = (
            min(len(self._waiting[session]), own + (1 if number < place else 0))
            for number, session in enumerate(sessions)
            if number != place
        )
        return len(self._served) + own + sum(others)


@functools.cache
def of_process() -> Queue:
    """Return the queue that all sessions of this process share; a film is read on one processor, the other is left to
    browsers.
    """
    return Queue(max(1, (os.cpu_count() or 1) // 2))
