"""Session tokens in Redis: a hash for each, named by the digest of the token, which expires with it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from beam_api.exceptions import StoreUnavailable
from beam_api.store.client import PREFIX, store_errors, translates_errors
from beam_api.store.scripts import load_script, send_atomically

if TYPE_CHECKING:
    import redis


def token_name(key_id: str, digest: str) -> str:
    """Name of the hash that holds a token: in the slot of its key, so that one script reads both."""
    return f"{PREFIX}:{{{key_id}}}:token:{digest}"


@translates_errors
class SessionTokenStore:
    """Keeps session tokens. `lua/admit.lua` counts their requests down."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._refund = load_script(client, "token_refund")

    def add(self, key_id: str, digest: str, *, of: str, session_id: str, requests: int, ttl_s: int) -> None:
        """Keep a new one. `of` is the digest of the key's present secret: the token is good for as long as that is."""
        name = token_name(key_id, digest)
        send_atomically(
            self._redis,
            ("HSET", name, "session", session_id, "left", requests, "of", of),
            ("PEXPIRE", name, 1000 * ttl_s),
        )

    def give_back(self, key_id: str, digest: str) -> None:
        """Undo a request that came to nothing. Does nothing while Redis is unavailable."""
        with suppress(StoreUnavailable), store_errors():
            self._refund(keys=[token_name(key_id, digest)])
