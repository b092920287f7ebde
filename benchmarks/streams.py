"""Faces and photographs sent through video codecs, as webcams, cameras and chats send them.

A stream has a codec, a bitrate and a habit of keyframes; what comes out is read as a video, or as JPEGs that a backend
decoded from it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
import simplejpeg

from benchmarks.scheduling import scheduled_as_before
from rppg_core.face.reader import FaceReader, Frame
from rppg_core.media.video import probe, read_video
from rppg_core.simulation.faces import SimulatedFace, simulate_face
from rppg_core.simulation.scenes import Scene, moderate_scene
from rppg_core.trace.traces import Sample, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_CLOCK_HZ = 90_000
_REQUEST = 30
ENCODERS = ("libx264", "libx265", "libvpx", "libvpx-vp9", "libsvtav1", "mpeg4")
_GOPS = (8, 10, 12, 15, 18, 20, 24, 25, 30, 36, 40, 45, 48, 50, 60, 75, 90, 120, 150, 300)


@dataclass(frozen=True, slots=True)
class Stream:
    """How pictures are sent."""

    encoder: str = "libx264"
    gop: int = 30  # frames from keyframe to keyframe, at most
    scene_cut: bool = False  # whether the encoder may set keyframes of its own
    b_frames: int = 0
    refresh: bool = False  # a column of intra blocks that wanders instead of keyframes (x264)
    preset: str = "ultrafast"
    bits: float = 0.1  # a pixel and frame
    jpeg_quality: int = 0  # of the JPEGs that the decoded pictures are sent as; 0: the video itself

    def options(self, pixels: int, fps: float) -> dict[str, str]:
        """Options of the encoder, as FFmpeg names them."""
        rate = str(round(self.bits * pixels * fps))
        common = {"b": rate, "maxrate": rate, "bufsize": rate, "g": str(self.gop)}
        fixed = {} if self.scene_cut else {"keyint_min": str(self.gop), "sc_threshold": "0"}
        if self.encoder == "libx264":
            more = {"preset": self.preset, "bf": str(self.b_frames), **({"intra-refresh": "1"} if self.refresh else {})}
        elif self.encoder == "libx265":
            cut = "" if self.scene_cut else f":min-keyint={self.gop}:scenecut=0"
            kbit = round(self.bits * pixels * fps / 1000)
            params = f"log-level=none:pools=1:frame-threads=1:keyint={self.gop}{cut}:bframes={self.b_frames}"
            return {
                "preset": "ultrafast",
                "x265-params": f"{params}:bitrate={kbit}:vbv-maxrate={kbit}:vbv-bufsize={kbit}",
            }
        elif self.encoder in {"libvpx", "libvpx-vp9"}:
            more = {"deadline": "realtime", "cpu-used": "8", "threads": "1"}
            fixed = {} if self.scene_cut else {"keyint_min": str(self.gop)}
        elif self.encoder == "libsvtav1":
            return {
                "preset": "11", "g": str(self.gop), "b": rate,
                "svtav1-params": f"lp=1:pred-struct={1 + (self.b_frames > 0)}:rc={2 if not self.b_frames else 1}",
            }  # fmt: skip
        else:
            more = {"bf": str(self.b_frames)}
        return {**common, **fixed, **more}


def random_stream(rng: np.random.Generator, *, bits: tuple[float, float] = (0.02, 0.3)) -> Stream:
    """Any encoder with any habit."""
    encoder = str(rng.choice(ENCODERS, p=[0.5, 0.12, 0.12, 0.1, 0.06, 0.1]))
    refresh = encoder == "libx264" and rng.random() < 0.12
    return Stream(
        encoder=encoder,
        gop=int(rng.choice(_GOPS)),
        scene_cut=bool(rng.random() < 0.3),
        b_frames=int(rng.choice([0, 0, 2, 3]))
        if encoder in {"libx264", "libx265", "libsvtav1", "mpeg4"} and not refresh
        else 0,
        refresh=refresh,
        preset=str(rng.choice(["ultrafast", "superfast", "veryfast"])),
        bits=float(np.exp(rng.uniform(*np.log(bits)))),
        jpeg_quality=int(rng.choice([0, 0, 75, 90])),
    )


def film(images: Sequence[NDArray[np.uint8]], times_s: NDArray[np.float64], fps: float, stream: Stream) -> bytes:
    """The pictures as a video file."""
    file = io.BytesIO()
    height, width = (side // 2 * 2 for side in images[0].shape[:2])
    with scheduled_as_before(), av.open(file, "w", format="matroska") as out:
        made = cast("Any", out.add_stream(stream.encoder, rate=Fraction(fps).limit_denominator(1001)))
        made.options = stream.options(width * height, fps)
        made.width, made.height, made.pix_fmt = width, height, "yuv420p"
        made.bit_rate = round(stream.bits * width * height * fps)
        made.codec_context.thread_count = 1
        made.time_base = made.codec_context.time_base = Fraction(1, 1000)
        for image, time_s in zip(images, times_s, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), format="rgb24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            out.mux(made.encode(frame))
        out.mux(made.encode(None))
    return file.getvalue()


def decoded(video: bytes, stream: Stream) -> Iterator[Frame]:
    """The frames that the service is given."""
    for time_s, image in read_video(io.BytesIO(video)):
        at = round(time_s * 1e6)
        if stream.jpeg_quality:
            data = simplejpeg.encode_jpeg(image, quality=stream.jpeg_quality, colorspace="RGB", colorsubsampling="420")
            yield Frame(at, data)
        else:
            yield Frame(at, image)


def read_frames(frames: Iterator[Frame], reader: FaceReader, frame_size: tuple[int, int]) -> Trace | None:
    """The trace of frames, read in requests of one second; None if no frame was taken."""
    times: list[float] = []
    samples: list[Sample] = []
    state = None
    batch: list[Frame] = []

    def read() -> None:
        nonlocal state
        for reading in reader.read(batch, state):
            if reading.sample is not None:
                times.append(reading.time_us / 1e6)
                samples.append(reading.sample)
                state = reading.face
        batch.clear()

    for frame in frames:
        batch.append(frame)
        if len(batch) == _REQUEST:
            read()
    if batch:
        read()
    return Trace.of(times, samples, frame_size) if len(times) > 1 else None


def face_scene(seed: int, **changes: Any) -> Scene:
    """A face before a webcam, small as in a chat, whose frames are to be sent as video."""
    rng = np.random.default_rng([31, seed])
    eyes_px = float(rng.uniform(36, 64))
    scene = replace(
        moderate_scene(seed),
        duration_s=20.0,
        fps=float(rng.choice([30.0, 30.0, 25.0, 24.0])),
        eyes_px=eyes_px,
        frame_size=(round(5.2 * eyes_px / 2) * 2, round(4.9 * eyes_px / 2) * 2),
    )
    return replace(scene, **changes)


def photo_scene(seed: int, **changes: Any) -> Scene:
    """A photograph, held still, by hand, or moved."""
    rng = np.random.default_rng([32, seed])
    moved = seed % 3
    nothing: dict[str, Any] = {"pulse": 0.0, "recoil": 0.0, "talk": 0.0, "flicker": 0.0}
    motion: dict[str, Any] = (
        {"sway": 0.0, "tremor": 0.0, "turn": 0.0, "noise": float(rng.uniform(0.0, 1.5)), "drift": 0.0},
        {"sway": float(rng.uniform(0.005, 0.04)), "turn": 0.0},
        {"sway": float(rng.uniform(0.04, 0.15)), "turn": float(rng.uniform(0.01, 0.08))},
    )[moved]
    return replace(face_scene(seed), **nothing, **motion, **changes)


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """A scene, how it was sent, and the trace of what came out."""

    scene: Scene
    stream: Stream
    trace: Trace | None


def send(scene: Scene, streams: Sequence[Stream], reader: FaceReader) -> list[Sent]:
    """Render a scene once, and send it through each of the streams."""
    face: SimulatedFace = simulate_face(scene)
    images = [face.image(i) for i in range(len(face))]
    sent = []
    for stream in streams:
        video = film(images, face.times_s, scene.fps, stream)
        trace = read_frames(decoded(video, stream), reader, scene.frame_size)
        if trace is not None and not stream.jpeg_quality:
            trace = replace(trace, bits_a_pixel=probe(io.BytesIO(video)).bits_a_pixel(scene.frame_size))
        sent.append(Sent(scene, stream, trace))
    return sent
