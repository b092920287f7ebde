"""Whether a wave rises quickly and falls slowly, as blood volume does with each beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.numerics import TINY

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STRETCH_S = 4.0  # in which a rhythm hardly drifts; longer ones let few beats decide
_USED_OF_FS = 0.45  # the second harmonic is seen up to this share of the sampling rate


def asymmetry(wave: NDArray[np.float64], fs: float, rate_hz: float) -> float:
    """Return how far the second harmonic makes the wave's rise quicker than its fall, -1 to 1.

    It is the part of the bicoherence (Kim and Powers, 1979) of the rate with itself that lies in quadrature: 1 for a
    wave whose second harmonic always has the phase of a sawtooth that rises at once, -1 for one that falls at once, 0
    on average for noise, and for a plain sine. Faces and fingertips have phases of 50 to 130 degrees, where 90 is the
    sawtooth's; light, nodding and codecs have any.

    Parameters
    ----------
    wave : ndarray, shape (n,)
        The pulse, rising with blood volume.
    fs : float
        Sampling rate in Hz. Where it doesn't show the second harmonic, the answer is 0.
    rate_hz : float
        The pulse's rate.
    """
    if 2 * rate_hz > _USED_OF_FS * fs:
        return 0.0
    width = min(int(_STRETCH_S * fs), len(wave))
    stretches = np.lib.stride_tricks.sliding_window_view(wave, width)[:: max(width // 2, 1)]
    tones = np.exp(-2j * np.pi * rate_hz * np.outer(np.arange(width) / fs, (1, 2))) * np.hanning(width)[:, None]
    first, second = ((stretches - stretches.mean(axis=1, keepdims=True)) @ tones).T
    return quadrature(first, second)


def quadrature(first: NDArray[np.complex128], second: NDArray[np.complex128]) -> float:
    """Return `asymmetry` from the amplitudes (k,) of a rate and of its double in the same stretches.

    The two may be of two halves of the regions, which share no noise.
    """
    product = second * first.conj() ** 2 / (np.abs(first) + TINY)
    power = np.sqrt(np.sum(np.abs(first) ** 2) * np.sum(np.abs(second) ** 2))
    return float(product.sum().imag / (power + TINY))
