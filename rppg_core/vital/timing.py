"""How exact the beats' times are: what is left beside the mean beat, what halves and harmonics say of each beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.numerics import FROM_MAD, TINY
from rppg_core.vital.mean_beat import Matching, MeanBeat, segments_at, summits

if TYPE_CHECKING:
    from numpy.typing import NDArray

# From simulated beats whose times are known: the mean beat takes some of the noise with it, and times by the harmonics
# alone stray from those by the whole beat this much less than those from the truth. The second is the slower to learn
# that a codec bends all of a face alike, and the surer; so it counts twice.
_RESIDUAL_SHARE, _HARMONIC_SHARE, _HARMONIC_COUNT = 1.375, 0.46, 2
_BETWEEN = (0.15, 0.5)  # of the spacing: where neither beat has shaped the residual
_STRAY = 0.12  # of the interval: how far a beat's time by a part of the pulse may be from that by the whole


@dataclass(frozen=True, slots=True, eq=False)
class OtherTimes:
    """Where the same beats lie by parts of the pulse, or None where there is no such part.

    `halves` (2, n_beats) are by two halves of the regions, whose noise is their own; `harmonics` (n_beats,) are by all
    regions without the rate itself, which a bend of the whole pulse moves in another way.
    """

    halves: NDArray[np.float64] | None = None
    harmonics: NDArray[np.float64] | None = None

    def scaled(self, unit: float) -> OtherTimes:
        """The same in another unit."""
        return OtherTimes(*(None if part is None else part * unit for part in (self.halves, self.harmonics)))


def other_times(
    halves: list[NDArray[np.float64]], high: NDArray[np.float64] | None, times: NDArray[np.float64], beat: MeanBeat
) -> OtherTimes:
    """Where beats lie by two halves of the skin, or none, and by the harmonics, if there are any; in samples."""
    by_halves = by_harmonics = None
    if halves:
        by_halves = np.stack([_times_by(half, times, beat.shape) for half in halves])
    if high is not None:
        by_harmonics = _times_by(high, times, segments_at(high, times, beat.around).mean(axis=0) * beat.taper)
    return OtherTimes(by_halves, by_harmonics)


def _times_by(
    signal: NDArray[np.float64], times: NDArray[np.float64], shape: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Where a shape fits a signal best near each time, in samples."""
    reach = int(_STRAY * float(np.median(np.diff(times))))
    return summits(Matching(signal, len(shape)).with_shape(shape), times, reach)


def timing_sigma(residual: float, times: NDArray[np.float64], by_harmonics: NDArray[np.float64] | None) -> float:
    """Standard deviation of the beats' times.

    By that which their residual allows, and, where there are harmonics, by how far times by these are apart. The
    harmonics and the rate have noise of their own; what bends the pulse without looking like noise parts them too.
    """
    if by_harmonics is None:
        return residual
    apart = by_harmonics - times
    other = float(FROM_MAD * np.median(np.abs(apart - np.median(apart)))) / _HARMONIC_SHARE
    return float(np.sqrt((residual**2 + _HARMONIC_COUNT * other**2) / (1 + _HARMONIC_COUNT)))


def residual_sigma(signal: NDArray[np.float64], times: NDArray[np.float64], mean_beat: MeanBeat) -> float:
    """Standard deviation of the beats' times in samples, from what the mean beat doesn't explain.

    Noise shifts the summit of the match by its own match with the beat's slope, over the slope's power. The residual
    near a beat is already as small as its time could make it, so it is looked at halfway between.
    """
    segments = segments_at(signal, times, mean_beat.around)
    typical = segments.mean(axis=0)
    slope, typical_slope = np.gradient(mean_beat.shape), np.gradient(typical)
    power = abs(float(slope @ typical_slope))
    residual = _residual(signal, times, segments, typical)
    shifts = Matching(residual, len(slope)).with_shape(slope) / (power + TINY)
    between = _between_beats(len(signal), times)
    return _RESIDUAL_SHARE * float(np.sqrt(np.mean(shifts[between] ** 2))) if between.any() else float("inf")


def _residual(
    signal: NDArray[np.float64], times: NDArray[np.float64], segments: NDArray[np.float64], typical: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The signal around the beats, less the typical one at each beat's height; where they overlap, their mean."""
    reach = (len(typical) - 1) // 2
    window = np.hanning(2 * reach + 3)[1:-1] + 1e-3
    scales = segments @ typical / (typical @ typical + TINY)
    at = np.rint(times).astype(np.intp)[:, None] + np.arange(-reach, reach + 1)
    inside = (at >= 0) & (at < len(signal))
    added = window * (segments - scales[:, None] * typical)
    residual = np.bincount(at[inside], added[inside], len(signal))
    weight = np.bincount(at[inside], np.broadcast_to(window, at.shape)[inside], len(signal))
    return np.divide(residual, weight, out=np.zeros_like(residual), where=weight > 0)


def _between_beats(n: int, times: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of n samples lie about halfway between beats."""
    place, spacing = np.arange(n), float(np.median(np.diff(times)))
    after = np.searchsorted(times, place)
    left, right = times[np.clip(after - 1, 0, len(times) - 1)], times[np.clip(after, 0, len(times) - 1)]
    distance = np.minimum(np.abs(place - left), np.abs(place - right))
    return np.asarray((distance > _BETWEEN[0] * spacing) & (distance < _BETWEEN[1] * spacing))
