"""The CHROM method: two chrominance signals, balanced against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import irfft, rfft, rfftfreq

from rppg_core.errors import SignalTooShort
from rppg_core.methods.gate import as_traces

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_PROJECTION = np.array([[3.0, -2.0, 0.0], [1.5, 1.0, -1.5]]).T  # columns are X and Y


def chrom(
    traces: ArrayLike, fs: float, *, window_s: float = 1.6, band_hz: tuple[float, float] = (0.65, 4.0)
) -> NDArray[np.float64]:
    """Extract one pulse waveform per region with the CHROM method [1]_.

    As published, X and Y are balanced by their spread within `band_hz` in Hann windows that overlap by half. The
    output isn't cut to that band, so that beats keep their shape, and its sign is turned to follow reflected light
    like every other method.

    Parameters, result and errors are those of `rppg_core.methods._pos.pos`; `band_hz` is where the balance is taken.

    References
    ----------
    .. [1] G. de Haan and V. Jeanne, "Robust Pulse Rate From Chrominance-Based rPPG",
       IEEE Trans. Biomed. Eng. 60(10), 2013. doi:10.1109/TBME.2013.2266196
    """
    rgb = as_traces(traces)
    n, width = len(rgb), 2 * int(np.ceil(window_s * fs / 2))
    if n < width:
        raise SignalTooShort(seconds=n / fs, needed_s=window_s)
    x, y = np.moveaxis((rgb / rgb.mean(axis=0) - 1.0) @ _PROJECTION, 2, 0)

    starts = np.arange(0, n - width + 1, width // 2)
    balance = _balance(_band_pass(np.stack([x, y], axis=-1), fs, band_hz), starts, width)
    return np.asarray(-(x - _between(balance, starts, width, n) * y))


def _balance(banded: NDArray[np.float64], starts: NDArray[np.intp], width: int) -> NDArray[np.float64]:
    """The spread of X over that of Y in the windows that begin at `starts`, shape (n_windows, n_regions)."""
    spread = sliding_window_view(banded, width, axis=0)[starts].std(axis=-1)  # (n_windows, n_regions, 2)
    above = spread[..., 1] > 1e-12
    return np.asarray(np.divide(spread[..., 0], spread[..., 1], out=np.zeros(spread.shape[:2]), where=above))


def _between(balance: NDArray[np.float64], starts: NDArray[np.intp], width: int, n: int) -> NDArray[np.float64]:
    """The balance of every frame, interpolated between window centres, shape (n_frames, n_regions).

    Hann windows that overlap by half add up to one.
    """
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(width) + 0.5) / width)
    summed, cover = np.zeros((n, balance.shape[1])), np.zeros(n)
    for start, ratio in zip(starts, balance, strict=True):
        summed[start : start + width] += hann[:, None] * ratio
        cover[start : start + width] += hann
    summed[starts[-1] + width :], cover[starts[-1] + width :] = balance[-1], 1.0
    return np.asarray(summed / cover[:, None])


def _band_pass(values: NDArray[np.float64], fs: float, band_hz: tuple[float, float]) -> NDArray[np.float64]:
    spectrum = rfft(values, axis=0)
    freqs = rfftfreq(len(values), 1 / fs)
    spectrum[(freqs < band_hz[0]) | (freqs > band_hz[1])] = 0.0
    return np.asarray(irfft(spectrum, len(values), axis=0))
