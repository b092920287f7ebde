"""Whether one person is seen throughout a window, or somebody else takes the place at some moment.

Two people in one window have two heart rates, and the window's spectrum peaks between them, or at the clearer one.
A heart may change its rate too, and light may change a face's colours. So two things are asked for together: the
pattern of the face, how its regions differ from one another, changes at once; and the pulse has another rate after
that moment than before it. A lamp leaves the rate alone, and a heart that slows down leaves the pattern alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.face.skin import MIN_REGIONS
from rppg_core.numerics import medians, over_channels, over_regions, window_sums
from rppg_core.trace.sampling import frame_rate_hz, seen_colours

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from rppg_core.trace.traces import Trace

_STRETCH_S, _LEAST_FRAMES = 0.3, 2  # the pattern is averaged over so much on either side of a moment
_LEAST_STEP = 0.02  # median over the regions, as a share of their colours
_OVER_USUAL, _OVER_NEXT = 4.0, 1.5  # a step over the median, and over the next one; movement has many like its largest
_LEAST_PART_S = 4.0  # on either side of the change: three beats of a slow heart
_SAME_BPM, _OF_A_TONE = 2.0, 0.1  # rates of two parts may differ by this, and this share of a tone's width


def is_replaced(trace: Trace, rate_of: Callable[[Trace], float | None]) -> bool:
    """Whether the pulse has another rate, or none, from the moment on at which the face's pattern changes most.

    Parameters
    ----------
    trace : Trace
        The whole window. Somebody who is seen for less than 4 s isn't looked for.
    rate_of : callable
        Finds the rate of a part in bpm. It is called twice if the face changes, and else not at all.
    """
    change_s = change_of_face_s(trace)
    if change_s is None:
        return False
    early = trace.times_s < change_s
    shorter_s = min(float(np.ptp(trace.times_s[part])) for part in (early, ~early))
    if shorter_s < _LEAST_PART_S:
        return False
    before, after = rate_of(trace.part(early)), rate_of(trace.part(~early))
    if before is None or after is None:
        return True
    tone_bpm = 60 * 4 / shorter_s  # under Hann's window
    return abs(before - after) > _SAME_BPM + _OF_A_TONE * tone_bpm


def change_of_face_s(trace: Trace) -> float | None:
    """Time of the first frame after the face's pattern has changed at once; None if it never does.

    A face that comes back after a pause is compared with the one before it. A few spots have no pattern.
    """
    width = max(_LEAST_FRAMES, round(_STRETCH_S * frame_rate_hz(trace.times_s)))
    if len(trace.times_s) < 6 * width:
        return None
    colours = seen_colours(trace.times_s, trace.colours)[0]
    if colours.shape[1] < MIN_REGIONS:
        return None
    steps = _steps(np.log(colours), width)
    top = int(np.argmax(steps))
    elsewhere = np.abs(np.arange(len(steps)) - top) > 2 * width
    usual, following = float(np.median(steps)), float(np.max(steps[elsewhere], initial=0.0))
    if steps[top] < max(_LEAST_STEP, _OVER_USUAL * usual, _OVER_NEXT * following):
        return None
    return float(trace.times_s[top + width])


def _steps(levels: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """How far the pattern of (n, n_regions, 3) differs between `width` frames and those after: (n - 2 width + 1,)."""
    means = window_sums(levels, width) / width
    steps = means[width:] - means[:-width]
    steps -= over_regions(steps)[:, None]
    return medians(np.sqrt(over_channels(steps**2)).T)
