"""How long a thread waits for a client's bytes: an allowance, which waiting spends and sending earns."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from gunicorn.http.errors import NoMoreData

if TYPE_CHECKING:
    import socket

ALLOWANCE_S, RATE = 15.0, 8 * 1024
"""How long a thread waits for a client that sends nothing, and how many bytes earn a second of that."""

PRESSED_ALLOWANCE_S, PRESSED_RATE = 2.0, 32 * 1024
"""The same while a request has waited for a thread for longer than `PRESSED_S`."""

PRESSED_S = 1.0


_GLANCE_S = 0.25


class Pressure:
    """The requests of one process that wait for a thread."""

    def __init__(self) -> None:
        self._since: deque[float] = deque()

    def begin(self) -> None:
        """A request waits for a thread."""
        self._since.append(time.monotonic())

    def end(self) -> None:
        """The one that has waited longest got it."""
        self._since.popleft()

    def is_high(self) -> bool:
        """Whether one has been waiting for longer than `PRESSED_S`."""
        try:
            return time.monotonic() - self._since[0] > PRESSED_S
        except IndexError:
            return False


class PatientSocket:
    """Reads from a socket as long as its client is worth the wait: what gunicorn's parser reads from.

    After a read the socket's timeout is `then_s`.
    """

    def __init__(self, source: socket.socket, pressure: Pressure, then_s: float) -> None:
        self._source, self._pressure, self._then_s = source, pressure, then_s
        self._left_s = ALLOWANCE_S
        self._collected = memoryview(b"")

    def give(self, collected: memoryview) -> None:
        """Have these bytes read first; they were collected before."""
        self._collected = collected

    def begin(self) -> None:
        """A request begins: the client has its whole allowance again."""
        self._left_s = ALLOWANCE_S

    def recv(self, size: int) -> bytes:
        """The next bytes. Raises NoMoreData (an OSError) if the client takes too long for them."""
        if self._collected:
            piece = bytes(self._collected[:size])
            self._collected = self._collected[size:] if size < len(self._collected) else memoryview(b"")
            return piece
        while True:
            most_s, rate = (PRESSED_ALLOWANCE_S, PRESSED_RATE) if self._pressure.is_high() else (ALLOWANCE_S, RATE)
            self._left_s = min(self._left_s, most_s)
            if self._left_s <= 0:
                raise NoMoreData
            self._source.settimeout(min(self._left_s, _GLANCE_S))
            started = time.monotonic()
            try:
                data = self._source.recv(size)
            except TimeoutError:
                self._left_s -= time.monotonic() - started
                continue
            self._left_s += len(data) / rate - (time.monotonic() - started)
            self._source.settimeout(self._then_s)
            return data
