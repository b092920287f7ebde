"""A measurement without a service, in this process."""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any

from beam_api.cli.common import failures_as_messages, read_settings
from beam_api.cli.show import progress_bar
from beam_api.cli.sources import DEFAULT_S, TraceFile
from beam_api.cli.traces import save_measured
from beam_api.services.access.keys import TIERS
from beam_api.services.windows.pacing import interval_ms, mean_interval_ms
from beam_api.store.window_values import Session
from beam_api.web.schemas.measure import complete_data
from rppg_core import measure as measure_trace
from rppg_core.face.footage import trace_of
from rppg_core.face.reader import FaceReader
from rppg_core.quality.extractors import Extraction, calibration_of, extraction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from beam_api.cli.sources import Camera, Footage, Frames, VideoFile
    from rppg_core.results import Vitals
    from rppg_core.trace.traces import Trace


def measure_here(
    source: VideoFile | Camera | TraceFile,
    seconds: float | None,
    method: str,
    *,
    all_frames: bool,
    save_to: Path | None = None,
) -> dict[str, Any]:
    """Return the `data` of a measurement over the first `seconds` of a source, with its `raw`.

    Without `seconds`, a saved trace is measured whole, and any other source over 30 s. Without `all_frames`, those
    frames are measured that a client with a sandbox key would send one by one. The trace is saved to `save_to`.
    """
    with failures_as_messages():
        landmarks = read_settings().landmarks
        if isinstance(source, TraceFile):
            trace = source.trace(seconds)
        else:
            window_s, reader = source.seconds(seconds or DEFAULT_S), FaceReader(landmarks)
            with progress_bar("Measuring") as advance:
                trace = read_trace(source, window_s, reader, all_frames=all_frames, advance=advance)
    vitals = measured(trace, extraction(method))
    if save_to:
        save_measured(save_to, trace, vitals, {"method": method, "landmarks": landmarks})
    return complete_data(vitals, trace)


def read_trace(
    source: Footage,
    window_s: float,
    reader: FaceReader,
    *,
    all_frames: bool = True,
    advance: Callable[[float], None] = lambda _share: None,
) -> Trace:
    """The trace of the first `window_s` of a source."""
    frames = source.frames()
    trace = trace_of(_window(frames if all_frames else _as_paced(frames), window_s, advance), reader)
    return replace(trace, bits_a_pixel=source.bits_a_pixel(trace.frame_size))


def measured(trace: Trace, chosen: Extraction) -> Vitals:
    """The vitals of a trace by the method that was chosen."""
    return measure_trace(trace, extract=chosen.extract, calibration=calibration_of(chosen))


def _window(
    frames: Frames, window_s: float, advance: Callable[[float], None]
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """The first frames that fill `window_s` by the service's rule, with their times in seconds."""
    first_s = last_s = None
    intervals: list[float] = []
    for time_us, image in frames:
        time_s = time_us / 1e6
        if first_s is None or last_s is None:
            first_s = time_s
        else:
            intervals.append(time_s - last_s)
        last_s = time_s
        yield time_s, image
        passed_s = time_s - first_s
        advance(min(1.0, passed_s / window_s))
        if passed_s > 0.5 * window_s and passed_s + median(intervals) >= window_s - 1e-3:
            return


def _as_paced(frames: Frames) -> Frames:
    """The frames that a client would send whose key is a sandbox one."""
    mean_ms, session = mean_interval_ms(TIERS["sandbox"], 1), Session("here", "default")
    count, due_us = 0, 0.0
    for time_us, image in frames:
        if time_us >= due_us:
            count += 1
            due_us = time_us + 1000 * interval_ms(session, count, mean_ms)
            yield time_us, image
