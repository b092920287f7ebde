"""How regular a pulse wave is: two plain figures for people who judge a recording by its signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from rppg_core.bands import RATE_HZ
from rppg_core.pulse.stability import stability

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.results import Waveform

STRETCH_S, STEP_S = 6.0, 2.0
"""Stretches of a wave that are looked at one by one, and how far apart they begin."""

NEAR_BPM = 6.0
"""A stretch agrees with the whole if its rate is this near, or within a tenth for fast hearts."""

_NEAR_SHARE = 0.1
_PADDED = 4096  # points of the transform: 0.4 bpm apart at 30 frames a second
_LAG_REACH = 0.2  # a beat's length may differ by this share from the mean


@dataclass(frozen=True, slots=True)
class Regularity:
    """Both 0-1: the share of stretches that have the whole's rate, and how like itself a beat later the wave is."""

    stability: float
    periodicity: float


def regularity(waveform: Waveform, rate_bpm: float) -> Regularity:
    """Judge a pulse wave of the rate `rate_bpm`.

    *Stability* is the share of 6 s stretches, one every 2 s, whose strongest frequency between 39 and 220 bpm is
    within 6 bpm (or a tenth) of the rate. *Periodicity* is the wave's normalised autocorrelation at the lag, within a
    fifth of one beat, where it is largest; averaged over the stretches, and 0 where it is negative. A pure tone has 1
    in both, noise about 0.2 and 0.3. A wave that is shorter than one stretch is taken as one.
    """
    wave, fs = np.asarray(waveform.ppg, dtype=np.float64), waveform.fs
    length = min(round(STRETCH_S * fs), len(wave))
    if length < 4 or not wave.std() > 0:
        return Regularity(0.0, 0.0)
    stretches = sliding_window_view(wave, length)[:: max(1, round(STEP_S * fs))]
    stretches = stretches - stretches.mean(axis=1, keepdims=True)
    return Regularity(_stability(stretches, fs, rate_bpm), _periodicity(stretches, fs, rate_bpm))


def _stability(stretches: NDArray[np.float64], fs: float, rate_bpm: float) -> float:
    reach_hz = max(NEAR_BPM, _NEAR_SHARE * rate_bpm) / 60
    n_fft = max(_PADDED, stretches.shape[1])
    return stability(stretches.T, fs, rate_bpm / 60, n_fft=n_fft, band_hz=RATE_HZ, within_hz=reach_hz)


def _periodicity(stretches: NDArray[np.float64], fs: float, rate_bpm: float) -> float:
    beat = 60 * fs / rate_bpm
    lags = range(max(1, round((1 - _LAG_REACH) * beat)), round((1 + _LAG_REACH) * beat) + 1)
    best = np.zeros(len(stretches))
    for lag in lags:
        if lag >= stretches.shape[1] - 1:
            break
        early, late = stretches[:, :-lag], stretches[:, lag:]
        scale = np.sqrt((early**2).sum(axis=1) * (late**2).sum(axis=1))
        best = np.maximum(best, np.divide((early * late).sum(axis=1), scale, out=np.zeros_like(scale), where=scale > 0))
    return float(np.clip(best.mean(), 0.0, 1.0))
