"""Breathing rate from what the breath does to the pulse: its baseline, its height and its rhythm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft, rfftfreq

from rppg_core.trace.sampling import slow_part

BREATH_HZ = (6 / 60, 36 / 60)
"""Breathing rates that are looked for."""

FS = 4.0
"""Rate of the modulations' common grid, in Hz."""

_AGREE_BPM = 2.0
_WHITEN = 1.0  # power of the frequency by which modulations are weighed
_POWER = 3.0  # of the clarity by which modulations are weighed


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
    n_fft = 2048
    freqs = rfftfreq(n_fft, 1 / FS)
    band = (freqs >= BREATH_HZ[0]) & (freqs <= BREATH_HZ[1])
    width = max(1.2 * FS / n, 0.02)
    fused, rates, weights = np.zeros(len(freqs)), [], []
    waves = np.zeros(n)
    for name, series in modulations.items():
        flat = series - slow_part(series[:, None], np.ones(n, dtype=bool), FS, cutoff_hz)[:, 0]
        allowed = band & (freqs <= heart_rate_hz / 2) if name in ("height", "rhythm") else band
        # Drifts and the 0.1 Hz wave of the blood pressure lie at the low end: whitened, they don't pass for breath.
        power = np.where(allowed, freqs**_WHITEN * np.abs(rfft(flat * np.hanning(n), n_fft)) ** 2, 0.0)
        total = power.sum()
        if total <= 0:
            continue
        power /= total
        peak = int(np.argmax(power))
        clarity = float(power[np.abs(freqs - freqs[peak]) <= width].sum())
        fused += clarity**_POWER * power
        rates.append(60 * freqs[peak])
        weights.append(clarity**_POWER)
        waves += clarity**_POWER * flat / (flat.std() + 1e-30)
    if not weights:
        return Respiration(rate_bpm=float("nan"), concentration=0.0, agreement=0.0, waveform=waves)

    peak = int(np.argmax(fused))
    before, here, after = np.log(fused[peak - 1 : peak + 2] + 1e-30)
    bend = before - 2 * here + after
    rate = freqs[peak] + (0.5 * (before - after) / bend if bend < 0 else 0.0) * freqs[1]
    near = np.abs(freqs - rate) <= width
    weight, own = np.asarray(weights), np.asarray(rates)
    return Respiration(
        rate_bpm=float(60 * rate),
        concentration=float(fused[near].sum() / fused.sum()),
        agreement=float(weight[np.abs(own - 60 * rate) <= _AGREE_BPM].sum() / weight.sum()),
        waveform=_around(waves, rate),
    )


def _around(waves: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """The part of a wave within a factor 1.7 of its rate."""
    spectrum, freqs = rfft(waves), rfftfreq(len(waves), 1 / FS)
    spectrum[(freqs < rate_hz / 1.7) | (freqs > rate_hz * 1.7)] = 0.0
    return np.asarray(irfft(spectrum, len(waves)))
