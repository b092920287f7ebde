"""What the head's pose says of the colours: landmark jitter and motion that leak linearly are taken out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft, rfftfreq

BAND_HZ = (0.6, 8.0)
_PROTECTED_HZ = 0.15


def remove_motion(
    changes: NDArray[np.float64], pose: NDArray[np.float64], fs: float, *, pulse_hz: float | None = None
) -> NDArray[np.float64]:
    """Subtract from each colour what the pose explains within the pulse's band.

    Parameters
    ----------
    changes : ndarray, shape (n, k)
        Relative colour changes, detrended.
    pose : ndarray, shape (n, p)
        Pose, detrended likewise.
    fs : float
        Sampling rate in Hz.
    pulse_hz : float, optional
        Frequencies around this and twice this aren't used to learn the coefficients, so that a head that moves with
        its own pulse doesn't lose it.

    Returns
    -------
    ndarray, shape (n, k)
        Colour changes free of what was learnt, at all frequencies: the leak is the same for jitter and for motion.
    """
    spread = pose.std(axis=0)
    moves = pose[:, spread > 1e-9] / spread[spread > 1e-9]
    if not moves.shape[1]:
        return changes
    n = len(changes)
    freqs = rfftfreq(n, 1 / fs)
    learnt = (freqs >= BAND_HZ[0]) & (freqs <= BAND_HZ[1])
    if pulse_hz is not None:
        for harmonic in (pulse_hz, 2 * pulse_hz):
            learnt &= np.abs(freqs - harmonic) > _PROTECTED_HZ
    p, c = rfft(moves, axis=0), rfft(changes, axis=0)
    gram = (p[learnt].conj().T @ p[learnt]).real
    ridge = 1e-3 * np.trace(gram) / len(gram) + 1e-12
    leak = np.linalg.solve(gram + ridge * np.eye(len(gram)), (p[learnt].conj().T @ c[learnt]).real)
    return np.asarray(irfft(c - p @ leak, n, axis=0))


def motion_at(pose: NDArray[np.float64], fs: float, rate_hz: float) -> float:
    """How far the pose's power at a rate stands out from that around it: largest ratio of the columns, 1 for none."""
    spread = pose.std(axis=0)
    moves = pose[:, spread > 1e-9] / spread[spread > 1e-9]
    if not moves.shape[1]:
        return 1.0
    window = np.hanning(len(moves))
    power = np.abs(rfft(moves * window[:, None], 2 * len(moves), axis=0)) ** 2
    away = np.abs(rfftfreq(2 * len(moves), 1 / fs) - rate_hz)
    width = max(0.08, 1.5 * fs / len(moves))
    around = (away > 2 * width) & (away < 2 * width + 0.5)
    if not around.any():
        return 1.0
    return float(np.max(power[away <= width].max(axis=0) / (power[around].mean(axis=0) + 1e-12)))
