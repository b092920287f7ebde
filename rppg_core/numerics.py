"""Arithmetic that several rooms share: what keeps a quotient finite, peaks, and a peak between the points of a grid.

Two of `scipy.signal`'s functions have a twin here. That module takes a second of processor time to load and 42 MB of
each process, more than the rest of the analysis together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import ifft, irfft, next_fast_len, rfft
from scipy.linalg.lapack import dposv

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TINY = 1e-30
"""Added to a denominator or under a logarithm: nothing beside any power that a signal has, and no zero."""


FROM_MAD = 1.4826
"""Standard deviation over median absolute deviation, of a normal distribution."""


def medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Medians over the first axis, to the digit those of `np.median`, of finite values, in a quarter of its time.

    `np.median` partitions twice, for the two middle values and to find NaN, and column by column.
    """
    columns = _as_columns(values)
    middle = columns.shape[-1] // 2
    columns.partition(middle, axis=-1)
    upper = columns[..., middle]
    if columns.shape[-1] % 2:
        return np.asarray(upper.copy())
    return np.asarray((columns[..., :middle].max(axis=-1) + upper) / 2)


def quantiles(values: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Quantiles over the first axis, to the digit those of `np.quantile`, of finite values, in a third of its time."""
    columns = _as_columns(values)
    last = columns.shape[-1] - 1
    below = min(int(share * last), last)
    above, part = min(below + 1, last), share * last - below
    columns.partition((below, above), axis=-1)
    low, high = columns[..., below], columns[..., above]
    return np.asarray(high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part)


def _as_columns(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A copy with the first axis last, and contiguous."""
    columns = np.ascontiguousarray(np.moveaxis(values, 0, -1))
    return columns.copy() if np.may_share_memory(columns, values) else columns


def over_channels(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over red, green and blue, the last axis: to the digit `mean`, which takes eight times as long for three."""
    return np.asarray((colours[..., 0] + colours[..., 1] + colours[..., 2]) / 3)


def over_regions(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the regions of (n, n_regions, k): `mean(axis=1)`, in a fifth of its time where k is 3."""
    n, n_regions, k = colours.shape
    return np.asarray(colours.reshape(n, -1) @ np.tile(np.eye(k) / n_regions, (n_regions, 1)))


def window_sums(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Sums over every run of `width` frames, shape (n_frames - width + 1, ...).

    Sums of 2, 4, 8 ... frames are made from one another, and those that `width` consists of are added.
    """
    n = len(values) - width + 1
    total, taken, runs, length = np.zeros((n, *values.shape[1:])), 0, values, 1
    while True:
        if width & length:
            total += runs[taken : taken + n]
            taken += length
        if 2 * length > width:
            return total
        runs = runs[:-length] + runs[length:]
        length *= 2


def solve_positive(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve for a symmetric, positive definite matrix: `np.linalg.solve`, in half of its time."""
    _, solution, failed = dposv(matrix.T, right, lower=1)
    # Rounding may leave a matrix indefinite by a little.
    return np.asarray(np.linalg.solve(matrix, right) if failed else solution)


def filter_circularly(series: NDArray[np.float64], gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Multiply each frequency of `rfft(series, axis=0)` by its gain, shape (n // 2 + 1,), and transform back.

    A length with large prime factors makes such a transform take seven times as long. Then the series are convolved
    with the gain's impulse response by transforms that are twice as long, with the same result.
    """
    n, across = len(series), (slice(None), *[None] * (series.ndim - 1))
    if next_fast_len(n, real=True) == n:
        spectrum = rfft(series, axis=0)
        spectrum *= gain[across]
        return np.asarray(irfft(spectrum, n, axis=0, overwrite_x=True))
    longer = next_fast_len(2 * n - 1, real=True)
    response = np.zeros(longer)
    response[:n] = irfft(gain, n)
    response[longer - n + 1 :] = response[1:n]  # of times before 0
    spectrum = rfft(series, longer, axis=0)
    spectrum *= rfft(response)[across]
    return np.asarray(irfft(spectrum, longer, axis=0, overwrite_x=True)[:n])


def vertex(before: ArrayLike, here: ArrayLike, after: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit a parabola to three neighbours on a grid, of which the middle one is the highest.

    Returns
    -------
    ndarray
        Where its vertex lies from the middle, in steps of the grid: -0.5 to 0.5. 0 where they don't bend down.
    ndarray
        How far the vertex is above the middle one.
    """
    before, here, after = np.asarray(before), np.asarray(here), np.asarray(after)
    bend = before - 2 * here + after
    crest = bend < 0
    bend = np.where(crest, bend, -1.0)
    shift = np.where(crest, 0.5 * (before - after) / bend, 0.0)
    rise = np.where(crest, -((before - after) ** 2) / (8 * bend), 0.0)
    return np.clip(shift, -0.5, 0.5), rise


def peak_frequency(
    freqs: NDArray[np.float64], values: NDArray[np.float64], top: int, *, logarithmic: bool = False
) -> float:
    """Frequency of a peak between the points of a grid; `top` is the index of its highest point.

    The parabola goes through `values`, or with `logarithmic` through their logarithms, of which it is exact for a tone
    under a Gaussian window and good for one under Hann's.
    """
    if not 0 < top < len(values) - 1:
        return float(freqs[top])
    three = values[top - 1 : top + 2]
    shift, _ = vertex(*(np.log(three + TINY) if logarithmic else three))
    return float(freqs[top] + shift * (freqs[1] - freqs[0]))


def peaks_apart(values: NDArray[np.float64], distance: int) -> NDArray[np.intp]:
    """Find local maxima, the middle of flat ones; of two nearer than `distance` samples the higher one stays."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(values)) + 1])  # of runs of equal values
    ends = np.concatenate([starts[1:] - 1, [len(values) - 1]])
    heights = values[starts]
    top = np.flatnonzero((heights[1:-1] > heights[:-2]) & (heights[1:-1] > heights[2:])) + 1
    peaks = (starts[top] + ends[top]) // 2
    stays = np.ones(len(peaks), dtype=bool)
    for highest in np.argsort(values[peaks])[::-1]:
        if stays[highest]:
            stays[np.abs(peaks - peaks[highest]) < distance] = False
            stays[highest] = True
    return np.asarray(peaks[stays], dtype=np.intp)


def analytic_signal(wave: NDArray[np.float64], gain: ArrayLike = 1.0) -> NDArray[np.complex128]:
    """Add to a real signal of shape (n,) its Hilbert transform as imaginary part.

    `gain`, of shape (n // 2 + 1,), filters it first: for each frequency of its `rfft` a factor.
    """
    n = len(wave)
    spectrum = np.zeros(n, dtype=np.complex128)
    spectrum[: n // 2 + 1] = rfft(wave) * gain
    spectrum[1 : (n + 1) // 2] *= 2.0
    return np.asarray(ifft(spectrum))
