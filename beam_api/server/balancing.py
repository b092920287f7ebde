"""Lets kept connections move to whichever worker process is free.

A kept connection stays with the process that accepted it, and which one does is chance: of a few clients all may sit
with one process while the others idle. So a process that has several requests in hand ends a connection now and then,
after its answer and saying so (`Connection: close`). The client opens another, and an idle process is the first to
accept it: a busy one's accepting thread waits for Python's lock. A process with one request at a time ends none.
"""

from __future__ import annotations

import threading
from typing import Any

EVERY = 32
"""Requests found in company for each connection that is ended: opening one costs little against so many."""


class Balancing:
    """Counts the requests that this process has in hand. For gunicorn's hooks around a request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_hand = 0
        self._in_company = 0

    def begin(self, request: Any) -> None:
        """A request was read, its body not yet; its connection may be ended after the answer."""
        with self._lock:
            self._in_hand += 1
            if self._in_hand == 1:
                return
            self._in_company += 1
            ends = self._in_company % EVERY == 0
        if ends:
            request.force_close()

    def end(self) -> None:
        """It was answered."""
        with self._lock:
            self._in_hand -= 1
