"""The work budget of a key: megapixels that it may have decoded, beside the number of its requests.

A leaky bucket: work fills it, and a limit's worth leaks out in a minute. It is two numbers in Redis, however many
requests there are. Work that is more than a whole limit is taken when the bucket is empty.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from beam_api.store.client import PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

MEGAPIXELS_A_MINUTE = {"sandbox": 6000, "starter": 12000, "enterprise": 60000, "scan": 6000}
"""By tier. One client that sends 1920 x 1080 at 30 frames a second needs 3732."""

_WINDOW_S = 60
_BY_TIER = ", ".join(f"{tier} = {limit}" for tier, limit in MEGAPIXELS_A_MINUTE.items())

LUA = f"""
local function weigh(name, now, cost, tier, own)
  local limit = tonumber(own or '') or 0
  if limit == 0 then limit = ({{ {_BY_TIER} }})[tier] or {MEGAPIXELS_A_MINUTE["sandbox"]} end
  local kept = redis.call('HMGET', name, 'level', 'at')
  -- A time that is yet to come was written before the clock was set back.
  local since = math.max(0, tonumber(now) - (tonumber(kept[2] or now)))
  local level = math.max(0, tonumber(kept[1] or 0) - since * limit / {_WINDOW_S})
  local after = level + tonumber(cost)
  if level == 0 or after <= limit then return {{ fits = true, level = after, limit = limit, cost = tonumber(cost) }} end
  return {{ fits = false, level = level, limit = limit, cost = 0 }}
end
local function spend(name, now, work)
  if work.cost == 0 then return end
  redis.call('HSET', name, 'level', tostring(work.level), 'at', now)
  redis.call('EXPIRE', name, math.ceil(work.level / work.limit * {_WINDOW_S}) + 1)
end
"""
"""Functions that scripts begin with: weigh a cost, and spend it."""


def work_name(key_id: str) -> str:
    """Name of the hash that holds the work of a key."""
    return f"{PREFIX}:{{{key_id}}}:work"


@dataclass(frozen=True, slots=True)
class Work:
    """How a key's budget stands after a request of `cost` megapixels, which were spent if they fit."""

    key_id: str
    fits: bool
    level: float
    limit: float
    cost: float
    now_s: float

    @classmethod
    def of(cls, key_id: str, reply: Sequence[Any], cost: float, now_s: float) -> Work:
        """Read the reply of a script."""
        fits, level, limit = reply
        return cls(key_id, bool(fits), float(level), float(limit), cost, now_s)

    @property
    def retry_after_s(self) -> int:
        """Seconds until the request would fit."""
        over = self.level + min(self.cost, self.limit) - self.limit
        return max(1, math.ceil(over / self.limit * _WINDOW_S))

    @property
    def refusal(self) -> str:
        """Why the request is refused."""
        return (
            f"The key's work budget is used up: the frames hold {self.cost:.1f} megapixels, and "
            f"{max(0.0, self.limit - self.level):.1f} of {self.limit:.0f} a minute are left. "
            f"Try again in {self.retry_after_s} s."
        )

    def headers(self) -> dict[str, str]:
        """As they stand on the response."""
        return {
            "X-Beam-Work-Limit": f"{self.limit:.0f}",
            "X-Beam-Work-Remaining": str(max(0, math.floor(self.limit - self.level))),
            "X-Beam-Work-Reset": str(math.ceil(self.now_s + self.level / self.limit * _WINDOW_S)),
        }
