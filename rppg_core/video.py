"""A video file to upright RGB frames with their presentation times. The only module that imports PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

from rppg_core.errors import InvalidVideo


def span_s(file: Path | BinaryIO) -> float:
    """Seconds from the first frame to the last by their presentation times, without decoding.

    Raises
    ------
    InvalidVideo
        If the file is no video, or has no video stream or no frame.
    """
    with _open(file) as container:
        try:
            times = [
                float(packet.pts * packet.time_base)
                for packet in container.demux(video=0)
                if packet.pts is not None and packet.time_base is not None
            ]
        except av.FFmpegError as error:
            raise InvalidVideo("The video is corrupt.") from error
    if not times:
        raise InvalidVideo("The video has no frame.")
    return max(times) - min(times)


def read_video(file: Path | BinaryIO) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield each frame's presentation time in seconds and its pixels (height, width, 3), turned upright.

    Raises
    ------
    InvalidVideo
        If the file is no video, has no video stream, or breaks off before its first frame.
    """
    seen = False
    with _open(file) as container:
        try:
            for frame in container.decode(video=0):
                if frame.pts is None or frame.time_base is None:
                    continue
                seen = True
                pixels = frame.to_ndarray(format="rgb24")
                # PyAV tells the display matrix's angle, counter-clockwise, and leaves the turning to us.
                quarter_turns = round(frame.rotation / 90) % 4
                yield float(frame.pts * frame.time_base), np.ascontiguousarray(np.rot90(pixels, quarter_turns))
        except av.FFmpegError as error:
            if not seen:
                raise InvalidVideo("The video can't be decoded.") from error
    if not seen:
        raise InvalidVideo("The video has no frame.")


def _open(file: Path | BinaryIO) -> av.container.InputContainer:
    try:
        container = av.open(str(file) if isinstance(file, Path) else file, "r")
    except av.FFmpegError as error:
        raise InvalidVideo("The file is no video that can be read.") from error
    if not container.streams.video:
        container.close()
        raise InvalidVideo("The file has no video stream.")
    return container
