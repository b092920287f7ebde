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
        self.twin: int | None = None
        self.run = 0  # buffered frames in a row that had twins, and the last of them

    @property
    def completed(self) -> list[list[int]]:
        """The times of each window."""
        return [list(window) for window in self.windows]

    def post(self, frames: list[tuple[int, bytes]]) -> bool:
        """Add a request; whether it restarted the window."""
        request = frozenset(frames)
        if request in self.requests:
            return False
        self.requests.add(request)
        start, taken = self._judge(sorted(request))
        restarted = start is not None
        if restarted:
            self.frames, self.end, self.run, self.twin = {}, None, 0, None
        if not self.frames or max(request)[0] >= max(self.frames) + 1000:
            self.run, self.twin = 0, None
        late_from = None
        for time, digest in taken:
            newest = max(self.frames, default=None)
            if newest is None:
                self.frames[time] = digest
                self._settle(time)
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
        if not self.frames:
            self.run, self.twin = 0, None
        return restarted

    def _judge(self, request: list[tuple[int, bytes]]) -> tuple[int | None, list[tuple[int, bytes]]]:
        """The time of the frame that shows a restarted clock, if one does, and the frames that are taken."""
        start, twins, taken = None, [], []
        for time, digest in request:
            if self.end is not None and time <= self.end:
                if time < self.end - 5 * SECOND and self.last.get(time) != digest:
                    start = time
                    break
                continue
            if self.frames and time < min(self.frames) - 5 * SECOND:
                start = time
                break
            near = [other for other in self.frames if abs(time - other) < 1000]
            if near and self.frames.get(time) != digest:
                twins.append(time)
                if near[0] != self.twin:
                    self.run, self.twin = self.run + 1, near[0]
            else:
                taken.append((time, digest))
        if start is None and twins and self.run >= 3:
            start = twins[0]
        return (None, taken) if start is None else (start, [frame for frame in request if frame[0] >= start])

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


class SlidingReference:
    """A window that slides over frames in order, fewer than 60 a second and never 5 s apart."""

    def __init__(self, duration_us: int, stride_us: int) -> None:
        self.duration_us, self.stride_us = duration_us, stride_us
        self.times: list[int] = []
        self.windows: list[list[int]] = []
        self.strides: list[int] = []

    def post(self, time: int) -> None:
        """Add a frame; measure the fewest newest ones that are full if a stride has passed."""
        self.times.append(time)
        if not self.strides:
            if is_full(self.times, self.duration_us):
                self.windows.append(list(self.times))
                self.strides = [time + self.stride_us]
        elif time >= self.strides[0] - 1000:
            self.strides = [self.strides[0] + k * self.stride_us for k in range(20)]
            self.strides = [stride for stride in self.strides if stride > time + 1000]
            full = (newest for newest in range(len(self.times) - 1, -1, -1))
            first = next(k for k in full if is_full(self.times[k:], self.duration_us))
            self.windows.append(self.times[first:])
