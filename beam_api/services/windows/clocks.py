"""What the capture times of a request say about the client's clock: doubled times, coarse steps, wrong units."""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from beam_api.store.window_values import Appended

DUPLICATE = "DUPLICATE_TIMESTAMP"
"""Code of a frame that was rejected because another frame has its time."""

NEAR_US = 1000  # as in store/lua/append_request.lua: closer frames have the same time as far as clocks can say
SILENCE_US = 5_000_000  # as there: a longer one between frames begins a new window
_EPOCH_S_US = range(1_000_000_000_000, 3_000_000_000_000)  # Unix seconds of 2001 to 2065, read as milliseconds
_EPOCH_STEP_US = 8_000  # frames a second apart or less, in seconds read as milliseconds

_UNIT = "`timestamp_ms` must be in milliseconds"
SECONDS = f"{_UNIT}; these times look like seconds. Multiply them by 1000."
MICROSECONDS = f"{_UNIT}; these times look like microseconds. Divide them by 1000."
TOO_FAR_APART = (
    f"{_UNIT}, and frames more than 5 s apart can't share a window: each of these frames drops the ones before it."
)
COARSE = (
    "Several frames have the same `timestamp_ms` (within 1 ms); only the first of each is used. "
    "Send the capture time of each frame in milliseconds, with fractions if the clock has them."
)


def doubles(times_us: Sequence[int], marks: Sequence[bytes]) -> frozenset[int]:
    """Places of the frames that lie within 1 ms of an earlier, different frame of their request.

    Of frames with the same time the first in the request is kept. The same frame sent twice is no double.
    """
    found: set[int] = set()
    kept: tuple[int, bytes] | None = None
    for i in sorted(range(len(times_us)), key=times_us.__getitem__):
        frame = times_us[i], marks[i]
        if kept is None or frame[0] - kept[0] >= NEAR_US:
            kept = frame
        elif frame != kept:
            found.add(i)
    return frozenset(found)


def look_like_seconds(times_us: Sequence[int]) -> bool:
    """Whether most frames of a request follow less than 1 ms after another one, yet not at the same time."""
    ordered = sorted(set(times_us))
    return len(ordered) > 2 and median(b - a for a, b in pairwise(ordered)) < NEAR_US


def warnings(times_us: Sequence[int], doubled: Collection[int], appended: Appended) -> tuple[str, ...]:
    """What is odd about the times of a request that was taken."""
    if not times_us:
        return ()
    ordered = sorted(set(times_us))
    steps = [b - a for a, b in pairwise(ordered)]
    recent = [b - a for a, b in pairwise(appended.window.recent_us)]
    # Times between 1e9 and 3e9 ms are also the uptime of some devices: only very short steps show the unit.
    if ordered[0] in _EPOCH_S_US and (steps or recent or doubled) and median(steps or recent or [0]) < _EPOCH_STEP_US:
        return (SECONDS,)
    if doubled and len(times_us) == 1 and times_us[0] not in appended.window.recent_us:
        return (SECONDS,)  # frames sent alone, a fraction of a millisecond apart
    if (len(steps) > 1 and min(steps) > SILENCE_US) or (appended.restarted and appended.anew > 1):
        return (MICROSECONDS,) if 5e6 < median(steps or [appended.jump_us]) < 250e6 else (TOO_FAR_APART,)
    return (COARSE,) if len(doubled) > 1 or (doubled and len(times_us) == 1) else ()
