"""Lamps and screens that beat in the pulse's band: tones that all channels share alike are taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import next_fast_len, rfft, rfftfreq

from rppg_core.bands import FLICKER_HZ, within
from rppg_core.numerics import TINY, over_regions

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_TONES = 4
_STANDS_OUT = 6.0  # a tone's amplitude over the median of the band
_WHITE = 0.25  # how far a channel may be from the mean of the three; those of blood are 0.4 away


def remove_flicker(changes: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """Subtract tones in the light from relative colour changes.

    A lamp beats in red, green and blue alike; blood hardly moves red. So a tone is only taken out where the face as a
    whole changes its brightness and not its colour.

    Parameters
    ----------
    changes : ndarray, shape (n, n_regions, 3)
        Relative colour changes, detrended.
    fs : float
        Sampling rate in Hz.

    Returns
    -------
    ndarray, shape (n, n_regions, 3)
        The changes without the tones, each fitted to each region and channel on its own.
    """
    left = changes
    for _ in range(_MOST_TONES):
        tone_hz = _white_tone(over_regions(left), fs)
        if tone_hz is None:
            break
        left = _without(left, tone_hz, fs)
    return left


def _white_tone(face: NDArray[np.float64], fs: float) -> float | None:
    """Frequency of the strongest tone in the mean colours (n, 3), if it stands out and is white."""
    n = len(face)
    n_fft = next_fast_len(8 * n, real=True)
    freqs = rfftfreq(n_fft, 1 / fs)
    inside = np.flatnonzero(within(freqs, FLICKER_HZ, fs))
    spectra = rfft(face * np.hanning(n)[:, None], n_fft, axis=0)[inside]
    white = spectra.mean(axis=1)
    size = np.abs(white)
    top = int(np.argmax(size))
    if size[top] < _STANDS_OUT * np.median(size):
        return None
    share = (spectra[top] * white[top].conj()).real / (size[top] ** 2 + TINY)
    if np.abs(share - 1).max() > _WHITE:
        return None
    return float(freqs[inside[top]])


def _without(changes: NDArray[np.float64], tone_hz: float, fs: float) -> NDArray[np.float64]:
    """The changes less their least-squares fit of a tone whose strength may drift over the window."""
    n = len(changes)
    t = np.arange(n) / fs
    slow = np.linspace(-1, 1, n)
    wave = np.stack([np.cos(2 * np.pi * tone_hz * t), np.sin(2 * np.pi * tone_hz * t)], axis=1)
    basis = np.concatenate([wave, wave * slow[:, None]], axis=1)
    flat = changes.reshape(n, -1)
    fit = np.linalg.lstsq(basis, flat, rcond=None)[0]
    return np.asarray(flat - basis @ fit).reshape(changes.shape)
