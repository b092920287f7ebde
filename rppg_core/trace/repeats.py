"""Pictures that come more than once: a camera of five pictures a second in a stream of thirty.

A dim room, a virtual camera or a recorder gives each picture several times. Taken for frames, the repeats look like a
trace that holds a fast pulse and its beats; but what is faster than half of the camera's own rate is alias. So repeats
are left out, and the trace is what the camera gave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.numerics import quantiles
from rppg_core.trace.witnesses import CENTRE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.trace.traces import Trace

_LEAST_SHARE = 0.25  # of the frames repeat: fewer may be a camera's hiccups, or chance
_SAME, _TOUCHED_UP = 0.02, 0.1  # of what a new picture changes; a codec touches up its repeats a little
_NEW_QUANTILE = 0.95
_LEAST_HZ = 1.0  # of new pictures: a still picture repeats too, and is looked at as it came


def distinct(trace: Trace) -> Trace:
    """The frames that show a new picture, each at the time of its first showing.

    Parameters
    ----------
    trace : Trace
        With witnesses; without them nothing is known of repeats.

    Returns
    -------
    Trace
        The same trace unless a quarter of its frames repeat the one before.
    """
    again = repeated(trace)
    if np.count_nonzero(again) < max(_LEAST_SHARE * len(again), 1):
        return trace
    new = trace.part(~again)
    span_s = trace.times_s[-1] - trace.times_s[0]
    return new if len(new.times_s) > max(_LEAST_HZ * span_s, 2) else trace


def repeated(trace: Trace) -> NDArray[np.bool_]:
    """Which frames show the picture of the frame before, shape (n_frames,).

    The middle of the picture is compared, which no landmark moves: its brightness and its detail. Noise changes both
    from picture to picture, and hardly ever both by so little.
    """
    again = np.zeros(len(trace.times_s), dtype=bool)
    if trace.witness is None or len(again) < 3:
        return again
    change = np.abs(np.diff(trace.witness[:, CENTRE], axis=0))
    seen = np.isfinite(change).all(axis=1)
    if np.count_nonzero(seen) < len(change) / 2:
        return again
    usual = quantiles(change[seen], _NEW_QUANTILE)
    if not (usual > 0).all():
        return again
    size = np.hypot(*(change / usual).T)
    exactly = seen & (size < _SAME)
    again[1:] = exactly if exactly.mean() >= _LEAST_SHARE else seen & (size < _TOUCHED_UP)
    return again
