"""Breathing rate from what the breath does to the pulse: its baseline, its height and its rhythm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import irfft, rfft, rfftfreq

from rppg_core.bands import BREATH_HZ, within
from rppg_core.numerics import TINY, peak_frequency
from rppg_core.trace.sampling import slow_part

if TYPE_CHECKING:
    from numpy.typing import NDArray

FS = 4.0
"""Rate of the modulations' common grid, in Hz."""

_AGREE_BPM = 2.0  # the tolerance of a breathing rate (docs/accuracy.md)
_WHITEN = 1.0  # power of the frequency by which modulations are weighed: drift falls with it, breath does not
_POWER = 3.0  # of the clarity by which modulations are weighed: above 1, so that one clear one outweighs two poor ones
_N_FFT = 2048  # points 0.12 breaths a minute apart, and a peak is interpolated between them
_TONE, _SPREAD_HZ = 1.2, 0.02  # half width of a tone, over one over the length; and what an uneven breath adds
_OCTAVE_SHARE = 1.7  # the shown wave holds what is less than this factor from the rate, and so no harmonic


@dataclass(frozen=True, slots=True, eq=False)
class Respiration:
    """Breathing over one recording; `waveform` is sampled at `FS` from the window's start."""

    rate_bpm: float
    concentration: float  # share (0-1) of the fused modulations' power at the rate
    agreement: float  # share (0-1) of the modulations, by weight, whose own rate is within 2/min of the fused one
    waveform: NDArray[np.float64]


def respiration(modulations: dict[str, NDArray[np.float64]], heart_rate_hz: float, cutoff_hz: float) -> Respiration:
    """Fuse modulations of the pulse to one breathing rate, as Karlen et al. [1]_, weighing each by its clarity.

    Parameters
    ----------
    modulations : dict of str to ndarray, shape (n,)
        Evenly sampled at `FS`, by name. What is sampled once a beat (`height`, `rhythm`) can't show breathing faster
        than half the heart rate, and isn't asked about it.
    heart_rate_hz : float
        Heart rate in Hz.
    cutoff_hz : float
        Waves slower than this are drift.

    References
    ----------
    .. [1] W. Karlen, S. Raman, J. M. Ansermino and G. A. Dumont, "Multiparameter Respiratory Rate Estimation From the
       Photoplethysmogram", IEEE Trans. Biomed. Eng. 60(7), 2013. doi:10.1109/TBME.2013.2246160
    """
    n = len(next(iter(modulations.values())))
    freqs, width = rfftfreq(_N_FFT, 1 / FS), max(_TONE * FS / n, _SPREAD_HZ)
    found = []
    for name, series in modulations.items():
        allowed = within(freqs, BREATH_HZ)
        if name in ("height", "rhythm"):
            allowed &= freqs <= heart_rate_hz / 2
        one = _modulation(series, freqs, allowed, width, cutoff_hz)
        if one is not None:
            found.append(one)
    if not found:
        return Respiration(rate_bpm=float("nan"), concentration=0.0, agreement=0.0, waveform=np.zeros(n))
    return _fused(found, freqs, width)


@dataclass(frozen=True, slots=True, eq=False)
class _Modulation:
    """One modulation: its own rate, its weight, and what it adds to the fusion, by that weight."""

    rate_bpm: float
    weight: float
    power: NDArray[np.float64]  # (n_freqs,), its sum is the weight
    wave: NDArray[np.float64]  # (n,) without drift, its deviation is the weight


def _modulation(
    series: NDArray[np.float64],
    freqs: NDArray[np.float64],
    allowed: NDArray[np.bool_],
    width_hz: float,
    cutoff_hz: float,
) -> _Modulation | None:
    """Look at one modulation where it is `allowed` to show breath; None if it shows nothing at all."""
    n = len(series)
    flat = series - slow_part(series[:, None], np.ones(n, dtype=bool), FS, cutoff_hz)[:, 0]
    # Drifts and the 0.1 Hz wave of the blood pressure lie at the low end: whitened, they don't pass for breath.
    power = np.where(allowed, freqs**_WHITEN * np.abs(rfft(flat * np.hanning(n), _N_FFT)) ** 2, 0.0)
    total = power.sum()
    if total <= 0:
        return None
    power /= total
    peak = int(np.argmax(power))
    clarity = float(power[np.abs(freqs - freqs[peak]) <= width_hz].sum())
    weight = clarity**_POWER
    return _Modulation(60 * freqs[peak], weight, weight * power, weight * flat / (flat.std() + TINY))


def _fused(found: list[_Modulation], freqs: NDArray[np.float64], width_hz: float) -> Respiration:
    """The rate of all modulations together, each by its weight, and how far they agree on it."""
    fused, waves = np.zeros(len(freqs)), np.zeros(len(found[0].wave))
    for one in found:
        fused += one.power
        waves += one.wave
    rate = peak_frequency(freqs, fused, int(np.argmax(fused)), logarithmic=True)
    weight, own = np.array([one.weight for one in found]), np.array([one.rate_bpm for one in found])
    return Respiration(
        rate_bpm=float(60 * rate),
        concentration=float(fused[np.abs(freqs - rate) <= width_hz].sum() / fused.sum()),
        agreement=float(weight[np.abs(own - 60 * rate) <= _AGREE_BPM].sum() / weight.sum()),
        waveform=_around(waves, rate),
    )


def _around(waves: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """The part of a wave around its rate."""
    spectrum, freqs = rfft(waves), rfftfreq(len(waves), 1 / FS)
    spectrum[(freqs < rate_hz / _OCTAVE_SHARE) | (freqs > rate_hz * _OCTAVE_SHARE)] = 0.0
    return np.asarray(irfft(spectrum, len(waves)))
