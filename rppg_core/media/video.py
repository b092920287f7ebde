"""A video file to upright RGB frames with their presentation times. The only module that imports PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import BinaryIO, cast

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from rppg_core.errors import InvalidVideo, UnusableVideo

CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "mjpeg", "mpeg4", "rawvideo")
"""What `probe` lets through, as FFmpeg names them: decoders that cameras and recorders need, and no others."""

SMALLEST_SIDE, MOST_PIXELS = 64, 25_000_000
"""Pictures with a shorter side hold no face that can be measured; larger ones cost more memory than they are worth."""

_MOV_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_AHEAD = 0.2  # of a frame's interval: how much too early a frame may be and still count as on time
_DISTINCT_S = 0.0005
_MOST_BAD_PACKETS = 500


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a container says of its first video stream. `duration_s` counts the last frame's own time."""

    container: str
    codec: str
    width: int
    height: int
    frames: int
    first_s: float
    duration_s: float


def sniff(head: bytes) -> str | None:
    """Name the container by a file's first 64 bytes: "mov" (MP4 too), "matroska" (WebM), "avi", or None."""
    if head[4:8] in _MOV_BOXES:
        return "mov"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    return None


def probe(file: Path | BinaryIO) -> VideoInfo:
    """Look at a video without decoding it, by the demuxer of what it is and no other; a file is left at its start.

    Raises
    ------
    InvalidVideo
        If the file is no MP4, MOV, WebM or AVI, or can't be read as one.
    UnusableVideo
        If it has no video stream or no frames, or a picture or a codec that is not measured.
    """
    kind = sniff(_head(file))
    if kind is None:
        raise InvalidVideo("The file is no MP4, MOV, WebM or AVI video.")
    with _open(file, kind) as container:
        stream = _pictures(container)
        if stream.codec_context is None:
            raise UnusableVideo("The video's codec is not known.")
        codec, width, height = stream.codec_context.name, stream.codec_context.width, stream.codec_context.height
        codec = {"libdav1d": "av1", "libvpx": "vp8", "libvpx-vp9": "vp9"}.get(codec, codec)
        if codec not in CODECS:
            raise UnusableVideo(f"The video's codec ({codec}) is not supported.")
        if width * height > MOST_PIXELS:
            raise UnusableVideo(f"The picture is too large: {width}x{height} pixels.")
        times = sorted(_packet_times(container))
    if not isinstance(file, Path):
        file.seek(0)
    if not times:
        raise UnusableVideo("The video has no frames.")
    if min(width, height) < SMALLEST_SIDE:
        raise UnusableVideo(f"The picture is too small: {width}x{height} pixels.")
    interval = median(b - a for a, b in pairwise(times)) if len(times) > 1 else 0.0
    return VideoInfo(kind, codec, width, height, len(times), times[0], times[-1] - times[0] + interval)


def span_s(file: Path | BinaryIO) -> float:
    """Seconds from the first frame to the last by their presentation times, without decoding.

    Raises
    ------
    InvalidVideo
        If the file is no video, or has no video stream or no frame.
    """
    with _open(file) as container:
        times = list(_packet_times(container))
    if not times:
        raise UnusableVideo("The video has no frame.")
    return max(times) - min(times)


def bits_a_frame(file: Path | BinaryIO, container: str | None = None) -> float:
    """Mean size of an encoded picture, without decoding; a file is left at its start. 0 if there is none.

    Raises
    ------
    InvalidVideo
        If the file is no video, or has no video stream.
    """
    count, size = 0, 0
    with _open(file, container) as source:
        try:
            for packet in source.demux(_pictures(source)):
                count, size = count + (packet.size > 0), size + packet.size
        except av.FFmpegError:
            pass  # it breaks off here
    if not isinstance(file, Path):
        file.seek(0)
    return 8 * size / count if count else 0.0


def read_video(
    file: Path | BinaryIO,
    *,
    max_fps: float | None = None,
    longest_side: int | None = None,
    container: str | None = None,
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield frames, turned upright, with strictly increasing presentation times in seconds.

    Parameters
    ----------
    file : Path or binary file
        A file object must be seekable.
    max_fps : float, optional
        Frames beyond this rate are skipped, evenly, by their times.
    longest_side : int, optional
        Larger pictures are reduced, each pixel to the mean of what it covers.
    container : str, optional
        What `sniff` or `probe` found, so that no other demuxer is tried.

    Yields
    ------
    (float, ndarray)
        Presentation time, and RGB pixels (height, width, 3) uint8. A video that breaks off ends there; packets
        that can't be decoded are passed over.

    Raises
    ------
    InvalidVideo
        If the file is no video, has no video stream, or not one frame can be decoded.
    """
    seen, pace = False, _Pace(max_fps)
    reformatter = VideoReformatter()  # one for all: its tables cost more than a picture
    with _open(file, container) as source:
        # AVI has no presentation times: each packet's own is that of the frame that comes out when it goes in.
        decoding_times = source.format.name == "avi"
        for frame in _decode(source):
            stamp = frame.dts if decoding_times or frame.pts is None else frame.pts
            if stamp is None or frame.time_base is None:
                continue
            seen = True
            time_s = float(stamp * frame.time_base)
            if pace.takes(time_s):
                yield time_s, _upright(frame, reformatter, longest_side)
    if not seen:
        raise InvalidVideo("The video can't be decoded.")


class _Pace:
    """Which frames to take so that they come no faster than a rate, in even steps where the video's are even."""

    def __init__(self, max_fps: float | None) -> None:
        self._step_s = 1.0 / max_fps if max_fps else 0.0
        self._last_s: float | None = None
        self._due_s = 0.0

    def takes(self, time_s: float) -> bool:
        if self._last_s is None:
            self._due_s = time_s
        elif time_s < max(self._last_s + _DISTINCT_S, self._due_s - _AHEAD * self._step_s):
            return False
        # Frames that came late are made up for, but no more than one.
        self._due_s = max(self._due_s, time_s - self._step_s) + self._step_s
        self._last_s = time_s
        return True


def _decode(source: av.container.InputContainer) -> Iterator[av.VideoFrame]:
    """Frames in the order of presentation, as long as packets can be read."""
    stream = _pictures(source)
    stream.codec_context.thread_count = 1  # processes are the parallelism
    # What a container says of its pictures need not be what is in them.
    stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
    bad = 0
    packets = iter(source.demux(stream))
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            packet = None
        try:
            yield from stream.decode(packet)
        except av.EOFError:
            return
        except av.FFmpegError as error:
            bad += 1
            if bad > _MOST_BAD_PACKETS:
                raise InvalidVideo("The video is corrupt.") from error
        if packet is None or packet.size == 0:
            return


def _upright(frame: av.VideoFrame, reformatter: VideoReformatter, longest_side: int | None) -> NDArray[np.uint8]:
    width, height, interpolation = frame.width, frame.height, "BILINEAR"
    if longest_side and max(width, height) > longest_side:
        scale = longest_side / max(width, height)
        width, height, interpolation = max(2, round(width * scale)), max(2, round(height * scale)), "AREA"
    pixels = reformatter.reformat(
        frame, width=width, height=height, format="rgb24", interpolation=interpolation, threads=1
    ).to_ndarray()
    # PyAV tells the display matrix's angle, counter-clockwise, and leaves the turning to us.
    quarter_turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarter_turns))


def _packet_times(container: av.container.InputContainer) -> Iterator[float]:
    try:
        for packet in container.demux(_pictures(container)):
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None and packet.time_base is not None and packet.size:
                yield float(stamp * packet.time_base)
    except av.FFmpegError:
        return  # it breaks off here


def _pictures(container: av.container.InputContainer) -> av.VideoStream:
    """The stream that a player shows: not the cover of a recording that has one."""
    return cast(av.VideoStream, container.streams.best("video") or container.streams.video[0])


def _head(file: Path | BinaryIO) -> bytes:
    if isinstance(file, Path):
        with file.open("rb") as opened:
            return opened.read(64)
    head = file.read(64)
    file.seek(0)
    return head


def _open(file: Path | BinaryIO, container: str | None = None) -> av.container.InputContainer:
    try:
        opened = av.open(str(file) if isinstance(file, Path) else file, "r", format=container)
    except (av.FFmpegError, OverflowError, MemoryError, UnicodeDecodeError) as error:
        raise InvalidVideo("The file is no video that can be read.") from error
    if not opened.streams.video:
        opened.close()
        raise UnusableVideo("The file has no video stream.")
    return opened
