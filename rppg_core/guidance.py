"""What a person should change for a better measurement, from the trace alone; works from one frame up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.face.regions import CENTRES, N_REGIONS
from rppg_core.numerics import quantiles
from rppg_core.trace.aliasing import is_evenly_slow
from rppg_core.trace.sampling import frame_rate_hz
from rppg_core.trace.traces import PLACE, SIZE_PX, X_PX, Y_PX, Trace

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_MIN_SIZE_PX = 32.0  # distance of the eyes' centres: a little more than the least that is measured
_EDGE = 1.1  # half width and height of the skin, in that distance
_DARK, _BRIGHT = 40.0, 245.0  # levels of the brightest channel
_UNEVEN = 1.8  # brightness of the lighter over the darker cheek
_MOTION = 0.10  # share of the size moved within half a second
_LOW_RATE_HZ = 12.0


def advise(trace: Trace, paced_s: ArrayLike | None = None) -> tuple[str, ...]:
    """Say what to change.

    Parameters
    ----------
    trace : Trace
        What was seen; may be a single frame.
    paced_s : array_like, shape (n,), optional
        Capture times in seconds, increasing, that tell the pace where the trace holds too few of them.

    Returns
    -------
    tuple of str
        Codes in a fixed order; none when all is well or nothing was seen.
    """
    if not len(trace.times_s):
        return ()
    codes = (*_place(trace), *(("SEVERAL_FACES",) if trace.several_faces else ()), *_light(trace))
    if len(trace.times_s) > 2:
        codes += _motion(trace)
    return codes + _pace(trace.times_s if paced_s is None else np.asarray(paced_s, dtype=np.float64))


def _place(trace: Trace) -> tuple[str, ...]:
    pose = np.median(trace.pose, axis=0) if len(trace.pose) > 1 else trace.pose[0]
    x, y, size = pose[X_PX], pose[Y_PX], pose[SIZE_PX]
    width, height = trace.frame_size
    if size < _MIN_SIZE_PX:
        return ("FACE_TOO_SMALL",)
    if not (width and height):  # not known: nothing can be said of the place
        return ()
    inside = _EDGE * size <= x <= width - _EDGE * size and _EDGE * size <= y <= height - _EDGE * size
    central = 0.2 <= x / width <= 0.8 and 0.15 <= y / height <= 0.85
    return () if inside and central else ("FACE_OFF_CENTRE",)


def _light(trace: Trace) -> tuple[str, ...]:
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(trace.colours)
    seen = finite[..., 0] & finite[..., 1] & finite[..., 2]
    if not seen.any():
        return ()
    count = np.maximum(seen.sum(axis=0), 1)
    colours = trace.colours if seen.all() else np.where(seen[..., None], trace.colours, 0.0)
    mean = colours.sum(axis=0) / count[:, None]
    brightest = mean.max(axis=1)[seen.any(axis=0)]
    codes: tuple[str, ...] = ()
    if np.median(brightest) < _DARK:
        codes += ("TOO_DARK",)
    if np.mean(brightest > _BRIGHT) > 0.3:
        codes += ("TOO_BRIGHT",)
    if (
        len(mean) == N_REGIONS
    ):  # hair darkens a forehead, and a beard a chin: the cheeks tell where the light comes from
        cheeks = [seen.any(axis=0) & (CENTRES[:, 1] > 0.1) & (side * CENTRES[:, 0] > 0.3) for side in (-1, 1)]
        left, right = (np.median(mean[cheek].max(axis=1)) if cheek.any() else np.nan for cheek in cheeks)
        if max(left, right) > _UNEVEN * min(left, right):
            codes += ("UNEVEN_LIGHT",)
    return codes


def _motion(trace: Trace) -> tuple[str, ...]:
    times, place = trace.times_s, trace.pose[:, PLACE] / max(float(np.median(trace.pose[:, SIZE_PX])), 1.0)
    later = np.searchsorted(times, times + 0.5)
    pairs = np.flatnonzero((later < len(times)) & (times[np.minimum(later, len(times) - 1)] - times < 1.0))
    if not len(pairs):
        return ()
    moved = np.hypot(*(place[later[pairs]] - place[pairs]).T)
    return ("MOTION",) if quantiles(moved, 0.75) > _MOTION else ()


def _pace(times_s: NDArray[np.float64]) -> tuple[str, ...]:
    codes: tuple[str, ...] = ()
    if len(times_s) > 2 and frame_rate_hz(times_s) < _LOW_RATE_HZ:
        codes += ("LOW_FRAME_RATE",)
    if is_evenly_slow(times_s):
        codes += ("EVENLY_SLOW_FRAMES",)
    return codes
