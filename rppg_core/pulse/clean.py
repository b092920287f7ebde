"""A trace to what its skin does: on an even grid, without drift, the head's motion and lamps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.face.skin import MIN_REGIONS, skin_regions
from rppg_core.pulse.whole_picture import WholePicture, whole_picture
from rppg_core.trace.flicker import remove_flicker
from rppg_core.trace.motion import remove_motion
from rppg_core.trace.sampling import EvenTrace, resample, slow_part
from rppg_core.trace.traces import SIZE_PX, YAW, Trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

CUTOFF_HZ = 0.45
"""What is slower is drift: two thirds of the slowest rate, so that a pulse of that keeps most of its height."""

_LEAST_CHANGE = -0.9  # a colour stays positive


@dataclass(frozen=True, slots=True, eq=False)
class CleanTrace:
    """The skin of a trace on an even grid, and how it changes."""

    even: EvenTrace  # of the regions of skin alone
    changes: NDArray[np.float64]  # (n, n_used, 3) relative changes of colour, without drift, motion and flicker
    moving: NDArray[np.float64]  # (n, n_used, 3) the same with what the head's motion does
    pose: NDArray[np.float64]  # (n, 5) as `traces.POSE`, without drift
    picture: WholePicture  # what the rest of the picture does
    bits_a_pixel: float | None  # that a video's codec spent; None for frames

    @property
    def n_regions(self) -> int:
        """How many regions of skin there are."""
        return len(self.even.regions)

    @property
    def is_face(self) -> bool:
        """Whether there are enough regions to tell a face from a few spots, such as a fingertip on a lens."""
        return self.n_regions >= MIN_REGIONS

    @property
    def size_px(self) -> float:
        """The face's size."""
        return float(np.median(self.even.pose[:, SIZE_PX]))


def clean(trace: Trace) -> CleanTrace | None:
    """Put a trace on an even grid and take out what is not blood; None without any skin."""
    even = _skin_alone(resample(trace), trace.colours.shape[1])
    n, n_used = len(even.times_s), len(even.regions)
    if not n_used:
        return None
    levels = even.levels.reshape(n, -1)
    fast = without_drift(np.concatenate([levels, even.pose], axis=1), even)
    pose = fast[:, -even.pose.shape[1] :]
    moving = fast[:, : 3 * n_used]
    changes = remove_motion(moving, pose, even.fs).reshape(n, n_used, 3)
    moving = moving.reshape(n, n_used, 3)
    if n_used >= MIN_REGIONS:
        changes, moving = remove_flicker(changes, even.fs), remove_flicker(moving, even.fs)
    return CleanTrace(
        even,
        np.maximum(changes, _LEAST_CHANGE),
        np.maximum(moving, _LEAST_CHANGE),
        pose,
        whole_picture(trace, even, levels),
        bits_a_pixel=trace.bits_a_pixel,
    )


def without_drift(series: NDArray[np.float64], even: EvenTrace) -> NDArray[np.float64]:
    """What of series (n, k) on a trace's grid is faster than `CUTOFF_HZ`; 0 where there were no data."""
    fast = series - slow_part(series, even.known, even.fs, CUTOFF_HZ)
    fast[~even.known] = 0.0
    return fast


def _skin_alone(even: EvenTrace, trace_regions: int) -> EvenTrace:
    yaw = float(np.median(even.pose[:, YAW]))
    skin = skin_regions(trace_regions, even.colours.mean(axis=0), even.regions, yaw)
    return replace(even, colours=even.colours[:, skin], regions=even.regions[skin])
