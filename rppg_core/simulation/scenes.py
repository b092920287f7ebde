"""What a simulated recording shows: a face, a light, a camera, and how hard they make it. `simulate` renders it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

# Mean sRGB of facial skin by Fitzpatrick type, and how much of the pulse melanin lets through.
SKIN_RGB = {
    1: (218, 182, 158),
    2: (208, 168, 142),
    3: (194, 150, 120),
    4: (168, 121, 93),
    5: (140, 98, 75),
    6: (108, 76, 60),
}
HAIR = {1: 1.0, 2: 0.9, 3: 0.6, 4: 0.4, 5: 0.3, 6: 0.25}  # brightness of the portrait's hair
PULSE_SHARE = {1: 1.0, 2: 0.95, 3: 0.85, 4: 0.65, 5: 0.45, 6: 0.32}

NO_PULSE = ("photo", "print", "screen", "mask", "noise", "nodding")
"""Scenes without blood: a photo held by hand, a print that is moved, a flickering screen, a painted mask, a still
picture under heavy noise, and a head that nods at a heart's rate."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One recording. Distances are shares of the distance between the eyes, angles in radians."""

    heart_rate_bpm: float = 72.0
    rmssd_ms: float = 35.0
    respiration_rate_bpm: float = 15.0
    spo2_percent: float = 98.0
    ectopic_beats: int = 0
    irregular: float = 0.0  # spread of intervals by chance, as a share of their mean: atrial fibrillation has 0.15-0.3
    red_pulse: float = 0.43  # of red and of blue against green's; lamps and a camera's colour matrix change them
    blue_pulse: float = 0.69
    pulse: float = 0.010  # relative change of green from foot to crest on skin of type I; 0: no blood
    duration_s: float = 30.0
    seed: int = 0

    # face
    skin: int = 2  # Fitzpatrick type
    eyes_px: float = 60.0  # distance of the eyes: 25 is a small face, 120 a close one
    mirror: bool = False
    aspect: float = 1.0  # width of the face against the portrait's
    glasses: bool = False
    paint: float = 0.0  # how far the skin is replaced by flat colour (a mask)

    # motion
    sway: float = 0.0  # wandering of the head, rms of translation; rotation goes with it
    tremor: float = 0.0  # unrest within the pulse's own band, rms; rotation goes with it
    turn: float = 0.0  # rms of yaw
    talk: float = 0.0  # opening of the jaw
    nod: float = 0.0  # periodic, at `nod_hz`
    nod_hz: float = 1.2
    recoil: float = 0.004  # the head's own nod with each beat, as long as there is blood

    # light
    brightness: float = 1.0
    flicker: float = 0.0  # relative amplitude of a tone in the light
    flicker_hz: float = 1.0
    drift: float = 0.01  # slow change of the light, rms
    tint_drift: float = 0.002  # slow change between its colours, rms: auto white balance
    side_light: float = 0.15  # how strongly shading depends on where the face turns

    # camera
    fps: float = 30.0
    time_jitter: float = 0.0  # of the capture times, as a share of a frame, rms
    dropped: float = 0.0  # share of frames lost
    noise: float = 1.5  # sensor noise of a pixel, rms, in 8-bit levels at half brightness
    codec: str = "jpeg"  # or "h264": frames come from a video
    jpeg_quality: int = 90
    crf: int = 23  # of H.264
    frame_size: tuple[int, int] = (480, 440)


def moderate_scene(seed: int, **changes: Any) -> Scene:
    """A cooperative person before a webcam: any skin up to type V, any rate, small movements, fair light."""
    rng = np.random.default_rng([1, seed])
    scene = Scene(
        **_person(rng, seed),
        skin=int(rng.integers(1, 6)),
        sway=float(rng.uniform(0.005, 0.03)),
        tremor=float(rng.uniform(0.0, 0.006)),
        turn=float(rng.uniform(0.0, 0.02)),
        drift=float(rng.uniform(0.0, 0.015)),
        noise=float(rng.uniform(0.8, 2.0)),
        jpeg_quality=int(rng.integers(80, 96)),
        pulse=float(rng.uniform(0.008, 0.014)),
    )
    return replace(scene, **changes)


def hard_scene(seed: int, **changes: Any) -> Scene:
    """Dark skin, movement, talk, flicker, compression and few frames, each at times and often together."""
    rng = np.random.default_rng([2, seed])

    def at_times(share: float, low: float, high: float) -> float:
        return float(rng.uniform(low, high)) if rng.random() < share else 0.0

    scene = Scene(
        **_person(rng, seed),
        skin=int(rng.choice([1, 2, 3, 4, 5, 6], p=[0.1, 0.1, 0.15, 0.2, 0.25, 0.2])),
        glasses=bool(rng.random() < 0.25),
        sway=float(rng.uniform(0.01, 0.08)),
        tremor=float(rng.uniform(0.0, 0.01)),
        turn=float(rng.uniform(0.0, 0.08)),
        talk=at_times(0.4, 0.03, 0.12),
        brightness=float(rng.uniform(0.6, 1.05)),
        flicker=at_times(0.4, 0.002, 0.012),
        flicker_hz=float(rng.uniform(0.7, 6.0)),
        drift=float(rng.uniform(0.0, 0.03)),
        tint_drift=float(rng.uniform(0.0, 0.004)),
        side_light=float(rng.uniform(0.1, 0.4)),
        noise=float(rng.uniform(1.0, 3.5)),
        jpeg_quality=int(rng.integers(60, 91)),
        fps=float(rng.choice([15.0, 20.0, 25.0, 30.0], p=[0.6, 0.1, 0.1, 0.2])),
        time_jitter=float(rng.uniform(0.0, 0.15)),
        dropped=float(rng.uniform(0.0, 0.05)),
        ectopic_beats=int(rng.choice([0, 1, 3], p=[0.85, 0.1, 0.05])),
        pulse=float(rng.uniform(0.007, 0.014)),
    )
    return replace(scene, **changes)


def no_pulse_scene(kind: str, seed: int, **changes: Any) -> Scene:
    """One of `NO_PULSE`; raises ValueError for another name."""
    rng = np.random.default_rng([3, NO_PULSE.index(kind), seed])
    base = replace(
        moderate_scene(seed) if rng.random() < 0.5 else hard_scene(seed),
        pulse=0.0,
        recoil=0.0,
        flicker=0.0,
    )
    scene = {
        "photo": replace(base, sway=float(rng.uniform(0.0, 0.05)), turn=0.0, talk=0.0),
        "print": replace(base, sway=float(rng.uniform(0.05, 0.2)), turn=float(rng.uniform(0.02, 0.1)), talk=0.0),
        "screen": replace(
            base, flicker=float(rng.uniform(0.002, 0.02)), flicker_hz=float(rng.uniform(0.7, 3.0)), turn=0.0, talk=0.0
        ),
        "mask": replace(base, paint=0.9),
        "noise": replace(base, sway=0.0, tremor=0.0, turn=0.0, talk=0.0, drift=0.0, noise=float(rng.uniform(4.0, 8.0))),
        "nodding": replace(base, nod=float(rng.uniform(0.02, 0.12)), nod_hz=float(rng.uniform(0.9, 2.0))),
    }[kind]
    return replace(scene, **changes)


def _person(rng: np.random.Generator, seed: int) -> dict[str, Any]:
    rate = float(rng.uniform(45, 180)) if rng.random() < 0.6 else float(np.clip(rng.normal(75, 12), 45, 120))
    eyes_px = float(rng.uniform(32, 75))
    # A fast heart is a regular one.
    widest = 60.0 * min(1.0, (75.0 / rate) ** 2)
    return {
        "heart_rate_bpm": rate,
        "rmssd_ms": float(rng.uniform(0.2, 1.0) * max(widest, 8.0)),
        "respiration_rate_bpm": float(rng.uniform(9, 24)),
        "spo2_percent": float(rng.uniform(90, 100)),
        # A camera's colour matrix takes green from red, to the point where red stands still.
        "red_pulse": float(rng.uniform(-0.05, 0.5)),
        "blue_pulse": float(rng.uniform(0.2, 0.8)),
        "recoil": float(rng.uniform(0.002, 0.007)),
        "seed": seed,
        "eyes_px": eyes_px,
        "frame_size": (round(5.2 * eyes_px), round(4.9 * eyes_px)),
        "mirror": bool(rng.random() < 0.5),
        "aspect": float(rng.uniform(0.9, 1.1)),
    }
