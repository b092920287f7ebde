"""The budget of scans: how many seconds of analysis somebody's videos may take in an hour, as they are predicted.

It is the counterpart of `store.work`, which counts the frames of measure requests. Seconds and not megapixels: an hour
of small pictures takes as long as ten minutes of large ones, and that is what other people's videos wait for.
"""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from beam_api.exceptions import StoreUnavailable
from beam_api.store.client import PREFIX, store_errors
from beam_api.store.scripts import load_script

if TYPE_CHECKING:
    import redis

_WINDOW_S = 3600


@dataclass(frozen=True, slots=True)
class ScanWork:
    """How a budget stands after a scan of `cost_s` was asked for, which was spent if it fits. Seconds of analysis."""

    fits: bool
    level_s: float
    limit_s: float
    cost_s: float

    @property
    def left_s(self) -> float:
        """What is left of the budget."""
        return max(0.0, self.limit_s - self.level_s)

    @property
    def retry_after_s(self) -> int:
        """Seconds until the scan would fit."""
        over = self.level_s + min(self.cost_s, self.limit_s) - self.limit_s
        return max(1, math.ceil(over / self.limit_s * _WINDOW_S))

    def headers(self) -> dict[str, str]:
        """As they stand on the response; none without a limit."""
        if not self.limit_s:
            return {}
        return {
            "X-Beam-Scan-Limit": f"{self.limit_s:.0f}",
            "X-Beam-Scan-Remaining": str(math.floor(self.left_s)),
            "X-Beam-Scan-Reset": str(math.ceil(time.time() + self.level_s / self.limit_s * _WINDOW_S)),
        }


class ScanBudget:
    """Counts the seconds of `payer`s, keys or addresses. Every method but `give_back` may raise StoreUnavailable."""

    def __init__(self, client: redis.Redis, *, limit_s: float) -> None:
        """`limit_s` is for an hour; 0 is no limit."""
        self._limit_s = limit_s
        self._script = load_script(client, "scan_budget")

    def look(self, payer: str) -> ScanWork:
        """How the budget stands; it `fits` if anything is left."""
        return self._ask(payer, 0.0)

    def spend(self, payer: str, cost_s: float) -> ScanWork:
        """Spend so many seconds, if they fit."""
        return self._ask(payer, cost_s)

    def give_back(self, payer: str, cost_s: float) -> None:
        """Give back what was not used. Does nothing while Redis is unavailable."""
        if cost_s > 0:
            with suppress(StoreUnavailable):
                self._ask(payer, -cost_s)

    def _ask(self, payer: str, cost_s: float) -> ScanWork:
        if not self._limit_s:
            return ScanWork(fits=True, level_s=0.0, limit_s=0.0, cost_s=cost_s)
        with store_errors():
            reply = cast("list[Any]", self._script(keys=[budget_name(payer)], args=[self._limit_s, f"{cost_s:.3f}"]))
        return ScanWork(bool(reply[0]), float(reply[1]), self._limit_s, cost_s)


def budget_name(payer: str) -> str:
    """Name of the hash that holds what a payer has used."""
    return f"{PREFIX}:{{{payer}}}:scan-work"
