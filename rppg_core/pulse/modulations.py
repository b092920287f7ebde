"""What the breath does to a pulse: to its baseline, its height and its rhythm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.face.skin import MIN_REGIONS
from rppg_core.pulse.pulse_colour import BLOOD_HUE
from rppg_core.trace.sampling import slow_part
from rppg_core.vital.respiration import FS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.pulse.extract import Pulse
    from rppg_core.vital.beats import Beats

_BELOW_PULSE, _MOST_HZ = 0.6, 0.6  # share of the heart rate above which the pulse begins; the fastest breath, 36/min
_LEAST = 5  # points, fewer of which show no wave


def modulations(pulse: Pulse, rate_hz: float) -> dict[str, NDArray[np.float64]]:
    """Baseline, height and rhythm of a pulse of the rate `rate_hz`, by name, each evenly sampled at `FS`.

    Height and rhythm are left out where too few beats are sound.
    """
    even, beats = pulse.even, pulse.beats
    times = np.arange(int(even.times_s[-1] * FS) + 1) / FS
    found = {"baseline": np.interp(times, even.times_s, -_baseline(pulse, rate_hz))}
    if len(beats.times_s) >= _LEAST:
        found |= _by_beats(beats, times)
    return found


def _baseline(pulse: Pulse, rate_hz: float) -> NDArray[np.float64]:
    """The slow part of the skin's colour, which falls as blood volume rises."""
    even = pulse.even
    level = np.einsum("nrc,r->nc", even.levels, pulse.region_weights)
    smooth = slow_part(level, even.known, even.fs, min(_MOST_HZ, _BELOW_PULSE * rate_hz))
    # The brightness of a face follows light and posture; its hue follows the blood. A covered lens has no such choice.
    return np.asarray(smooth @ BLOOD_HUE if len(even.regions) >= MIN_REGIONS else smooth[:, 0])


def _by_beats(beats: Beats, times: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Height of the beats that are sound, and the intervals between them."""
    found = {}
    good = np.concatenate([[True], beats.kept]) | np.concatenate([beats.kept, [True]])
    if np.count_nonzero(good) >= _LEAST:
        found["height"] = np.interp(times, beats.times_s[good], beats.heights[good])
    if np.count_nonzero(beats.kept) >= _LEAST:
        middle = (beats.times_s[1:] + beats.times_s[:-1]) / 2
        found["rhythm"] = np.interp(times, middle[beats.kept], -beats.intervals_s[beats.kept])
    return found
