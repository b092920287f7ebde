"""Webhooks that are owed.

Each is in a hash beside its session until it is delivered or given up. The outcome of every attempt is kept for as long
as the session lives.

`due` lists deliveries by the time of their next attempt. An attempt has a number; of two workers that begin the same
one, one does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from beam_api.store.client import PREFIX, text, translates_errors
from beam_api.store.scans import delivery_name, log_name, session_name
from beam_api.store.scripts import load_script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import redis

DUE = f"{PREFIX}:webhooks:due"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook to be sent: where, signed for which API key, and the body."""

    url: str
    key_id: str
    body: bytes


@translates_errors
class DeliveryStore:
    """Keeps deliveries. Every method raises StoreUnavailable if Redis is unavailable."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._take, self._log = (load_script(client, f"delivery_{name}") for name in ("take", "log"))

    def attempts(self, session_id: str, delivery_id: str) -> int | None:
        """How many attempts have begun; None if the delivery is done."""
        kept = self._redis.hget(delivery_name(session_id, delivery_id), "attempt")
        return None if kept is None else int(text(kept))

    def take(self, session_id: str, delivery_id: str, attempt: int) -> Delivery | None:
        """Begin an attempt; None if it is not to be made."""
        reply = cast("list[Any]", self._take(keys=[delivery_name(session_id, delivery_id)], args=[attempt]))
        return Delivery(text(reply[0]), text(reply[1]), reply[2]) if reply else None

    def end(self, session_id: str, delivery_id: str) -> None:
        """Forget a delivery and its body: it has arrived, or never will."""
        self._redis.delete(delivery_name(session_id, delivery_id))
        self._redis.zrem(DUE, f"{session_id}:{delivery_id}")

    def plan(self, session_id: str, delivery_id: str, at_ms: int) -> None:
        """Have `due` name a delivery from a time on."""
        self._redis.zadd(DUE, {f"{session_id}:{delivery_id}": at_ms})

    def due(self, now_ms: int, most: int = 100) -> Sequence[tuple[str, str]]:
        """Deliveries whose time has come, each as session and delivery id."""
        found = cast("list[bytes]", self._redis.zrangebyscore(DUE, "-inf", now_ms, start=0, num=most))
        return [cast("tuple[str, str]", tuple(text(member).split(":", 1))) for member in found]

    def log(self, session_id: str, entry: Mapping[str, Any]) -> None:
        """Note what became of an attempt."""
        keys = [session_name(session_id), log_name(session_id)]
        self._log(keys=keys, args=[json.dumps(entry)])

    def logged(self, session_id: str) -> list[dict[str, Any]]:
        """All attempts at webhooks of a session, the oldest first."""
        return [json.loads(entry) for entry in cast("list[bytes]", self._redis.lrange(log_name(session_id), 0, -1))]
