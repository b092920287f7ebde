"""Rate limits: the moving window of the `limits` library, in a pipeline with whatever else a request asks of Redis.

The library's own classes make a round trip for each question. Here its two scripts are queued into one: take a place in
the bucket, then read how the bucket stands. The names and contents of a bucket are the library's.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

import redis
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage

from beam_api.exceptions import StoreUnavailable
from beam_api.store.base import PREFIX, store_errors

WINDOW_S = 60
TICKS_PER_S = 64
"""Times are kept in whole 1/64 s: exact in few digits, so that a place is found again by the text Lua made of it."""

ADDRESS_LIMIT = 600
"""Requests a minute without a valid key that one address may send. It spares the store; a key can't be guessed."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """One count of requests: whose, and how many a minute."""

    name: str
    limit: int

    @classmethod
    def of_key(cls, key_id: str, limit: int) -> Bucket:
        """The bucket of a key, over all its requests."""
        return cls(f"{{{key_id}}}", limit)

    @classmethod
    def of_address(cls, address: str) -> Bucket:
        """The bucket of an address. One IPv6 customer owns a /64, so that counts as one address."""
        try:
            parsed = ip_address(address)
        except ValueError:  # a Unix socket has no address
            return cls("{address:none}", ADDRESS_LIMIT)
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
            address = str(ip_network((parsed, 64), strict=False).network_address)
        return cls(f"{{address:{address}}}", ADDRESS_LIMIT)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a bucket stands after a request.

    `taken` says whether the request found a place. `reset_s` is when the oldest request leaves the window, in Unix
    seconds; `place` is what to give to `Limiter.give_back`.
    """

    bucket: Bucket
    taken: bool
    remaining: int
    reset_s: float
    place: float

    @property
    def retry_after_s(self) -> int:
        """Seconds until a place is free."""
        return max(1, math.ceil(self.reset_s - time.time()))

    def headers(self) -> dict[str, str]:
        """As they stand on the response."""
        return {
            "X-RateLimit-Limit": str(self.bucket.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(math.ceil(self.reset_s)),
        }


class Limiter:
    """Counts requests in Redis."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._take = client.register_script(RedisStorage.SCRIPT_ACQUIRE_MOVING_WINDOW)
        self._stats = client.register_script(RedisStorage.SCRIPT_MOVING_WINDOW)

    def queue(self, pipe: Any, bucket: Bucket) -> float:
        """Queue two commands that take a place; give their two replies and the returned time to `read`.

        `pipe.execute()` raises NoScriptError on a server that doesn't know the scripts: `load` them and do it again.
        """
        now = math.floor(time.time() * TICKS_PER_S) / TICKS_PER_S
        name = _redis_name(bucket)
        pipe.evalsha(self._take.sha, 1, name, now, bucket.limit, WINDOW_S, 1)
        pipe.evalsha(self._stats.sha, 1, name, now - WINDOW_S, bucket.limit)
        return now

    @staticmethod
    def read(bucket: Bucket, now: float, replies: list[Any]) -> Standing:
        """The standing in the two replies to what `queue` queued at `now`."""
        taken, window = replies
        oldest, count = (float(window[0]), int(window[1])) if window else (now, 0)
        return Standing(bucket, bool(taken), max(0, bucket.limit - count), oldest + WINDOW_S, now)

    def load(self) -> None:
        """Make the scripts known to the server."""
        for script in (self._take, self._stats):
            self._redis.script_load(script.script)

    def hit(self, bucket: Bucket) -> Standing:
        """Take a place in a bucket. One round trip, two commands. Raises StoreUnavailable."""
        with store_errors():
            for attempt in (1, 2):
                try:
                    with self._redis.pipeline(transaction=False) as pipe:
                        now = self.queue(pipe, bucket)
                        return self.read(bucket, now, pipe.execute())
                except redis.exceptions.NoScriptError:
                    if attempt == 2:
                        raise
                    self.load()
        raise AssertionError("unreachable")

    def give_back(self, standing: Standing) -> None:
        """Undo a place that was taken for a request that came to nothing. Does nothing while Redis is away."""
        try:
            with store_errors():
                self._redis.lrem(_redis_name(standing.bucket), 1, f"{standing.place:.17g}")
        except StoreUnavailable:
            pass


def _redis_name(bucket: Bucket) -> str:
    return f"{PREFIX}:{RateLimitItemPerMinute(bucket.limit).key_for(bucket.name)}"
