"""What the speed benchmarks work on: JPEG frames 640x480, q90, 4:2:0, of a simulated and a real face, and of a wall."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from rppg_core.media.video import read_video
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene

CLIP = Path(__file__).parents[2] / "shared" / "data" / "face-1" / "face-1.mp4"
SIZE = (640, 480)
FPS = 30.0
BATCH = 30


def simulated_frames(n_frames: int) -> list[bytes]:
    """A person who sways a little."""
    face = simulate_face(Scene(duration_s=n_frames / FPS, fps=FPS, sway=0.015, turn=0.01, frame_size=SIZE, seed=3))
    return [face.jpeg(i) for i in range(n_frames)]


def clip_frames(n_frames: int, clip: Path = CLIP) -> list[bytes]:
    """The real clip, compressed again as a client would; empty where it isn't there."""
    if not clip.exists():
        return []
    return [encode(image) for _, image in islice(read_video(clip), n_frames)]


def wall_frame() -> bytes:
    """Texture and light, no face."""
    width, height = SIZE
    noise = np.random.default_rng(0).normal(0, 30, (height, width)).astype(np.float32)
    rough = cv2.GaussianBlur(noise, (0, 0), 2.0)[..., None]
    light = np.linspace(150, 190, width, dtype=np.float32)[None, :, None] * np.array([1.0, 0.95, 0.85], np.float32)
    return encode(np.clip(light + rough, 0, 255).astype(np.uint8))


def encode(image: np.ndarray) -> bytes:
    """As a client compresses it."""
    return simplejpeg.encode_jpeg(
        np.ascontiguousarray(image), quality=90, colorspace="RGB", colorsubsampling="420", fastdct=False
    )


def batches(frames: list[bytes]) -> list[list[bytes]]:
    """Whole batches only."""
    return [frames[i : i + BATCH] for i in range(0, len(frames) - BATCH + 1, BATCH)]
