"""A video file to upright JPEG frames with their presentation times, by PyAV alone. Imported when a file is opened."""

from __future__ import annotations

import re
import struct
from fractions import Fraction
from statistics import median
from typing import TYPE_CHECKING, Any

from beam_client._jpeg import JpegEncoder
from beam_client.errors import MissingDependency, SourceError
from beam_client.images import exif_orientation, with_orientation

try:
    import av
except ImportError as _missing:
    raise MissingDependency("Video files need PyAV: pip install 'beam-rppg-client[video]'") from _missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MOST_FPS = 30.0
_LONGEST_SIDE = 1920
_WIDEST_PIXEL = 4.0
_AHEAD = 0.2  # of a frame's interval: how much too early a frame may be and still count as on time
_CLOSE = 0.6  # of it: a last frame so soon after the one before takes its place
_DISTINCT_S = 0.0005
_MOST_BAD_PACKETS = 500
_DEGREES = re.compile(r"-?\d{1,3}(\.\d{1,6})?")


def length_ms(path: Path) -> float:
    """How long the frames that players show last: from the first to the last, and one typical interval for the last."""
    with _open(path) as file:
        times = sorted(float(stamp) for stamp in _shown(file))
    if not times:
        raise SourceError(f"{path} has no frames.")
    steps = [later - earlier for earlier, later in zip(times, times[1:])]
    return 1000 * (times[-1] - times[0] + (median(steps) if steps else 0.0))


def frames(path: Path) -> Iterator[tuple[float, bytes]]:
    """Yield presentation times in milliseconds, and frames as JPEG: upright, of square pixels, at most 30 a second.

    A video that breaks off ends there. Packets that can't be decoded are passed over.
    """
    encoder, seen = JpegEncoder(), False
    with _open(path) as file:
        stream = _pictures(file)
        aspect, tagged = float(stream.sample_aspect_ratio or 1), _tagged_orientation(stream.metadata)
        for time_s, frame in _paced(_timed(file, _decode(file))):
            seen = True
            jpeg = encoder.encode(frame, _square_size(frame.width, frame.height, aspect))
            yield max(0.0, 1000 * time_s), with_orientation(jpeg, _orientation(frame) or tagged)
    if not seen:
        raise SourceError(f"{path} can't be decoded as a video.")


def _open(path: Path) -> Any:
    try:
        file = av.open(str(path))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(f"{path} is no video that can be read.") from error
    if not file.streams.video:
        file.close()
        raise SourceError(f"{path} has no video stream.")
    return file


def _pictures(file: Any) -> Any:
    """The stream that a player shows: not the cover of a recording that has one."""
    return file.streams.best("video") or file.streams.video[0]


def _shown(file: Any) -> Iterator[Fraction]:
    by_decoding = file.format.name == "avi"
    try:
        for packet in file.demux(_pictures(file)):
            ticks = packet.dts if by_decoding or packet.pts is None else packet.pts
            if ticks is not None and packet.time_base is not None and packet.size and not packet.is_discard:
                yield Fraction(ticks * packet.time_base)
    except av.FFmpegError:
        return  # it breaks off here


def _decode(file: Any) -> Iterator[Any]:
    """Frames in the order of presentation, as long as packets can be read."""
    stream, bad = _pictures(file), 0
    packets = iter(file.demux(stream))
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
                raise SourceError("The video is corrupt.") from error
        if packet is None or packet.size == 0:
            return


def _timed(file: Any, decoded: Iterable[Any]) -> Iterator[tuple[float, Any]]:
    """Frames with their times in seconds.

    AVI has no presentation times: each packet's own is that of the frame that comes out when it goes in. The last
    frames of a codec that reorders them come out when no packet goes in any more, and follow at the same distance.
    """
    by_decoding = file.format.name == "avi"
    last_s, step_s = None, None
    for frame in decoded:
        stamp = frame.dts if by_decoding or frame.pts is None else frame.pts
        if stamp is not None and frame.time_base is not None:
            time_s = float(stamp * frame.time_base)
        elif by_decoding and last_s is not None and step_s is not None:
            time_s = last_s + step_s
        else:
            continue
        step_s = step_s if last_s is None else time_s - last_s
        last_s = time_s
        yield time_s, frame


def _paced(timed: Iterable[tuple[float, Any]]) -> Iterator[tuple[float, Any]]:
    """At most `MOST_FPS` frames a second, evenly where the video is even, and the last: a length counts to it."""
    step_s = 1.0 / MOST_FPS
    due_s = 0.0
    taken: tuple[float, Any] | None = None
    skipped: tuple[float, Any] | None = None
    for time_s, frame in timed:
        if taken and time_s < taken[0] + _DISTINCT_S:
            continue
        if taken and time_s < due_s - _AHEAD * step_s:
            skipped = (time_s, frame)
            continue
        # Frames that came late are made up for, but no more than one.
        due_s = max(due_s, time_s - step_s) + step_s if taken else time_s + step_s
        if taken:
            yield taken
        taken, skipped = (time_s, frame), None
    if taken and not (skipped and skipped[0] - taken[0] < _CLOSE * step_s):
        yield taken
    if skipped:
        yield skipped


def _square_size(width: int, height: int, pixel_aspect: float) -> tuple[int, int]:
    """Size in square pixels: the side along which pixels are longer is stretched, as players do."""
    if not 1 / _WIDEST_PIXEL <= pixel_aspect <= _WIDEST_PIXEL:
        pixel_aspect = 1.0
    wide, high = width * max(1.0, pixel_aspect), height * max(1.0, 1 / pixel_aspect)
    scale = min(1.0, _LONGEST_SIDE / max(wide, high))
    return max(2, round(wide * scale)), max(2, round(high * scale))


def _orientation(frame: Any) -> int | None:
    """EXIF's number for a frame's display matrix, of nine numbers: a point goes to (ax + cy, bx + dy)."""
    for data in frame.side_data:
        if str(getattr(data.type, "name", data.type)) == "DISPLAYMATRIX":
            matrix = struct.unpack("=9i", bytes(data)[:36])
            a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
            if abs(a) + abs(d) >= abs(b) + abs(c):
                return exif_orientation(transposed=False, mirrored=a < 0, upside_down=d < 0)
            return exif_orientation(transposed=True, mirrored=c < 0, upside_down=b < 0)
    return None


def _tagged_orientation(tags: dict[str, str]) -> int:
    """What the tag `rotate` says, in degrees clockwise; some recorders write it in place of a display matrix."""
    value = next((value for name, value in tags.items() if name.lower() == "rotate"), "0").strip()
    turns = round(float(value) / 90) % 4 if _DEGREES.fullmatch(value) else 0
    return (1, 6, 3, 8)[turns]
