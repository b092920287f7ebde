"""A video file to upright RGB frames with their presentation times. Only this module and `pictures` import PyAV."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import av

from rppg_core.errors import InvalidVideo, UnusableVideo
from rppg_core.media.containers import sniff
from rppg_core.media.pictures import Picture, Pictures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "mjpeg", "mpeg4", "rawvideo")
"""What `probe` lets through, as FFmpeg names them: decoders that cameras and recorders need, and no others."""

SMALLEST_SIDE, MOST_PIXELS = 64, 25_000_000
"""Pictures with a shorter side hold no face that can be measured; larger ones cost more memory than they are worth."""

_AHEAD = 0.2  # of a frame's interval: how much too early a frame may be and still count as on time
_DISTINCT_S = 0.0005
_MOST_BAD_PACKETS = 500
_AVI_INTERVALS = 100  # of which the typical one is taken


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a container says of the video stream that players show.

    `frames`, `first_s` and `duration_s` are of the frames that are shown: not of those that an edit list hides. The
    duration runs from the first to the last of them, and one typical interval for the last itself, as the measurement
    of a window counts.
    """

    container: str
    codec: str
    width: int
    height: int
    frames: int
    first_s: float
    duration_s: float
    size_bytes: int

    def bits_a_pixel(self, frame_size: tuple[int, int]) -> float:
        """What the codec spent on a pixel of frames that are read at a size (width, height)."""
        width, height = frame_size
        return 8 * self.size_bytes / (self.frames * width * height)


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
        times, size = array("d"), 0  # an hour has some 100 000 frames
        for stamp, packet_bytes in _shown(container):
            times.append(stamp)
            size += packet_bytes
    if not isinstance(file, Path):
        file.seek(0)
    if not times:
        raise UnusableVideo("The video has no frames.")
    if min(width, height) < SMALLEST_SIDE:
        raise UnusableVideo(f"The picture is too small: {width}x{height} pixels.")
    shown = sorted(times)
    duration_s = shown[-1] - shown[0] + _interval_s(shown)
    return VideoInfo(kind, codec, width, height, len(shown), shown[0], duration_s, size)


def read_video(
    file: Path | BinaryIO,
    *,
    max_fps: float | None = None,
    longest_side: int | None = None,
    container: str | None = None,
    threads: int = 1,
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield frames, upright and of square pixels, with strictly increasing presentation times in seconds.

    Parameters
    ----------
    file : Path or binary file
        A file object must be seekable.
    max_fps : float, optional
        Frames beyond this rate are skipped, evenly, by their times. The last frame is kept, so the length is too.
    longest_side : int, optional
        Larger pictures are reduced, each pixel to the mean of what it covers.
    container : str, optional
        What `sniff` or `probe` found, so that no other demuxer is tried.
    threads : int
        With more than one, later frames are decoded while the caller works on one.

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
    read = read_pictures(file, max_fps=max_fps, longest_side=longest_side, container=container, threads=threads)
    for time_s, picture in read:
        yield time_s, picture.pixels()


def read_pictures(
    file: Path | BinaryIO,
    *,
    max_fps: float | None = None,
    is_faster: bool = True,
    longest_side: int | None = None,
    container: str | None = None,
    threads: int = 1,
) -> Iterator[tuple[float, Picture]]:
    """As `read_video`, with frames that become pixels only when they are asked for them.

    With `is_faster`, frames beyond `max_fps` are looked for beforehand: what no other frame needs is not decoded.
    """
    unwanted = _unwanted(file, max_fps, container) if max_fps and is_faster else frozenset()
    seen = False
    with _open(file, container) as source:
        pictures = Pictures(_pictures(source), longest_side=longest_side, most_pixels=MOST_PIXELS)
        for time_s, frame in _paced(_timed(source, _decode(source, unwanted, threads)), _Pace(max_fps)):
            seen = True
            yield time_s, Picture(frame, pictures)
    if not seen:
        raise InvalidVideo("The video can't be decoded.")


class _Pace:
    """Which frames to take so that they come no faster than a rate, in even steps where the video's are even."""

    def __init__(self, max_fps: float | None) -> None:
        self.step_s = 1.0 / max_fps if max_fps else 0.0
        self._last_s: float | None = None
        self._due_s = 0.0

    def takes(self, time_s: float) -> bool:
        if self._last_s is None:
            self._due_s = time_s
        elif not self.is_later(time_s) or time_s < self._due_s - _AHEAD * self.step_s:
            return False
        # Frames that came late are made up for, but no more than one.
        self._due_s = max(self._due_s, time_s - self.step_s) + self.step_s
        self._last_s = time_s
        return True

    def is_later(self, time_s: float) -> bool:
        """Whether a frame comes after the last that was taken, at a distinguishable time."""
        return self._last_s is None or time_s >= self._last_s + _DISTINCT_S


def _paced(frames: Iterable[tuple[float, av.VideoFrame]], pace: _Pace) -> Iterator[tuple[float, av.VideoFrame]]:
    """The frames that a pace takes, and the last of all: a length counts to it. It replaces one just before it."""
    taken: tuple[float, av.VideoFrame] | None = None
    skipped: tuple[float, av.VideoFrame] | None = None
    for timed in frames:
        if pace.takes(timed[0]):
            if taken:
                yield taken
            taken, skipped = timed, None
        elif pace.is_later(timed[0]):
            skipped = timed
    if taken and not (skipped and skipped[0] - taken[0] < 0.6 * pace.step_s):
        yield taken
    if skipped:
        yield skipped


def _unwanted(file: Path | BinaryIO, max_fps: float, container: str | None) -> frozenset[float]:
    """Times of frames beyond a rate. Those of them that no other frame needs are never decoded."""
    with _open(file, container) as source:
        stamps = [] if source.format.name == "avi" else sorted({stamp for stamp, _ in _shown(source)})
    if not isinstance(file, Path):
        file.seek(0)
    pace = _Pace(max_fps)
    return frozenset([stamp for stamp in stamps if not pace.takes(stamp)]) - {*stamps[-1:]}


def _decode(source: av.container.InputContainer, unwanted: frozenset[float], threads: int) -> Iterator[av.VideoFrame]:
    """Frames in the order of presentation, as long as packets can be read."""
    stream = _pictures(source)
    stream.codec_context.thread_count = threads
    if threads > 1:
        stream.codec_context.thread_type = "FRAME"
    # What a container says of its pictures need not be what is in them.
    stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
    bad = 0
    packets = iter(source.demux(stream))
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            packet = None
        if unwanted and packet is not None:
            stream.codec_context.skip_frame = "NONREF" if _stamp(packet) in unwanted else "DEFAULT"
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


def _timed(
    source: av.container.InputContainer, frames: Iterable[av.VideoFrame]
) -> Iterator[tuple[float, av.VideoFrame]]:
    """Frames with their times in seconds."""
    # AVI has no presentation times: each packet's own is that of the frame that comes out when it goes in. The last
    # frames of a codec that reorders them come out when no packet goes in any more: they follow at the same distance.
    decoding_times = source.format.name == "avi"
    last_s: float | None = None
    intervals: list[float] = []
    for frame in frames:
        stamp = _stamp(frame, by_decoding=decoding_times)
        if stamp is not None:
            time_s = stamp
        elif decoding_times and last_s is not None and intervals:
            time_s = last_s + median(intervals)
        else:
            continue
        if decoding_times and last_s is not None and len(intervals) < _AVI_INTERVALS:
            intervals.append(time_s - last_s)
        last_s = time_s
        yield time_s, frame


def _shown(container: av.container.InputContainer) -> Iterator[tuple[float, int]]:
    """Time and size of each frame that is shown, in the order of the file."""
    by_decoding = container.format.name == "avi"
    try:
        for packet in container.demux(_pictures(container)):
            stamp = _stamp(packet, by_decoding=by_decoding)
            if stamp is not None and packet.size and not packet.is_discard:
                yield stamp, packet.size
    except av.FFmpegError:
        return  # it breaks off here


def _stamp(shown: Any, *, by_decoding: bool = False) -> float | None:
    """Time of a packet or frame."""
    ticks, base = shown.dts if by_decoding or shown.pts is None else shown.pts, shown.time_base
    # Of whole numbers, so it is the float nearest to the fraction.
    return None if ticks is None or base is None else ticks * base.numerator / base.denominator


def _interval_s(times: list[float]) -> float:
    return median(b - a for a, b in pairwise(times)) if len(times) > 1 else 0.0


def _pictures(container: av.container.InputContainer) -> av.VideoStream:
    """The stream that a player shows: not the cover of a recording that has one."""
    return cast("av.VideoStream", container.streams.best("video") or container.streams.video[0])


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
