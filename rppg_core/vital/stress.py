"""Baevsky's stress index of beats that are timed by a camera: without what the errors of their times add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.vital import hrv

if TYPE_CHECKING:
    from rppg_core.vital.beats import Beats
    from rppg_core.vital.variability import Variability


@dataclass(frozen=True, slots=True)
class Stress:
    """The index, and the error of one beat's time at most as a share of the range of the intervals."""

    index: float
    jitter_share: float


def stress(beats: Beats, found: Variability) -> Stress | None:
    """Measure the index of intervals that are drawn together, around their mean, to the SDNN without jitter.

    Errors of the beats' times widen the range of the intervals, and flatten their histogram, as they add to SDNN. None
    where that isn't known, and where `hrv.stress_index` is None.
    """
    intervals = beats.intervals_s[beats.normal]
    seen_ms = hrv.sdnn_ms(intervals)
    if not seen_ms or found.sdnn_ms is None:
        return None
    mean = float(intervals.mean())
    freed = mean + found.sdnn_ms / seen_ms * (intervals - mean)
    index = hrv.stress_index(freed)
    if index is None:
        return None
    sigma_s = float(np.sqrt(found.most_jitter_ms2 / 6)) / 1000  # six times its square is in that of the differences
    return Stress(index, sigma_s / float(np.ptp(freed)))
