"""Which version of its webhook secret an API key is at. The secrets themselves are derived, and kept nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from beam_api.store.client import PREFIX, text, translates_errors
from beam_api.store.scripts import load_script, send_atomically

if TYPE_CHECKING:
    import redis

OVERLAP_S = 24 * 3600
"""How long a replaced secret still signs."""

_MOST_REPLACED = 3  # each adds a signature to every webhook


@translates_errors
class SecretVersionStore:
    """Keeps versions. Every method raises StoreUnavailable if Redis is unavailable."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._rotate = load_script(client, "rotate_secret")

    def versions(self, key_id: str) -> list[int]:
        """The versions that sign now, the newest first."""
        version_name, replaced_name = _names(key_id)
        now_s = self._redis.time()[0]
        since = f"({now_s - OVERLAP_S}"
        current, replaced = send_atomically(
            self._redis, ("GET", version_name), ("ZRANGEBYSCORE", replaced_name, since, "+inf")
        )
        return [int(current or 0), *sorted((int(text(version)) for version in replaced), reverse=True)]

    def rotate(self, key_id: str) -> int:
        """Go on to the next version, and return it."""
        return int(cast("int", self._rotate(keys=_names(key_id), args=[_MOST_REPLACED, OVERLAP_S])))


def _names(key_id: str) -> list[str]:
    return [f"{PREFIX}:{{{key_id}}}:webhook-version", f"{PREFIX}:{{{key_id}}}:webhook-replaced"]
