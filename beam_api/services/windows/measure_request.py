"""A request to measure, and its frames once they have been read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from beam_api.services.windows import clocks, pacing
from beam_api.services.windows.workload import Workload
from beam_api.store.window_values import Entry, LastFace, Session
from rppg_core.trace.traces import pack

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from beam_api.services.windows.pacing import Allowance
    from beam_api.services.windows.samples import GivenSamples
    from beam_api.store.window_values import OpenWindow, Source
    from rppg_core.errors import RppgError
    from rppg_core.face.reader import FaceState, Reading

Key = tuple[int, bytes]
"""Time and digest of a frame."""


@dataclass(frozen=True, slots=True)
class Post:
    """A request to measure: encoded images, and what is known of when they were taken.

    `times_us` is None for frames without timestamps; several of those need `fps`. `allowance` is what the client may
    still send; with none, nothing is said of when to send the next frame. `marks` are digests of the frames, 8 bytes
    each. `warnings` are about the form itself. A request of samples has these in `given`, and no frames. `feeder` names
    the connection, to detect others that feed the same window; `unnamed` says that the request names no
    person. `stride_us` is from one measurement of a window that slides to the next; None for windows that follow each
    other. A `final` request closes the window and needs no frames. Without `include_partial` no running rate is sought.
    """

    session: Session
    frames: tuple[bytes, ...]
    times_us: tuple[int, ...] | None
    fps: float | None
    duration_us: int
    include_raw: bool
    allowance: Allowance | None = None
    marks: tuple[bytes, ...] = ()
    workload: Workload = field(init=False)
    warnings: tuple[str, ...] = ()
    feeder: bytes = b""
    unnamed: bool = False
    given: GivenSamples | None = None
    stride_us: int | None = None
    include_series: bool = False
    include_partial: bool = True
    final: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "workload", Workload.of(self.frames))
        if self.given is not None:
            object.__setattr__(self, "marks", self.given.marks)
        elif not self.marks:
            object.__setattr__(self, "marks", tuple(hashlib.sha256(data).digest()[:8] for data in self.frames))

    @property
    def digest(self) -> bytes:
        """The same for the same frames in any order and number; empty without timestamps: those are never a retry.

        The same frames once more, to close the window with them, are another request.
        """
        if not self.times_us:
            return b""
        frames = sorted(set(zip(self.times_us, self.marks, strict=True)))
        content = b"".join(b"%d:%b" % frame for frame in frames)
        return hashlib.sha256(content + b"final" * self.final).digest()[:8]

    @property
    def count(self) -> int:
        """How many frames or samples there are."""
        return len(self.marks)

    @property
    def source(self) -> Source:
        """What the client sent."""
        return "images" if self.given is None else "samples"

    def times(self, first_us: int) -> tuple[int, ...]:
        """The capture times of the frames; `first_us` is that of the first one where the request gives none."""
        step_us = 1e6 / self.fps if self.fps else 0.0
        return self.times_us or tuple(first_us + round(i * step_us) for i in range(self.count))

    def next_frame_in_ms(self, time_us: int, window: OpenWindow, mean_ms: float | None) -> float | None:
        """When to take the next frame: as planned if the newest frame of the window is of this request."""
        if mean_ms is None or self.allowance is None:
            return None
        newest = bool(window.recent_us) and window.recent_us[-1] == time_us
        planned = pacing.interval_ms(self.session, window.frames, mean_ms) if newest else mean_ms
        return pacing.within(self.allowance, planned)

    @property
    def given_times(self) -> bool:
        """Whether several frames take their times from the store: to ask for them is to take them."""
        return self.times_us is None and self.count > 1

    def paced(self, sessions: int) -> float | None:
        """Mean interval in ms between frames that are sent alone, if this one is and this many sessions share a key."""
        if self.allowance is None or self.count > 1:
            return None
        return pacing.mean_interval_ms(self.allowance.limit_per_minute, sessions)


@dataclass(frozen=True, slots=True, eq=False)
class ReadFrames:
    """The frames of a request, read: `keys` in the order of the request, `doubles` the places of those sent twice.

    `readings` are in the order in which the frames were read, each of them once.
    """

    keys: tuple[Key, ...]
    doubles: frozenset[int]
    readings: Mapping[Key, Reading]
    given: GivenSamples | None = None

    @property
    def failed(self) -> dict[int, str]:
        """The code of each frame that can't be used, by its place."""
        errors = ((i, self.readings[key].error) for i, key in self._singles())
        return {i: error.code for i, error in errors if error}

    @property
    def failure(self) -> RppgError | None:
        """The failure of the first frame if no frame can be used."""
        errors = [self.readings[key].error for _, key in self._singles()]
        return errors[0] if all(errors) else None

    @property
    def face(self) -> FaceState | None:
        """The newest face."""
        faces = (reading.face for reading in self.readings.values() if reading.face)
        return max(faces, key=lambda face: face.time_us, default=None)

    @property
    def frame_size(self) -> tuple[int, int] | None:
        """Width and height of the newest good frame."""
        if self.given is not None:
            return self.given.frame_size
        return self.face.frame_size if self.face else None

    @property
    def last_face(self) -> LastFace | None:
        """The newest face as it is kept."""
        if self.given is not None:
            return self.given.face
        return LastFace(self.face.time_us, self.face.to_bytes()) if self.face else None

    def entries(self) -> list[Entry]:
        """What to buffer of them."""
        seen = {key: reading.sample for key, reading in self.readings.items() if reading.sample}
        if self.given is not None:
            packed = dict(zip(self.keys, self.given.packed, strict=True))
            return [Entry(*key, packed[key]) for key in seen]
        return [Entry(*key, sample) for key, sample in zip(seen, pack(list(seen.values())), strict=True)]

    def all_doubles(self, twins: Collection[int]) -> frozenset[int]:
        """The places of frames sent twice, and of good ones whose time is among those of other buffered frames."""
        failed = self.failed
        return self.doubles | {i for i, (at, _) in self._singles() if at in twins and i not in failed}

    def rejected(self, twins: Collection[int]) -> dict[int, str]:
        """The code of each frame that isn't taken, by its place."""
        return self.failed | dict.fromkeys(self.all_doubles(twins), clocks.DUPLICATE)

    def _singles(self) -> Iterator[tuple[int, Key]]:
        return ((i, key) for i, key in enumerate(self.keys) if i not in self.doubles)
