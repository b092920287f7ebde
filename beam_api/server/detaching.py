"""Connections that leave their thread: the head of an answer is sent, and somebody else writes the rest.

An app under `WebWorker` finds `DETACH` in its environment. It answers with what that returns: the worker sends the
opening and gives the connection to `begin`, instead of ending the answer. A stream ends when its client has closed or
does not take what it is sent; when the worker stops, all of them end as an answer should.
"""

from __future__ import annotations

import errno
import threading
import time
from contextlib import suppress
from ssl import SSLWantReadError, SSLWantWriteError
from typing import TYPE_CHECKING, Any

from gunicorn import util

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

DETACH = "beam.detach"
MOST_UNSENT = 1024 * 1024
"""Bytes kept for a client that is slow to take them."""

END_S = 2.0
"""How long an ending stream waits for its client to take the rest."""

_LOOK_S = 1.0  # how often it is seen whether the client has closed
_NOT_NOW = (BlockingIOError, SSLWantReadError, SSLWantWriteError)

_stopping = threading.Event()
_open: set[StreamSocket] = set()


class Detached(OSError):
    """Raised by an answer that goes on elsewhere. An OSError, since gunicorn lets those pass without a word."""

    def __init__(self, begin: Callable[[StreamSocket], None]) -> None:
        super().__init__(errno.EPIPE, "the connection goes on elsewhere")
        self.begin = begin


def detach(opening: bytes, begin: Callable[[StreamSocket], None]) -> Iterator[bytes]:
    """An answer that goes on elsewhere after its opening, which must not be empty."""
    yield opening
    raise Detached(begin)


def end_all(wait_s: float = END_S) -> None:
    """End every stream of this process, and any that begins later; wait until they have ended."""
    _stopping.set()
    end = time.monotonic() + wait_s
    while _open and time.monotonic() < end:
        time.sleep(0.02)


def begin_to_end() -> None:
    """End every stream of this process soon."""
    _stopping.set()


class StreamSocket:
    """The connection of a stream. One thread uses it, and never waits."""

    def __init__(self, client: socket.socket, *, chunked: bool) -> None:
        client.setblocking(False)
        self._client: Any = client
        self._chunked, self._unsent = chunked, bytearray()
        self._ends_at: float | None = None
        self._look_at = 0.0
        self._lost = False
        _open.add(self)

    def send(self, event: bytes) -> None:
        """Send an event, now or as soon as the client takes it."""
        if self._ends_at is None and not self._lost:
            self._unsent += b"%x\r\n%b\r\n" % (len(event), event) if self._chunked else event
            self._push()

    def finish(self) -> None:
        """End the answer."""
        if self._ends_at is None:
            if self._chunked:
                self._unsent += b"0\r\n\r\n"
            self._ends_at = time.monotonic() + END_S
            self._push()

    def is_open(self) -> bool:
        """Send what is left, if the client takes it; whether the stream goes on. Closes the connection if not."""
        if _stopping.is_set():
            self.finish()
        self._push()
        if not self._lost and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_S
            self._lost = self._has_closed()
        ended = self._ends_at is not None and (not self._unsent or time.monotonic() >= self._ends_at)
        if not (self._lost or ended or len(self._unsent) > MOST_UNSENT):
            return True
        with suppress(OSError):
            self._client.shutdown(1)  # SHUT_WR: the client reads to the end
        util.close(self._client)
        _open.discard(self)
        return False

    def _push(self) -> None:
        try:
            while self._unsent and not self._lost:
                del self._unsent[: self._client.send(self._unsent)]
        except _NOT_NOW:
            pass
        except OSError:
            self._lost = True

    def _has_closed(self) -> bool:
        """Whether the client has. What it sends is of no use."""
        try:
            return not self._client.recv(4096)
        except _NOT_NOW:
            return False
        except OSError:
            return True
