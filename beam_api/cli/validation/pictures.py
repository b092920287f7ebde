"""Recordings of data sets that are no videos: a folder of PNG files, and a MATLAB file."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.errors import UnusableVideo
from rppg_core.media.images import decode

if TYPE_CHECKING:
    from pathlib import Path

    from beam_api.cli.sources import Frames

_NUMBER = re.compile(r"(\d+)\.png$", re.IGNORECASE)
_MMPD_FPS = 30.0


class PictureFolder:
    """Frames as PNG files whose names end in their capture time in nanoseconds, as those of PURE do."""

    def __init__(self, folder: Path) -> None:
        self.name = folder

    @cached_property
    def _timed(self) -> list[tuple[int, Path]]:
        found = [(int(m[1]), path) for path in self.name.iterdir() if (m := _NUMBER.search(path.name))]
        if len(found) < 2:
            raise UnusableVideo("the folder holds no PNG files with times in their names")
        return sorted(found)

    @property
    def start_s(self) -> float:
        """Capture time of the first frame."""
        return self._timed[0][0] / 1e9

    @property
    def duration_s(self) -> float:
        """From the first frame to the last, and one typical interval for that."""
        times_s = np.array([time_ns - self._timed[0][0] for time_ns, _ in self._timed]) / 1e9
        return float(times_s[-1] + np.median(np.diff(times_s)))

    def frames(self) -> Frames:
        """Its frames with their times."""
        for time_ns, path in self._timed:
            yield (time_ns - self._timed[0][0]) // 1000, decode(path.read_bytes())

    def bits_a_pixel(self, _frame_size: tuple[int, int]) -> None:
        """None: PNG loses nothing."""


class MatlabVideo:
    """Frames of the array `video` (n, height, width, 3), from 0 to 1, of a MATLAB file, as MMPD has them at 30 fps."""

    def __init__(self, file: Path) -> None:
        self.name = file

    @property
    def duration_s(self) -> float:
        """How long it lasts, by its header."""
        from scipy.io import whosmat

        try:
            shapes = {name: shape for name, shape, _ in whosmat(self.name)}
        except (ValueError, TypeError, NotImplementedError) as error:
            raise UnusableVideo("the file is no MATLAB file of version 5") from error
        if len(shapes.get("video", ())) != 4 or shapes["video"][3] != 3:
            raise UnusableVideo("the file has no array `video` of RGB frames")
        return float(shapes["video"][0]) / _MMPD_FPS

    def frames(self) -> Frames:
        """Its frames, evenly."""
        from scipy.io import loadmat

        video = loadmat(self.name, variable_names=["video"])["video"]
        for number in range(len(video)):
            yield round(1e6 * number / _MMPD_FPS), np.rint(np.clip(video[number], 0, 1) * 255).astype(np.uint8)

    def bits_a_pixel(self, _frame_size: tuple[int, int]) -> None:
        """None: what its frames were compressed with is not known."""
