"""Frames that something else decoded, one after another, to the trace of the person in them.

Memory is bounded by one batch of pictures, however long the footage is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rppg_core.errors import NoFaceDetected
from rppg_core.face.reader import FaceReader, FaceState, Frame
from rppg_core.trace.traces import Sample, Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

_BATCH, _BATCH_BYTES = 30, 64_000_000
"""Frames read together, fewer of them when they are large: the first and last of each batch are verified."""

_ABSENT_S, _GLANCE_S = 5.0, 2.0
"""While nobody has been seen for so long, frames are looked at only this often: a search in vain costs most."""


def trace_of(
    frames: Iterable[tuple[float, NDArray[np.uint8]]],
    reader: FaceReader,
    *,
    on_time: Callable[[float], None] = lambda _time_s: None,
) -> Trace:
    """Follow the face through frames and reduce each to its skin colours.

    Parameters
    ----------
    frames : iterable of (float, ndarray)
        Strictly increasing times in seconds, and upright RGB pixels (height, width, 3) uint8.
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
    times: list[float] = []
    samples: list[Sample] = []
    state: FaceState | None = None
    failure: Exception | None = None
    searched = _Searched()
    for batch in _batches(searched.thin(frames), searched):
        for reading in reader.read(batch, state):
            if reading.sample is None or reading.face is None:
                if reading.error is not None and not isinstance(reading.error, NoFaceDetected):
                    failure = reading.error
                continue
            times.append(reading.time_us / 1e6)
            samples.append(reading.sample)
            state = reading.face
            searched.seen_s = times[-1]
        on_time(batch[-1].time_us / 1e6)
    if state is None:
        raise failure or NoFaceDetected("No face was found in the video.")
    several = state.company.during(round(1e6 * min(times)), state.time_us)
    return replace(Trace.of(times, samples, state.frame_size), several_faces=several)


class _Searched:
    """When somebody was seen last, and which frames to look at for that. Times count from the first frame."""

    def __init__(self) -> None:
        self.seen_s = self._first_s = self._looked_s = 0.0

    def absent(self, time_s: float) -> bool:
        """Whether nobody has been seen for long."""
        return time_s - self.seen_s > _ABSENT_S

    def thin(self, frames: Iterable[tuple[float, NDArray[np.uint8]]]) -> Iterator[Frame]:
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
