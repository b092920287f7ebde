"""Frames that something else decoded, one after another, to the trace of the person in them.

Memory is bounded by one batch of pictures, however long the footage is.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rppg_core.errors import NoFaceDetected
from rppg_core.face.reader import FaceReader, FaceState, Frame
from rppg_core.trace.traces import Sample, Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from rppg_core.media.images import Picture

_BATCH, _BATCH_BYTES = 30, 64_000_000
"""Frames read together, fewer of them when they are large: the first and last of each batch are verified."""

_ABSENT_S, _GLANCE_S = 5.0, 2.0
"""While nobody has been seen for so long, frames are looked at only this often: a search in vain costs most."""


def trace_of(
    frames: Iterable[tuple[float, NDArray[np.uint8] | Picture]],
    reader: FaceReader,
    *,
    on_time: Callable[[float], None] = lambda _time_s: None,
) -> Trace:
    """Follow the face through frames and reduce each to its skin colours.

    Parameters
    ----------
    frames : iterable of (float, ndarray or Picture)
        Strictly increasing times in seconds, and upright RGB pixels (height, width, 3) uint8, or what becomes them.
    reader : FaceReader
        The reader by which the measure API reads frames too.
    on_time : callable
        Called after each batch with the time of its last frame, in seconds from the first frame of all.

    Raises
    ------
    NoFaceDetected
        If no frame shows a face.
    UnsupportedImage
        If faces are seen, but all of them without colour.
    """
    seen = Seen()
    for batch in follow(frames, reader):
        seen.add(batch)
        on_time(batch.end_s)
    return seen.trace()


@dataclass(frozen=True, slots=True)
class Batch:
    """What was seen in some frames in a row, of which the last is at `end_s`; times count from the first of all."""

    end_s: float
    times_s: list[float]
    samples: list[Sample]
    face: FaceState | None  # as last seen


def follow(frames: Iterable[tuple[float, NDArray[np.uint8] | Picture]], reader: FaceReader) -> Iterator[Batch]:
    """As `trace_of`, batch by batch."""
    state: FaceState | None = None
    failure: Exception | None = None
    searched = _Searched()
    for images in _batches(searched.thin(frames), searched):
        batch = Batch(images[-1].time_us / 1e6, [], [], state)
        for reading in reader.read(images, state):
            if reading.sample is None or reading.face is None:
                if reading.error is not None and not isinstance(reading.error, NoFaceDetected):
                    failure = reading.error
                continue
            batch.times_s.append(reading.time_us / 1e6)
            batch.samples.append(reading.sample)
            state = reading.face
            searched.seen_s = batch.times_s[-1]
        images.clear()  # `_batches` holds them too, and what follows may take a while
        yield replace(batch, face=state)
    if state is None:
        raise failure or NoFaceDetected("No face was found in the video.")


class Seen:
    """The samples of a stretch of footage."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._samples: list[Sample] = []
        self._face: FaceState | None = None

    def add(self, batch: Batch) -> None:
        """Add what a batch showed."""
        self._times += batch.times_s
        self._samples += batch.samples
        self._face = batch.face

    def drop_before(self, time_s: float) -> None:
        """Forget what is older."""
        first = bisect_left(self._times, time_s)
        del self._times[:first], self._samples[:first]

    def is_empty(self, end_s: float = float("inf")) -> bool:
        """Whether nobody was seen before `end_s`."""
        return not self._times or self._times[0] >= end_s

    def trace(self, end_s: float = float("inf")) -> Trace:
        """The trace of what was seen before `end_s`; there must be some."""
        assert self._face is not None
        count = bisect_left(self._times, end_s)
        several = self._face.company.during(round(1e6 * self._times[0]), self._face.time_us)
        return replace(
            Trace.of(self._times[:count], self._samples[:count], self._face.frame_size), several_faces=several
        )


class _Searched:
    """When somebody was seen last, and which frames to look at for that. Times count from the first frame."""

    def __init__(self) -> None:
        self.seen_s = self._first_s = self._looked_s = 0.0

    def absent(self, time_s: float) -> bool:
        """Whether nobody has been seen for long."""
        return time_s - self.seen_s > _ABSENT_S

    def thin(self, frames: Iterable[tuple[float, NDArray[np.uint8] | Picture]]) -> Iterator[Frame]:
        """All frames while somebody is there, and a few while nobody is."""
        for number, (at_s, image) in enumerate(frames):
            if number == 0:
                self._first_s = at_s
            time_s = at_s - self._first_s
            if self.absent(time_s) and time_s - self._looked_s < _GLANCE_S:
                continue
            self._looked_s = time_s
            yield Frame(round(1e6 * time_s), image)


def _batches(frames: Iterable[Frame], searched: _Searched) -> Iterator[list[Frame]]:
    batch: list[Frame] = []
    held = 0
    for frame in frames:
        batch.append(frame)
        held += len(frame.data) if isinstance(frame.data, bytes) else frame.data.nbytes
        if len(batch) >= _BATCH or held >= _BATCH_BYTES or searched.absent(frame.time_us / 1e6):
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
