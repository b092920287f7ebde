"""How many requests each key has sent, by day.

A hash per key and month, from day to count. It is counted in the same step as the place that a request takes in its
bucket (`beam_api.store.limits`), so what is refused isn't counted.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, cast

from beam_api.store.client import PREFIX, translates_errors

if TYPE_CHECKING:
    import redis

KEEP_S = 100 * 24 * 3600
DAYS = 30


def month_name(key_id: str, day: date) -> str:
    """Name of the hash that counts the month of this day."""
    return f"{PREFIX}:{{{key_id}}}:usage:{day:%Y-%m}"


def day_field(day: date) -> str:
    """Field of the day in that hash."""
    return f"{day:%d}"


def today() -> date:
    """The day that is counted now, in UTC."""
    return datetime.now(UTC).date()


@translates_errors
class UsageStore:
    """Reads what has been counted."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def month(self, key_id: str, day: date) -> dict[date, int]:
        """The requests of each day of the month of `day`; days without any are left out."""
        kept = cast("dict[bytes, bytes]", self._redis.hgetall(month_name(key_id, day)))
        return {day.replace(day=int(field)): int(count) for field, count in kept.items()}

    def last_days(self, key_id: str, until: date) -> list[tuple[date, int]]:
        """The requests of each of the last `DAYS` days, the oldest first."""
        days = [until - timedelta(days=back) for back in reversed(range(DAYS))]
        counts: dict[date, int] = {}
        for first in sorted({day.replace(day=1) for day in days}):
            counts |= self.month(key_id, first)
        return [(day, counts.get(day, 0)) for day in days]
