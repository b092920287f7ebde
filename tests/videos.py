"""Video files for tests: one simulated face, filmed once, in every container and codec."""

from __future__ import annotations

import io
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from benchmarks.scheduling import scheduled_as_before
from rppg_core.simulation.faces import SimulatedFace, simulate_face
from rppg_core.simulation.scenes import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE_BPM = 80.0
FACE_1 = Path(__file__).parents[2] / "shared" / "data" / "face-1" / "face-1.mp4"
FACE_1_BPM = 75.7

CONTAINERS = (
    ("mp4", "libx264"),
    ("mp4", "libx265"),
    ("mp4", "libsvtav1"),
    ("webm", "libvpx"),
    ("webm", "libvpx-vp9"),
    ("webm", "libsvtav1"),
    ("mov", "libx264"),
    ("mov", "mjpeg"),
    ("avi", "mjpeg"),
    ("avi", "libx264"),
)
"""Containers and encoders, as FFmpeg names them."""

# Fine enough for a pulse in so small a face: slower presets smooth it away.
_OPTIONS = {
    "libx264": {"preset": "ultrafast", "crf": "12"},
    "libx265": {
        "preset": "ultrafast",
        "crf": "10",
        "tune": "grain",
        "x265-params": "log-level=none:pools=none:frame-threads=1",
    },
    "libsvtav1": {"preset": "10", "crf": "4", "svtav1-params": "lp=1:enable-tf=0:pred-struct=1"},
    "libvpx": {
        "deadline": "realtime",
        "cpu-used": "-6",  # negative: it stays; a positive one is the most, and a busy machine gets another picture
        "threads": "1",
        "crf": "4",
        "b": "12M",
        "qmin": "0",
        "qmax": "8",
    },
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "16", "b": "0"},
    "mjpeg": {"qmin": "2", "qmax": "3"},
}


@cache
def face() -> SimulatedFace:
    """10.5 s of a face at 80 bpm, small, evenly at 15 frames a second."""
    return simulate_face(
        Scene(heart_rate_bpm=RATE_BPM, duration_s=10.5, fps=15.0, frame_size=(320, 300), eyes_px=56.0, seed=3)
    )


@cache
def pictures() -> tuple[np.ndarray, ...]:
    """Its frames, RGB."""
    return tuple(face().image(i) for i in range(len(face())))


@cache
def encoded(container: str = "mp4", codec: str = "libx264", *, turned: int = 0) -> bytes:
    """The face as a file. `turned`: as a phone stores it that was held so, degrees counter-clockwise."""
    images = [np.rot90(image, -turned // 90) for image in pictures()]
    return encode(images, face().times_s, container=container, codec=codec, display_turned=turned)


def encode(images, times_s, *, container="mp4", codec="libx264", display_turned=0, clock_hz=90_000, fps=15) -> bytes:
    """Encode images at these times; AVI has none, so there they are even."""
    out = io.BytesIO()
    height, width = np.asarray(images[0]).shape[:2]
    base = Fraction(1, fps) if container == "avi" else Fraction(1, clock_hz)
    with scheduled_as_before(), av.open(out, "w", format=container) as file:
        stream = file.add_stream(codec, rate=fps, options=_OPTIONS.get(codec, {}))
        stream.width, stream.height = (width, height) if codec == "mjpeg" else (width // 2 * 2, height // 2 * 2)
        stream.pix_fmt = "yuvj444p" if codec == "mjpeg" else "yuv420p"
        stream.time_base = stream.codec_context.time_base = base
        if display_turned:
            stream.set_display_rotation(display_turned)
        for number, (image, time_s) in enumerate(zip(images, times_s, strict=True)):
            picture = np.ascontiguousarray(image[: stream.height, : stream.width])
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = (number if container == "avi" else round(time_s / base)), base
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


@cache
def a_while() -> bytes:
    """80 s of another face at 80 bpm, for what begins after a minute."""
    scene = Scene(heart_rate_bpm=RATE_BPM, duration_s=80.0, fps=10.0, frame_size=(240, 220), eyes_px=44.0, seed=5)
    long = simulate_face(scene)
    return encode([long.image(i) for i in range(len(long))], long.times_s, fps=10)


def looped(seconds: float) -> bytes:
    """The face again and again: 14 beats are as long as the film, so that the pulse goes on evenly."""
    return repeated(encoded(), round(seconds * 15), 15)


def repeated(video: bytes, count: int, fps: int) -> bytes:
    """An MP4 of so many frames: those of a shorter one again and again, without another encoding."""
    out = io.BytesIO()
    with av.open(io.BytesIO(video), "r") as source, av.open(out, "w", format="mp4") as file:
        pictured = source.streams.video[0]
        stream = file.add_stream_from_template(pictured)
        packets = [packet for packet in source.demux(pictured) if packet.size]
        base = pictured.time_base or Fraction(1, 90_000)
        step = round(1 / fps / base)
        kept = [(bytes(packet), packet.pts or 0, packet.dts or 0, packet.is_keyframe) for packet in packets]
        for number in range(count):
            data, pts, dts, is_key = kept[number % len(kept)]
            packet = av.Packet(data)
            packet.stream, packet.time_base, packet.is_keyframe, packet.duration = stream, base, is_key, step
            packet.pts, packet.dts = (stamp + number // len(kept) * len(kept) * step for stamp in (pts, dts))
            file.mux(packet)
    return out.getvalue()


def beginning_later(video: bytes, seconds: float) -> bytes:
    """The same MP4 with an edit list that hides its first seconds, as an editor cuts without another encoding."""
    out = io.BytesIO()
    with av.open(io.BytesIO(video), "r") as source, av.open(out, "w", format="mp4") as file:
        pictured = source.streams.video[0]
        stream = file.add_stream_from_template(pictured)
        for packet in source.demux(pictured):
            if packet.size and packet.pts is not None and packet.dts is not None and packet.time_base:
                hidden = round(seconds / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - hidden, packet.dts - hidden, stream
                file.mux(packet)
    return out.getvalue()


def blank(seconds: float, *, size=(160, 120), fps=15, container="mp4", codec="libx264") -> bytes:
    """A grey room without anybody in it."""
    count = max(1, round(seconds * fps))
    shades = [np.full((size[1], size[0], 3), 100 + i % 3, np.uint8) for i in range(3)]
    if container == "mp4" and count > 300:
        return repeated(blank(20, size=size, fps=fps, codec=codec), count, fps)
    images = [shades[i % 3] for i in range(count)]
    return encode(images, [i / fps for i in range(count)], container=container, codec=codec, fps=fps)


def sound(seconds: float = 6.0) -> bytes:
    """An MP4 with an audio stream alone."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("aac", rate=44_100)
        for number in range(round(seconds * 44_100 / 1024)):
            chunk = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            chunk.sample_rate, chunk.pts = 44_100, 1024 * number
            file.mux(stream.encode(chunk))
        file.mux(stream.encode(None))
    return out.getvalue()


def no_frames() -> bytes:
    """An MP4 with a video stream and nothing in it."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        file.start_encoding()
    return out.getvalue()


def chunks(data: bytes, size: int = 65_536) -> Iterator[bytes]:
    """A body without a length."""
    for at in range(0, len(data), size):
        yield data[at : at + size]


def many_large_frames(count: int = 1500, size: tuple[int, int] = (6000, 4000)) -> bytes:
    """50 s of 24 megapixels in a small file: a grey picture, and the frame that repeats it again and again."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=30, options={"preset": "ultrafast", "tune": "zerolatency"})
        (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 90, np.uint8), format="rgb24")
        packets = []
        for number in range(2):
            frame.pts = number
            packets += stream.encode(frame)
        first, again = (bytes(packet) for packet in packets)
        for number in range(count):
            packet = av.Packet(again if number else first)
            packet.pts = packet.dts = number
            packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, 30), stream, not number
            file.mux(packet)
    return out.getvalue()
