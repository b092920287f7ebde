"""What `beam measure` measures: a video file, a camera, or a saved trace."""

from __future__ import annotations

import math
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click
import numpy as np
from numpy.typing import NDArray

from beam_client import camera
from beam_client.images import is_picture
from rppg_core.errors import InvalidTraceFile
from rppg_core.media.video import VideoInfo, probe, read_video
from rppg_core.media.video_cost import MAX_FPS
from rppg_core.trace.files import SUFFIX, is_trace_file, load_trace

if TYPE_CHECKING:
    from rppg_core.trace.files import Recording
    from rppg_core.trace.traces import Trace

SHORTEST_S = 10.0
DEFAULT_S = 30.0
LONGEST_S = 300.0
_SLACK_S = 5.0  # by which frames that are far apart may fill more than a window
_KEPT = 90  # frames of a camera that wait to be measured; of more, the oldest are lost

Frames = Iterator[tuple[int, NDArray[np.uint8]]]
"""Capture times in whole microseconds, and upright RGB pixels."""


class Footage(Protocol):
    """Frames with their times, and what is known of how they were compressed."""

    def frames(self) -> Frames:
        """Its frames."""
        ...

    def bits_a_pixel(self, frame_size: tuple[int, int], /) -> float | None:
        """What its codec spent; None without one."""
        ...


class VideoFile:
    """A recording: its frames are there at once."""

    def __init__(self, file: Path) -> None:
        self.name = file

    @cached_property
    def _info(self) -> VideoInfo:
        return probe(self.name)

    @property
    def duration_s(self) -> float:
        """How long it lasts. Raises InvalidVideo, and OSError if it can't be opened."""
        return self._info.duration_s

    def seconds(self, wanted: float) -> float:
        """How long a window it fills, up to `wanted`. Raises ClickException if that is too short."""
        has = self.duration_s
        if has < SHORTEST_S - 1e-3:
            raise click.ClickException(
                f"The video lasts {math.floor(100 * has) / 100:.2f} s; at least {SHORTEST_S:.0f} s are needed."
            )
        return min(max(has, SHORTEST_S), wanted)

    def frames(self) -> Frames:
        """Its frames with their presentation times, as many of them as a scan of the file takes."""
        for time_s, image in read_video(self.name, max_fps=MAX_FPS):
            yield max(0, round(time_s * 1e6)), image

    def bits_a_pixel(self, frame_size: tuple[int, int]) -> float:
        """What its codec spent, as evidence of how much of the skin's colour is left."""
        return self._info.bits_a_pixel(frame_size)


class Camera:
    """A camera: its frames are there when they are taken."""

    def __init__(self, device: int) -> None:
        self.name = device

    def seconds(self, wanted: float) -> float:
        """It lasts as long as is wanted."""
        return wanted

    def bits_a_pixel(self, _frame_size: tuple[int, int]) -> None:
        """None: no codec has been at them."""

    def frames(self) -> Frames:
        """Its frames as they are taken, until it gives none. Raises BeamError of the client if it can't be opened."""
        for time_ms, image in camera.frames(self.name, most=_KEPT):
            yield round(1000 * time_ms), image


class TraceFile:
    """A trace that was saved before."""

    def __init__(self, file: Path) -> None:
        self.name = file

    def recording(self) -> Recording:
        """What is in it. Raises ClickException if it holds no trace."""
        try:
            return load_trace(self.name)
        except InvalidTraceFile as error:
            raise click.ClickException(f"{self.name} can't be used: {error}.") from error
        except OSError as error:
            raise click.ClickException(f"{self.name} can't be read: {error.strerror}.") from error

    def trace(self, seconds: float | None = None) -> Trace:
        """Its trace, or the first `seconds` of it. Raises ClickException if it holds none, or one that is too long."""
        trace = self.recording().trace
        if seconds is None and trace.times_s[-1] - trace.times_s[0] > LONGEST_S + _SLACK_S:
            raise click.ClickException(f"{self.name} lasts more than {LONGEST_S:.0f} s: say how much by --seconds.")
        return trace if seconds is None else trace.part(trace.times_s - trace.times_s[0] < seconds - 1e-3)


def open_source(name: str) -> VideoFile | Camera | TraceFile:
    """A file of that name, else the camera of that number. Raises ClickException for anything else."""
    path = Path(name)
    if path.is_file():
        head = _head(path)
        if path.suffix.lower() == SUFFIX or is_trace_file(head):
            return TraceFile(path)
        if is_picture(head):
            raise click.ClickException(
                f"{name} is a picture. A pulse needs a video of at least {SHORTEST_S:.0f} s: name one, or a camera, as "
                "in `beam measure 0`. POST /api/rppg/check looks at a single picture."
            )
        return VideoFile(path)
    if name.isdecimal():
        return Camera(int(name))
    raise click.ClickException(f"{name} is neither a file nor the number of a camera. {_hint(path)}".rstrip())


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        raise click.ClickException(f"{path} can't be read: {error.strerror}.") from error


def _hint(path: Path) -> str:
    """What may have been meant by a name that is no file's."""
    if path.is_dir():
        return f"It is a folder: name its files, as in `beam measure {path}/*.mp4`."
    try:
        names = [file.name for file in path.parent.iterdir() if file.is_file()]
    except OSError:
        return ""
    near = get_close_matches(path.name, names, n=1)
    return f"Did you mean {path.parent / near[0]}?" if near else ""
