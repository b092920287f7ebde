"""Frames to JPEG by PyAV alone, for videos, cameras and arrays. Imported when a frame is encoded."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from beam_client.errors import MissingDependency

try:
    import av
    from av.video.reformatter import VideoReformatter
except ImportError as _missing:
    raise MissingDependency("Video files need PyAV: pip install 'beam-rppg-client[video]'") from _missing

_FINE = 2  # the encoder's quantiser, 1-31


class JpegEncoder:
    """Encodes frames as JPEG in the full resolution of colour. It keeps an encoder for the size it saw last."""

    def __init__(self) -> None:
        self._codec: Any = None
        self._count = 0
        self._reformatter = VideoReformatter()  # one for all: its tables cost more than a picture

    def encode(self, frame: Any, size: tuple[int, int] | None = None) -> bytes:
        """Return a frame as a JPEG of a size (width, height), of its own if none is given."""
        width, height = size or (frame.width, frame.height)
        how = "AREA" if width < frame.width or height < frame.height else "BILINEAR"
        # By way of RGB: only so does a film's own matrix of colours become that of JPEG.
        rgb = self._reformatter.reformat(frame, width, height, "rgb24", interpolation=how)
        picture = self._reformatter.reformat(rgb, width, height, "yuvj444p")
        picture.pts, picture.time_base = self._count, Fraction(1, 1000)
        self._count += 1
        if self._codec is None or (self._codec.width, self._codec.height) != (width, height):
            self._codec = self._open(width, height)
        return b"".join(bytes(packet) for packet in self._codec.encode(picture))

    @staticmethod
    def _open(width: int, height: int) -> Any:
        codec: Any = av.CodecContext.create("mjpeg", "w")
        codec.width, codec.height, codec.pix_fmt, codec.time_base = width, height, "yuvj444p", Fraction(1, 1000)
        codec.thread_count = 1  # with more, frames come out later than they go in
        codec.options = {"qmin": str(_FINE), "qmax": str(_FINE)}
        return codec
