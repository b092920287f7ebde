"""The simulated face that the playground shows to those without a camera: rendered when it is first asked for."""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache

from rppg_core.simulation.faces import SimulatedFace, simulate_face
from rppg_core.simulation.scenes import Scene

FPS = 15
SECONDS = 32
SCENE = Scene(
    heart_rate_bpm=72.0,
    rmssd_ms=38.0,
    respiration_rate_bpm=15.0,
    sway=0.012,
    duration_s=float(SECONDS),
    fps=float(FPS),
    eyes_px=46.0,
    frame_size=(368, 338),
    seed=7,
)


@lru_cache(maxsize=SECONDS)
def second(number: int) -> tuple[str, ...]:
    """The frames of one second, JPEG in base64. Kept: all seconds together are some megabytes."""
    face = _face()
    return tuple(b64encode(face.jpeg(i)).decode() for i in range(number * FPS, (number + 1) * FPS))


@lru_cache(maxsize=1)
def _face() -> SimulatedFace:
    return simulate_face(SCENE)
