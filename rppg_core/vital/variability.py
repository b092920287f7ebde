"""Heart-rate variability of beats that are timed by a camera: less what the errors of their times add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.numerics import TINY
from rppg_core.vital import hrv

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.vital.beats import Beats

_EXACT_MS = 10.0  # error of the beats' times below which RMSSD is known to its tolerance, however small it is
_MOST_JITTER = 0.65  # share of RMSSD^2 that jitter may explain
# Jitter adds to what is seen. One of twice as much is of something else: a lamp's tone has no harmonics to time.
# On the tuning recordings of faces it is 1.5 times as much at most.
_MOST_OF_SEEN = 2.0
_MIN_KEPT = 0.75  # share of intervals kept below which the rhythm is called irregular
# How much of the jitter that two estimates see (their geometric mean) is taken off, and of that which is seen by the
# beats' sigma alone, where the skin is a single spot. Of 0 to 2.7, and 0 to 1, these left the least mean error of RMSSD
# on the tuning recordings of `python -m benchmarks.variability --fit`. On painted faces of light skin alone, whose
# errors go against the rhythm, the raw beats' is less by a third of a millisecond.
SEEN_SHARE, _SIGMA_SHARE = 2.35, 0.6
# Of each estimate alone: what makes it as large as the errors of the times really are, on the same recordings.
_HALVES_SHARE, _HARMONICS_SHARE = 1.8, 4.5
# What the order of the differences says counts as much as the parts of the pulse together, and moves their estimate by
# no more than this factor each way: in 30 s much of it is chance, and a fast breath in a slow heart alternates too. On
# the tuning recordings of `benchmarks.calibrate` factors of 3 to 8 give the same errors of RMSSD, less than without it.
_MOST_BY_ORDER = 4.0
_LEAST_IN_ORDER = 6  # pairs of differences in a row
# In sinus rhythm the median interval differs from the next by less than a tenth (RMSSD of 120 ms at 75 beats a minute),
# in atrial fibrillation by more.
_MOST_UNEVEN = 0.1
_LEAST_SHARE = 1 / 3
"""Of what the raw beats show: where jitter explains nearly all of it, the difference is chance, and zero no answer."""


@dataclass(frozen=True, slots=True)
class Variability:
    """Heart-rate variability freed of the beats' jitter, or the reason why the beats don't give one.

    `raw_ms` is RMSSD of the beats as they are found, `jitter_ms2` what was taken from its square, `most_jitter_ms2`
    what the jitter may be at most, `differences` how many successive differences there are.
    """

    rmssd_ms: float | None
    sdnn_ms: float | None
    reason: str | None
    raw_ms: float | None = None
    jitter_ms2: float = float("inf")
    most_jitter_ms2: float = float("inf")
    differences: int = 0

    @property
    def is_mostly_jitter(self) -> bool:
        """Whether jitter explains most of what is seen, so that RMSSD is known to be small and no more."""
        return _explains(_MOST_JITTER, self.raw_ms or 0.0, self.jitter_ms2)


def variability(beats: Beats) -> Variability:
    """RMSSD and SDNN of beats, less what the jitter of their times adds."""
    counted = beats.normal
    seen_ms, seen_sdnn = hrv.rmssd_ms(beats.intervals_s, counted), hrv.sdnn_ms(beats.intervals_s, counted)
    irregular = beats.kept_share < _MIN_KEPT or beats.unevenness > _MOST_UNEVEN
    if seen_ms is None or seen_sdnn is None or irregular:
        return Variability(None, None, "IRREGULAR_BEATS")
    both = counted[1:] & counted[:-1]
    of_differences, worst = jitter_ms2(beats, 2, both)
    of_intervals, _ = jitter_ms2(beats, 1, counted)
    factor = _by_order(beats, both, of_differences)
    of_differences, of_intervals = factor * of_differences, factor * of_intervals
    most = _MOST_JITTER if beats.others.halves is None else _MOST_OF_SEEN
    return Variability(
        rmssd_ms=_freed(seen_ms, of_differences),
        sdnn_ms=_freed(seen_sdnn, of_intervals),
        reason="LOW_SIGNAL" if _explains(most, seen_ms, of_differences) else None,
        raw_ms=seen_ms,
        jitter_ms2=of_differences,
        most_jitter_ms2=worst,
        differences=int(np.count_nonzero(both)),
    )


def _explains(share: float, seen_ms: float, of_differences_ms2: float) -> bool:
    """Whether jitter is more than a share of RMSSD^2, and the beats' times are not exact to `_EXACT_MS`."""
    return of_differences_ms2 > max(6 * _EXACT_MS**2, share * seen_ms**2)


def _by_order(beats: Beats, both: NDArray[np.bool_], likely_ms2: float) -> float:
    """By what factor the jitter is larger than parts of the pulse say, as far as the order of the differences shows.

    Independent errors of variance s^2 in the beats' times make one interval longer and the next one shorter: successive
    differences have 6 s^2 in their mean square and -4 s^2 in the mean product of neighbours. A rhythm that follows the
    breath has little of the second. This needs no part of the pulse, so it sees what bends all of them alike.
    """
    in_order = both[1:] & both[:-1]
    if beats.others.halves is None or beats.others.harmonics is None or np.count_nonzero(in_order) < _LEAST_IN_ORDER:
        return 1.0
    differences = 1000 * np.diff(beats.times_s, 2)
    by_order = -1.5 * float(np.mean((differences[1:] * differences[:-1])[in_order]))
    ratio = by_order / (likely_ms2 + TINY)
    return float(np.sqrt(np.clip(ratio, 1 / _MOST_BY_ORDER, _MOST_BY_ORDER)))


def jitter_ms2(beats: Beats, order: int, chosen: NDArray[np.bool_]) -> tuple[float, float]:
    """What errors of the beats' times add to the mean square of their differences, in ms^2: likely, and at most.

    Two estimates are taken from the recording itself. Two halves of the skin time the same beats, each with noise of
    its own; how far they part says how exact their mean is, but nothing of what bends the whole pulse, as a codec does.
    Harmonics and the whole beat part by such a bend, but also by the harmonics' own noise, where a codec has blurred
    them. One is too small where the other is too large, so their geometric mean is likely, and the larger one the most.

    Parameters
    ----------
    beats : Beats
        With their times by parts of the pulse.
    order : int
        Of the differences: 1 for intervals, 2 for their successive differences.
    chosen : ndarray of bool, shape (n_beats - order,)
        Which differences count.
    """
    halves, harmonics = beats.others.halves, beats.others.harmonics
    if halves is None:
        by_sigma = (2.0, 6.0)[order - 1] * 1e6 * beats.timing_sigma_s**2
        return _SIGMA_SHARE * by_sigma, by_sigma

    def differences(times: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(1000 * np.diff(times, order)[chosen])

    by_halves = _of_halves(differences(halves[0] - halves[1]), differences(beats.times_s - halves[1]))
    if harmonics is None:
        return by_halves, _HALVES_SHARE * by_halves
    by_harmonics = float(np.mean(differences(harmonics - beats.times_s) ** 2))
    likely = SEEN_SHARE * float(np.sqrt(by_halves * by_harmonics))
    return likely, max(_HALVES_SHARE * by_halves, _HARMONICS_SHARE * by_harmonics)


def _of_halves(apart: NDArray[np.float64], whole: NDArray[np.float64]) -> float:
    """Noise of the best mean of two, by how far they are apart and where between them that mean lies.

    With independent noise of variances a and b, weights b / (a + b) and a / (a + b) are best, and leave
    a b / (a + b): the product of the weights times the variance of the difference.
    """
    share = float(np.clip(whole @ apart / (apart @ apart + TINY), 0.1, 0.9))
    return share * (1 - share) * float(np.mean(apart**2))


def _freed(seen_ms: float, added_ms2: float) -> float:
    return float(np.sqrt(max(seen_ms**2 - added_ms2, (_LEAST_SHARE * seen_ms) ** 2)))
