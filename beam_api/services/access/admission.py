"""Who may come in: the key of a request and its rate limit, in one round trip.

What else a request asks of the store can ride along. Then its body has been read before its key is known to be good,
so that is for keys that were good lately: a process remembers them, and nothing of them but that. The record, read anew
each time, decides. A revoked key is refused at its next request, in every process.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from beam_api.exceptions import RateLimited, StoreUnavailable
from beam_api.services.access.keys import SELF_MADE, Token, digest_of
from beam_api.store.client import text
from beam_api.store.keys import FIELDS, KeyRecord, read, record_name
from beam_api.store.limits import WINDOW_S, Bucket, Limiter, Standing, moving_window, this_tick
from beam_api.store.scripts import Question, ask, ask_each, load_script
from beam_api.store.session_tokens import SessionTokenStore, token_name
from beam_api.store.usage import KEEP_S, day_field, month_name, today
from beam_api.store.work import LUA, Work, work_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis

REMEMBERED = 4096  # keys of which a process knows that they were good


class _Known(NamedTuple):
    """What a process remembers of a key or session token that was good: neither changes."""

    self_made: bool
    session_id: str | None


@dataclass(frozen=True, slots=True)
class Admitted:
    """The key of a request, if it holds a valid one, and the bucket it counts in: the key's, else the address's."""

    record: KeyRecord | None
    standing: Standing
    work: Work | None = None
    of_address: Standing | None = None
    """The bucket of the address, where the key was made without an operator."""
    session_id: str | None = None
    """The one session that may be measured, if a session token was sent."""
    token: Token | None = None

    @property
    def refusal(self) -> RateLimited | None:
        """Why the request is refused for a limit, if it is."""
        if self.work is not None and not self.work.fits:
            return RateLimited(self.work.retry_after_s, self.work.refusal)
        if self.standing.taken:
            return None
        after_s = self.standing.retry_after_s
        if self.of_address is self.standing:
            return RateLimited(
                after_s, f"Too many requests from this address with keys made by itself. Try again in {after_s} s."
            )
        return RateLimited(after_s)

    def headers(self) -> dict[str, str]:
        """As they stand on the response."""
        return self.standing.headers() | (self.work.headers() if self.work else {})


class Admission:
    """Looks up keys and counts requests. Safe to share between threads."""

    def __init__(self, client: redis.Redis, *, address_limit: int = 600) -> None:
        """`address_limit`: requests a minute of an address over its keys made without an operator, 0 for any number."""
        self._redis, self._address_limit = client, address_limit
        self._limiter = Limiter(client)
        self._admit = load_script(client, "admit", before=moving_window() + LUA)
        self._charge = load_script(client, "charge", before=LUA)
        # Whether a key was made without an operator, by the digest of its secret: who knows only its public id is not
        # known.
        self._good: OrderedDict[str, _Known] = OrderedDict()
        self._tokens = SessionTokenStore(client)

    def knows(self, token: Token) -> bool:
        """Whether the key was good when this process saw it last."""
        return token.digest in self._good

    def session_of(self, token: Token) -> str | None:
        """The session of a token that `knows` knows; None for a key."""
        known = self._good.get(token.digest)
        return known.session_id if known else None

    def admit(
        self,
        token: Token | None,
        address: str,
        visitor: str | None = None,
        *,
        cost: float = 0.0,
        also: Sequence[Question[Any]] = (),
    ) -> tuple[Admitted, list[Any]]:
        """Find whose key this is and count the request.

        Parameters
        ----------
        token : Token, optional
            The key as sent; None if no well-formed key was sent, or two keys.
        address : str
            Where the request comes from.
        visitor : str, optional
            The visitor's cookie, where a visitor's key may be used. Such a key is good with its own cookie only.
        cost : float, optional
            Work of the request in megapixels, if it is known.
        also : sequence of Question, optional
            What to ask on the way, whatever becomes of the request.

        Returns
        -------
        (Admitted, list)
            The answers are to `also`.

        Raises
        ------
        StoreUnavailable
            If Redis is unavailable.
        """
        if token is None:
            return Admitted(None, self._limiter.hit(Bucket.of_address(address))), []
        bucket = Bucket.of_self_made(address, self._address_limit)
        known = self._good.get(token.digest)
        counted = bool(self._address_limit) and known is not None and known.self_made
        of_address = [self._limiter.question(bucket)] if counted else []
        replies = ask_each(self._redis, self._question(token, visitor, cost), *of_address, *also)
        admission, answers = replies[0], replies[1 + len(of_address) :]
        if isinstance(admission, StoreUnavailable):
            self._undo(replies[1:2] if of_address else [])
            raise admission
        record, standing, work, session_id = admission
        if record is None or standing is None:
            self._undo(replies[1:2] if of_address else [])
            self._good.pop(token.digest, None)
            return Admitted(None, self._limiter.hit(Bucket.of_address(address))), []
        self_made = record.owner in SELF_MADE and bool(record.expires_at)
        self._remember(token.digest, _Known(self_made, session_id))
        admitted = Admitted(record, standing, work, session_id=session_id, token=token)
        if self_made and self._address_limit:
            admitted = self._in_address(admitted, replies[1] if of_address else None, bucket)
        for answer in answers:
            if isinstance(answer, StoreUnavailable):  # another node of a cluster, which is unavailable
                self.give_back(admitted)
                raise answer
        return admitted, answers

    def give_back(self, admitted: Admitted) -> None:
        """Refund a request that failed because of the service."""
        self._undo([admitted.standing, admitted.of_address])
        if admitted.work and admitted.work.fits and admitted.work.cost and admitted.standing.taken:
            self._unspend(admitted.work)
        if admitted.session_id is not None and admitted.token and admitted.standing.taken:
            self._tokens.give_back(admitted.token.key_id, admitted.token.digest)

    def charge(self, admitted: Admitted, cost: float) -> Admitted:
        """Charge the work of a request that was admitted before it was known. Raises StoreUnavailable."""
        assert admitted.record
        key_id, now_s = admitted.record.key_id, this_tick()
        reply = ask(
            self._redis,
            Question(self._charge, [work_name(key_id), record_name(key_id)], [now_s, cost], lambda reply: reply),
        )[0]
        return replace(admitted, work=Work.of(key_id, reply, cost, now_s))

    def _in_address(self, admitted: Admitted, standing: Any, bucket: Bucket) -> Admitted:
        """Count the request in the bucket of its address too. What is refused by either counts in neither."""
        if isinstance(standing, StoreUnavailable):
            self.give_back(admitted)
            raise standing
        if standing is None:
            if not admitted.standing.taken:
                return admitted
            try:
                standing = self._limiter.hit(bucket)
            except StoreUnavailable:
                self.give_back(admitted)
                raise
        if not admitted.standing.taken:
            self._undo([standing])
            return admitted
        if standing.taken:
            return replace(admitted, of_address=standing)
        self.give_back(admitted)
        return replace(admitted, standing=standing, of_address=standing)

    def _undo(self, standings: Sequence[Any]) -> None:
        for standing in standings:
            if isinstance(standing, Standing) and standing.taken:
                self._limiter.give_back(standing)

    def _unspend(self, work: Work) -> None:
        """Give work back. Does nothing while Redis is unavailable, nor once the budget is whole again."""
        question = Question(
            self._charge, [work_name(work.key_id), record_name(work.key_id)], [this_tick(), -work.cost], len
        )
        with suppress(StoreUnavailable):
            ask(self._redis, question)

    def _question(
        self, token: Token, visitor: str | None, cost: float
    ) -> Question[tuple[KeyRecord | None, Standing | None, Work | None, str | None]]:
        """The record that the token proves to own, and its bucket after this request."""
        key_id, now_s, day = token.key_id, this_tick(), today()
        cookie = digest_of(visitor) if visitor else ""
        before_limit, after_limit = Bucket.name_around_limit(key_id)

        def meaning(reply: list[Any]) -> tuple[KeyRecord | None, Standing | None, Work | None, str | None]:
            record, *limits = read(reply[0]), *reply[1:]
            # The script counts; the secret is compared here, in constant time. A token's was found by its digest.
            proved = token.proves(record, visitor) or token.of_session
            if not proved or record is None or not limits:
                return None, None, None, None
            standing, work, session = limits
            bucket = Bucket.of_key(key_id, record.limit_per_minute)
            session_id = text(session) if token.of_session else None
            return record, Standing.of(bucket, standing, now_s, day), Work.of(key_id, work, cost, now_s), session_id

        return Question(
            self._admit,
            keys=[
                *(record_name(key_id), before_limit, month_name(key_id, day), work_name(key_id)),
                token_name(key_id, token.digest),
            ],
            args=[
                *(token.digest, cookie, now_s, WINDOW_S, after_limit, day_field(day), KEEP_S, cost),
                int(token.of_session),
                *FIELDS,
            ],
            read=meaning,
        )

    def _remember(self, digest: str, known: _Known) -> None:
        self._good.pop(digest, None)  # to the end; each step stands alone, as another thread may come between
        self._good[digest] = known
        while len(self._good) > REMEMBERED:
            self._good.popitem(last=False)
