"""Rate limits over a moving window, counted by a script in Redis together with what else a request asks of a key.

One round trip takes a place in a bucket and reads how the bucket stands. `lua/moving_window.lua` has the algorithm.
Buckets have the names and contents that the `limits` library gives them.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from beam_api.exceptions import StoreUnavailable
from beam_api.store.client import PREFIX, store_errors
from beam_api.store.scripts import Question, Script, ask, script_text, send
from beam_api.store.usage import day_field, month_name, today

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import redis

    from beam_api.store.cluster import Command

WINDOW_S = 60
TICKS_PER_S = 64
"""Times are kept in whole 1/64 s: exact in few digits, so that a place is found again by the text Lua made of it."""

CLOCK_SLACK_S = 5
"""By how much the clocks of two web machines may differ."""

ADDRESS_LIMIT = 600
"""Requests a minute without a valid key that one address may send. It spares the store; a key can't be guessed."""


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
        return cls(f"{{address:{customer(address)}}}", ADDRESS_LIMIT)

    @classmethod
    def of_self_made(cls, address: str, limit: int) -> Bucket:
        """The bucket of what an address sends with all keys that were made without an operator."""
        return cls(f"{{self-made:{customer(address)}}}", limit)

    @classmethod
    def of_signups(cls, what: str, address: str, an_hour: int) -> Bucket:
        """The bucket of the keys of one sort that an address is given."""
        return cls(f"{{{what}:{customer(address)}}}", an_hour, window_s=3600)

    @classmethod
    def name_around_limit(cls, key_id: str) -> tuple[str, str]:
        """What stands before and after the limit in the name of a key's bucket in Redis."""
        before, after = cls.of_key(key_id, 0).redis_name.split("/0/")
        return f"{before}/", f"/{after}"

    @property
    def payer(self) -> str:
        """Whose it is, without the braces of its hash tag."""
        return self.name.strip("{}")

    @property
    def redis_name(self) -> str:
        """Name of the bucket in Redis."""
        return f"{PREFIX}:LIMITER/{self.name}/{self.limit}/{self.window_s // 60}/minute"


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

    @classmethod
    def of(cls, bucket: Bucket, reply: Sequence[Any], now_s: float, day: date) -> Standing:
        """The standing in the reply of `take` to a request of that moment."""
        taken, *window = reply
        oldest, count = (float(window[0]), int(window[1])) if len(window) == 2 else (now_s, 0)
        return cls(bucket, bool(taken), max(0, bucket.limit - count), oldest + bucket.window_s, now_s, day)

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
        self._hit = Script(client, moving_window() + "return take(KEYS[1], unpack(ARGV))")

    def hit(self, bucket: Bucket) -> Standing:
        """Take a place in a bucket that is nobody's key. One round trip. Raises StoreUnavailable."""
        standing: Standing = ask(self._redis, self.question(bucket))[0]
        return standing

    def question(self, bucket: Bucket) -> Question[Standing]:
        """To take a place, on the way with other questions."""
        now_s, day = this_tick(), today()
        args = (now_s, bucket.limit, bucket.window_s)
        return Question(self._hit, [bucket.redis_name], args, lambda reply: Standing.of(bucket, reply, now_s, day))

    def give_back(self, standing: Standing) -> None:
        """Undo a place that was taken for a request that came to nothing. Does nothing while Redis is unavailable."""
        bucket = standing.bucket
        try:
            undo: list[Command] = [("LREM", bucket.redis_name, 1, f"{standing.place:.17g}")]
            if bucket.key_id:
                undo.append(("HINCRBY", month_name(bucket.key_id, standing.day), day_field(standing.day), -1))
            with store_errors():
                send(self._redis, *undo)
        except StoreUnavailable:
            pass


def moving_window() -> str:
    """The Lua functions of a bucket, which other scripts begin with."""
    return f"local CLOCK_SLACK_S = {CLOCK_SLACK_S}\n" + script_text("moving_window")


def this_tick() -> float:
    """Unix seconds, in whole ticks."""
    return math.floor(time.time() * TICKS_PER_S) / TICKS_PER_S


def customer(address: str) -> str:
    """Who an address stands for. One IPv6 customer owns a /64, so that counts as one address."""
    try:
        parsed = ip_address(address)
    except ValueError:  # a Unix socket has no address
        return "none"
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(ip_network((parsed, 64), strict=False).network_address)
    return address
