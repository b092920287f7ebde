"""What the head's pose says of the colours: landmark jitter and motion that leak linearly are taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import irfft, rfft, rfftfreq

from rppg_core.bands import MOST_OF_FS
from rppg_core.numerics import TINY
from rppg_core.trace.traces import PLACE

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEARNT_FROM_HZ = 3.5
_SMOOTHED = 5  # frequencies averaged to see where the head really moves
_MARGIN = 2.0  # such averages scatter


def remove_motion(changes: NDArray[np.float64], pose: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """Subtract from each colour what the pose explains.

    What a misplaced landmark does to a region's colour is learnt above the pulse, where the pose holds little but
    jitter, so that a head that moves with its own pulse doesn't lose it. Jitter is as strong at all frequencies;
    where the pose has more, the head really moves, the regions move with it, and only the jitter's share is taken.

    Parameters
    ----------
    changes : ndarray, shape (n, k)
        Relative colour changes, detrended.
    pose : ndarray, shape (n, p)
        Pose, detrended likewise.
    fs : float
        Sampling rate in Hz.

    Returns
    -------
    ndarray, shape (n, k)
    """
    spread = pose.std(axis=0)
    moves = pose[:, spread > 1e-9] / spread[spread > 1e-9]
    if not moves.shape[1]:
        return changes
    n = len(changes)
    freqs = rfftfreq(n, 1 / fs)
    learnt = (freqs >= min(_LEARNT_FROM_HZ, 0.25 * fs)) & (freqs <= MOST_OF_FS * fs)
    poses = rfft(moves, axis=0)
    p = poses[learnt]
    gram = (p.conj().T @ p).real
    ridge = 1e-3 * np.trace(gram) / len(gram) + 1e-12
    # By Parseval's theorem, the product of the two spectra there: the colours' own transforms aren't needed.
    shared = irfft(poses * learnt[:, None], n, axis=0).T @ changes * (n / 2)
    leak = np.linalg.solve(gram + ridge * np.eye(len(gram)), shared)
    jitter = irfft(poses * _jitter_share(np.abs(poses) ** 2, learnt), n, axis=0)
    return np.asarray(changes - jitter @ leak)


def _jitter_share(power: NDArray[np.float64], learnt: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of jitter in the pose at each frequency: its power above the pulse over what there is."""
    kernel = np.ones(_SMOOTHED) / _SMOOTHED
    around = np.stack([np.convolve(column, kernel, mode="same") for column in power.T], axis=1)
    return np.asarray(np.minimum(_MARGIN * power[learnt].mean(axis=0) / (around + TINY), 1.0))


def motion_at(pose: NDArray[np.float64], fs: float, *rates_hz: float) -> float:
    """How far the pose's power at any of some rates stands out from that around it.

    Largest ratio of the columns and rates; 1 for a pose that stands still, or where nothing is around.
    """
    spread = pose.std(axis=0)
    moves = pose[:, spread > 1e-9] / spread[spread > 1e-9]
    if not moves.shape[1]:
        return 1.0
    window = np.hanning(len(moves))
    power = np.abs(rfft(moves * window[:, None], 2 * len(moves), axis=0)) ** 2
    freqs, width = rfftfreq(2 * len(moves), 1 / fs), max(0.08, 1.5 * fs / len(moves))
    return max(_standing_out(power, np.abs(freqs - rate_hz), width) for rate_hz in rates_hz)


def _standing_out(power: NDArray[np.float64], away_hz: NDArray[np.float64], width_hz: float) -> float:
    around = (away_hz > 2 * width_hz) & (away_hz < 2 * width_hz + 0.5)
    if not around.any():
        return 1.0
    return float(np.max(power[away_hz <= width_hz].max(axis=0) / (power[around].mean(axis=0) + 1e-12)))


def nod_at(pose: NDArray[np.float64], size_px: float, fs: float, rate_hz: float) -> float:
    """Amplitude of the head's oscillation at a rate, as a share of its size; each heartbeat's recoil is below 0.005.

    0 for a head whose size is not known: a trace that came without poses has zeros there.
    """
    if not size_px > 0:
        return 0.0
    window = np.hanning(len(pose))
    turns = window * np.exp(-2j * np.pi * rate_hz / fs * np.arange(len(pose)))
    return float(np.hypot(*np.abs(turns @ pose[:, PLACE])) * 2 / window.sum() / size_px)
