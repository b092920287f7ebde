"""What goes into a window and comes out of it. Plain values."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Literal

from beam_api.store.client import PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

Source = Literal["images", "samples"]
"""What a window was fed with: images that the service read, or samples that the client made of its own."""


@dataclass(frozen=True, slots=True)
class Session:
    """One person, measured with one key."""

    key_id: str
    session_id: str

    def name(self, kind: str) -> str:
        """Name of one of the session's keys in Redis."""
        return f"{PREFIX}:{{{self.key_id}:{self.session_id}}}:{kind}"

    @property
    def channel(self) -> str:
        """Name of the channel that notifies listeners of news."""
        return self.name("news")

    @property
    def siblings(self) -> str:
        """Name of the set of the key's active sessions."""
        return f"{PREFIX}:{{{self.key_id}}}:active"


@dataclass(frozen=True, slots=True)
class Entry:
    """One frame as buffered: capture time, 8-byte digest of its image, and its packed sample."""

    time_us: int
    digest: bytes
    sample: bytes


@dataclass(frozen=True, slots=True)
class LastFace:
    """A packed face and its capture time."""

    time_us: int
    packed: bytes


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known when a request has come in.

    `now_us` is the store's clock; `first_us` the time of the request's first frame if it has no timestamps;
    `completed` says that this very request has completed a window before; `shared` that another connection feeds the
    open window too.
    """

    now_us: int
    first_us: int
    completed: bool
    face: LastFace | None
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Stride:
    """How a full window slides on: `ended_us` is the end of its last measurement."""

    ended_us: int
    stride_us: int


@dataclass(frozen=True, slots=True)
class OpenWindow:
    """The window that is filling; `recent_us` are its newest times. One that is full and slides on has a `stride`."""

    frames: int
    first_us: int
    duration_us: int
    recent_us: tuple[int, ...]
    face: LastFace | None
    stride: Stride | None = None

    @property
    def span_us(self) -> float:
        """Last - first + median interval; the median is that of the newest intervals."""
        if not self.recent_us:
            return 0.0
        intervals = [b - a for a, b in pairwise(self.recent_us)]
        return self.recent_us[-1] - self.first_us + (median(intervals) if intervals else 0.0)

    @property
    def share(self) -> float:
        """How much of the window is filled, 0-1: as the span, but with the mean interval, and never less than before.

        Under an uneven pace the median of a few intervals may fall by more than a frame adds. Of a window that slides,
        how much of the way to its next measurement has passed.
        """
        if self.stride:
            passed_us = self.recent_us[-1] - self.stride.ended_us if self.recent_us else 0
            return min(1.0, max(0, passed_us) / self.stride.stride_us)
        counted = enumerate(self.recent_us, start=self.frames - len(self.recent_us) + 1)
        spans = [(at - self.first_us) * count / (count - 1) for count, at in counted if count > 1]
        return min(1.0, max(spans, default=0.0) / self.duration_us)

    @property
    def recent_hz(self) -> float:
        """Frames a second, of the newest ones; 0 for fewer than two."""
        return 1e6 * (len(self.recent_us) - 1) / (self.recent_us[-1] - self.recent_us[0]) if self.recent_us[1:] else 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """When the newest samples of an open window are wanted, and how many.

    From `from_us` of it on, those of `span_us`, where it has passed another multiple of `every_s` seconds. Where the
    median interval is above `slow_us`, of `slow_every_s` seconds, those of `slow_span_us`.
    """

    from_us: int
    every_s: int
    span_us: int
    slow_us: int
    slow_span_us: int
    slow_every_s: int

    def __str__(self) -> str:
        return f"{self.from_us} {self.every_s} {self.span_us} {self.slow_us} {self.slow_span_us} {self.slow_every_s}"


@dataclass(frozen=True, slots=True)
class Claim:
    """A closed window, to be analysed by who holds this claim. `token` grows with every claim on the window."""

    measurement_id: str
    token: int
    raw: bool
    frame_size: tuple[int, int]
    records: list[tuple[int, bytes]]  # capture time in us and packed sample, sorted by time
    source: Source = "images"
    series: bool = False


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a request's frames.

    `due` are the closed windows that this request is answered with, oldest first: a claim, or the id of one that this
    request completed before, or that another one completed with the same frames.

    `newest` are the newest (time in us, packed sample) of the window by time, if they were wanted and it is this
    request's turn to look; otherwise `partial` is the running rate as it was last noted, if it still holds. `twins`
    are the times of frames that were not taken because another one, with other bytes, is buffered within 1 ms. `held`
    says that a full window waits for late frames, and that this request is to ask again until it is closed. `anew`
    counts the requests in a row that began a window after a jump in capture time, the last of them by `jump_us`.
    """

    now_us: int
    window: OpenWindow
    restarted: bool
    due: tuple[Claim | str, ...] = ()
    newest: Sequence[tuple[int, bytes]] = ()
    twins: frozenset[int] = frozenset()
    held: bool = False
    anew: int = 0
    jump_us: int = 0
    partial: bytes = b""

    @property
    def claim(self) -> Claim | None:
        """The claim on the newest window that is due, if it is one."""
        return self.due[-1] if self.due and isinstance(self.due[-1], Claim) else None

    @property
    def taken(self) -> str | None:
        """The id of the newest window that is due, if another request has or had it."""
        return self.due[-1] if self.due and isinstance(self.due[-1], str) else None


Saved = Literal["saved", "exists", "stale", "gone"]
