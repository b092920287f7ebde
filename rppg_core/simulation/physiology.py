"""A simulated person: heartbeats, breathing and blood volume whose truth is known exactly. Pure numpy, seeded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.vital.hrv import rmssd_ms, sdnn_ms, stress_index

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_PAD_S = 8.0  # beats and breaths go on this long before 0 and after the end, so that the edges are like the middle
_LF_HZ = 0.1  # Mayer waves of the blood pressure

# Gaussian waves of one beat: delay (s), width before and after the crest (s), height; at 60 bpm. The first is the
# systolic wave, the second the one reflected after the dicrotic notch.
_WAVES = ((0.17, 0.065, 0.11, 1.0), (0.43, 0.07, 0.13, 0.38))


@dataclass(frozen=True, slots=True)
class Truth:
    """What a perfect instrument would say of an interval. Intervals beside an ectopic beat don't count in the HRV."""

    heart_rate_bpm: float  # 60 over the mean interval between beats
    rmssd_ms: float | None
    sdnn_ms: float | None
    stress_index: float | None
    respiration_rate_bpm: float


@dataclass(frozen=True, slots=True, eq=False)
class Physiology:
    """One simulated person; made by `simulate_person`.

    Attributes
    ----------
    beats_s : ndarray, shape (n,)
        Times of the beats in seconds, from some seconds before 0 to some seconds after `duration_s`. The crest of
        the systolic wave follows each by the same delay.
    ectopic : ndarray of bool, shape (n,)
        Beats that came too early.
    """

    duration_s: float
    beats_s: NDArray[np.float64]
    ectopic: NDArray[np.bool_]
    beat_heights: NDArray[np.float64]
    breath_grid_s: NDArray[np.float64]
    breath_phase: NDArray[np.float64]  # radians, on `breath_grid_s`
    stretch: float  # of the pulse's shape in time
    baseline_depth: float  # of the breath in the baseline
    vasomotion: NDArray[np.float64]  # waves of the slow baseline, (n, 3): Hz, height, phase

    def breath(self, t_s: ArrayLike) -> NDArray[np.float64]:
        """Chest position at any times, between -1 and 1, in the shape of `t_s`; inspiration (rising) is the shorter."""
        phase = np.interp(np.asarray(t_s, dtype=np.float64), self.breath_grid_s, self.breath_phase)
        return np.asarray(np.sin(phase + 0.25 * np.cos(phase)))

    def blood_volume(self, t_s: ArrayLike) -> NDArray[np.float64]:
        """Pulse at any times within the simulation, in the shape of `t_s`.

        About 1 from foot to crest, zero in the mean; its height follows the breath. Reflected light falls as it rises.
        """
        t = np.asarray(t_s, dtype=np.float64)
        volume = np.zeros(t.shape)
        mean = np.sum(self.beat_heights) / (self.beats_s[-1] - self.beats_s[0])
        current = np.searchsorted(self.beats_s, t, side="right") - 1
        for back in range(-1, 5):  # the beats whose waves reach into this moment
            beat = np.clip(current - back, 0, len(self.beats_s) - 1)
            since = (t - self.beats_s[beat]) / self.stretch
            for delay, rise, fall, height in _WAVES:
                width = np.where(since < delay, rise, fall)
                volume += self.beat_heights[beat] * height * np.exp(-0.5 * ((since - delay) / width) ** 2)
        area = sum(h * np.sqrt(np.pi / 2) * (rise + fall) for _, rise, fall, h in _WAVES) * self.stretch
        return np.asarray(volume - area * mean)

    def baseline(self, t_s: ArrayLike) -> NDArray[np.float64]:
        """Slow blood volume (venous, with the breath, and vasomotion) at any times, on the scale of `blood_volume`."""
        t = np.asarray(t_s, dtype=np.float64)
        slow = sum((h * np.sin(2 * np.pi * f * t + p) for f, h, p in self.vasomotion), np.zeros(t.shape))
        return np.asarray(slow + self.baseline_depth * self.breath(t - 0.4))

    def truth(self, start_s: float = 0.0, end_s: float | None = None) -> Truth:
        """The vitals between two times (default: the whole simulation)."""
        end = self.duration_s if end_s is None else end_s
        inside = (self.beats_s >= start_s) & (self.beats_s <= end)
        beats, ectopic = self.beats_s[inside], self.ectopic[inside]
        rr = np.diff(beats)
        normal = ~(ectopic[1:] | ectopic[:-1])
        phase = np.interp([start_s, end], self.breath_grid_s, self.breath_phase)
        return Truth(
            heart_rate_bpm=float(60 / rr.mean()) if len(rr) else float("nan"),
            rmssd_ms=rmssd_ms(rr, normal),
            sdnn_ms=sdnn_ms(rr, normal),
            stress_index=stress_index(rr, normal),
            respiration_rate_bpm=float(60 * np.diff(phase)[0] / (2 * np.pi) / (end - start_s)),
        )


def simulate_person(
    *,
    heart_rate_bpm: float = 70.0,
    duration_s: float = 30.0,
    rmssd_ms: float = 35.0,
    lf_ms: float = 15.0,
    rsa_share: float = 0.6,
    respiration_rate_bpm: float = 15.0,
    amplitude_depth: float = 0.12,
    baseline_depth: float = 0.4,
    ectopic_beats: int = 0,
    seed: int = 0,
) -> Physiology:
    """Simulate a heart and lungs.

    Parameters
    ----------
    heart_rate_bpm : float
        Mean rate, 40 to 220.
    duration_s : float
        The simulation covers 0 to this, and 8 s more on both sides.
    rmssd_ms : float
        Root mean square of successive differences to aim at; `Physiology.truth` tells what came out over an interval.
    lf_ms : float
        Standard deviation of the intervals' 0.1 Hz wave, which raises SDNN and hardly RMSSD.
    rsa_share : float
        Share (0-1) of the fast variability's power that follows the breath (respiratory sinus arrhythmia); the rest
        is random from beat to beat.
    respiration_rate_bpm : float
        Mean breaths per minute; single breaths differ by some percent.
    amplitude_depth, baseline_depth : float
        How far the breath moves the pulse's height (as a share) and its baseline (in pulse heights).
    ectopic_beats : int
        How many premature beats, each followed by a compensatory pause, fall between 0 and `duration_s`.
    seed : int
        The same seed and arguments give the same person.
    """
    rng = np.random.default_rng(seed)
    start, end = -_PAD_S, duration_s + _PAD_S

    grid = np.arange(start - 1, end + 1, 0.05)
    wander = sum(np.sin(2 * np.pi * f * grid + rng.uniform(0, 2 * np.pi)) for f in (0.013, 0.031, 0.057))
    phase = np.cumsum(2 * np.pi * respiration_rate_bpm / 60 * (1 + 0.04 * wander)) * 0.05
    phase = phase - phase[0] + rng.uniform(0, 2 * np.pi)

    beats = _beat_times(
        rng,
        grid_s=grid,
        breath_phase=phase,
        start_s=start,
        end_s=end,
        mean_s=60 / heart_rate_bpm,
        rmssd_s=rmssd_ms / 1000,
        lf_s=lf_ms / 1000,
        rsa_share=rsa_share,
    )
    ectopic = np.zeros(len(beats), dtype=bool)
    candidates = np.flatnonzero((beats > 2) & (beats < duration_s - 2))
    if ectopic_beats and len(candidates):
        spaced = candidates[:: max(1, len(candidates) // ectopic_beats)][:ectopic_beats]
        early = np.minimum(spaced + rng.integers(0, 3, len(spaced)), candidates[-1])
        ectopic[early] = True
        beats[early] -= (beats[early] - beats[early - 1]) * rng.uniform(0.25, 0.4, len(early))

    breath_at_beats = np.sin(np.interp(beats, grid, phase) - 0.6)
    heights = (1 + amplitude_depth * breath_at_beats) * (1 + 0.03 * rng.standard_normal(len(beats)))
    waves = np.array([[f, h, rng.uniform(0, 2 * np.pi)] for f, h in ((0.021, 0.5), (0.047, 0.3), (_LF_HZ, 0.25))])
    return Physiology(
        duration_s=duration_s,
        beats_s=beats,
        ectopic=ectopic,
        beat_heights=np.where(ectopic, 0.6 * heights, heights),
        breath_grid_s=grid,
        breath_phase=phase,
        stretch=float((60 / heart_rate_bpm) ** 0.7),
        baseline_depth=baseline_depth,
        vasomotion=waves,
    )


def without_rhythm(person: Physiology, spread: float, seed: int) -> Physiology:
    """The same person in atrial fibrillation: intervals by chance, and the longer one is, the higher the next pulse.

    `spread` is the standard deviation of the intervals as a share of their mean, which stays what it was.
    """
    rng = np.random.default_rng([23, seed])
    start, end = float(person.beats_s[0]), float(person.beats_s[-1])
    mean = float(np.diff(person.beats_s).mean())
    shape = 1 / spread**2
    intervals = np.clip(rng.gamma(shape, mean / shape, round(1.6 * (end - start) / mean) + 8), 0.27, 2.5 * mean)
    beats = start + np.cumsum(intervals)
    inside = beats < end
    return replace(
        person,
        beats_s=beats[inside],
        ectopic=np.zeros(np.count_nonzero(inside), dtype=bool),
        beat_heights=np.clip(0.6 + 0.5 * intervals / mean, 0.4, 1.4)[: len(beats)][inside],
    )


def _beat_times(
    rng: np.random.Generator,
    *,
    grid_s: NDArray[np.float64],
    breath_phase: NDArray[np.float64],
    start_s: float,
    end_s: float,
    mean_s: float,
    rmssd_s: float,
    lf_s: float,
    rsa_share: float,
) -> NDArray[np.float64]:
    """Beat times whose intervals are mean + slow wave + scaled (breath + chance); the scale meets `rmssd_s`."""
    n = int(np.ceil((end_s - start_s) / mean_s * 1.15)) + 4
    chance = rng.standard_normal(n)
    lf_phase = rng.uniform(0, 2 * np.pi)
    offset = rng.uniform(0, mean_s)
    beats = start_s + offset + mean_s * np.arange(n + 1)
    for _ in range(6):  # the wave a beat meets depends on when it comes
        at = beats[:-1]
        fast = np.sqrt(2 * rsa_share) * np.sin(np.interp(at, grid_s, breath_phase)) + np.sqrt(1 - rsa_share) * chance
        slow = np.sqrt(2) * lf_s * np.sin(2 * np.pi * _LF_HZ * at + lf_phase)
        within = at < end_s
        # Successive differences of the two parts are taken as uncorrelated.
        slow_ms, fast_ms = np.mean(np.diff(slow[within]) ** 2), np.mean(np.diff(fast[within]) ** 2)
        scale = np.sqrt(max(rmssd_s**2 - slow_ms, 0.0) / fast_ms)
        rr = scale * fast + slow
        rr = np.clip(mean_s + rr - rr[within].mean(), 0.55 * mean_s, 1.6 * mean_s)
        beats = start_s + offset + np.concatenate([[0.0], np.cumsum(rr)])
    return np.asarray(beats[beats <= end_s])
