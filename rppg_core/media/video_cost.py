"""How much of a video is analysed, and how long that takes, predicted from what its container holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rppg_core.media.video import VideoInfo

MAX_FPS = 30.0
"""Faster videos are thinned: a pulse has nothing that 30 frames a second don't show."""

LONGEST_SIDE = 1920
"""Larger pictures are reduced: a face in them has more pixels than a pulse needs."""

WINDOW_S, APART_S = 300.0, 240.0
"""A longer video is analysed in windows of this length, each beginning at most so long after the one before."""

# Of FFmpeg's decoders on one core: h264 and hevc from a few short clips, the others estimated from those.
_NS_A_PIXEL = {
    "h264": 1.2,
    "hevc": 2.2,
    "av1": 2.5,
    "vp9": 2.0,
    "vp8": 1.5,
    "mjpeg": 2.5,
    "mpeg4": 1.5,
    "rawvideo": 0.5,
}
_NS_A_BYTE = 60.0  # entropy decoding, whatever the codec
_RAW_NS_A_BYTE = 1.0
_KEPT_NS_A_PIXEL = 1.2  # conversion to RGB
_KEPT_S = 0.0025  # following the face, and the colours of its skin
_START_S = 3.0
_MORE_S = 0.0006  # of frames beyond one window: their windows are measured too, and overlap


def predicted_s(info: VideoInfo) -> float:
    """Seconds on one core from the first packet to the vitals.

    It counts the packets that are in the file, so a container that claims a length costs nothing by that.
    """
    kept = min(info.frames, MAX_FPS * info.duration_s)
    pixels = info.width * info.height
    byte_ns = _RAW_NS_A_BYTE if info.codec == "rawvideo" else _NS_A_BYTE
    decoding_ns = info.frames * pixels * _NS_A_PIXEL[info.codec] + info.size_bytes * byte_ns
    start_s = _START_S + max(kept - MAX_FPS * (WINDOW_S + 1.0), 0.0) * _MORE_S
    return start_s + 1e-9 * (decoding_ns + kept * pixels * _KEPT_NS_A_PIXEL) + kept * _KEPT_S
