"""A stream of events in the thread of its request, for servers that can't let a connection leave it."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from beam_api.services.windows.streaming import Sink

MOST_UNSENT = 1000
"""Events kept for a client that is slow to take them."""


class QueueSink:
    """What one thread sends, for another one to answer with."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._is_open = True

    def send(self, event: bytes) -> None:
        """Send an event."""
        self._events.put(event)

    def is_open(self) -> bool:
        """Whether the stream goes on."""
        if self._events.qsize() > MOST_UNSENT:
            self.finish()
        return self._is_open

    def finish(self) -> None:
        """End the stream."""
        self._is_open = False
        self._events.put(None)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._events.get, None)


def attached(opening: bytes, begin: Callable[[Sink], None]) -> Iterator[bytes]:
    """An answer that goes on until the stream ends or the client is gone."""
    yield opening
    sink = QueueSink()
    begin(sink)
    try:
        yield from sink
    finally:
        sink.finish()
