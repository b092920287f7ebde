"""Colours that jump, vanish or turn black in mid window: a window is measured or withheld, never refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rppg_core import Trace, measure
from rppg_core.quality.probability import MIN_CONFIDENCE
from rppg_core.rolling import partial
from rppg_core.simulation.physiology import simulate_person
from rppg_core.simulation.traces import capture_times, simulate_trace

_RATE_BPM, _SECONDS = 72.0, 20.0


def face(fps: float = 15.0) -> Trace:
    person = simulate_person(heart_rate_bpm=_RATE_BPM, duration_s=_SECONDS, seed=1)
    return simulate_trace(person, capture_times(_SECONDS, fps), seed=1)


def broken(trace: Trace, rng: np.random.Generator) -> Trace:
    """A trace some of whose regions, channels and frames are black, bright, dimmed, noise or missing."""
    colours = trace.colours.copy()
    n_frames, n_regions = colours.shape[:2]
    for _ in range(rng.integers(1, 6)):
        start = int(rng.integers(0, n_frames))
        frames = np.arange(start, min(n_frames, start + int(rng.choice([1, 2, 5, 30, 200]))))
        regions = rng.permutation(n_regions)[: rng.integers(1, n_regions)]
        some = np.ix_(frames, regions, rng.permutation(3)[: rng.integers(1, 4)])
        noise, dimmed = rng.uniform(0.001, 255, colours[some].shape), colours[some] * rng.uniform(0, 1.5)
        black, dark, bright, missing = (np.full(noise.shape, level) for level in (0.01, 1.0, 255.0, np.nan))
        colours[some] = (black, dark, bright, missing, dimmed, noise)[rng.integers(0, 6)]
    broken = replace(trace, colours=np.minimum(colours, 255.0).astype(trace.colours.dtype))
    return broken.part(np.sort(rng.permutation(n_frames)[: rng.integers(n_frames // 4, n_frames + 1)]))


@pytest.mark.parametrize("seed", range(40))
def test_no_colours_stop_a_measurement(seed):
    vitals = measure(broken(face(), np.random.default_rng([19, seed])))
    assert 0.0 <= vitals.confidence <= 1.0
    assert (vitals.heart_rate_bpm is None) == (vitals.confidence < MIN_CONFIDENCE)


def test_a_region_that_was_dark_in_the_first_frames_costs_no_rate():
    trace = face()
    colours = trace.colours.copy()
    colours[:2, 3] *= 0.1
    vitals = measure(replace(trace, colours=colours))
    assert vitals.heart_rate_bpm == pytest.approx(_RATE_BPM, abs=1.0)


@pytest.mark.parametrize("fps", [30.0, 5.0])
@pytest.mark.parametrize("rate_bpm", [_RATE_BPM, None])
def test_a_trace_without_poses_is_judged_as_one_that_stands_still(fps, rate_bpm):
    person = None if rate_bpm is None else simulate_person(heart_rate_bpm=rate_bpm, duration_s=_SECONDS, seed=1)
    times = capture_times(_SECONDS, fps, jitter_s=0.1 / fps, seed=1)
    trace = simulate_trace(person, times, jitter_px=0.0, sway_px=0.0, seed=1)
    unposed = replace(trace, pose=np.zeros_like(trace.pose))
    vitals, shown = measure(unposed), partial(unposed)
    assert vitals.confidence == pytest.approx(measure(trace).confidence, abs=1e-9)
    assert shown is not None
    assert 0.0 <= shown.confidence <= 1.0
