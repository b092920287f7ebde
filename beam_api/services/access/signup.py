"""Self-service keys, with hourly limits: a sandbox key to keep, a visitor key for one visit to the playground."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from beam_api.exceptions import RateLimited, SignupClosed
from beam_api.services.access.keys import SIGNUP_LIFE, SIGNUP_OWNER, VISITOR_LIFE, VISITOR_OWNER, Keys, NewKey
from beam_api.services.access.root_secret import secret_key
from beam_api.store.limits import Bucket, Limiter, Standing, customer

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from beam_api.config import Settings

SIGNUPS_AN_HOUR = 20
VISITORS_AN_HOUR = 60
"""For one address."""


@dataclass(frozen=True, slots=True)
class Signup:
    """Issues keys, at most `most_keys` live ones to an address (0: any number).

    Both methods raise RateLimited when an address has had its share, and StoreUnavailable.
    """

    keys: Keys
    limiter: Limiter
    open_to_all: bool
    secret: Callable[[], bytes]
    most_keys: int

    @classmethod
    def build(cls, settings: Settings, keys: Keys, client: redis.Redis) -> Signup:
        """Build it as it is set."""
        open_to_all = settings.signup == "open"
        return cls(keys, Limiter(client), open_to_all, secret_key(settings), settings.address_keys)

    def sandbox_key(self, address: str, name: str) -> NewKey:
        """A sandbox key. Raises SignupClosed, and InvalidParameter for a name that won't do."""
        if not self.open_to_all:
            raise SignupClosed
        standing = self._take(Bucket.of_signups("signup", address, SIGNUPS_AN_HOUR))
        try:
            return self.keys.create(SIGNUP_OWNER, name=name, life=SIGNUP_LIFE, **self._origin(address))
        except BaseException:
            self.limiter.give_back(standing)
            raise

    def visitor_key(self, address: str, cookie: str) -> NewKey:
        """A key that is good for some minutes, together with this cookie."""
        standing = self._take(Bucket.of_signups("visitor", address, VISITORS_AN_HOUR))
        try:
            return self.keys.create(VISITOR_OWNER, life=VISITOR_LIFE, visitor=cookie, **self._origin(address))
        except BaseException:
            self.limiter.give_back(standing)
            raise

    def _origin(self, address: str) -> dict[str, Any]:
        """What stands for an address: only the service's secret makes it, as keys live longer than addresses may."""
        origin = hmac.digest(self.secret(), f"origin of keys: {customer(address)}".encode(), "sha256").hex()[:32]
        return {"origin": origin, "most_of_origin": self.most_keys}

    def _take(self, bucket: Bucket) -> Standing:
        standing = self.limiter.hit(bucket)
        if not standing.taken:
            raise RateLimited(standing.retry_after_s)
        return standing
