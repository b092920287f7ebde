"""Rate of a pulse: an interpolated spectral peak, aware of its harmonics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import next_fast_len, rfft, rfftfreq

from rppg_core.bands import PULSE_BAND_HZ, RATE_HZ, within
from rppg_core.numerics import TINY, peak_frequency

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HALF_SHARE = 0.35  # a peak at half the rate this strong is the heart, and the stronger one its first harmonic
_REACH_HZ = 0.15  # from a rate that is known: the spread of a variable rhythm
_PADDED = 8  # the grid's own error is then below 0.02 bpm
_SPREAD_HZ = 0.06  # what heart-rate variability makes of a tone in windows too long to show its width


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
    n_fft = next_fast_len(_PADDED * n, real=True)
    freqs = rfftfreq(n_fft, 1 / fs)
    power = np.abs(rfft((pulse - pulse.mean()) * np.hanning(n), n_fft)) ** 2
    rate = _strongest(freqs, power, fs / n) if near_hz is None else _strongest_near(freqs, power, near_hz)
    return _described(freqs, power, rate, fs, width=max(2 * fs / n, _SPREAD_HZ))


def _strongest(freqs: NDArray[np.float64], power: NDArray[np.float64], half_width_hz: float) -> float:
    """Frequency of the highest peak, or of one at its half that is high enough to be the rate of that harmonic."""
    inside = within(freqs, RATE_HZ)
    rate = _peak(freqs, power, inside)
    half = np.abs(freqs - rate / 2) < half_width_hz
    if rate / 2 >= RATE_HZ[0] and power[half].max() > _HALF_SHARE * power[inside].max():
        return _peak(freqs, power, half)
    return rate


def _strongest_near(freqs: NDArray[np.float64], power: NDArray[np.float64], near_hz: float) -> float:
    return _peak(freqs, power, within(freqs, RATE_HZ) & (np.abs(freqs - near_hz) <= _REACH_HZ))


def _peak(freqs: NDArray[np.float64], power: NDArray[np.float64], where: NDArray[np.bool_]) -> float:
    indices = np.flatnonzero(where)
    top = int(indices[np.argmax(power[indices])])
    return peak_frequency(freqs, power, top, logarithmic=True)


def _described(
    freqs: NDArray[np.float64], power: NDArray[np.float64], rate: float, fs: float, *, width: float
) -> HeartRate:
    """A rate in Hz with how clearly it stands out; `width`: half of what a tone takes in the spectrum, in Hz."""
    inside, band = within(freqs, RATE_HZ), within(freqs, PULSE_BAND_HZ, fs)
    at, harmonic = np.abs(freqs - rate) <= width, np.abs(freqs - 2 * rate) <= width
    higher = (np.abs(freqs - 3 * rate) <= width) | (np.abs(freqs - rate / 2) <= width / 2)
    signal = power[(at | harmonic) & band].sum()
    rest = power[band & ~(at | harmonic)].sum()
    elsewhere = power[inside & ~at & ~harmonic & ~higher]
    return HeartRate(
        rate_bpm=60 * rate,
        snr_db=_db(signal / (rest + TINY)),
        prominence_db=_db(power[at].max() / (elsewhere.max(initial=0.0) + TINY)) if at.any() else 0.0,
    )


def _db(ratio: float) -> float:
    return float(10 * np.log10(ratio + TINY))
