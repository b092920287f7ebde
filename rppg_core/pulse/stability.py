"""Whether a pulse wave keeps its rate: how many of its short stretches show the same one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.bands import within

if TYPE_CHECKING:
    from numpy.typing import NDArray


def stability(
    stretches: NDArray[np.float64], fs: float, rate_hz: float, *, n_fft: int, band_hz: tuple[float, float],
    within_hz: float,
) -> float:  # fmt: skip
    """Share (0-1) of the stretches whose own strongest tone is the rate.

    Parameters
    ----------
    stretches : ndarray, shape (n, k)
        Stretches of one wave, one in each column.
    fs : float
        Sampling rate in Hz.
    rate_hz : float
        The whole wave's rate.
    n_fft : int
        Points of the transform, at least n.
    band_hz : (float, float)
        Where the strongest tone is looked for.
    within_hz : float
        How far it may be from the rate.
    """
    freqs = np.fft.rfftfreq(n_fft, 1 / fs)
    flat = stretches - stretches.mean(axis=0)
    power = np.abs(np.fft.rfft(flat * np.hanning(len(flat))[:, None], n_fft, axis=0)) ** 2
    band = within(freqs, band_hz)
    tops = freqs[band][np.argmax(power[band], axis=0)]
    return float(np.mean(np.abs(tops - rate_hz) <= within_hz))
