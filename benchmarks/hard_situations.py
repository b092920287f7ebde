"""The situations of `benchmarks.hard_cases`, as traces with their truth: each from a seed alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from rppg_core.simulation.physiology import Physiology, simulate_person, without_rhythm
from rppg_core.simulation.traces import capture_times, simulate_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from rppg_core.trace.traces import Trace


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A trace, and the rate that is right for it; None where none is."""

    trace: Trace
    truth_bpm: float | None


def _person(rng: np.random.Generator, rate_bpm: float, seconds: float) -> Physiology:
    """Somebody of this mean rate; fast hearts vary less."""
    rmssd_ms = rng.uniform(15, 60) * min(1.0, (75 / rate_bpm) ** 2)
    return simulate_person(
        heart_rate_bpm=rate_bpm,
        duration_s=seconds,
        rmssd_ms=rmssd_ms,
        lf_ms=rmssd_ms / 2,
        respiration_rate_bpm=rng.uniform(10, 20),
        seed=int(rng.integers(1 << 30)),
    )


def _scene(rng: np.random.Generator) -> dict[str, Any]:
    """Skin, noise and movement as a phone or a laptop's camera has them."""
    return {
        "amplitude": float(np.exp(rng.uniform(np.log(0.003), np.log(0.015)))),
        "noise": float(np.exp(rng.uniform(np.log(0.001), np.log(0.006)))),
        "brightness": rng.uniform(0.5, 1.2),
        "sway_px": rng.uniform(1, 10),
        "talking": rng.choice([0.0, 0.0, 0.01]),
        "seed": int(rng.integers(1 << 30)),
    }


def _hard_scene(rng: np.random.Generator) -> dict[str, Any]:
    """Weak pulses, loud noise and much movement."""
    return _scene(rng) | {
        "amplitude": float(np.exp(rng.uniform(np.log(0.001), np.log(0.004)))),
        "noise": float(np.exp(rng.uniform(np.log(0.002), np.log(0.008)))),
        "sway_px": rng.uniform(5, 25),
        "shading": 0.004,
        "talking": rng.choice([0.0, 0.01, 0.03]),
        "nod_px": rng.choice([0.0, 1.0]),
        "nod_hz": rng.uniform(0.6, 2.0),
    }


def _of(person: Physiology, times_s: NDArray[np.float64], scene: dict[str, Any]) -> Case:
    truth = person.truth(float(times_s[0]), float(times_s[-1]))
    return Case(simulate_trace(person, times_s, **scene), truth.heart_rate_bpm)


def _with_gain(case: Case, gain: NDArray[np.float64]) -> Case:
    """The same under a gain (n, 3) of the camera's channels."""
    return replace(case, trace=replace(case.trace, colours=case.trace.colours * gain[:, None, :]))


def short_clip(seconds: float, seed: int, *, hard: bool = False) -> Case:
    """A clip of some seconds, of 12 to 30 frames a second."""
    rng = np.random.default_rng([1, seed])
    person = _person(rng, rng.uniform(48, 120), seconds)
    times = capture_times(seconds, rng.choice([12.0, 15.0, 24.0, 30.0]))
    return _of(person, times, _hard_scene(rng) if hard else _scene(rng))


def still_clip(seconds: float, seed: int) -> Case:
    """A clip without any pulse, of a swaying and talking head."""
    rng = np.random.default_rng([2, seed])
    times = capture_times(seconds, rng.choice([12.0, 15.0, 24.0, 30.0]))
    return Case(simulate_trace(None, times, **_hard_scene(rng)), None)


def evenly_slow(fps: float, seed: int) -> Case:
    """Frames at even times, too slow for the pulse: nothing tells it from its aliases, if a heart can have them."""
    rng = np.random.default_rng([3, seed])
    seconds = rng.choice([30.0, 60.0])
    case = _of(_person(rng, rng.uniform(48, 120), seconds), capture_times(seconds, fps, jitter_s=0.002), _scene(rng))
    assert case.truth_bpm is not None
    aliases = np.abs(60 * fps * np.arange(1, 6)[:, None] + case.truth_bpm * np.array([-1, 1]))
    possible = (aliases > 39) & (aliases < 220) & (np.abs(aliases - case.truth_bpm) > 2)
    return replace(case, truth_bpm=None) if possible.any() else case


def unevenly_slow(fps: float, seed: int) -> Case:
    """Frames as slow at uneven times, which do tell the pulse from its aliases."""
    rng = np.random.default_rng([4, seed])
    seconds = 60.0
    slots = np.arange(int(seconds * fps))
    times = (slots + 0.5 + rng.uniform(-0.4, 0.4, len(slots))) / fps
    return _of(_person(rng, rng.uniform(48, 120), seconds), times, _scene(rng))


def replaced_person(apart_bpm: tuple[float, float], seed: int) -> Case:
    """Somebody else sits down in mid window, with a pulse and a skin of their own."""
    rng = np.random.default_rng([5, seed])
    seconds, fps = rng.choice([20.0, 30.0]), 30.0
    first = rng.uniform(55, 85)
    second = first + rng.uniform(*apart_bpm) * rng.choice([-1, 1])
    cut = rng.uniform(0.35, 0.65) * seconds
    times = capture_times(seconds, fps)
    one = simulate_trace(_person(rng, first, seconds), times, **_scene(rng))
    tint = 1 + rng.uniform(-0.15, 0.15, 3)
    other = simulate_trace(_person(rng, second, seconds), times, **_scene(rng))
    later = (times >= cut)[:, None]
    seat = np.array([*rng.uniform(-15, 15, 2), rng.uniform(-12, 12), 0, 0])
    pose = np.where(later, other.pose + seat, one.pose)
    colours = np.where(later[..., None], other.colours * tint, one.colours)
    return Case(replace(one, colours=colours, pose=pose), None)


def recovering(seed: int) -> Case:
    """A heart after exercise, 150 to 200 bpm, that slows by 30 bpm in the window: right is the window's mean."""
    rng = np.random.default_rng([6, seed])
    seconds, start = 30.0, rng.uniform(150, 200)
    steady = _person(rng, start - 15, seconds)
    return _of(_slowing(steady, start, start - 30, seconds), capture_times(seconds, 30.0), _scene(rng))


def _slowing(person: Physiology, start_bpm: float, end_bpm: float, seconds: float) -> Physiology:
    """The same person with a rate that goes evenly from one to the other; variability stays beat by beat."""
    relative = np.diff(person.beats_s)
    relative = relative / relative.mean()
    beats = [float(person.beats_s[0])]
    for share in relative:
        rate = start_bpm + (end_bpm - start_bpm) * min(max(beats[-1] / seconds, 0.0), 1.0)
        beats.append(beats[-1] + 60 / rate * share)
    while beats[-1] < seconds + 4:
        beats.append(beats[-1] + 60 / end_bpm)
    heights = np.resize(person.beat_heights, len(beats))
    return replace(person, beats_s=np.array(beats), beat_heights=heights, ectopic=np.zeros(len(beats), dtype=bool))


def ordinary(low_bpm: float, high_bpm: float, seed: int) -> Case:
    """Half a minute at 30 frames a second."""
    rng = np.random.default_rng([7, seed])
    return _of(_person(rng, rng.uniform(low_bpm, high_bpm), 30.0), capture_times(30.0, 30.0), _scene(rng))


def without_a_rhythm(seconds: float, seed: int, *, fps: float | None = None) -> Case:
    """A heart in atrial fibrillation: right is the mean rate of its beats. With `fps`, in uneven and slow frames."""
    rng = np.random.default_rng([12, seed])
    person = without_rhythm(_person(rng, rng.uniform(55, 130), seconds), rng.uniform(0.12, 0.28), seed)
    slots = np.arange(int(seconds * (fps or 30.0)))
    times = capture_times(seconds, 30.0) if fps is None else (slots + 0.5 + rng.uniform(-0.4, 0.4, len(slots))) / fps
    return _of(person, times, _scene(rng))


def light_step(seed: int) -> Case:
    """The light or the white balance steps once or twice."""
    rng = np.random.default_rng([8, seed])
    case = ordinary(50, 110, seed)
    times, gain = case.trace.times_s, np.ones((len(case.trace.times_s), 3))
    for at in rng.uniform(5, 25, rng.integers(1, 3)):
        step = rng.choice([-1, 1]) * rng.uniform(0.03, 0.25) * np.ones(3)
        if rng.random() < 0.5:
            step = rng.uniform(-0.1, 0.1, 3)
        gain[times >= at] *= 1 + step
    return _with_gain(case, gain)


def exposure_hunting(seed: int) -> Case:
    """A camera that hunts for its exposure by 4 %, in steps between two levels at the pace of its control loop."""
    rng = np.random.default_rng([9, seed])
    case = ordinary(50, 110, seed)
    times = case.trace.times_s
    hz, steps = rng.uniform(0.5, 3.0), rng.integers(1, 5)  # frames that one step of the loop takes
    phase = np.floor(times * 30 / steps) * steps / 30 * hz
    wave = np.abs(2 * (phase % 1) - 1) - 0.5  # a triangle, 1 from end to end
    return _with_gain(case, 1 + 0.04 * wave[:, None] * (1 + rng.uniform(-0.1, 0.1, 3)))


def frozen(seed: int) -> Case:
    """The picture freezes a few times, for up to a second."""
    rng = np.random.default_rng([10, seed])
    case = ordinary(50, 110, seed)
    index = np.arange(len(case.trace.times_s))
    for start in rng.integers(0, len(index) - 40, rng.integers(2, 6)):
        stop = start + rng.integers(8, 31)
        index[start:stop] = index[start]
    return replace(case, trace=_showing(case.trace, index))


def doubled(seed: int) -> Case:
    """A screen recording of 60 frames a second of a camera of 30."""
    case = ordinary(50, 110, seed)
    index = np.repeat(np.arange(len(case.trace.times_s)), 2)
    trace = _showing(case.trace, index)
    return replace(case, trace=replace(trace, times_s=case.trace.times_s[0] + np.arange(len(index)) / 60))


def _showing(trace: Trace, index: NDArray[np.intp]) -> Trace:
    """Frames of other moments; times stay where there are as many."""
    times = trace.times_s if len(index) == len(trace.times_s) else np.arange(len(index)) / 60
    return replace(trace, times_s=times, colours=trace.colours[index], pose=trace.pose[index])


def returning(seed: int) -> Case:
    """The face leaves the picture for some seconds and comes back."""
    rng = np.random.default_rng([11, seed])
    case = ordinary(50, 110, seed)
    start = rng.uniform(5, 18)
    away = (case.trace.times_s >= start) & (case.trace.times_s < start + rng.uniform(1, 7))
    return replace(case, trace=case.trace.part(~away))


SITUATIONS: Mapping[str, Callable[[int], Case]] = MappingProxyType(
    {f"clip of {s} s": partial(short_clip, float(s)) for s in (5, 6, 8, 10, 15)}
    | {f"hard clip of {s} s": partial(short_clip, float(s), hard=True) for s in (5, 6, 8, 10, 15)}
    | {f"no pulse, {s} s": partial(still_clip, float(s)) for s in (5, 8)}
    | {f"evenly slow, {fps} a second": partial(evenly_slow, fps) for fps in (1.0, 1.6, 2.0, 3.0, 5.0)}
    | {f"unevenly slow, {fps} a second": partial(unevenly_slow, fps) for fps in (1.6, 3.0)}
    | {
        "replaced person, 5 to 10 bpm apart": partial(replaced_person, (5.0, 10.0)),
        "replaced person, 10 to 30 bpm apart": partial(replaced_person, (10.0, 30.0)),
        "recovery by 30 bpm": recovering,
        "after exercise, 150 to 200 bpm": partial(ordinary, 150.0, 200.0),
        "athletes, 40 to 45 bpm": partial(ordinary, 40.0, 45.0),
        "no rhythm, 30 s": partial(without_a_rhythm, 30.0),
        "no rhythm, 10 s": partial(without_a_rhythm, 10.0),
        "no rhythm, 30 s of 5 uneven frames a second": partial(without_a_rhythm, 30.0, fps=5.0),
        "light or white balance steps": light_step,
        "exposure hunts by 4 %": exposure_hunting,
        "frozen pictures": frozen,
        "doubled pictures": doubled,
        "face leaves and returns": returning,
        "ordinary, 50 to 110 bpm": partial(ordinary, 50.0, 110.0),
    }
)
"""By the names that the table shows."""
