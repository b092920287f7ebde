"""Traces of simulated people, without images: fast enough for tests and for tuning, with the truth known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.trace.traces import Trace

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from rppg_core.simulation.physiology import Physiology

PULSE_RGB = np.array([0.33, 0.77, 0.53]) / 0.77
"""Relative height of the pulse in R, G, B, with green as 1."""

_SKIN = np.array([170.0, 120.0, 100.0])
_NOISE_RGB = np.array([1.0, 0.85, 1.5])  # a Bayer sensor has twice as many green pixels, and blue is the dimmest


def capture_times(
    seconds: float, fps: float, *, jitter_s: float = 0.0, dropped: float = 0.0, gap_s: float = 0.0, seed: int = 0
) -> NDArray[np.float64]:
    """Times of frames: even at `fps`, moved by `jitter_s` (deviation), a share dropped, one gap near the middle."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * fps)) / fps
    times = times + np.clip(jitter_s * rng.standard_normal(len(times)), -0.4 / fps, 0.4 / fps)
    keep = rng.random(len(times)) >= dropped
    keep &= np.abs(times - 0.45 * seconds) >= gap_s / 2
    keep[[0, -1]] = True
    return np.asarray(times[keep])


def simulate_trace(
    person: Physiology | None,
    times_s: ArrayLike,
    *,
    amplitude: float = 0.008,
    n_regions: int = 24,
    brightness: float = 1.0,
    noise: float = 0.001,
    jitter_px: float = 0.25,
    leak: float = 0.002,
    sway_px: float = 3.0,
    shading: float = 0.002,
    talking: float = 0.0,
    light_drift: float = 0.01,
    flicker: float = 0.0,
    flicker_hz: float = 1.3,
    flicker_rgb: tuple[float, float, float] = (1.0, 1.0, 1.0),
    nod_px: float = 0.0,
    nod_hz: float = 1.2,
    seed: int = 0,
) -> Trace:
    """Simulate what a camera leaves of a face.

    Parameters
    ----------
    person : Physiology or None
        Whose pulse the skin shows; None for a photograph.
    times_s : array_like, shape (n,)
        Capture times in seconds (`capture_times`).
    amplitude : float
        Pulse in the green channel from foot to crest, as a share of its mean: 0.015 on pale and 0.003 on dark skin.
    noise : float
        Standard deviation of a region's green channel from frame to frame, as a share of its mean.
    jitter_px, leak : float
        Error of the landmarks in pixels, which moves the regions over the skin's shades, and what a pixel does to
        a region's colour (standard deviation over the regions, as a share).
    sway_px, shading, talking : float
        Slow motion of the head, the change of light that a pixel of it brings, and the height of the fast changes of
        shade that a talking mouth brings to the lower regions.
    light_drift, flicker, flicker_hz, flicker_rgb
        Slow and periodic changes of light that all regions share, as shares, and the colour of the latter.
    nod_px, nod_hz : float
        Periodic nodding: height in pixels and rate.
    """
    rng = np.random.default_rng(seed)
    t = np.asarray(times_s, dtype=np.float64)
    colour = _SKIN * brightness * (1 + 0.05 * rng.standard_normal((n_regions, 1)))

    moved = np.stack([sway_px * _wander(rng, t) for _ in range(2)], axis=1)  # (n, 2)
    moved[:, 1] += nod_px * np.sin(2 * np.pi * nod_hz * t)
    jitter = jitter_px * rng.standard_normal((len(t), 5)) * [1, 1, 1, 0.005, 0.005]

    light = _misplaced(rng, jitter, n_regions, leak)
    light += (moved @ (shading * rng.standard_normal((2, n_regions))))[..., None]
    light += _talking(rng, t, n_regions, talking)
    light += light_drift * _wander(rng, t, (0.01, 0.15))[:, None, None]
    light += flicker * np.sin(2 * np.pi * flicker_hz * t)[:, None, None] * np.asarray(flicker_rgb)

    pulse = _pulse(rng, person, t, n_regions, amplitude)
    clean = colour * (1 + light) * (1 - pulse[..., None] * PULSE_RGB)
    grain = noise / brightness * _NOISE_RGB * rng.standard_normal((len(t), n_regions, 3))
    colours = np.maximum(clean + colour * grain, 1e-3)
    return Trace(times_s=t, colours=colours, pose=_pose(jitter, moved), frame_size=(640, 480))


def _pose(jitter: NDArray[np.float64], moved: NDArray[np.float64]) -> NDArray[np.float64]:
    pose = np.array([320.0, 240.0, 150.0, 0.0, 0.0]) + jitter
    pose[:, :2] += moved
    pose[:, 4] += 0.004 * moved[:, 0]
    return pose


def _misplaced(
    rng: np.random.Generator, jitter: NDArray[np.float64], n_regions: int, leak: float
) -> NDArray[np.float64]:
    """Change of colour by landmarks that err by `jitter`, as a share, shape (n, n_regions, 3).

    Placing a region wrongly shows other skin: mostly darker or lighter in all channels, a little other in tone.
    """
    slope = leak * (rng.standard_normal((5, n_regions, 1)) + 0.3 * rng.standard_normal((5, n_regions, 3)))
    slope *= np.array([1, 1, 1, 100, 100])[:, None, None]
    return np.asarray(np.einsum("nk,krc->nrc", jitter, slope))


def _talking(rng: np.random.Generator, t_s: NDArray[np.float64], n_regions: int, height: float) -> NDArray[np.float64]:
    """Shades that a talking mouth brings to the lower third of the regions, shape (n, n_regions, 3)."""
    mouth = np.linspace(0, 1, n_regions)[:, None] > 0.66
    syllables = _wander(rng, t_s, (1.5, 6.0)) * (_wander(rng, t_s, (0.1, 0.6)) > 0)
    return np.asarray(height * syllables[:, None, None] * mouth * (1 + 0.3 * rng.standard_normal((n_regions, 3))))


def _pulse(
    rng: np.random.Generator, person: Physiology | None, t_s: NDArray[np.float64], n_regions: int, amplitude: float
) -> NDArray[np.float64]:
    """Blood in each region, as a share of the green channel's mean, shape (n, n_regions)."""
    if person is None:
        return np.zeros((len(t_s), n_regions))
    strength = amplitude * np.clip(1 + 0.45 * rng.standard_normal(n_regions), 0.05, 2.5)
    delay = 0.004 * rng.standard_normal(n_regions)
    return np.asarray(strength * (person.blood_volume(t_s[:, None] - delay) + person.baseline(t_s)[:, None]))


def _wander(
    rng: np.random.Generator, t_s: NDArray[np.float64], band_hz: tuple[float, float] = (0.05, 0.4)
) -> NDArray[np.float64]:
    """Random smooth motion with its power within a band and a standard deviation of about 1, shape (n,)."""
    freqs = rng.uniform(*band_hz, 24)
    waves = np.sin(2 * np.pi * freqs * t_s[:, None] + rng.uniform(0, 2 * np.pi, 24))
    return np.asarray(waves.sum(axis=1) / np.sqrt(12))
