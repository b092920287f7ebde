"""API keys in Redis: one hash per key, and a set of their ids.

A record holds a digest of the key's secret and never the secret. It lives until the key is revoked, and then as a
revoked one, so that the list still shows it. Every name of one key has the hash tag `{key_id}`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import redis

from beam_api.store.base import PREFIX, store_errors, text

INDEX = f"{PREFIX}:keys"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is known of a key. `digest` is the SHA-256 of its secret in hex; times are ISO 8601, UTC."""

    key_id: str
    digest: str
    owner: str
    name: str
    tier: str
    limit_per_minute: int
    prefix: str
    last4: str
    created_at: str
    revoked_at: str = ""

    @property
    def active(self) -> bool:
        """Whether the key is not revoked."""
        return not self.revoked_at


FIELDS = tuple(KeyRecord.__dataclass_fields__)


def record_name(key_id: str) -> str:
    """Name of the hash that holds a key."""
    return f"{PREFIX}:{{{key_id}}}:key"


def queue_get(pipe: Any, key_id: str) -> None:
    """Ask for a record within a pipeline; `read` its reply."""
    pipe.hmget(record_name(key_id), FIELDS)


def read(reply: list[Any]) -> KeyRecord | None:
    """The record in a reply to `queue_get`; None if there is none."""
    if reply[0] is None:
        return None
    values: dict[str, Any] = {name: text(value) for name, value in zip(FIELDS, reply, strict=True)}
    values["limit_per_minute"] = int(values["limit_per_minute"])
    return KeyRecord(**values)


class KeyStore:
    """Keeps API keys."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def add(self, record: KeyRecord) -> None:
        """Keep a new key. Indexed before it is written: a failure between the two leaves no working key unlisted."""
        with store_errors():
            self._redis.sadd(INDEX, record.key_id)
            self._redis.hset(record_name(record.key_id), mapping={f: str(getattr(record, f)) for f in FIELDS})

    def get(self, key_id: str) -> KeyRecord | None:
        """The key of that id, revoked or not."""
        return self._get_many([key_id])[0]

    def all(self) -> list[KeyRecord]:
        """Every key, the oldest first."""
        with store_errors():
            ids = [text(i) for i in self._redis.smembers(INDEX)]
        found = [record for record in self._get_many(ids) if record]
        return sorted(found, key=lambda record: (record.created_at, record.key_id))

    def mark_revoked(self, key_id: str, at: str) -> None:
        """Note when a key was revoked."""
        with store_errors():
            self._redis.hset(record_name(key_id), "revoked_at", at)

    def _get_many(self, ids: list[str]) -> list[KeyRecord | None]:
        with store_errors(), self._redis.pipeline(transaction=False) as pipe:
            for key_id in ids:
                queue_get(pipe, key_id)
            return [read(reply) for reply in pipe.execute()]
