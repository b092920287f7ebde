"""Recorded motion of a head, to be replayed by another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import savgol_filter

from rppg_core.trace.traces import PLACE, ROLL_RAD, SIZE_PX, X_PX, YAW, Trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMOOTHED = 7  # frames: what is faster is the landmark model's jitter, not the head's


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """A head's way: at `times_s` (n,), x and y in eye distances, log of the size, tilt (rad), and yaw."""

    times_s: NDArray[np.float64]
    pose: NDArray[np.float64]  # (n, 5)

    def at(self, t_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Poses (n, 5) at times from 0 on: forwards, backwards, and so on, as often as it takes."""
        span = self.times_s[-1]
        folded = np.abs((np.asarray(t_s) + span) % (2 * span) - span)
        return np.stack([np.interp(folded, self.times_s, column) for column in self.pose.T], axis=1)


def motion(trace: Trace, half: int) -> Motion:
    """The way of a clip's head in one half (0 or 1) of it, so that tuning and test can have one each."""
    n = len(trace.times_s) // 2
    part = slice(0, n) if half == 0 else slice(len(trace.times_s) - n, None)
    pose = savgol_filter(trace.pose[part], _SMOOTHED, 2, axis=0)
    size = float(np.median(pose[:, SIZE_PX]))
    way = np.stack(
        [
            pose[:, X_PX] / size,
            pose[:, PLACE.stop - 1] / size,
            np.log(pose[:, SIZE_PX] / size),
            pose[:, ROLL_RAD],
            pose[:, YAW],
        ],
        axis=1,
    )
    times = trace.times_s[part]
    return Motion(times - times[0], way - np.median(way, axis=0))
