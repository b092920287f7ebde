"""Where `beam measure` gets its frames: a video file, or a camera."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from rppg_core.media.video import VideoInfo, probe, read_video
from rppg_core.media.video_cost import MAX_FPS

SHORTEST_S = 10.0
_KEPT = 90  # frames of a camera that wait to be sent; more of them, and the oldest are lost
_PATIENCE_S = 10.0  # without a frame, a camera is gone

Frames = Iterator[tuple[int, NDArray[np.uint8]]]
"""Capture times in whole microseconds, and upright RGB pixels."""


class VideoFile:
    """A recording: its frames are there at once."""

    live = False

    def __init__(self, file: Path) -> None:
        self._file = file

    @cached_property
    def _info(self) -> VideoInfo:
        return probe(self._file)

    def seconds(self, wanted: float) -> float:
        """How long a window it fills, up to `wanted`. Raises ClickException if that is too short."""
        has = self._info.duration_s
        if has < SHORTEST_S - 1e-3:
            raise click.ClickException(
                f"The video lasts {math.floor(100 * has) / 100:.2f} s; at least {SHORTEST_S:.0f} s are needed."
            )
        return min(max(has, SHORTEST_S), wanted)

    def frames(self) -> Frames:
        """Its frames with their presentation times, as many of them as a scan of the file takes."""
        for time_s, image in read_video(self._file, max_fps=MAX_FPS):
            yield max(0, round(time_s * 1e6)), image

    def bits_a_pixel(self, frame_size: tuple[int, int]) -> float:
        """What its codec spent, as evidence of how much of the skin's colour is left."""
        return self._info.bits_a_pixel(frame_size)


class Camera:
    """A camera, read by a thread of its own so that no frame waits for an answer."""

    live = True

    def __init__(self, device: int | str) -> None:
        self._device = device
        self._waiting: deque[tuple[int, NDArray[np.uint8]]] = deque(maxlen=_KEPT)
        self._arrived = threading.Condition()
        self._ended = False

    def seconds(self, wanted: float) -> float:
        """It lasts as long as is wanted."""
        return wanted

    def bits_a_pixel(self, _frame_size: tuple[int, int]) -> None:
        """None: no codec has been at them."""

    def frames(self) -> Frames:
        """Its frames as they are taken, until it gives none. Raises ClickException if it can't be opened."""
        capture = cv2.VideoCapture(self._device)
        if not capture.isOpened():
            raise click.ClickException(f"The camera {self._device} can't be opened.")
        reader = threading.Thread(target=self._read, args=(capture,), daemon=True)
        reader.start()
        try:
            while frame := self._next():
                yield frame
        finally:
            self._ended = True
            reader.join()
            capture.release()

    def _read(self, capture: cv2.VideoCapture) -> None:
        while not self._ended:
            good, image = capture.read()
            now_us = now()
            with self._arrived:
                if good:
                    self._waiting.append((now_us, np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)))
                self._ended = self._ended or not good
                self._arrived.notify()

    def _next(self) -> tuple[int, NDArray[np.uint8]] | None:
        with self._arrived:
            self._arrived.wait_for(lambda: self._waiting or self._ended, _PATIENCE_S)
            return self._waiting.popleft() if self._waiting else None


def open_source(name: str) -> VideoFile | Camera:
    """A file of that name, else the camera of that number. Raises BadParameter for anything else."""
    if Path(name).is_file():
        return VideoFile(Path(name))
    if name.isdecimal():
        return Camera(int(name))
    raise click.BadParameter(f"{name} is neither a file nor the number of a camera.")


def now() -> int:
    """The clock of a camera's frames, in microseconds."""
    return time.time_ns() // 1000
