"""API keys in Redis: one hash per key, and the sets of their ids.

A record holds a digest of the key's secret and never the secret. It lives until the key is revoked, and then as a
revoked one, so that the list still shows it; one that expires is gone with its time. Every name of one key has the hash
tag `{key_id}`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from beam_api.store.client import PREFIX, text, translates_errors
from beam_api.store.scripts import load_script, send, send_atomically

if TYPE_CHECKING:
    import redis

    from beam_api.store.cluster import Command

INDEX = f"{PREFIX}:keys"
EXPIRING = f"{PREFIX}:keys:expiring"
"""Ids of keys that expire, by when they do, so that those that have can be left out of the list."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is known of a key. `digest` is the SHA-256 of its secret in hex; times are ISO 8601, UTC.

    `visitor` is the SHA-256 of the cookie without which the key is of no use; empty for a key that needs none.
    `origin` stands for the address that made the key without an operator; the address can't be derived from it.
    `work_limit` is in megapixels a minute, 0 for that of the tier.
    """

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
    expires_at: str = ""
    visitor: str = ""
    origin: str = ""
    work_limit: int = 0

    @property
    def active(self) -> bool:
        """Whether the key is not revoked."""
        return not self.revoked_at


FIELDS = tuple(KeyRecord.__dataclass_fields__)

_NOBODY = [
    b"0" * 16,
    b"0" * 64,
    b"nobody",
    b"",
    b"sandbox",
    b"100",
    b"beam_sk_0000",
    b"0000",
    b"0" * 24,
    b"",
    b"",
    b"",
    b"",
    b"0",
]
"""What is taken apart where there is no record, so that it takes the same time."""


def record_name(key_id: str) -> str:
    """Name of the hash that holds a key."""
    return f"{PREFIX}:{{{key_id}}}:key"


def read(reply: list[Any]) -> KeyRecord | None:
    """The record whose `FIELDS` these are; None if there is none."""
    known = reply[0] is not None
    kept = reply if known else _NOBODY
    values: dict[str, Any] = {name: text(value or b"") for name, value in zip(FIELDS, kept, strict=True)}
    values["limit_per_minute"] = int(values["limit_per_minute"])
    values["work_limit"] = int(values["work_limit"] or 0)
    record = KeyRecord(**values)
    return record if known else None


def slots_name(origin: str) -> str:
    """Name of the set of live keys that one address made for itself."""
    return f"{PREFIX}:{{origin:{origin}}}:keys"


@translates_errors
class KeyStore:
    """Keeps API keys."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._rotate, self._revoke = load_script(client, "rotate"), load_script(client, "revoke")
        self._take_slot = load_script(client, "take_slot")

    def add(self, record: KeyRecord) -> None:
        """Keep a new key. Listed before it is written: a failure between the two leaves no working key unlisted.

        A visitor's key is never listed. One that an address made for itself takes a slot there, if it has none yet.
        """
        name, expires_ms = record_name(record.key_id), _unix_ms(record.expires_at)
        if not record.visitor:
            self._list(record.key_id, expires_ms)
        values = [part for f in FIELDS for part in (f, str(getattr(record, f)))]
        expiry: list[Command] = [("PEXPIREAT", name, expires_ms)] if expires_ms else []
        send_atomically(self._redis, ("HSET", name, *values), *expiry)
        if record.origin and record.active and expires_ms:
            self._slot(record.origin, record.key_id, expires_ms, 0)

    def take_slot(self, origin: str, key_id: str, expires_at: str, most: int) -> float | None:
        """Take a slot for a key that is about to be made; else the Unix time at which one is free.

        It is free again when the key expires or is revoked; one that is rotated keeps it.
        """
        free_ms = float(self._slot(origin, key_id, _unix_ms(expires_at), most))
        return free_ms / 1000 or None

    def free_slot(self, origin: str, key_id: str) -> None:
        """Give a slot back."""
        self._redis.zrem(slots_name(origin), key_id)

    def _slot(self, origin: str, key_id: str, expires_ms: int, most: int) -> Any:
        return self._take_slot(keys=[slots_name(origin)], args=[round(1000 * time.time()), most, key_id, expires_ms])

    def get(self, key_id: str) -> KeyRecord | None:
        """The key of that id, revoked or not."""
        return self._get_many([key_id])[0]

    def all(self) -> list[KeyRecord]:
        """Every key that has not expired, visitors' apart, the oldest first."""
        ids = {text(i) for i in self._redis.smembers(INDEX)}
        ids |= {text(i) for i in self._redis.zrangebyscore(EXPIRING, 1000 * time.time(), "+inf")}
        found = [record for record in self._get_many(list(ids)) if record]
        return sorted(found, key=lambda record: (record.created_at, record.key_id))

    def rotate(self, record: KeyRecord, *, digest: str, last4: str, expires_at: str) -> KeyRecord | None:
        """Replace the secret of a key; None if it has been replaced or revoked since `record` was read."""
        expires_ms = _unix_ms(expires_at)
        if expires_ms:
            self._list(record.key_id, expires_ms)
        args: list[str | int] = [record.digest, digest, last4, expires_at, expires_ms]
        done = self._rotate(keys=[record_name(record.key_id)], args=args)
        if done and record.origin and expires_ms:
            self._slot(record.origin, record.key_id, expires_ms, 0)
        return replace(record, digest=digest, last4=last4, expires_at=expires_at) if done else None

    def mark_revoked(self, record: KeyRecord, at: str) -> None:
        """Note when a key was revoked, and give its slot back."""
        self._revoke(keys=[record_name(record.key_id)], args=[at])
        if record.origin:
            self.free_slot(record.origin, record.key_id)

    def _list(self, key_id: str, expires_ms: int) -> None:
        if not expires_ms:
            self._redis.sadd(INDEX, key_id)
            return
        expired = ("ZREMRANGEBYSCORE", EXPIRING, "-inf", 1000 * time.time())
        send(self._redis, ("ZADD", EXPIRING, expires_ms, key_id), expired)

    def _get_many(self, ids: list[str]) -> list[KeyRecord | None]:
        replies = send(self._redis, *(("HMGET", record_name(key_id), *FIELDS) for key_id in ids))
        return [read(reply) for reply in replies]


def _unix_ms(at: str) -> int:
    return round(1000 * datetime.fromisoformat(at).timestamp()) if at else 0
