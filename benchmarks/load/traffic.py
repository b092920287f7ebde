"""What the people of a day share: the film they show, the key they use, and the count of what became of it all."""

from __future__ import annotations

import io
from collections import Counter, deque
from dataclasses import dataclass, field

import numpy as np

from benchmarks.material import FPS, simulated_frames
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.film import film
from rppg_core.simulation.scenes import Scene

RATE_BPM = 72.0
TOLERANCE_BPM = 3.0
HOURS = (0, 5, 7, 9, 11, 12, 13, 15, 17, 19, 22, 24)
SHARES = (0.15, 0.1, 0.3, 0.7, 0.9, 1.0, 0.7, 0.8, 0.9, 0.5, 0.25, 0.15)
"""People at work, as shares of noon's: night, the morning's ramp, noon, the afternoon, and home."""


@dataclass(slots=True)
class Traffic:
    """Built once, before anybody comes."""

    key: str
    windows_s: tuple[int, ...]
    hurry: float  # how much faster than they are taken frames of a batch client are sent
    frames: list[bytes] = field(default_factory=list)
    video: bytes = b""
    tally: Counter[str] = field(default_factory=Counter)
    recent: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=50))  # sessions and their measurements

    def film(self) -> None:
        """Render what is shown: seconds of a face, as JPEGs and as a short video."""
        self.frames = simulated_frames(round((max(self.windows_s) + 1) * FPS))
        scene = Scene(heart_rate_bpm=RATE_BPM, duration_s=10.5, fps=15.0, frame_size=(320, 300), eyes_px=56.0, seed=3)
        file = io.BytesIO()
        film(simulate_face(scene), file, crf=12)
        self.video = file.getvalue()

    def judge(self, rate_bpm: float | None) -> None:
        """Count a measured heart rate."""
        if rate_bpm is None:
            self.tally["heart rates withheld"] += 1
        elif abs(rate_bpm - RATE_BPM) > TOLERANCE_BPM:
            self.tally["heart rates wrong"] += 1


def share(day: float) -> float:
    """People at work at a moment of the day (0-1), as a share of noon's."""
    return float(np.interp(24 * day, HOURS, SHARES))
