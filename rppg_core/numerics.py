"""Arithmetic that several rooms share: what keeps a quotient finite, and a peak between the points of a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TINY = 1e-30
"""Added to a denominator or under a logarithm: nothing beside any power that a signal has, and no zero."""


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
