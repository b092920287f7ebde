"""A long video in windows that overlap: what is held of it at a time is one window's samples, however long it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from rppg_core.face.footage import Seen, follow
from rppg_core.face.reader import FaceReader
from rppg_core.media.video import probe, read_pictures
from rppg_core.media.video_cost import APART_S, LONGEST_SIDE, MAX_FPS, WINDOW_S, predicted_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rppg_core.media.pictures import Picture
    from rppg_core.media.video import VideoInfo
    from rppg_core.trace.traces import Trace

LOOK_S = 60.0
"""Within the first window, what was seen so far can be measured this often."""

SLACK_S = 0.5
"""How much longer than a window a video may be and still be one; that exactly do recorders stop."""

_FASTER = 1.02  # than `MAX_FPS`: enough for frames beyond it to be worth looking for before the decoder meets them
_HEAVY_S = 30.0  # predicted; lighter videos leave the other cores to other work
_DECODERS = 2  # threads of a heavy video: pictures are decoded while the face is followed in those before
_WORTH_S = 10.0  # with less of the video left, a look would only delay its end


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A stretch of a video in seconds from its first frame, and the trace of the person in it.

    `is_look` marks the beginning of the first window, while that is not yet whole; `is_last` the last window.
    """

    start_s: float
    end_s: float
    trace: Trace
    is_look: bool = False
    is_last: bool = False


def starts_s(
    duration_s: float, length_s: float = WINDOW_S, apart_s: float = APART_S, *, most: int = 1_000_000
) -> list[float]:
    """Where the windows of a video begin: evenly, no more than `apart_s` apart, the last one ending with the video.

    There are no more than `most`, and one more, however long the video says that it is.
    """
    if duration_s <= length_s + SLACK_S:
        return [0.0]
    steps = min(ceil((duration_s - length_s) / apart_s), most)
    return [float(floor(i * (duration_s - length_s) / steps)) for i in range(steps + 1)]


def windows_of_video(
    video: str | PathLike[str] | BinaryIO,
    reader: FaceReader | None = None,
    *,
    on_progress: Callable[[float], None] = lambda _share: None,
    length_s: float = WINDOW_S,
    apart_s: float = APART_S,
    look_s: float = LOOK_S,
) -> Iterator[Window]:
    """Yield the windows of a video, each as soon as it has been read, and looks at the beginning of the first.

    A video that is no longer than one window gives it alone, with the same trace as `trace_of_video`. A window in
    which nobody was seen is left out. What is raised is what `measure_video` raises.

    Parameters
    ----------
    video : path or binary file
        MP4, MOV, WebM or AVI. A file object must be seekable.
    reader : FaceReader, optional
        Finds the face.
    on_progress : callable
        Called with the share (0-1) of the video that has been read.
    length_s, apart_s, look_s : float
        Length of a window, most seconds between the beginnings of two, and seconds between two looks.
    """
    file = Path(video) if isinstance(video, str | PathLike) else video
    info = probe(file)
    frames = frames_to_measure(file, info)
    cut = _Cut(
        starts_s(info.duration_s, length_s, apart_s, most=info.frames), length_s, look_s, info.duration_s - _WORTH_S
    )
    for batch in follow(frames, reader or FaceReader()):
        cut.seen.add(batch)
        on_progress(min(batch.end_s / max(info.duration_s, 1e-6), 1.0))
        for window in cut.ready(batch.end_s):
            bits = info.bits_a_pixel(window.trace.frame_size)
            yield replace(window, trace=replace(window.trace, bits_a_pixel=bits))
    for window in cut.rest():
        bits = info.bits_a_pixel(window.trace.frame_size)
        yield replace(window, trace=replace(window.trace, bits_a_pixel=bits))


def frames_to_measure(file: Path | BinaryIO, info: VideoInfo) -> Iterator[tuple[float, Picture]]:
    """Read a video's frames as they are measured: no more a second and no larger than that takes."""
    return read_pictures(
        file,
        max_fps=MAX_FPS,
        is_faster=info.frames > _FASTER * MAX_FPS * info.duration_s,
        longest_side=LONGEST_SIDE,
        container=info.container,
        threads=_DECODERS if predicted_s(info) > _HEAVY_S else 1,
    )


class _Cut:
    """Cuts what is seen into windows."""

    def __init__(self, starts: list[float], length_s: float, look_s: float, last_look_s: float) -> None:
        self.seen = Seen()
        self._starts, self._length_s = starts, length_s
        self._look_s, self._last_look_s = look_s, last_look_s
        self._next_look_s, self._read_s = look_s, 0.0

    def ready(self, end_s: float) -> Iterator[Window]:
        """The windows that are whole now that the video has been read to `end_s`, or a look."""
        self._read_s = end_s
        while len(self._starts) > 1 and end_s >= self._starts[0] + self._length_s:
            self._next_look_s = float("inf")
            start_s = self._starts.pop(0)
            yield from self._window(start_s, start_s + self._length_s)
            self.seen.drop_before(self._starts[0])
        if self._next_look_s <= end_s <= self._last_look_s:
            self._next_look_s += self._look_s * ceil((end_s - self._next_look_s + 1e-6) / self._look_s)
            yield from (replace(look, is_look=True) for look in self._window(0.0, float("inf")))

    def rest(self) -> Iterator[Window]:
        """The last window, which ends where the video does; a video that breaks off may have had more to come."""
        yield from (replace(last, is_last=True) for last in self._window(self._starts[0], float("inf")))

    def _window(self, start_s: float, end_s: float) -> Iterator[Window]:
        if not self.seen.is_empty(end_s):
            yield Window(start_s, min(end_s, self._read_s), self.seen.trace(end_s))
