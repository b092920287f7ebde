"""Rate limits: the moving window of the `limits` library, in a pipeline with whatever else a request asks of Redis.

The library's own classes make a round trip for each question. Here its two scripts are queued into one: take a place in
the bucket, then read how the bucket stands. The names and contents of a bucket are the library's. Around the first one
stands a step of ours: a request of a key that found a place is also counted as used, on its day.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

import redis
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage

from beam_api.exceptions import StoreUnavailable
from beam_api.store.base import PREFIX, store_errors
from beam_api.store.usage import KEEP_S, day_field, month_name, today

WINDOW_S = 60
TICKS_PER_S = 64
"""Times are kept in whole 1/64 s: exact in few digits, so that a place is found again by the text Lua made of it."""

ADDRESS_LIMIT = 600
"""Requests a minute without a valid key that one address may send. It spares the store; a key can't be guessed."""


_TAKE_AND_COUNT = f"""
local function take()
{RedisStorage.SCRIPT_ACQUIRE_MOVING_WINDOW.decode()}
end
local taken = take()
if taken and KEYS[2] then
  if redis.call('HINCRBY', KEYS[2], ARGV[5], 1) == 1 then redis.call('EXPIRE', KEYS[2], ARGV[6]) end
end
return taken
"""


@dataclass(frozen=True, slots=True)
class Bucket:
    """One count of requests: whose, and how many in a window. What a key sends is also counted by day."""

    name: str
    limit: int
    key_id: str = ""
    window_s: int = WINDOW_S

    @classmethod
    def of_key(cls, key_id: str, limit: int) -> Bucket:
        """The bucket of a key, over all its requests."""
        return cls(f"{{{key_id}}}", limit, key_id)

    @classmethod
    def of_address(cls, address: str) -> Bucket:
        """The bucket of what an address sends without a valid key."""
        return cls(f"{{address:{_customer(address)}}}", ADDRESS_LIMIT)

    @classmethod
    def of_signups(cls, what: str, address: str, an_hour: int) -> Bucket:
        """The bucket of the keys of one sort that an address is given."""
        return cls(f"{{{what}:{_customer(address)}}}", an_hour, window_s=3600)


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
    day: date

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
        self._take = client.register_script(_TAKE_AND_COUNT)
        self._stats = client.register_script(RedisStorage.SCRIPT_MOVING_WINDOW)

    def queue(self, pipe: Any, bucket: Bucket) -> tuple[float, date]:
        """Queue two commands that take a place; give their two replies and the returned moment to `read`.

        `pipe.execute()` raises NoScriptError on a server that doesn't know the scripts: `load` them and do it again.
        """
        now = math.floor(time.time() * TICKS_PER_S) / TICKS_PER_S
        name, day = _redis_name(bucket), today()
        keys = [name, month_name(bucket.key_id, day)] if bucket.key_id else [name]
        pipe.evalsha(self._take.sha, len(keys), *keys, now, bucket.limit, bucket.window_s, 1, day_field(day), KEEP_S)
        pipe.evalsha(self._stats.sha, 1, name, now - bucket.window_s, bucket.limit)
        return now, day

    @staticmethod
    def read(bucket: Bucket, moment: tuple[float, date], replies: list[Any]) -> Standing:
        """The standing in the two replies to what `queue` queued at that moment."""
        (now, day), (taken, window) = moment, replies
        oldest, count = (float(window[0]), int(window[1])) if window else (now, 0)
        return Standing(bucket, bool(taken), max(0, bucket.limit - count), oldest + bucket.window_s, now, day)

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
                        moment = self.queue(pipe, bucket)
                        return self.read(bucket, moment, pipe.execute())
                except redis.exceptions.NoScriptError:
                    if attempt == 2:
                        raise
                    self.load()
        raise AssertionError("unreachable")

    def give_back(self, standing: Standing) -> None:
        """Undo a place that was taken for a request that came to nothing. Does nothing while Redis is away."""
        bucket = standing.bucket
        try:
            with store_errors(), self._redis.pipeline(transaction=False) as pipe:
                pipe.lrem(_redis_name(bucket), 1, f"{standing.place:.17g}")
                if bucket.key_id:
                    pipe.hincrby(month_name(bucket.key_id, standing.day), day_field(standing.day), -1)
                pipe.execute()
        except StoreUnavailable:
            pass


def _customer(address: str) -> str:
    """Who an address stands for. One IPv6 customer owns a /64, so that counts as one address."""
    try:
        parsed = ip_address(address)
    except ValueError:  # a Unix socket has no address
        return "none"
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(ip_network((parsed, 64), strict=False).network_address)
    return address


def _redis_name(bucket: Bucket) -> str:
    item = RateLimitItemPerMinute(bucket.limit, bucket.window_s // 60)
    return f"{PREFIX}:{item.key_for(bucket.name)}"
