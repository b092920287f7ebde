"""Who may come in: the key of a request and its rate limit, in one round trip where the key has been seen before.

The limit of a bucket stands in the key's record, so a first request costs two round trips (record; bucket). A process
remembers the limit of each key it has admitted, and nothing else: later requests ask for record and bucket at once, and
the record, read anew each time, decides. A revoked key is refused at its next request, in every process.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import redis

from beam_api.limits import Bucket, Limiter, Standing
from beam_api.services.keys import Token
from beam_api.store.base import store_errors
from beam_api.store.keys import KeyRecord, queue_get, read

REMEMBERED = 4096  # keys a process remembers the limit of


@dataclass(frozen=True, slots=True)
class Admitted:
    """The key of a request, if it holds a valid one, and the bucket it counts in: the key's, else the address's."""

    record: KeyRecord | None
    standing: Standing


class Admission:
    """Looks up keys and counts requests. Safe to share between threads."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._limiter = Limiter(client)
        # By the digest of the secret: who knows only a key's public id must not be able to fill its bucket.
        self._limits: OrderedDict[str, int] = OrderedDict()

    def admit(self, presented: str | None, address: str, visitor: str | None = None) -> Admitted:
        """Find whose key this is and count the request.

        Parameters
        ----------
        presented : str, optional
            The key as sent; None if there was none, or two.
        address : str
            Where the request comes from.
        visitor : str, optional
            The visitor's cookie, where a visitor's key may be used. Such a key is good with its own cookie only.

        Raises
        ------
        StoreUnavailable
            If Redis is away.
        """
        token = Token.parse(presented) if presented else None
        if token is None:
            return Admitted(None, self._limiter.hit(Bucket.of_address(address)))
        known_limit = self._limits.get(token.digest)
        record, standing = self._ask(token, known_limit, visitor)
        if record is None:
            self._limits.pop(token.digest, None)
            if standing is not None and standing.taken:  # by a secret that was good until now
                self._limiter.give_back(standing)
            return Admitted(None, self._limiter.hit(Bucket.of_address(address)))
        if standing is not None and standing.bucket.limit != record.limit_per_minute:
            if standing.taken:  # in the bucket of a limit that has changed
                self._limiter.give_back(standing)
            standing = None
        if standing is None:
            standing = self._limiter.hit(Bucket.of_key(record.key_id, record.limit_per_minute))
        self._remember(token.digest, record.limit_per_minute)
        return Admitted(record, standing)

    def give_back(self, admitted: Admitted) -> None:
        """The request came to nothing for a reason of ours: it doesn't count."""
        if admitted.standing.taken:
            self._limiter.give_back(admitted.standing)

    def _ask(
        self, token: Token, known_limit: int | None, visitor: str | None
    ) -> tuple[KeyRecord | None, Standing | None]:
        """The record that the token proves to own, and if its limit is known, the bucket after this request."""
        bucket = Bucket.of_key(token.key_id, known_limit) if known_limit else None
        with store_errors():
            for attempt in (1, 2):
                with self._redis.pipeline(transaction=False) as pipe:
                    queue_get(pipe, token.key_id)
                    moment = self._limiter.queue(pipe, bucket) if bucket else None
                    try:
                        replies: list[Any] = pipe.execute()
                        break
                    except redis.exceptions.NoScriptError:
                        if attempt == 2:
                            raise
                        self._limiter.load()
        record = read(replies[0])
        standing = self._limiter.read(bucket, moment, replies[1:]) if bucket and moment else None
        return (record if token.proves(record, visitor) else None), standing

    def _remember(self, digest: str, limit: int) -> None:
        self._limits.pop(digest, None)  # to the end; each step stands alone, as another thread may come between
        self._limits[digest] = limit
        while len(self._limits) > REMEMBERED:
            self._limits.popitem(last=False)
