"""API keys: made, listed, rotated, revoked, recognised.

A key reads `beam_sk_` + id (16 letters and digits) + secret (43). The id finds the record; the secret proves the right
to it. The secret has 256 random bits, so its plain SHA-256 is enough: a slow or salted hash protects secrets that can
be guessed, and nobody guesses these, while a slow hash would cost every request. Digests are compared in constant time.

A key that somebody makes for himself expires unless it is rotated in time. A visitor's key, with which the playground
measures, expires in minutes and is good only together with a cookie that no script can read.
"""

from __future__ import annotations

import hmac
import math
import secrets
import string
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from beam_api.exceptions import InvalidApiKey, InvalidParameter, NotFound, RateLimited, StoreUnavailable
from beam_api.store.keys import KeyRecord, KeyStore
from beam_api.store.usage import UsageStore, today

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ALPHABET = string.ascii_letters + string.digits  # a double click selects the whole key
ID_LENGTH = 16
SECRET_LENGTH = 43  # 43 * log2(62) = 256 bits
TEXT_LIMIT = 200  # characters of an owner or a name

MEASURE_PREFIX = "beam_sk_"
SCAN_PREFIX = "rppg_live_"
TOKEN_PREFIX = "beam_tk_"  # noqa: S105 - what a session token begins with

TIERS = {"sandbox": 100, "starter": 1000, "enterprise": 10000, "scan": 60}
"""Requests a minute. An enterprise key may have its own figure."""

SIGNUP_OWNER, VISITOR_OWNER = "signup", "visitor"
SELF_MADE = frozenset({SIGNUP_OWNER, VISITOR_OWNER})
"""Owners of keys that were made without an operator."""

SIGNUP_LIFE = timedelta(days=90)
VISITOR_LIFE = timedelta(minutes=15)

_NO_DIGEST = "0" * 64


@dataclass(frozen=True, slots=True)
class Token:
    """A key or a session token as presented, taken apart: the key's id that it claims, and the digest of its secret."""

    key_id: str
    digest: str
    of_session: bool = False

    @classmethod
    def parse(cls, presented: str) -> Token | None:
        """Parse a key or a session token; None if it is malformed."""
        for prefix in (MEASURE_PREFIX, SCAN_PREFIX, TOKEN_PREFIX):
            body = presented.removeprefix(prefix)
            if body != presented and len(body) == ID_LENGTH + SECRET_LENGTH and body.isascii() and body.isalnum():
                return cls(body[:ID_LENGTH], digest_of(presented), prefix == TOKEN_PREFIX)
        return None

    def proves(self, record: KeyRecord | None, visitor: str | None = None) -> bool:
        """Whether this is the key of that record and may be used. An unknown key takes the same time as a wrong one.

        `visitor` is the cookie that came with it; a visitor's key is of no use without its own.
        """
        same = hmac.compare_digest(self.digest, record.digest if record else _NO_DIGEST)
        bound = record.visitor if record else ""
        known = not bound or (visitor is not None and hmac.compare_digest(digest_of(visitor), bound))
        return same & known & bool(record and record.active) & (not self.of_session)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. `key` is shown once and kept nowhere."""

    key: str
    record: KeyRecord


@dataclass(frozen=True, slots=True)
class Usage:
    """Requests of a key: today, this calendar month, and each of the last 30 days, the oldest first. Days are UTC's."""

    today: int
    month: int
    by_day: list[tuple[date, int]]


class Keys:
    """Makes, lists, rotates and revokes API keys."""

    def __init__(self, store: KeyStore, usage: UsageStore | None = None) -> None:
        """`usage` is needed by `usage` alone."""
        self._store, self._usage = store, usage

    def watch(self, key_id: str) -> Callable[[], bool]:
        """A question whether a key is as good as it is now: neither rotated nor revoked nor expired."""
        now = self._store.get(key_id)

        def is_good() -> bool:
            record = self._store.get(key_id)
            return bool(now and record and record.active and record.digest == now.digest)

        return is_good

    def create(
        self,
        owner: str,
        *,
        tier: str = "sandbox",
        limit_per_minute: int | None = None,
        name: str = "",
        life: timedelta | None = None,
        visitor: str = "",
        work_limit: int | None = None,
        origin: str = "",
        most_of_origin: int = 0,
    ) -> NewKey:
        """Make a key. `life`: how long it may be used, if not for ever; `visitor`: the cookie that it is bound to.

        `work_limit`: megapixels a minute instead of those of the tier. `origin` stands for the address that makes the
        key for itself, which may have `most_of_origin` live ones, 0 for any number.

        Raises
        ------
        InvalidParameter
            If the tier is unknown, or has no figure of its own to set, or a text is empty or too long.
        RateLimited
            If `origin` has as many live keys as it may.
        StoreUnavailable
            If Redis is unavailable.
        """
        _check_limits(tier, limit_per_minute, work_limit)
        _check_texts(owner, name)
        prefix = SCAN_PREFIX if tier == "scan" else MEASURE_PREFIX
        key_id, secret = _random(ID_LENGTH), _random(SECRET_LENGTH)
        key = prefix + key_id + secret
        record = KeyRecord(
            key_id=key_id,
            digest=digest_of(key),
            owner=owner.strip(),
            name=name,
            tier=tier,
            limit_per_minute=limit_per_minute or TIERS[tier],
            prefix=prefix + key_id[:4],
            last4=secret[-4:],
            created_at=_now(),
            expires_at=_now(life) if life else "",
            visitor=digest_of(visitor) if visitor else "",
            origin=origin,
            work_limit=work_limit or 0,
        )
        if origin and record.expires_at:
            self._take_slot(record, most_of_origin)
        try:
            self._store.add(record)
        except StoreUnavailable:
            with suppress(StoreUnavailable):  # else the slot is free when the key would have expired
                if origin:
                    self._store.free_slot(origin, key_id)
            raise
        return NewKey(key, record)

    def _take_slot(self, record: KeyRecord, most: int) -> None:
        """Count a key among those of the address that made it. Raises RateLimited if that has as many as it may."""
        free_s = self._store.take_slot(record.origin, record.key_id, record.expires_at, most)
        if free_s is not None:
            raise RateLimited(
                max(1, math.ceil(free_s - time.time())),
                f"This address has {most} live keys, which is the most. Revoke one, or wait until one expires.",
            )

    def rotate(self, record: KeyRecord) -> NewKey:
        """Give a key a new secret; the present one dies at once. What belongs to the key stays with it.

        Parameters
        ----------
        record : KeyRecord
            As it was when its present secret was proved.

        Raises
        ------
        InvalidApiKey
            If that secret has died meanwhile: another request rotated or revoked the key first.
        StoreUnavailable
            If Redis is unavailable.
        """
        prefix = next(p for p in (MEASURE_PREFIX, SCAN_PREFIX) if record.prefix.startswith(p))
        secret = _random(SECRET_LENGTH)
        key = prefix + record.key_id + secret
        expires_at = _now(SIGNUP_LIFE) if record.expires_at else ""
        rotated = self._store.rotate(record, digest=digest_of(key), last4=secret[-4:], expires_at=expires_at)
        if rotated is None:
            raise InvalidApiKey
        return NewKey(key, rotated)

    def usage(self, key_id: str) -> Usage:
        """What a key has sent. Raises StoreUnavailable."""
        assert self._usage
        now = today()
        by_day, month = self._usage.last_days(key_id, now), self._usage.month(key_id, now)
        return Usage(today=month.get(now, 0), month=sum(month.values()), by_day=by_day)

    def all(self) -> list[KeyRecord]:
        """Every key, revoked ones too, the oldest first."""
        return self._store.all()

    def restore(self, records: Sequence[KeyRecord]) -> int:
        """Keep records of a backup, as they were; those whose id is there, or that have expired, are left out.

        Returns
        -------
        int
            How many were kept.
        """
        now, kept = _now(), 0
        for record in records:
            if (not record.expires_at or record.expires_at > now) and self._store.get(record.key_id) is None:
                self._store.add(record)
                kept += 1
        return kept

    def get(self, key_id: str) -> KeyRecord:
        """The key of that id. Raises NotFound."""
        record = self._store.get(key_id)
        if record is None:
            raise NotFound(f"There is no key {key_id}.")
        return record

    def revoke(self, key_id: str) -> KeyRecord:
        """Make a key useless at once, everywhere. Doing so twice is no error. Raises NotFound."""
        record = self.get(key_id)
        if not record.active:
            return record
        revoked = replace(record, revoked_at=_now())
        self._store.mark_revoked(record, revoked.revoked_at)
        return revoked


def _check_limits(tier: str, limit_per_minute: int | None, work_limit: int | None) -> None:
    if tier not in TIERS:
        raise InvalidParameter("tier", f"must be one of {', '.join(TIERS)}")
    if limit_per_minute is not None and tier != "enterprise":
        raise InvalidParameter("limit", "can only be set for the tier enterprise")
    if limit_per_minute is not None and not 1 <= limit_per_minute <= 1_000_000:
        raise InvalidParameter("limit", "must be 1 to 1000000 requests a minute")
    if work_limit is not None and not 600 <= work_limit <= 100_000_000:
        raise InvalidParameter("work", "must be 600 to 100000000 megapixels a minute")


def _check_texts(owner: str, name: str) -> None:
    if not owner.strip() or len(owner) > TEXT_LIMIT:
        raise InvalidParameter("owner", f"must have 1 to {TEXT_LIMIT} characters")
    if len(name) > TEXT_LIMIT or not name.isprintable():
        raise InvalidParameter("name", f"must have at most {TEXT_LIMIT} characters, all printable")


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def digest_of(key: str) -> str:
    """SHA-256 in hex."""
    return sha256(key.encode()).hexdigest()


def _now(later: timedelta = timedelta()) -> str:
    return (datetime.now(UTC) + later).isoformat(timespec="milliseconds").replace("+00:00", "Z")
