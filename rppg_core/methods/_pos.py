"""The POS method: projection on a plane orthogonal to skin tone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.errors import SignalTooShort
from rppg_core.methods.gate import as_traces
from rppg_core.numerics import window_sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray


def pos(traces: ArrayLike, fs: float, *, window_s: float = 1.6) -> NDArray[np.float64]:
    """Extract one pulse waveform per region with the POS method [1]_.

    The published loop over windows is done with sums over all windows at once: in every window the output is a linear
    mix of the three channels whose weights follow from the window's means and covariances, so that the sum over all
    windows that hold a frame is the frame times the sum of their weights. It is divided by the number of those windows,
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

    channels = np.ascontiguousarray(np.moveaxis(rgb, 2, 0))
    summed = [window_sums(_widened(weights, width - 1), width) for weights in _weights(channels, width)]
    frame = np.arange(n)
    windows = np.minimum(frame, n - width) + 1 - np.maximum(frame - width + 1, 0)  # that hold each frame
    return np.asarray(sum(c * w for c, w in zip(channels, summed, strict=True)) / windows[:, None])


def _weights(channels: NDArray[np.float64], width: int) -> list[NDArray[np.float64]]:
    """What each channel (n, n_regions) counts for in every window of `width` frames, shape (n_windows, n_regions)."""
    level = channels.mean(axis=1, keepdims=True)
    swings = channels - level  # sums of squares lose no digits on what is left
    means = [window_sums(swing, width) / width for swing in swings]
    centres = [mean + one for mean, one in zip(means, level, strict=True)]

    def covariance(i: int, j: int) -> NDArray[np.float64]:
        product = window_sums(swings[i] * swings[j], width) / width - means[i] * means[j]
        return np.asarray(product / (centres[i] * centres[j]))

    balance = _balance(covariance)
    return [-2 * balance / centres[0], (1 + balance) / centres[1], (balance - 1) / centres[2]]


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


def _widened(values: NDArray[np.float64], edge: int) -> NDArray[np.float64]:
    """With `edge` zeros at either end."""
    wider = np.zeros((len(values) + 2 * edge, *values.shape[1:]))
    wider[edge : edge + len(values)] = values
    return wider
