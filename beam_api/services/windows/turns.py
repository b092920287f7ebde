"""Whose turn it is to use the processor: a few at a time, analyses first, else in the order of arrival."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Turns:
    """Lets a few threads at a time through.

    One that leaves hands its place to the one that has waited longest; with a semaphore, one that has just come may
    take it. Who is `first` goes before all others: an analysis has waited already for its frames to be read, and people
    wait for its result. It can't keep the others waiting for long, since each analysis follows frames of theirs.
    """

    def __init__(self, places: int) -> None:
        self._lock = threading.Lock()
        self._free = places
        self._first: deque[threading.Lock] = deque()
        self._others: deque[threading.Lock] = deque()

    @contextmanager
    def take(self, *, first: bool = False) -> Iterator[None]:
        """Wait for one's turn, and have it for as long as this lasts."""
        ticket = None
        with self._lock:
            if self._free:
                self._free -= 1
            else:
                ticket = threading.Lock()
                ticket.acquire()
                (self._first if first else self._others).append(ticket)
        if ticket is not None:
            ticket.acquire()  # until who leaves releases it
        try:
            yield
        finally:
            self._leave()

    def _leave(self) -> None:
        with self._lock:
            for waiting in (self._first, self._others):
                if waiting:
                    waiting.popleft().release()
                    return
            self._free += 1
