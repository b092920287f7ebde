"""Keys for whoever asks: a sandbox key to keep, and a visitor's for one go at the playground; so many an hour."""

from __future__ import annotations

from dataclasses import dataclass

from beam_api.exceptions import RateLimited, SignupClosed
from beam_api.services.keys import SIGNUP_LIFE, SIGNUP_OWNER, VISITOR_LIFE, VISITOR_OWNER, Keys, NewKey
from beam_api.store.limits import Bucket, Limiter, Standing

SIGNUPS_AN_HOUR = 20
VISITORS_AN_HOUR = 60
"""For one address."""


@dataclass(frozen=True, slots=True)
class Signup:
    """Gives keys away. Both methods raise RateLimited when an address has had its share, and StoreUnavailable."""

    keys: Keys
    limiter: Limiter
    open_to_all: bool

    def sandbox_key(self, address: str, name: str) -> NewKey:
        """A sandbox key. Raises SignupClosed, and InvalidParameter for a name that won't do."""
        if not self.open_to_all:
            raise SignupClosed
        standing = self._take(Bucket.of_signups("signup", address, SIGNUPS_AN_HOUR))
        try:
            return self.keys.create(SIGNUP_OWNER, name=name, life=SIGNUP_LIFE)
        except BaseException:
            self.limiter.give_back(standing)
            raise

    def visitor_key(self, address: str, cookie: str) -> NewKey:
        """A key that is good for some minutes, together with this cookie."""
        self._take(Bucket.of_signups("visitor", address, VISITORS_AN_HOUR))
        return self.keys.create(VISITOR_OWNER, life=VISITOR_LIFE, visitor=cookie)

    def _take(self, bucket: Bucket) -> Standing:
        standing = self.limiter.hit(bucket)
        if not standing.taken:
            raise RateLimited(standing.retry_after_s)
        return standing
