"""The POS method: projection on a plane orthogonal to skin tone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.errors import SignalTooShort
from rppg_core.methods.gate import as_traces

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray


def pos(traces: ArrayLike, fs: float, *, window_s: float = 1.6) -> NDArray[np.float64]:
    """Extract one pulse waveform per region with the POS method [1]_.

    The published loop over windows is done with running sums: in every window the output is a linear mix of the
    three channels whose weights follow from the window's means and covariances, so that the sum over all windows
    that hold a frame is the frame times a running sum of weights. It is divided by the number of those windows,
    so that the first and last beats aren't fainter than the rest.

    Parameters
    ----------
    traces : array_like, shape (n_frames, n_regions, 3)
        Mean RGB of each region in each frame, evenly sampled, on any positive scale.
    fs : float
        Sampling rate of `traces`, in Hz.
    window_s : float, optional
        Length of the sliding window, in seconds. The default holds one beat at 37.5 bpm.

    Returns
    -------
    ndarray, shape (n_frames, n_regions), float64
        Pulse, as a share of the mean colour. It follows reflected light: it falls as blood volume rises.

    Raises
    ------
    InvalidTraces
        If `traces` has another shape, or holds a value that is not finite and positive.
    SignalTooShort
        If `traces` lasts less than one window.

    References
    ----------
    .. [1] W. Wang, A. C. den Brinker, S. Stuijk and G. de Haan, "Algorithmic Principles of
       Remote PPG", IEEE Trans. Biomed. Eng. 64(7), 2017. doi:10.1109/TBME.2016.2609282
    """
    rgb = as_traces(traces)
    n, width = len(rgb), int(np.ceil(window_s * fs))
    if n < width:
        raise SignalTooShort(seconds=n / fs, needed_s=window_s)

    weights = _weights(rgb, width)
    total = _running_sums(weights)
    frame = np.arange(n)
    last, first = np.minimum(frame, n - width) + 1, np.maximum(frame - width + 1, 0)
    summed = total[last] - total[first]
    return np.asarray(np.einsum("nrc,nrc->nr", rgb, summed) / (last - first)[:, None])


def _weights(rgb: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """What each channel counts for in every window of `width` frames, shape (n_windows, n_regions, 3)."""
    level = rgb.mean(axis=0)
    swing = rgb - level  # sums of squares lose no digits on what is left
    mean = _window_sums(swing, width) / width
    centre = mean + level
    swings, means, centres = (np.ascontiguousarray(np.moveaxis(part, 2, 0)) for part in (swing, mean, centre))

    def covariance(i: int, j: int) -> NDArray[np.float64]:
        product = _window_sums(swings[i] * swings[j], width) / width - means[i] * means[j]
        return np.asarray(product / (centres[i] * centres[j]))

    balance = _balance(covariance)
    return np.asarray(np.stack([-2 * balance, 1 + balance, balance - 1], axis=-1) / centre)


def _balance(covariance: Callable[[int, int], NDArray[np.float64]]) -> NDArray[np.float64]:
    """The spread of X = G - B over that of Y = G + B - 2 R in each window."""
    r, g, b = 0, 1, 2
    rr, gg, bb = covariance(r, r), covariance(g, g), covariance(b, b)
    rg, rb, gb = covariance(r, g), covariance(r, b), covariance(g, b)
    x_power = np.maximum(gg + bb - 2 * gb, 0.0)
    y_power = np.maximum(4 * rr + gg + bb + 2 * gb - 4 * rg - 4 * rb, 0.0)
    # Under perfectly still light y has no spread, and there is nothing to balance.
    floor = 1e-24
    return np.sqrt(np.divide(x_power, y_power, out=np.zeros_like(x_power), where=y_power > floor))


def _window_sums(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Sums over every run of `width` frames, shape (n_frames - width + 1, ...)."""
    total = _running_sums(values)
    return np.asarray(total[width:] - total[:-width])


def _running_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of the first 0 ... n values."""
    total = np.zeros((len(values) + 1, *values.shape[1:]))
    np.cumsum(values, axis=0, out=total[1:])
    return total
