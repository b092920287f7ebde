"""From capture times to an even grid: where the data end and gaps begin, and what is slow and what is pulse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solveh_banded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.trace.traces import Trace

MAX_FS = 40.0
"""Traces above this rate are averaged down: 30 frames a second hold all a pulse has."""

GAP_S = 0.5
"""Samples farther apart than this have nothing between them; what the grid holds there is masked."""

MIN_RATE_HZ = 8.0
"""Slower traces aren't put on an even grid, which would turn what it can't hold into aliases."""

_APART = 1.5  # frames this many intervals of the slowest even rate apart have a hole between them
_MOST_APART = 0.25  # share of the window that may lie in such holes: an even grid would make up a quarter of it
_MOST_FINER = 4  # how many times as dense as its frames on average a grid may be
_LEAST = 0.5  # of the lowest colour that a region had: what a cubic beside a step shows below never was
_MIN_SEEN = 0.6  # share of the frames in which a region must be seen


@dataclass(frozen=True, eq=False)
class EvenTrace:
    """A trace on an even grid. `times_s` (n,) count from the first frame; where `known` is False there were no data."""

    fs: float
    times_s: NDArray[np.float64]
    known: NDArray[np.bool_]
    colours: NDArray[np.float64]  # (n, n_used, 3), finite and positive
    pose: NDArray[np.float64]  # (n, 5)
    regions: NDArray[np.intp]  # (n_used,) which regions of the trace these are

    @cached_property
    def levels(self) -> NDArray[np.float64]:
        """Logarithms of the colours."""
        return np.asarray(np.log(self.colours))


def frame_rate_hz(times_s: NDArray[np.float64]) -> float:
    """Frames over the time they stand for: (n - 1) / span; 0 for fewer than two frames."""
    return float((len(times_s) - 1) / (times_s[-1] - times_s[0])) if len(times_s) > 1 else 0.0


def is_sparse(times_s: NDArray[np.float64]) -> bool:
    """Whether frames are too far apart for an even grid, all of them or, in bursts with little between, many."""
    intervals = np.diff(times_s)
    if not len(intervals):
        return True
    apart = intervals[intervals > _APART / MIN_RATE_HZ].sum() / (times_s[-1] - times_s[0])
    return bool(frame_rate_hz(times_s) < MIN_RATE_HZ or apart > _MOST_APART)


def resample(trace: Trace) -> EvenTrace:
    """Place a trace on an even grid by local cubic interpolation at its capture times.

    The grid's rate is that of the typical frame interval, but never so high that the grid has more than four points
    for each frame: frames in bursts of microseconds must not cost what such a rate over the whole span would.
    Between intervals that are long for the trace the
    interpolation is linear, so that it can't overshoot; beyond `GAP_S` the grid is masked. A trace faster than
    `MAX_FS` is interpolated at a whole multiple of about 30 Hz and averaged down, which keeps noise from folding
    into the band. Regions seen in too few frames are left out.
    """
    times = trace.times_s - trace.times_s[0]
    interval = max(float(np.median(np.diff(times))), float(times[-1]) / (_MOST_FINER * len(times)))
    fold = max(1, round(1 / interval / 30)) if 1 / interval > MAX_FS else 1
    fs = 1 / interval / fold
    count = int((times[-1] + 1e-9) * fs * fold) + 1
    grid = np.arange(count - count % fold) / (fs * fold)

    colours, regions = seen_colours(times, trace.colours)
    flat = np.concatenate([colours.reshape(len(times), -1), trace.pose], axis=1)
    values, known = _interpolated(times, flat, grid, interval)
    if fold > 1:
        values = values.reshape(-1, fold, flat.shape[1]).mean(axis=1)
        grid, known = grid.reshape(-1, fold).mean(axis=1), np.asarray(known.reshape(-1, fold).all(axis=1))
    pixels = np.maximum(values[:, :-5].reshape(len(grid), -1, 3), _LEAST * colours.min(axis=0))
    return EvenTrace(fs=fs, times_s=grid, known=known, colours=pixels, pose=values[:, -5:], regions=regions)


def _interpolated(
    times: NDArray[np.float64], values: NDArray[np.float64], grid: NDArray[np.float64], interval: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values (n, k) on a grid, and where that isn't in a gap."""
    left = np.clip(np.searchsorted(times, grid, side="right") - 1, 0, len(times) - 2)
    index, weights = _local_cubic(times, grid, left, interval)
    even = np.zeros((len(grid), values.shape[1]))
    for sample, weight in zip(index.T, weights.T, strict=True):
        even += values.take(sample, axis=0) * weight[:, None]
    return even, times[left + 1] - times[left] <= max(GAP_S, 1.5 * interval)


def seen_colours(
    times: NDArray[np.float64], colours: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The regions seen often enough, with their missing frames bridged in a straight line."""
    sound = np.isfinite(colours) & (colours > 0)
    good = sound[..., 0] & sound[..., 1] & sound[..., 2]  # (n, n_regions)
    regions = np.flatnonzero(good.mean(axis=0) >= _MIN_SEEN)
    if good.all():
        return colours, regions
    kept = colours[:, regions]
    for column in np.flatnonzero(~good[:, regions].all(axis=0)):
        seen = good[:, regions[column]]
        for channel in range(3):
            kept[~seen, column, channel] = np.interp(times[~seen], times[seen], kept[seen, column, channel])
    return kept, regions


def _local_cubic(
    times: NDArray[np.float64], grid: NDArray[np.float64], left: NDArray[np.intp], interval: float
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Which four samples make each point of the grid, and their weights: cubic, or linear where they are far apart."""
    base = np.clip(left - 1, 0, max(len(times) - 4, 0))
    index = np.minimum(base[:, None] + np.arange(4), len(times) - 1)
    nodes = times[index]
    weights = np.zeros((len(grid), 4))
    even = (np.diff(nodes, axis=1).max(axis=1) <= 2.2 * interval) & (np.diff(nodes, axis=1).min(axis=1) > 0)
    at, points = nodes[even].T, grid[even]
    for k in range(4):
        a, b, c = (at[j] for j in range(4) if j != k)
        weights[even, k] = (points - a) * (points - b) * (points - c) / ((at[k] - a) * (at[k] - b) * (at[k] - c))
    rough = np.flatnonzero(~even)
    step = times[left[rough] + 1] - times[left[rough]]
    share = np.clip((grid[rough] - times[left[rough]]) / step, 0, 1)
    weights[rough, left[rough] - base[rough]] = 1 - share
    weights[rough, left[rough] - base[rough] + 1] = share
    return index, weights


def slow_part(
    values: NDArray[np.float64], known: NDArray[np.bool_], fs: float, cutoff_hz: float
) -> NDArray[np.float64]:
    """Trend of `values` (n, k) by smoothness priors [1]_: it holds half of a wave of `cutoff_hz`, less of faster ones.

    Unlike a filter it needs no settling time at the ends, and unknown points simply carry no weight.

    References
    ----------
    .. [1] M. P. Tarvainen, P. O. Ranta-aho and P. A. Karjalainen, "An advanced detrending method with application to
       HRV analysis", IEEE Trans. Biomed. Eng. 49(2), 2002. doi:10.1109/10.979357
    """
    n = len(values)
    stiffness = (2 * np.sin(np.pi * min(cutoff_hz / fs, 0.5))) ** -4
    bands = np.zeros((3, n))  # upper bands of W + stiffness * D'D, D the second difference
    bands[0, 2:] = stiffness
    bands[1, 1:] = -4 * stiffness
    bands[1, [1, -1]] = -2 * stiffness
    bands[2] = 6 * stiffness
    bands[2, [0, -1]], bands[2, [1, -2]] = stiffness, 5 * stiffness
    weight = known.astype(np.float64)
    bands[2] += weight
    return np.asarray(solveh_banded(bands, values * weight[:, None], check_finite=False))
