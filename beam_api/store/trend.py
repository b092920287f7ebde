"""The measurements of a person in the last 24 h, in short: at most 1000 of them, kept with their results."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, cast

from beam_api.store.client import translates_errors

if TYPE_CHECKING:
    import redis

    from beam_api.store.window_values import Session

MOST = 1000
"""As in lua/save.lua."""

_KEEP_MS = 24 * 3600 * 1000
_SAVED_MS = struct.Struct(">Q")


@translates_errors
class TrendStore:
    """Reads what `WindowStore.save` has kept."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def newest(self, session: Session, most: int, now_ms: int) -> list[bytes]:
        """The newest entries, the oldest first, that were kept less than 24 h before `now_ms`."""
        kept = cast("list[bytes]", self._redis.lrange(session.name("trend"), -most, -1))
        return [entry[_SAVED_MS.size :] for entry in kept if _SAVED_MS.unpack_from(entry)[0] >= now_ms - _KEEP_MS]
