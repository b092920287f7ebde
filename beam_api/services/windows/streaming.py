"""Streams of events of people who are measured: one thread of a process serves all of its streams.

The thread waits for news of all people that somebody listens to, reads from their logs what is new, and hands it to
the streams as Server-Sent Events. It writes to no stream that isn't ready: what a client doesn't take is kept for it up
to a limit, and then the stream ends. News that is lost delays an event until the next look at the logs.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from beam_api.exceptions import StoreUnavailable, TooManyStreams
from beam_api.services.windows.measure_result import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from beam_api.store.events import Entry, EventStore, Standing
    from beam_api.store.results import ResultStore
    from beam_api.store.window_values import Session

MOST_STREAMS = 100
"""Of one process."""

LOOK_S = 2.0
"""How often keys, windows and logs are looked at, whether there is news or not."""

COMMENT_S = 15.0
"""After so long without an event a comment shows that the stream lives."""

OPENING = b"retry: 2000\n\n"
"""What a stream begins with: how long a client waits before it reconnects."""

_AT_ONCE = 64  # measurements that are read in one round trip: with raw signals they are large
_TICK_S = 0.2
_PAUSE_S = 0.5  # while Redis is unavailable


class Sink(Protocol):
    """Where the events of a stream go. None of it waits."""

    def send(self, event: bytes) -> None:
        """Send an event, now or as soon as the client takes it."""

    def is_open(self) -> bool:
        """Send what is left, if the client takes it; whether the stream goes on."""

    def finish(self) -> None:
        """End the stream as it should end."""


@dataclass(slots=True, eq=False)
class _Listener:
    """One stream."""

    session: Session
    sink: Sink
    after: str  # the id of the last event that the client has, or ''
    place: str  # up to here the log was written when the client asked
    is_good: Callable[[], bool]
    spoke_at: float = field(default_factory=time.monotonic)

    def send(self, event: bytes) -> None:
        self.sink.send(event)
        self.spoke_at = time.monotonic()


@dataclass(slots=True, eq=False)
class _Topic:
    """One person that is listened to."""

    session: Session
    place: str  # up to here the log was sent
    listeners: list[_Listener] = field(default_factory=list)
    seen: Standing | None = None  # of the open window, when it was looked at last


class Streaming:
    """Serves the streams of one process. Its thread begins with the first of them and ends after the last."""

    def __init__(
        self,
        events: EventStore,
        results: ResultStore,
        *,
        write: Callable[[Measurement], Mapping[str, Any]],
        most: int = MOST_STREAMS,
    ) -> None:
        """`write` gives the data of a measurement as it is answered."""
        self._events, self._results, self._write, self._most = events, results, write, most
        self._new: deque[_Listener] = deque()
        self._topics: dict[str, _Topic] = {}  # by channel
        self._news = events.news()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._look_at = 0.0

    def check_room(self) -> None:
        """Raise TooManyStreams if no stream more can be opened."""
        if self._count() >= self._most:
            raise TooManyStreams

    def place(self, session: Session) -> str:
        """How far a person's log is written: a stream that is opened with it misses nothing from now on."""
        return self._events.newest(session)

    def open(self, session: Session, sink: Sink, *, place: str, after: str, is_good: Callable[[], bool]) -> None:
        """Begin a stream; one too many ends at once.

        Parameters
        ----------
        session : Session
            Who is listened to.
        sink : Sink
            Where the events go.
        place : str
            What `place` gave before the client was answered.
        after : str
            The id of the last measurement that the client received: what came after it in the last 10 minutes is
            sent first. Empty if it wants what comes from now on.
        is_good : callable
            Whether the client may still listen.
        """
        with self._lock:
            if self._count() >= self._most:
                sink.finish()
                return
            self._new.append(_Listener(session, sink, after, place, is_good))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="streams", daemon=True)
                self._thread.start()

    def _count(self) -> int:
        return len(self._new) + sum(len(topic.listeners) for topic in list(self._topics.values()))

    def _run(self) -> None:
        while True:
            try:
                self._step()
            except Exception as error:
                if not isinstance(error, StoreUnavailable):
                    structlog.get_logger().exception("streams failed")
                self._news.close()
                time.sleep(_PAUSE_S)
            self._drop_closed()
            with self._lock:
                if not self._topics and not self._new:
                    self._news.close()
                    self._thread = None
                    return

    def _step(self) -> None:
        self._news.ensure(self._topics)
        self._take_in()
        if not self._topics:
            return
        grown = set()
        for channel, content in self._news.wait(_TICK_S):
            topic = self._topics.get(channel)
            if topic and content:
                _tell(topic.listeners, sse("partial", content))
            elif topic:
                grown.add(channel)
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_S
            self._look()
            grown.update(self._topics)
        self._go_on([self._topics[channel] for channel in grown])

    def _take_in(self) -> None:
        while self._new:
            listener = self._new[0]
            channel = listener.session.channel
            topic = self._topics.get(channel)
            if topic is None:
                self._news.ensure([channel])
                topic = _Topic(listener.session, self._events.newest(listener.session))
            if listener.after or listener.place != topic.place:
                self._catch_up(listener, topic.place)
            topic.listeners.append(listener)
            self._topics[channel] = topic
            self._new.popleft()

    def _catch_up(self, listener: _Listener, place: str) -> None:
        """Send what came after the event that the client knows, or all there is if that isn't known any more.

        A client that knows none gets what came since it asked.
        """
        log = [entry for entry in self._events.log(listener.session) if _order(entry.place) <= _order(place)]
        if not listener.after:
            log = [entry for entry in log if _order(entry.place) > _order(listener.place)]
        known = [i for i, entry in enumerate(log) if entry.measurement_id == listener.after]
        for event in self._written([(listener.session, e) for e in log[known[-1] + 1 if known else 0 :]]):
            if event:
                listener.send(event)

    def _go_on(self, topics: Sequence[_Topic]) -> None:
        """Send what is new in these people's logs: two round trips for all of them, unless there is very much."""
        logs = self._events.logs([(topic.session, topic.place) for topic in topics])
        new = [(topic, entry) for topic, log in zip(topics, logs, strict=True) for entry in log]
        written = self._written([(topic.session, entry) for topic, entry in new])
        for (topic, entry), event in zip(new, written, strict=True):
            if event:
                _tell(topic.listeners, event)
            topic.place = entry.place

    def _written(self, entries: Sequence[tuple[Session, Entry]]) -> Iterator[bytes]:
        """Each entry as it is sent; empty for a measurement that has been forgotten."""
        for i in range(0, len(entries), _AT_ONCE):
            some = entries[i : i + _AT_ONCE]
            wanted = [(session, entry.measurement_id) for session, entry in some if entry.measurement_id is not None]
            results = iter(self._results.get_all(wanted))
            for session, entry in some:
                if entry.measurement_id is None:
                    yield _about("restarted", session)
                elif kept := next(results):
                    data = json.dumps(self._write(Measurement.from_json(kept)), separators=(",", ":"))
                    yield sse("measurement", data.encode(), entry.measurement_id)
                else:
                    yield b""

    def _look(self) -> None:
        """See who may listen no more, and which windows were given up."""
        topics = list(self._topics.values())
        for topic, standing in zip(topics, self._events.standings([t.session for t in topics]), strict=True):
            for listener in topic.listeners:
                if not listener.is_good():
                    listener.sink.finish()
            if standing.newest_us is not None:
                topic.seen = standing
            elif topic.seen is not None:
                if _gave_up(topic.seen, standing):
                    _tell(topic.listeners, _about("expired", topic.session))
                topic.seen = None

    def _drop_closed(self) -> None:
        now = time.monotonic()
        for channel, topic in list(self._topics.items()):
            for listener in topic.listeners:
                if now - listener.spoke_at >= COMMENT_S:
                    listener.send(b":\n\n")
            topic.listeners = [listener for listener in topic.listeners if listener.sink.is_open()]
            if not topic.listeners:
                del self._topics[channel]
                with suppress(StoreUnavailable):
                    self._news.leave(channel)


def sse(kind: str, data: bytes, event_id: str = "") -> bytes:
    """One event; `data` has no line breaks."""
    named = b"id: %b\n" % event_id.encode() if event_id else b""
    return b"event: %b\n%bdata: %b\n\n" % (kind.encode(), named, data)


def _about(kind: str, session: Session) -> bytes:
    return sse(kind, json.dumps({"session_id": session.session_id}).encode())


def _tell(listeners: Sequence[_Listener], event: bytes) -> None:
    for listener in listeners:
        listener.send(event)


def _order(place: str) -> tuple[int, int]:
    at, _, number = place.partition("-")
    return int(at), int(number)


def _gave_up(seen: Standing, now: Standing) -> bool:
    """Whether a window that was open is gone with frames that nobody measured, or slid and was not closed."""
    if now.closed:
        return False
    return seen.slides or (seen.newest_us or 0) > (now.ended_us or 0)
