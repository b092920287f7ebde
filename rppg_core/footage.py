"""Frames that something else decoded, one after another, to the trace of the person in them.

Memory is bounded by one batch of pictures, however long the footage is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from rppg_core.errors import NoFaceDetected
from rppg_core.reader import FaceReader, FaceState, Frame
from rppg_core.traces import Sample, Trace

_BATCH, _BATCH_BYTES = 30, 64_000_000
"""Frames read together, fewer of them when they are large: the first and last of each batch are verified."""


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
    for batch in _batches(frames):
        for reading in reader.read(batch, state):
            if reading.sample is None or reading.face is None:
                if reading.error is not None and not isinstance(reading.error, NoFaceDetected):
                    failure = reading.error
                continue
            times.append(reading.time_us / 1e6)
            samples.append(reading.sample)
            state = reading.face
        on_time(batch[-1].time_us / 1e6)
    if state is None:
        raise failure or NoFaceDetected("No face was found in the video.")
    return Trace.of(times, samples, state.frame_size)


def _batches(frames: Iterable[tuple[float, NDArray[np.uint8]]]) -> Iterator[list[Frame]]:
    batch: list[Frame] = []
    held, first_s = 0, None
    for time_s, image in frames:
        first_s = time_s if first_s is None else first_s
        # From the first frame on: players begin below zero too.
        batch.append(Frame(round(1e6 * (time_s - first_s)), image))
        held += image.nbytes
        if len(batch) >= _BATCH or held >= _BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
