"""The CHROM method: two chrominance signals, balanced against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import rfftfreq

from rppg_core.errors import SignalTooShort
from rppg_core.methods.gate import as_traces, relative
from rppg_core.numerics import filter_circularly

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


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
    red, green, blue = np.moveaxis(relative(rgb), 2, 0)
    xy = np.stack([3 * red - 2 * green, 1.5 * red + green - 1.5 * blue], axis=1)

    freqs = rfftfreq(n, 1 / fs)
    inside = (freqs >= band_hz[0]) & (freqs <= band_hz[1])
    balance = _balance(filter_circularly(xy, inside.astype(np.float64)), width)
    return np.asarray(_between(balance, width, n) * xy[:, 1] - xy[:, 0])


def _balance(banded: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The spread of X over that of Y (n, 2, n_regions) in windows that overlap by half, (n_windows, n_regions)."""
    half = width // 2
    halves = banded[: len(banded) // half * half].reshape(-1, half, *banded.shape[1:])
    sums, squares = halves.sum(axis=1), (halves**2).sum(axis=1)
    sums, squares = sums[1:] + sums[:-1], squares[1:] + squares[:-1]
    x, y = np.moveaxis(np.sqrt(np.maximum(squares / width - (sums / width) ** 2, 0.0)), 1, 0)
    return np.asarray(np.divide(x, y, out=np.zeros_like(x), where=y > 1e-12))


def _between(balance: NDArray[np.float64], width: int, n: int) -> NDArray[np.float64]:
    """The balance of every frame, interpolated between window centres, shape (n_frames, n_regions).

    Hann windows that overlap by half add up to one: each half of a window leads from its balance to the next one's.
    """
    half = width // 2
    rise = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(half) + 0.5) / width)
    inner = balance[:-1, None] + rise[:, None] * np.diff(balance, axis=0)[:, None]
    first, last = balance[:1].repeat(half, axis=0), balance[-1:].repeat(n - half * len(balance), axis=0)
    return np.concatenate([first, inner.reshape(-1, balance.shape[1]), last])
