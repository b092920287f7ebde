"""A decoded frame of a video to the upright RGB picture of square pixels that a player shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import VideoReformatter

from rppg_core.media.orientation import Orientation, square_size

if TYPE_CHECKING:
    import av
    from numpy.typing import NDArray

_QUICK_FORMATS = frozenset({"yuv420p", "yuvj420p"})  # that FFmpeg converts by instructions of the processor
_DEGREES = re.compile(r"-?\d{1,3}(\.\d{1,6})?")


class Pictures:
    """Turns the frames of a stream into upright pictures of square pixels."""

    def __init__(self, stream: av.VideoStream, *, longest_side: int | None, most_pixels: int) -> None:
        """`longest_side` and `most_pixels`: larger pictures are reduced."""
        self._longest_side, self._most_pixels = longest_side, most_pixels
        self._aspect = float(stream.sample_aspect_ratio or 1)
        self._tagged = _tagged_orientation(stream.metadata)
        self._reformatter = VideoReformatter()  # one for all: its tables cost more than a picture

    def of(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """The picture of a frame."""
        width, height = self.size(frame)
        orientation = self._orientation(frame)
        resized = (width, height) != (frame.width, frame.height)
        if resized and frame.format.name in _QUICK_FORMATS and 2 * max(width, height) > max(frame.width, frame.height):
            # FFmpeg converts such pictures many times as fast as it scales them. Interpolation between less than two
            # pixels weighs all of them nearly alike.
            stored = self._rgb(frame, frame.width, frame.height)
            stored = np.asarray(cv2.resize(stored, (width, height)), dtype=np.uint8)
        else:
            stored = self._rgb(frame, width, height)
        return orientation.apply(stored)

    def size(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Width and height of a frame's picture, as it is stored."""
        return square_size(
            frame.width, frame.height, self._aspect, longest_side=self._longest_side, most_pixels=self._most_pixels
        )

    def _rgb(self, frame: av.VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
        reduced = width < frame.width or height < frame.height
        rgb = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            interpolation="AREA" if reduced else "BILINEAR",
            threads=1,
        )
        return cast("NDArray[np.uint8]", rgb.to_ndarray())

    def _orientation(self, frame: av.VideoFrame) -> Orientation:
        # PyAV's own `rotation` knows no mirroring.
        # `frame.side_data` would make a cycle, which keeps some hundred pictures in memory until it is collected.
        for data in cast("Any", SideDataContainer)(frame):  # declared as a mapping, and to take nothing
            if data.type == SideDataType.DISPLAYMATRIX:
                return Orientation.of_matrix(np.frombuffer(data, np.int32).tolist())
        return self._tagged


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """The picture of a frame, which is made each time that it is asked for: the frame takes half of its memory."""

    frame: av.VideoFrame
    pictures: Pictures

    @property
    def nbytes(self) -> int:
        """What its pixels take."""
        width, height = self.pictures.size(self.frame)
        return 3 * width * height

    def pixels(self) -> NDArray[np.uint8]:
        """Shape (height, width, 3): upright RGB."""
        return self.pictures.of(self.frame)


def _tagged_orientation(tags: dict[str, str]) -> Orientation:
    """What the tag `rotate` says, in degrees clockwise; some recorders write it in place of a display matrix."""
    value = next((value for name, value in tags.items() if name.lower() == "rotate"), "0").strip()
    return Orientation.of_rotation(float(value) if _DEGREES.fullmatch(value) else 0.0)
