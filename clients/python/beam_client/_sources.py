"""Where frames come from: a file, a camera, pictures in memory."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Union

from beam_client import camera
from beam_client._ahead import read_ahead
from beam_client.errors import SourceError
from beam_client.images import Image, as_bytes, refuse_picture

Frame = tuple[float, Image]
"""Capture time in milliseconds, and picture."""
Frames = Union[Iterable[Frame], AsyncIterable[Frame]]
Measurable = Union[str, "PathLike[str]", int, Iterable[Any], AsyncIterable[Any]]
"""A video's path, a camera's number, or frames: pictures, or pairs of capture time in milliseconds and picture."""

_NO_TIMES = (
    "Pictures without times need fps=..., or live=True if they are being taken now. Or pass pairs of capture time in "
    "milliseconds and picture."
)


@dataclass(frozen=True)
class Source:
    """Frames to measure.

    `start` begins them, anew each time if they are `replayable`. The capture times of a `live` source are those of
    `clock`, in milliseconds.
    """

    start: Callable[[], Iterator[Frame] | AsyncIterator[Frame]]
    live: bool = False
    replayable: bool = False
    length_ms: float | None = None
    clock: Callable[[], float] = camera.now_ms


def open_source(
    what: Measurable, *, fps: float | None = None, live: bool = False, clock: Callable[[], float] = camera.now_ms
) -> Source:
    """Find out what should be measured. Raises SourceError if that can't be."""
    if isinstance(what, (str, PathLike)):
        return _file(Path(what))
    if isinstance(what, int) and not isinstance(what, bool):
        return Source(partial(camera.frames, what, keep=_kept), live=True)
    if isinstance(what, AsyncIterable):
        return Source(lambda: _timed_async(what, fps, live, clock), live=live, clock=clock)
    if isinstance(what, (bytes, bytearray, memoryview)):
        raise SourceError("Bytes are one picture at most. Pass a path, a camera's number, or a list of pictures.")
    if not isinstance(what, Iterable) and not hasattr(what, "__getitem__"):
        raise SourceError(f"A {type(what).__name__} can't be measured. Pass a path, a camera's number, or frames.")
    frames: Any = what
    if live:
        return Source(lambda: _ahead(_timed(frames, fps, True, clock)), live=True, clock=clock)
    kept = isinstance(what, Sequence) or hasattr(what, "shape")
    length_ms = _length_ms(frames, fps) if kept else None
    return Source(lambda: _timed(frames, fps, False, clock), replayable=kept, length_ms=length_ms, clock=clock)


def _length_ms(frames: Any, fps: float | None) -> float | None:
    """How long frames in memory last: from the first to the last, and one typical interval for the last."""
    from statistics import median  # it takes a tenth of this package's import

    if len(frames) and _has_time(frames[0]):
        times = sorted(float(frame[0]) for frame in frames)
        steps = [later - earlier for earlier, later in zip(times, times[1:])]
        return times[-1] - times[0] + (median(steps) if steps else 0.0)
    return None if fps is None else 1000.0 * len(frames) / fps


def _file(path: Path) -> Source:
    """A video file. What is missing or is no video is found now, not in the middle of a measurement."""
    if not path.is_file():
        camera_hint = f" For a camera pass its number: measure({path})." if path.name.isdecimal() else ""
        raise SourceError(f"{path} is {'a folder, not a video' if path.is_dir() else 'not there'}.{camera_hint}")
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise SourceError(f"{path} can't be read: {error.strerror or error}.") from error
    refuse_picture(path, head)
    from beam_client import _video

    return Source(lambda: _video.frames(path), replayable=True, length_ms=_video.length_ms(path))


def _timed(
    frames: Iterable[Any], fps: float | None, live: bool, clock: Callable[[], float]
) -> Generator[Frame, None, None]:
    for index, item in enumerate(frames):
        yield _frame(index, item, fps, live, clock)


async def _timed_async(
    frames: AsyncIterable[Any], fps: float | None, live: bool, clock: Callable[[], float]
) -> AsyncIterator[Frame]:
    index = 0
    async for item in frames:
        yield _frame(index, item, fps, live, clock)
        index += 1


def _frame(index: int, item: Any, fps: float | None, live: bool, clock: Callable[[], float]) -> Frame:
    """A frame with its time: its own, or by the frame rate, or now."""
    if _has_time(item):
        return float(item[0]), item[1]
    if fps is not None:
        return 1000.0 * index / fps, item
    if live:
        return clock(), item
    raise SourceError(_NO_TIMES)


def _kept(image: Image) -> Image:
    """What waits to be sent. A callable stays one: who sends single frames makes only those."""
    return image if callable(image) else as_bytes(image)


def _has_time(item: Any) -> bool:
    return isinstance(item, (tuple, list)) and len(item) == 2


def _ahead(frames: Generator[Frame, None, None]) -> Iterator[Frame]:
    return read_ahead(lambda: closing(frames), _kept)
