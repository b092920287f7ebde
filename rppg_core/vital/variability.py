"""Heart-rate variability of beats that are timed by a camera: less what the error of their times adds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rppg_core.vital import hrv
from rppg_core.vital.beats import Beats

_EXACT_S = 0.010  # error of the beats' times below which RMSSD is known to its tolerance, however small it is
_MOST_JITTER = 0.65  # share of RMSSD^2 that jitter may explain; its own estimate is good to a quarter
_MIN_KEPT = 0.75  # share of intervals kept below which the rhythm is called irregular
_RMSSD_SHARE = 3.0  # an error of both of an interval's beats adds 6 sigma^2 to RMSSD^2, and 2 to the variance


@dataclass(frozen=True, slots=True)
class Variability:
    """Heart-rate variability freed of the beats' jitter, or the reason why the beats don't give one."""

    rmssd_ms: float | None
    sdnn_ms: float | None
    reason: str | None


def variability(beats: Beats) -> Variability:
    """RMSSD and SDNN of beats, less what the jitter of their times adds."""
    seen_ms, seen_sdnn = hrv.rmssd_ms(beats.intervals_s, beats.kept), hrv.sdnn_ms(beats.intervals_s, beats.kept)
    jitter_ms2 = hrv.jitter_ms2(beats.timing_sigma_s)
    if seen_ms is None or seen_sdnn is None or beats.kept_share < _MIN_KEPT:
        return Variability(None, None, "IRREGULAR_BEATS")
    if beats.timing_sigma_s > _EXACT_S and jitter_ms2 > _MOST_JITTER * seen_ms**2:
        return Variability(None, None, "LOW_SIGNAL")
    return Variability(
        rmssd_ms=hrv.without_jitter_ms(seen_ms, beats.timing_sigma_s),
        sdnn_ms=float(np.sqrt(max(seen_sdnn**2 - jitter_ms2 / _RMSSD_SHARE, 0.0))),
        reason=None,
    )
