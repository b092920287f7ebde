"""The running heart rate in the 202: at most once for each second of a window, whoever takes its frames.

A request looks for it only if it brought the newest frame and that began a new second of the window, which it can tell
from what it knows; then one more round trip decides between processes and fetches the samples. Others pay nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import structlog

from beam_api.services.measurement import Running
from beam_api.store.windows import Appended, OpenWindow, Session, WindowStore
from rppg_core.answers import NEEDS_S
from rppg_core.measure import MIN_RATE_HZ
from rppg_core.partial import SPAN_S, SPARSE_SPAN_S, partial
from rppg_core.traces import Trace

_SECOND_US = 1_000_000
_SLOW_EVERY_S = 3  # slow frames are few to share the cost of a search
_SPARE = 8  # samples beyond those that are needed, for late frames among them


class RunningRates:
    """Finds running heart rates. Holds no state."""

    def __init__(self, windows: WindowStore) -> None:
        self._windows = windows

    def rate(self, session: Session, appended: Appended, times_us: Sequence[int]) -> Running | None:
        """The running rate after a request with frames of these times; None if it isn't this request's to tell."""
        window = appended.window
        slow = len(window.recent_us) > 1 and _interval_us(window) > _SECOND_US / MIN_RATE_HZ
        second = _new_second(window, times_us, _SECOND_US * (_SLOW_EVERY_S if slow else 1))
        if appended.claim or appended.taken or second is None or window.span_us < 1e6 * NEEDS_S["heart_rate"] - 1e3:
            return None
        span_s = SPARSE_SPAN_S if slow else SPAN_S
        count = min(window.frames, math.ceil(1e6 * span_s / _interval_us(window)) + _SPARE)
        try:
            records = self._windows.tail(session, window, second, count)
            seen = partial(_trace(records)) if len(records) > 1 else None
        except Exception:  # the frames are taken: an extra must not cost the client its answer
            structlog.get_logger().exception("running rate failed")
            return None
        return Running.of(seen) if seen else None


def _interval_us(window: OpenWindow) -> float:
    return median(b - a for a, b in pairwise(window.recent_us))


def _new_second(window: OpenWindow, times_us: Sequence[int], length_us: int) -> int | None:
    """The window's second, if the newest frame is among these and has begun another `length_us` of the window."""
    recent, mine = window.recent_us, set(times_us)
    if len(recent) < 2 or recent[-1] not in mine:
        return None
    others = [at for at in recent if at not in mine]
    before = others[-1] if others else 2 * recent[0] - recent[1]  # that before the first of mine, or about there
    now_us = recent[-1] - window.first_us
    return now_us // _SECOND_US if now_us // length_us > (before - window.first_us) // length_us else None


def _trace(records: Sequence[tuple[int, bytes]]) -> Trace:
    start = records[0][0]
    times = [(at - start) / 1e6 for at, _ in records]
    return Trace.of_packed(times, [packed for _, packed in records], (0, 0))
