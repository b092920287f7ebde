"""Rate of a pulse: an interpolated spectral peak, aware of its harmonics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len, rfft, rfftfreq

from rppg_core.bands import RATE_HZ

_HALF_SHARE = 0.35  # a peak at half the rate this strong is the heart, and the stronger one its first harmonic


@dataclass(frozen=True, slots=True)
class HeartRate:
    """Heart rate of one pulse over one recording."""

    rate_bpm: float  # interpolated spectral peak in the pulse band
    snr_db: float  # power at that peak and its first harmonic over the rest of the band
    prominence_db: float  # power at that peak over the highest one elsewhere, its harmonics apart


def heart_rate(pulse: NDArray[np.float64], fs: float, *, near_hz: float | None = None) -> HeartRate:
    """Find the rate of one pulse.

    Parameters
    ----------
    pulse : ndarray, shape (n,)
        Evenly sampled, of either sign.
    fs : float
        Sampling rate in Hz.
    near_hz : float, optional
        Search only within 0.15 Hz of this.

    Returns
    -------
    HeartRate
        The peak is interpolated on a spectrum padded eightfold, so that its error from the grid is below 0.02 bpm.
    """
    n = len(pulse)
    n_fft = next_fast_len(8 * n, real=True)
    freqs = rfftfreq(n_fft, 1 / fs)
    power = np.abs(rfft((pulse - pulse.mean()) * np.hanning(n), n_fft)) ** 2
    inside = (freqs >= RATE_HZ[0]) & (freqs <= RATE_HZ[1])
    if near_hz is None:
        rate = _peak(freqs, power, inside)
        half = np.abs(freqs - rate / 2) < fs / n
        if rate / 2 >= RATE_HZ[0] and power[half].max() > _HALF_SHARE * power[inside].max():
            rate = _peak(freqs, power, half)
    else:
        rate = _peak(freqs, power, inside & (np.abs(freqs - near_hz) <= 0.15))

    width = max(2 * fs / n, 0.06)
    band = (freqs >= 0.6) & (freqs <= min(7.5, 0.47 * fs))
    at, harmonic = np.abs(freqs - rate) <= width, np.abs(freqs - 2 * rate) <= width
    higher = (np.abs(freqs - 3 * rate) <= width) | (np.abs(freqs - rate / 2) <= width / 2)
    signal = power[(at | harmonic) & band].sum()
    rest = power[band & ~(at | harmonic)].sum()
    elsewhere = power[inside & ~at & ~harmonic & ~higher]
    return HeartRate(
        rate_bpm=60 * rate,
        snr_db=_db(signal / (rest + 1e-30)),
        prominence_db=_db(power[at].max() / (elsewhere.max(initial=0.0) + 1e-30)) if at.any() else 0.0,
    )


def _peak(freqs: NDArray[np.float64], power: NDArray[np.float64], where: NDArray[np.bool_]) -> float:
    """Frequency of the highest power, between grid points by a parabola through the logarithms."""
    indices = np.flatnonzero(where)
    top = int(indices[np.argmax(power[indices])])
    if not 0 < top < len(power) - 1:
        return float(freqs[top])
    before, here, after = np.log(power[top - 1 : top + 2] + 1e-30)
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(freqs[top] + np.clip(shift, -0.5, 0.5) * (freqs[1] - freqs[0]))


def _db(ratio: float) -> float:
    return float(10 * np.log10(ratio + 1e-30))
