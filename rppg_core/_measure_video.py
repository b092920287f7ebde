"""A video file to vital signs, in one call."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from rppg_core._measure import measure
from rppg_core.course.long_video import frames_to_measure
from rppg_core.face.footage import trace_of
from rppg_core.face.reader import FaceReader
from rppg_core.media.video import probe
from rppg_core.quality.extractors import DEFAULT, calibration_of, extraction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rppg_core.media.pictures import Picture
    from rppg_core.results import Vitals
    from rppg_core.trace.traces import Trace


def measure_video(
    video: str | PathLike[str] | BinaryIO,
    *,
    seconds: float | None = None,
    reader: FaceReader | None = None,
    method: str = DEFAULT,
) -> Vitals:
    """Measure the vital signs of the person in a video.

    Parameters
    ----------
    video : path or binary file
        MP4, MOV, WebM or AVI. A file object must be seekable.
    seconds : float, optional
        How much of the video's beginning to measure; all of it by default.
    reader : FaceReader, optional
        Finds the face; made with the 5-point landmark model by default. Pass one to measure many videos.
    method : str, optional
        One of `extractor_names()`, by which the pulse is found.

    Returns
    -------
    Vitals
        What the video doesn't support is None, with its reason in `withheld`.

    Raises
    ------
    InvalidVideo
        If the file is no video that can be decoded; `UnusableVideo`, a subclass, if it has no frames, or a picture or
        a codec that is not measured.
    UnknownExtractor
        If there is no such method.
    NoFaceDetected
        If no frame shows a face.
    UnsupportedImage
        If faces are seen, but all of them without colour.
    OSError
        If the file can't be opened.
    """
    chosen = extraction(method)
    trace = trace_of_video(video, reader, seconds=seconds)
    return measure(trace, extract=chosen.extract, calibration=calibration_of(chosen))


def trace_of_video(
    video: str | PathLike[str] | BinaryIO,
    reader: FaceReader | None = None,
    *,
    seconds: float | None = None,
    on_progress: Callable[[float], None] = lambda _share: None,
) -> Trace:
    """Reduce the frames of a video to the trace of the person in them.

    Parameters, and what is raised, are those of `measure_video`; `on_progress` is called with the share (0-1) of the
    video that has been read. Memory does not grow with the video's length.
    """
    file = Path(video) if isinstance(video, str | PathLike) else video
    info = probe(file)
    wanted_s = info.duration_s if seconds is None else min(seconds, info.duration_s)
    frames = frames_to_measure(file, info)
    trace = trace_of(
        frames if seconds is None else _first(frames, seconds),
        reader or FaceReader(),
        on_time=lambda time_s: on_progress(min(time_s / max(wanted_s, 1e-6), 1.0)),
    )
    return replace(trace, bits_a_pixel=info.bits_a_pixel(trace.frame_size))


def _first(frames: Iterator[tuple[float, Picture]], seconds: float) -> Iterator[tuple[float, Picture]]:
    """The frames of the first seconds."""
    end_s = float("inf")
    for time_s, image in frames:
        end_s = min(end_s, time_s + seconds) if end_s == float("inf") else end_s
        if time_s > end_s:
            return
        yield time_s, image
