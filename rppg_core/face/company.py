"""Whether others are in the picture beside the followed face: when to look for them, and what the last looks showed.

A look takes the detector through the whole picture, which costs as much as following a face through ten frames. So
it is taken once in so many seconds of capture time, and remembered with the face from request to request.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

PERIOD_US = 12_000_000
"""Quick frames have a look in each of these periods of their clock: one in some hundred frames."""

_SLOW_PERIODS = 5  # of frames that are searched for their face anyway, so few that a look would cost more than they do
_SLOW_US = 200_000
_KEPT = 32  # looks, more than a window of five minutes has
_MASK = (1 << _KEPT) - 1
_GOOD_PART = 1 / 3  # of a window's time

_PACKED = struct.Struct("<qII")


def is_due(before_us: int | None, now_us: int) -> bool:
    """Whether to look in the frame at `now_us`; `before_us` is the frame before, None for the first of a face."""
    if before_us is None:
        return True
    period_us = PERIOD_US * (_SLOW_PERIODS if now_us - before_us > _SLOW_US else 1)
    return now_us // period_us > before_us // period_us


@dataclass(frozen=True, slots=True)
class Company:
    """The last looks: one bit for each period, the lowest for `period`."""

    period: int = 0  # number of the newest one with a look
    looked: int = 0
    several: int = 0

    def after_look(self, at_us: int, *, several: bool) -> Company:
        """With a look at this time. A clock that was set back begins anew."""
        period = at_us // PERIOD_US
        passed = period - self.period
        if not 0 <= passed < _KEPT:
            return Company(period, 1, int(several))
        return Company(period, self.looked << passed & _MASK | 1, (self.several << passed | int(several)) & _MASK)

    @property
    def now(self) -> bool:
        """Whether the newest look showed others."""
        return bool(self.several & 1)

    def during(self, first_us: int, last_us: int) -> bool:
        """Whether others were there for a good part of this time; without a look in it, whether they were before.

        A look stands for as much of its period as lies in that time.
        """
        newest, oldest = last_us // PERIOD_US, first_us // PERIOD_US
        looked_us = several_us = 0
        for bit in range(max(self.period - newest, 0), min(self.period - oldest + 1, _KEPT)):
            if self.looked >> bit & 1:
                begin_us = (self.period - bit) * PERIOD_US
                lasted_us = min(begin_us + PERIOD_US, last_us + 1) - max(begin_us, first_us)
                looked_us += lasted_us
                several_us += lasted_us * (self.several >> bit & 1)
        return several_us > _GOOD_PART * looked_us if looked_us else self.now

    def to_bytes(self) -> bytes:
        """Pack."""
        return _PACKED.pack(self.period, self.looked, self.several)

    @classmethod
    def from_bytes(cls, packed: bytes) -> Company:
        """Undo `to_bytes`; of anything else, no look."""
        return cls(*_PACKED.unpack(packed)) if len(packed) == _PACKED.size else cls()
