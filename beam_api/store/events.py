"""Events of a person for listeners: a log of the last 10 minutes, and news that there is something new.

The log is a stream: ids of measurements, and restarts. One script writes it together with what it reports. News is
published: an empty message says that the log has grown, another one is a running rate, which is in no log. Who misses
news finds what it was about in the log.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from beam_api.exceptions import StoreUnavailable
from beam_api.store.client import store_errors, text, translates_errors
from beam_api.store.scripts import send

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import redis

    from beam_api.store.window_values import Session

_CLOSING_S = 0.1  # a connection that is being closed is closed by then

BEGINNING = "0-0"
"""The place before all entries of a log."""


class Entry(NamedTuple):
    """An entry of a log: its place, and the id of a measurement; none is a restart."""

    place: str
    measurement_id: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is of a window: the time of its newest frame, if it is open, and whether it slides.

    `ended_us` is the end of what was measured last, `closed` whether a request closed that.
    """

    newest_us: int | None
    slides: bool
    ended_us: int | None
    closed: bool


@translates_errors
class EventStore:
    """Reads logs."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def news(self) -> News:
        """Listen to channels; connects when there is one."""
        return News(self._redis)

    def log(self, session: Session, after: str = BEGINNING) -> list[Entry]:
        """The entries after a place, the oldest first."""
        return self.logs([(session, after)])[0]

    def logs(self, places: Sequence[tuple[Session, str]]) -> list[list[Entry]]:
        """The entries of each log after a place, the oldest first, for one round trip."""
        commands: list[Any] = [("XRANGE", session.name("events"), _next(after), "+") for session, after in places]
        return [_entries(reply) for reply in send(self._redis, *commands)] if commands else []

    def newest(self, session: Session) -> str:
        """The place of the newest entry."""
        replies = cast("list[Any]", self._redis.xrevrange(session.name("events"), count=1))
        return text(replies[0][0]) if replies else BEGINNING

    def standings(self, sessions: Sequence[Session]) -> list[Standing]:
        """What there is of each window, for one round trip."""
        commands: list[Any] = []
        for session in sessions:
            commands.append(("HMGET", session.name("window"), "last", "next"))
            commands.append(("HMGET", session.name("last"), "end", "final"))
        replies = send(self._redis, *commands) if commands else []
        return [_standing(window, last) for window, last in zip(replies[::2], replies[1::2], strict=True)]


class News:
    """Messages of channels, over a connection of their own.

    The connection is lost, and StoreUnavailable raised, when Redis ends it or another thread does: whoever closes the
    client, or learns that the cluster has other nodes.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._subscription: Any = None
        self._channels: set[str] = set()

    def ensure(self, channels: Iterable[str]) -> None:
        """Listen to these channels too, if that is not done already; connects anew after `close`."""
        missing = [channel for channel in channels if channel not in self._channels]
        if not missing:
            return
        if self._subscription is None:
            with store_errors():
                self._subscription = self._client.pubsub(ignore_subscribe_messages=True)
        with self._connection_errors():
            self._subscription.subscribe(*missing)
        self._channels.update(missing)

    def leave(self, channel: str) -> None:
        """Listen to a channel no more."""
        self._channels.discard(channel)
        if self._subscription is not None:
            with self._connection_errors():
                self._subscription.unsubscribe(channel)

    def wait(self, seconds: float, most: int = 1000) -> Iterator[tuple[str, bytes]]:
        """Wait for the next message, and give it and what came with it: channel and content."""
        for _ in range(most):
            with self._connection_errors():
                message = self._subscription.get_message(timeout=seconds)
            if message is None:
                return
            seconds = 0.0
            if message["type"] == "message":
                yield text(message["channel"]), message["data"]

    def close(self) -> None:
        """End the connection."""
        if self._subscription is not None:
            self._subscription.close()
        self._subscription = None
        self._channels.clear()

    @contextmanager
    def _connection_errors(self) -> Iterator[None]:
        """Raise StoreUnavailable too if another thread has closed the connection: redis-py stumbles over its remains.

        Depending on the moment it raises a TypeError (no socket to wait for), an AttributeError (none to write to) or a
        ValueError (a closed one). While the connection stands, each of them is a bug and is raised as it is.
        """
        before = self._subscription.connection
        try:
            with store_errors():
                yield
        except (TypeError, AttributeError, ValueError) as error:
            if _is_closed(before) or _is_closed(self._subscription.connection):
                raise StoreUnavailable from error
            raise


def _is_closed(connection: Any) -> bool:
    """Whether a connection has been closed, or is a moment later."""
    end = time.monotonic() + _CLOSING_S
    while connection is not None and connection.is_connected:
        if time.monotonic() >= end:
            return False
        time.sleep(0.001)
    return connection is not None


def _entries(reply: Any) -> list[Entry]:
    """What a server, or its client, says of a range of a log."""
    entries = ((text(place), fields.get(b"measurement")) for place, fields in reply or ())
    return [Entry(place, text(measurement) if measurement else None) for place, measurement in entries]


def _next(place: str) -> str:
    """The place right after one: servers before 6.2 know no open ranges."""
    at, _, number = place.partition("-")
    return f"{at}-{int(number) + 1}"


def _standing(window: list[Any], last: list[Any]) -> Standing:
    newest, following, ended, closed = *window, *last
    return Standing(
        int(newest) if newest else None, bool(following), int(ended) if ended else None, closed=bool(closed)
    )
