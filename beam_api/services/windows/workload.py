"""The work of decoding a request's frames, from their headers, and the lane for requests with much of it.

One request may hold frames that take a hundred times as long as an ordinary second of video. Such requests are read one
at a time in a process, by a thread of low priority with a detector of its own, so that others never wait for them. Few
may wait for that lane, since each that waits holds a thread of the web process.
"""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from beam_api.exceptions import PayloadTooLarge, RateLimited
from rppg_core.errors import RppgError
from rppg_core.media.images import MAX_PIXELS, MAX_SIDE, read_header

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_BYTES = 1_600_000_000
"""Decoded bytes of one request: 64 frames of 3840 x 2160."""

LARGE_BYTES = 400_000_000
"""A request of more decoded bytes than 64 frames of 1920 x 1080 is large."""

LARGE_FRAME_BYTES = 25_000_000
"""So is one with a frame of more decoded bytes than 3840 x 2160 pixels."""

WAITING = 2
"""Large requests that wait for the lane of a process."""

PNG_WEIGHT = 2.5
"""A decoded byte of a large PNG takes some three times as long as one of a JPEG: nothing of it can be left out."""

_NICE = 10
_RETRY_S = 5
_BYTES_PER_PIXEL = 3

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Workload:
    """Decoded bytes of all frames of a request, and of its largest one."""

    total_bytes: int
    largest_bytes: int

    @classmethod
    def of(cls, frames: Sequence[bytes]) -> Workload:
        """Read the headers of frames. Those that will be refused for what their header says cost nothing."""
        sizes = [_decoded_bytes(data) for data in frames]
        return cls(sum(sizes), max(sizes, default=0))

    @property
    def megapixels(self) -> float:
        """Work in megapixels of 8-bit RGB, to three digits, as a JPEG holds them: one of a PNG counts as more."""
        return round(self.total_bytes / _BYTES_PER_PIXEL / 1e6, 3)

    @property
    def is_large(self) -> bool:
        """Whether the request takes the lane."""
        return self.total_bytes > LARGE_BYTES or self.largest_bytes > LARGE_FRAME_BYTES

    def check(self) -> None:
        """Raise PayloadTooLarge beyond what one request may hold."""
        if self.total_bytes > MOST_BYTES:
            raise PayloadTooLarge(
                f"The frames decompress to {self.total_bytes / 1e6:.0f} MB of pixels (width x height x channels x "
                f"bytes of a sample; a PNG's count {PNG_WEIGHT:g} times); a request may hold "
                f"{MOST_BYTES / 1e6:.0f} MB. Send fewer frames in a request, or smaller ones."
            )


class LargeLane:
    """One thread of low priority for large requests. Makes no thread before it is used, so it may be forked."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(1 + WAITING)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="large", initializer=_lower_priority)

    def run(self, work: Callable[[], Result]) -> Result:
        """Do this work when it is its turn. Raises RateLimited if too many wait."""
        if not self._places.acquire(blocking=False):
            problem = "Too many requests with large frames are being read."
            raise RateLimited(_RETRY_S, f"{problem} Try again in {_RETRY_S} s, or send smaller frames.")
        try:
            return self._thread.submit(work).result()
        finally:
            self._places.release()


def _lower_priority() -> None:
    if sys.platform == "linux":  # elsewhere this would be the priority of the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def _decoded_bytes(data: bytes) -> int:
    try:
        header = read_header(data)
    except RppgError:
        return 0
    refused = max(header.width, header.height) > MAX_SIDE or header.width * header.height > MAX_PIXELS
    return 0 if refused else round(header.decoded_bytes * (PNG_WEIGHT if header.format == "png" else 1))
