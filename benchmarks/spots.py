"""Simulated traces of one or a few spots of skin, such as a fingertip on a lens: with a pulse, and with none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.simulation.physiology import Physiology, simulate_person
from rppg_core.simulation.traces import capture_times, simulate_trace

if TYPE_CHECKING:
    from rppg_core.trace.traces import Trace

_SECONDS = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """A trace, and whose pulse it shows: None for nobody's."""

    seed: int
    trace: Trace
    person: Physiology | None


def spot(seed: int) -> Spot:
    """A spot of that seed; each third has no pulse.

    None has a lamp that beats: a covered lens sees its own light alone, and on one spot nothing tells the two apart.
    """
    rng = np.random.default_rng([8, seed])
    person = None
    if seed % 3:
        rate_bpm = float(rng.uniform(45, 170))
        calm_ms = float(rng.uniform(10, 60)) * min(1.0, (75 / rate_bpm) ** 2)
        person = simulate_person(
            heart_rate_bpm=rate_bpm, duration_s=_SECONDS, rmssd_ms=calm_ms, lf_ms=calm_ms / 2, seed=seed
        )
    trace = simulate_trace(
        person,
        capture_times(_SECONDS, float(rng.choice([15.0, 24.0, 30.0])), jitter_s=0.003, seed=seed),
        amplitude=float(np.exp(rng.uniform(np.log(0.002), np.log(0.04)))),
        n_regions=int(rng.integers(1, 4)),
        noise=float(np.exp(rng.uniform(np.log(0.0005), np.log(0.01)))),
        jitter_px=0.0,
        sway_px=float(rng.choice([0.0, 2.0])),
        light_drift=float(rng.uniform(0.002, 0.03)),
        talking=float(rng.uniform(0, 0.01)) if rng.random() < 0.3 else 0.0,
        seed=seed,
    )
    return Spot(seed, trace, person)
