"""Session tokens: for a browser or a phone, which must not hold a key. Each sends for one person, for some minutes.

A token reads `beam_tk_` + the public id of its key + a secret; its SHA-256 alone is kept. It ends with its
time, with its requests, and at once with the secret that made it: when the key is revoked, rotated or expires.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from beam_api.services.access.keys import ALPHABET, SECRET_LENGTH, TOKEN_PREFIX, digest_of

if TYPE_CHECKING:
    from beam_api.store.keys import KeyRecord
    from beam_api.store.session_tokens import SessionTokenStore

MOST_TTL_S, MOST_REQUESTS = 900, 2000
DEFAULT_TTL_S, DEFAULT_REQUESTS = 300, 600


@dataclass(frozen=True, slots=True)
class NewSessionToken:
    """A token just made. `token` is shown once and kept nowhere."""

    token: str
    expires_at: str


class SessionTokens:
    """Makes session tokens; `Admission` recognises them."""

    def __init__(self, store: SessionTokenStore) -> None:
        self._store = store

    def create(self, record: KeyRecord, session_id: str, *, ttl_s: int, requests: int) -> NewSessionToken:
        """Make a token of this key for one session.

        Parameters
        ----------
        record : KeyRecord
            The key as it was when its secret was proved.
        session_id : str
            Whom the token measures.
        ttl_s, requests : int
            How long it is good, and for how many requests.

        Raises
        ------
        StoreUnavailable
            If Redis is unavailable.
        """
        secret = "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))
        token = TOKEN_PREFIX + record.key_id + secret
        expires = datetime.now(UTC) + timedelta(seconds=ttl_s)
        self._store.add(
            record.key_id, digest_of(token), of=record.digest, session_id=session_id, requests=requests, ttl_s=ttl_s
        )
        return NewSessionToken(token, expires.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
