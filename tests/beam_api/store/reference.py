"""The rules of a window once more, slow and obvious: lists, sorted again at every step."""

from __future__ import annotations

from itertools import pairwise
from statistics import median

SECOND = 1_000_000


def is_full(times: list[int], duration_us: int) -> bool:
    if len(times) < 2:
        return False
    intervals = [b - a for a, b in pairwise(times)]
    return times[-1] - times[0] + median(intervals) >= duration_us - 1000


class ReferenceWindow:
    """One session. Frames are (time_us, digest); it remembers the windows it completed."""

    def __init__(self, duration_us: int) -> None:
        self.duration_us = duration_us
        self.frames: dict[int, bytes] = {}
        self.end: int | None = None
        self.last: dict[int, bytes] = {}
        self.windows: list[dict[int, bytes]] = []
        self.requests: set[frozenset[tuple[int, bytes]]] = set()

    @property
    def completed(self) -> list[list[int]]:
        """The times of each window."""
        return [list(window) for window in self.windows]

    def post(self, frames: list[tuple[int, bytes]]) -> bool:
        """Add a request; whether it restarted the window. Raises ValueError for times under 1 ms apart."""
        request = frozenset(frames)
        if request in self.requests:
            return False
        self._refuse_near(sorted(request))
        self.requests.add(request)
        restarted = False
        late_from = None
        for time, digest in sorted(request):
            newest = max(self.frames, default=None)
            if self.end is not None and time <= self.end:
                if time < self.end - 5 * SECOND and self.last.get(time) != digest:
                    restarted, self.frames, self.end = True, {}, None
                    self.frames[time] = digest
            elif newest is None:
                self.frames[time] = digest
            elif time < min(self.frames) - 5 * SECOND or self.frames.get(time, digest) != digest:
                restarted, self.frames, self.end = True, {time: digest}, None
            elif time > newest:
                self._settle(late_from)
                late_from = None
                if self.frames and time - max(self.frames) > 5 * SECOND:
                    restarted, self.frames = True, {}
                self.frames[time] = digest
                self._settle(time)
            elif time not in self.frames:
                self.frames[time] = digest
                late_from = time if late_from is None else late_from
        self._settle(late_from)
        return restarted

    def _refuse_near(self, request: list[tuple[int, bytes]]) -> None:
        for time, digest in request:
            if self.end is not None and time <= self.end:
                if time < self.end - 5 * SECOND and self.last.get(time) != digest:
                    return
                continue
            if not self.frames:
                return
            if time < min(self.frames) - 5 * SECOND or self.frames.get(time, digest) != digest:
                return
            if time in self.frames:
                continue
            if any(abs(time - other) < 1000 for other in self.frames):
                raise ValueError("under 1 ms apart")

    def _settle(self, changed_from: int | None) -> None:
        """Close the smallest full prefix that ends at or after the first frame that changed."""
        if changed_from is None:
            return
        times = sorted(self.frames)
        for count, newest in enumerate(times, start=1):
            if newest >= changed_from and is_full(times[:count], self.duration_us):
                window = {time: self.frames[time] for time in times[:count]}
                if window not in self.windows:  # the same frames are the same measurement
                    self.windows.append(window)
                self.end, self.last = newest, window
                self.frames = {time: self.frames[time] for time in times[count:]}
                self._settle(min(self.frames, default=None))
                return
