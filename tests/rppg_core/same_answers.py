"""Recordings whose vitals are kept, so that a change of form alone can be shown to change no answer.

`python -m tests.rppg_core.same_answers --write` keeps the present answers as the right ones. Do that only with a
change that is meant to change answers, and say so in its commit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from rppg_core import Trace, Vitals, measure
from rppg_core.face.regions import N_REGIONS
from rppg_core.rolling import partial
from rppg_core.simulation.physiology import Physiology, simulate_person
from rppg_core.simulation.traces import capture_times, simulate_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEPT = Path(__file__).with_name("same_answers.json")


def person(rate_bpm: float = 72.0, seconds: float = 30.0, **changes: Any) -> Physiology:
    """A calm person."""
    calm_ms = 30 * min(1.0, (75 / rate_bpm) ** 2)
    facts = {"heart_rate_bpm": rate_bpm, "duration_s": seconds, "rmssd_ms": calm_ms, "lf_ms": calm_ms / 2, "seed": 1}
    return simulate_person(**(facts | changes))


def face(rate_bpm: float = 72.0, seconds: float = 30.0, fps: float = 30.0, **scene: Any) -> Trace:
    """A face before a camera that takes frames evenly."""
    return simulate_trace(person(rate_bpm, seconds), capture_times(seconds, fps), **({"seed": 1} | scene))


def photograph(seconds: float = 20.0, **scene: Any) -> Trace:
    """What has no pulse."""
    return simulate_trace(None, capture_times(seconds, 30.0), **({"seed": 2} | scene))


def uneven(rate_bpm: float, seconds: float, fps: float, *, seed: int = 3, **scene: Any) -> Trace:
    """A face whose frames come slowly and at irregular times."""
    rng = np.random.default_rng(seed)
    slots = np.arange(int(seconds * fps))
    times = (slots + 0.5 + rng.uniform(-0.3, 0.3, len(slots))) / fps
    return simulate_trace(person(rate_bpm, seconds), times, **({"seed": seed} | scene))


def bursts() -> Trace:
    """Frames of half a second each, with a second and a half between."""
    times = capture_times(40.0, 25.0)
    return simulate_trace(person(66.0, 40.0), times[(times % 2.0) < 0.5], seed=4)


def hidden_regions() -> Trace:
    """A face of the reader's own regions, some of which are not seen for a while or at all."""
    trace = face(80.0, n_regions=N_REGIONS, seed=6)
    colours = trace.colours.copy()
    colours[200:300, 4] = np.nan
    colours[:, 9] = np.nan
    return Trace(trace.times_s, colours, trace.pose, trace.frame_size)


def turned_head() -> Trace:
    """A face of the reader's own regions whose far cheek is left out."""
    trace = face(64.0, n_regions=N_REGIONS, seed=7)
    pose = trace.pose.copy()
    pose[:, 4] += 0.3
    return Trace(trace.times_s, trace.colours, pose, trace.frame_size)


RECORDINGS: Mapping[str, Callable[[], Trace]] = {
    "calm": face,
    "slow heart": lambda: face(45.0),
    "fast heart": lambda: face(150.0, seed=2),
    "very fast heart": lambda: face(205.0, seed=3),
    "dark skin": lambda: face(88.0, amplitude=0.003, brightness=0.35, seed=4),
    "noisy": lambda: face(95.0, noise=0.004, amplitude=0.004, seed=5),
    "10 fps": lambda: face(81.0, fps=10.0),
    "15 fps, 60 s": lambda: face(58.0, 60.0, 15.0, seed=8),
    "20 fps, 130 s": lambda: face(63.0, 130.0, 20.0, seed=16),
    "60 fps": lambda: face(76.0, 20.0, 59.94, seed=9),
    "lost frames and a gap": lambda: simulate_trace(
        person(66.0), capture_times(30, 30, jitter_s=0.006, dropped=0.08, gap_s=1.2, seed=3), seed=3
    ),
    "ectopic beats": lambda: simulate_trace(person(70.0, ectopic_beats=3, seed=5), capture_times(30, 30), seed=5),
    "talking": lambda: face(72.0, talking=0.02, sway_px=12.0, seed=10),
    "flicker": lambda: face(75.0, flicker=0.006, flicker_hz=1.7, seed=11),
    "nodding": lambda: face(72.0, nod_px=4.0, nod_hz=1.4, seed=12),
    "hidden regions": hidden_regions,
    "turned head": turned_head,
    "6 s": lambda: face(90.0, 6.0),
    "3 s": lambda: face(90.0, 3.0),
    "fingertip": lambda: face(69.0, n_regions=1, amplitude=0.02, jitter_px=0.0, sway_px=0.0, seed=13),
    "three spots": lambda: face(84.0, 20.0, n_regions=3, amplitude=0.01, seed=14),
    "1.6 uneven fps, 60 s": lambda: uneven(72.0, 60.0, 1.6),
    "3 uneven fps, 150 s": lambda: uneven(101.0, 150.0, 3.0, seed=4),
    "2 even fps": lambda: face(72.0, 60.0, 2.0),
    "bursts": bursts,
    "photograph": photograph,
    "nodding photograph": lambda: photograph(nod_px=6.0, nod_hz=1.2),
    "photograph under a lamp": lambda: photograph(flicker=0.01, flicker_hz=1.2),
    "photograph under a coloured lamp": lambda: photograph(flicker=0.01, flicker_rgb=(0.5, 1.0, 0.7)),
    "one spot without pulse": lambda: photograph(n_regions=1),
    "uneven photograph": lambda: simulate_trace(None, uneven(60.0, 60.0, 1.6).times_s, seed=15),
}


def answers(trace: Trace) -> dict[str, Any]:
    """All that is said of a trace, floats exactly."""
    vitals, rolling = measure(trace), partial(trace)
    said = plain(vitals)
    if rolling is not None:
        said["rolling"] = [rolling.heart_rate_bpm, rolling.confidence, float(np.abs(rolling.ppg).sum())]
    return said


def plain(vitals: Vitals) -> dict[str, Any]:
    """Vitals in what JSON can hold; of the waves, their size."""
    wave = vitals.waveform
    return {
        "vitals": [
            vitals.heart_rate_bpm,
            vitals.rmssd_ms,
            vitals.sdnn_ms,
            vitals.spo2_percent,
            vitals.stress_index,
            vitals.respiration_rate_bpm,
        ],
        "confidence": vitals.confidence,
        "quality": asdict(vitals.quality),
        "withheld": dict(vitals.withheld),
        "interval": {vital: list(range_) for vital, range_ in vitals.interval.items()},
        "hrv_details": {**vitals.hrv_details.values, "withheld": dict(vitals.hrv_details.withheld)},
        "guidance": list(vitals.guidance),
        "waves": [wave.fs, float(np.abs(wave.ppg).sum()), float(np.abs(wave.respiration).sum())],
        "beats_s": wave.beats_s.tolist(),
    }


def platform_digest() -> str:
    """What a last digit depends on: the libraries, the processor's instructions, and the threads of the algebra."""
    cpu = Path("/proc/cpuinfo")
    flags = (
        next((line for line in cpu.read_text().splitlines() if line.startswith("flags")), "") if cpu.exists() else ""
    )
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "") or os.environ.get("OMP_NUM_THREADS", "")
    facts = (np.__version__, scipy.__version__, platform.machine(), platform.system(), flags, threads)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def main() -> None:
    """Print how many recordings differ from what is kept; with `--write`, keep what is said now."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    now = {name: answers(make()) for name, make in RECORDINGS.items()}
    if parser.parse_args().write:
        KEPT.write_text(json.dumps({"platform": platform_digest(), "answers": now}, indent=1) + "\n")
        return
    kept = json.loads(KEPT.read_text())["answers"]
    print([name for name in now if json.loads(json.dumps(now[name])) != kept.get(name)])


if __name__ == "__main__":
    main()
