"""Heart-rate variability of a series of beat-to-beat intervals: RMSSD, SDNN and Baevsky's stress index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

BIN_S = 0.05
"""Width of the bins of Baevsky's histogram."""

_PLACES = 25
"""Where the histogram's edges may lie: from multiples of its bins on, in steps of 2 ms."""


def _kept(intervals_s: ArrayLike, kept: ArrayLike | None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    rr = np.asarray(intervals_s, dtype=np.float64)
    keep = np.ones(len(rr), dtype=bool) if kept is None else np.asarray(kept, dtype=bool)
    return rr, keep


def rmssd_ms(intervals_s: ArrayLike, kept: ArrayLike | None = None) -> float | None:
    """Root mean square of successive differences.

    Parameters
    ----------
    intervals_s : array_like, shape (n,)
        Beat-to-beat intervals in seconds, in order.
    kept : array_like of bool, shape (n,), optional
        False for intervals that are artefacts; a difference counts when both its intervals are kept.

    Returns
    -------
    float or None
        In milliseconds; None without a single difference.

    References
    ----------
    Task Force of the ESC and NASPE, "Heart rate variability", Circulation 93, 1996. doi:10.1161/01.CIR.93.5.1043
    """
    rr, keep = _kept(intervals_s, kept)
    differences = np.diff(rr)[keep[1:] & keep[:-1]]
    return float(1000 * np.sqrt(np.mean(differences**2))) if len(differences) else None


def sdnn_ms(intervals_s: ArrayLike, kept: ArrayLike | None = None) -> float | None:
    """Standard deviation (n - 1) of the kept intervals, in milliseconds; None for fewer than two. See `rmssd_ms`."""
    rr, keep = _kept(intervals_s, kept)
    return float(1000 * np.std(rr[keep], ddof=1)) if np.count_nonzero(keep) > 1 else None


def stress_index(intervals_s: ArrayLike, kept: ArrayLike | None = None) -> float | None:
    """Baevsky's stress index AMo / (2 Mo MxDMn) [1]_, the mean over where the histogram's edges may lie [2]_.

    Mo is the centre of the fullest 50 ms bin in seconds (the shorter interval wins a tie), AMo that bin's share in
    percent, MxDMn the range of the intervals in seconds. Of intervals near an edge, a millisecond more or less moves
    many from bin to bin: with edges at multiples of 50 ms alone the same heart reads a quarter higher or lower. The
    range grows with the number of beats, so short windows read higher than the five minutes of the original.

    Returns
    -------
    float or None
        None without intervals, or when they vary by less than 50 ms: the histogram then says nothing.

    References
    ----------
    .. [1] R. M. Baevsky and A. P. Berseneva, "Use of Kardivar system for determination of the stress level", 2008.
    .. [2] D. W. Scott, "Averaged shifted histograms", Ann. Statist. 13(3), 1985. doi:10.1214/aos/1176349654
    """
    rr, keep = _kept(intervals_s, kept)
    rr = rr[keep]
    if not len(rr):
        return None
    spread = float(np.ptp(rr))
    if spread < BIN_S - 1e-9:
        return None
    ratios = [_share_over_mode(rr, place * BIN_S / _PLACES) for place in range(_PLACES)]
    return float(100 * np.mean(ratios) / (2 * spread))


def _share_over_mode(rr: NDArray[np.float64], edge_s: float) -> float:
    """Share of the intervals in the fullest bin over that bin's centre in seconds, with an edge at `edge_s`."""
    # The guard keeps an interval such as 0.85 s, whose quotient may come out as 16.999…, in the bin it opens.
    bins = np.floor((rr - edge_s) / BIN_S + 1e-9)
    filled, counts = np.unique(bins, return_counts=True)  # only those: a pause of years has millions of empty bins
    fullest = int(np.argmax(counts))
    return float(counts[fullest] / len(rr) / ((filled[fullest] + 0.5) * BIN_S + edge_s))
