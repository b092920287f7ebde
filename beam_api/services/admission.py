"""Who may come in: the key of a request and its rate limit, in one round trip.

What else a request asks of the store can ride along. Then its body has been read before its key is known to be good,
so that is for keys that were good lately: a process remembers them, and nothing of them but that. The record, read anew
each time, decides. A revoked key is refused at its next request, in every process.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis

from beam_api.exceptions import StoreUnavailable
from beam_api.services.keys import Token, digest_of
from beam_api.store.keys import FIELDS, KeyRecord, read, record_name
from beam_api.store.limits import TAKE, WINDOW_S, Bucket, Limiter, Standing, this_tick
from beam_api.store.scripts import Question, ask_each, load_script
from beam_api.store.usage import KEEP_S, day_field, month_name, today

REMEMBERED = 4096  # keys of which a process knows that they were good


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
        self._admit = load_script(client, "admit", before=TAKE)
        # By the digest of the secret: who knows only a key's public id is not known.
        self._good: OrderedDict[str, None] = OrderedDict()

    def knows(self, token: Token) -> bool:
        """Whether the key was good when this process saw it last."""
        return token.digest in self._good

    def admit(
        self, token: Token | None, address: str, visitor: str | None = None, *, also: Sequence[Question[Any]] = ()
    ) -> tuple[Admitted, list[Any]]:
        """Find whose key this is and count the request.

        Parameters
        ----------
        token : Token, optional
            The key as sent; None if there was none that can be ours, or two.
        address : str
            Where the request comes from.
        visitor : str, optional
            The visitor's cookie, where a visitor's key may be used. Such a key is good with its own cookie only.
        also : sequence of Question, optional
            What to ask on the way, whatever becomes of the request.

        Returns
        -------
        (Admitted, list)
            The answers are to `also`.

        Raises
        ------
        StoreUnavailable
            If Redis is away.
        """
        if token is None:
            return Admitted(None, self._limiter.hit(Bucket.of_address(address))), []
        admission, *answers = ask_each(self._redis, self._question(token, visitor), *also)
        if isinstance(admission, StoreUnavailable):
            raise admission
        record, standing = admission
        if record is None or standing is None:
            self._good.pop(token.digest, None)
            return Admitted(None, self._limiter.hit(Bucket.of_address(address))), []
        self._remember(token.digest)
        admitted = Admitted(record, standing)
        for answer in answers:
            if isinstance(answer, StoreUnavailable):  # another node of a cluster, which is away
                self.give_back(admitted)
                raise answer
        return admitted, answers

    def give_back(self, admitted: Admitted) -> None:
        """The request came to nothing for a reason of ours: it doesn't count."""
        if admitted.standing.taken:
            self._limiter.give_back(admitted.standing)

    def _question(self, token: Token, visitor: str | None) -> Question[tuple[KeyRecord | None, Standing | None]]:
        """The record that the token proves to own, and its bucket after this request."""
        key_id, now_s, day = token.key_id, this_tick(), today()
        cookie = digest_of(visitor) if visitor else ""
        before_limit, after_limit = Bucket.name_around_limit(key_id)

        def meaning(reply: list[Any]) -> tuple[KeyRecord | None, Standing | None]:
            record, *standing = read(reply[0]), *reply[1:]
            # The script told apart what counts; who is let in is decided here, in constant time.
            if not token.proves(record, visitor) or record is None or not standing:
                return None, None
            return record, Standing.of(Bucket.of_key(key_id, record.limit_per_minute), standing, now_s, day)

        return Question(
            self._admit,
            keys=[record_name(key_id), before_limit, month_name(key_id, day)],
            args=[token.digest, cookie, now_s, WINDOW_S, after_limit, day_field(day), KEEP_S, *FIELDS],
            read=meaning,
        )

    def _remember(self, digest: str) -> None:
        self._good.pop(digest, None)  # to the end; each step stands alone, as another thread may come between
        self._good[digest] = None
        while len(self._good) > REMEMBERED:
            self._good.popitem(last=False)
