"""A camera's frames with the times at which they came, by OpenCV or, on Linux, by PyAV."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from beam_client._ahead import read_ahead
from beam_client.errors import MissingDependency, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def now_ms() -> float:
    """The clock of a camera's frames, in milliseconds."""
    return time.time_ns() / 1e6


def frames(
    device: int | str, *, keep: Callable[[Any], Any] = lambda image: image, most: int = 300
) -> Iterator[tuple[float, Any]]:
    """Yield a camera's frames as they are taken, with their times in milliseconds, until it gives none.

    Parameters
    ----------
    device : int or str
        The camera's number, or what OpenCV or FFmpeg opens.
    keep : callable
        What is kept of a picture until it is wanted. A thread calls it, as the picture comes.
    most : int
        Frames that may wait. Of more, the oldest are lost.
    """
    return read_ahead(partial(opened, device), keep, most=most)


@contextmanager
def opened(device: int | str) -> Iterator[Iterator[tuple[float, Any]]]:
    """Open a camera by its number, and yield its frames: RGB arrays from OpenCV, JPEG bytes from PyAV.

    Raises
    ------
    MissingDependency
        If neither package is installed.
    SourceError
        If the camera can't be opened.
    """
    try:
        import cv2
    except ImportError:
        with opened_by_pyav(device) as frames:
            yield frames
        return
    capture = cv2.VideoCapture(device)
    try:
        if not capture.isOpened():
            raise SourceError(f"The camera {device} can't be opened.")
        yield _by_opencv(cv2, capture)
    finally:
        capture.release()


def _by_opencv(cv2: Any, capture: Any) -> Iterator[tuple[float, Any]]:
    while True:
        good, image = capture.read()
        taken_ms = now_ms()
        if not good:
            return
        yield taken_ms, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@contextmanager
def opened_by_pyav(device: int | str) -> Iterator[Iterator[tuple[float, bytes]]]:
    """Open a camera by PyAV: of Linux by its number, else by what FFmpeg can open."""
    try:
        import av
    except ImportError as error:
        raise MissingDependency("Cameras need OpenCV or PyAV: pip install 'beam-rppg-client[video]'") from error
    if isinstance(device, int) and not sys.platform.startswith("linux"):
        raise MissingDependency("Cameras need OpenCV here: pip install opencv-python")
    name, kind = (f"/dev/video{device}", "v4l2") if isinstance(device, int) else (device, None)
    try:
        file = av.open(name, format=kind)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(f"The camera {device} can't be opened.") from error
    with file:
        yield _read_pyav(file)


def _read_pyav(file: Any) -> Iterator[tuple[float, bytes]]:
    import av

    from beam_client._jpeg import JpegEncoder

    encoder = JpegEncoder()
    try:
        for frame in file.decode(video=0):
            yield now_ms(), encoder.encode(frame)
    except av.FFmpegError:
        return  # it was unplugged
