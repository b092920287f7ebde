"""Closed connections that wait for their clients to close too: else a client might see a reset and no answer."""

from __future__ import annotations

import selectors
import socket
import ssl
import time
from collections import deque
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn import util

LINGER_S = 2.0
MOST_LINGERING = 256
"""Of one process, and at most a quarter of its connections. Beyond that the one that has waited longest is closed."""

_PIECE = 64 * 1024


class Lingering:
    """Those of one worker, in its loop. Each counts as one of its connections."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._most = min(MOST_LINGERING, max(1, worker.worker_connections // 4))
        self._waiting: deque[tuple[float, socket.socket]] = deque()

    def add(self, client: socket.socket) -> None:
        """Close a connection when its client has, or in `LINGER_S`."""
        try:
            client.setblocking(False)
            client.shutdown(socket.SHUT_WR)
            entry = (time.monotonic() + LINGER_S, client)
            self._worker.poller.register(client, selectors.EVENT_READ, partial(self._on_readable, entry))
        except (OSError, ValueError, KeyError):
            util.close(client)
            return
        self._worker.nr_conns += 1
        self._waiting.append(entry)
        if len(self._waiting) > self._most:
            self._end(self._waiting[0])

    def end_late(self) -> None:
        """Close those whose time is over."""
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            self._end(self._waiting[0])

    def end_all(self) -> None:
        """Close all of them now."""
        while self._waiting:
            self._end(self._waiting[0])

    def _on_readable(self, entry: tuple[float, socket.socket], client: socket.socket) -> None:
        try:
            if client.recv(_PIECE):
                return
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError:
            pass
        if entry in self._waiting:  # it may have been closed earlier in the same round of the loop
            self._end(entry)

    def _end(self, entry: tuple[float, socket.socket]) -> None:
        self._waiting.remove(entry)
        self._worker.nr_conns -= 1
        with suppress(OSError, KeyError, ValueError):
            self._worker.poller.unregister(entry[1])
        util.close(entry[1])
