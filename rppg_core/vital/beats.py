"""Single beats to a fraction of a frame, which of them to believe, and how exact their times are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.numerics import FROM_MAD, peaks_apart
from rppg_core.vital.mean_beat import filtered, find_mean_beat, segments_at
from rppg_core.vital.timing import OtherTimes, other_times, residual_sigma, timing_sigma
from rppg_core.vital.upstrokes import CountedBeats, count_beats

if TYPE_CHECKING:
    from numpy.typing import NDArray

FINE_HZ = 250.0
"""Beats are timed on a grid at least this fine, and between its points by a parabola."""

# Shares of the rate: a band with nothing but the rate itself, and one with as many harmonics as a beat's shape has.
_NARROW, _WIDE, _MOST_HZ = (0.55, 1.7), (0.5, 5.0), 8.0
_CLOSEST_CREST = 0.6  # of the mean interval
_MOST_OF_FS = 0.4  # of the sampling rate, where harmonics must begin to be seen
_LOWEST_CREST = 0.15  # of the median height: lower ones are noise in a gap
_LEAST_BEATS = 4  # fewer have no mean beat
_ODD_SHARE = 0.17  # an interval this far from the median of its seven neighbours is an artefact
# What a variable rhythm may do: four times what is usual in the recording, up to a quarter, since ectopic beats come
# earlier; and parts of the pulse must show it alike, within a third of it.
_USUAL_REACH, _MOST_OFF, _ALIKE = 4.0, 0.24, 1 / 3
_MIN_LIKENESS = 0.35  # correlation with the mean beat below which a beat is no beat
_EVEN, _RHYTHMIC = 0.08, 0.85  # unevenness and share of kept intervals of beats that need not be counted one by one


@dataclass(frozen=True, slots=True, eq=False)
class Beats:
    """Beats of one pulse.

    `times_s` (n,) and `heights` (n,) of the beats; `kept` (n - 1,) is False for intervals that are artefacts: missed,
    doubled or ectopic beats, gaps in the data. `normal` (n - 1,) is True for the kept ones, and for those that only a
    variable rhythm makes odd. `timing_sigma_s` is the standard deviation of the times' error, and `others` are the
    times by parts of the pulse, from which `vital.variability` learns what the errors add. `counted` are the beats by
    their upstrokes, where these look as if the heart had no rhythm.
    """

    times_s: NDArray[np.float64]
    heights: NDArray[np.float64]
    kept: NDArray[np.bool_]
    normal: NDArray[np.bool_]
    timing_sigma_s: float
    others: OtherTimes = field(default_factory=OtherTimes)
    counted: CountedBeats | None = None

    @property
    def intervals_s(self) -> NDArray[np.float64]:
        """Times between beats, shape (n - 1,)."""
        return np.asarray(np.diff(self.times_s))

    @property
    def rate_bpm(self) -> float:
        """Rate by the normal intervals; 0 without any."""
        return 60 / float(np.mean(self.intervals_s[self.normal])) if self.normal.any() else 0.0

    @property
    def rate_spread_bpm(self) -> float:
        """How much the rate varies from beat to beat, by the normal intervals (standard deviation); 0 without any."""
        intervals = self.intervals_s[self.normal]
        return self.rate_bpm * float(intervals.std() / intervals.mean()) if len(intervals) else 0.0

    @property
    def unevenness(self) -> float:
        """Median change from one interval to the next over the median interval, artefacts and all; 0 for too few."""
        intervals = self.intervals_s
        return float(np.median(np.abs(np.diff(intervals))) / np.median(intervals)) if len(intervals) > 2 else 0.0

    @property
    def kept_share(self) -> float:
        """Share of the intervals that are kept; 0 without any."""
        return float(self.kept.mean()) if len(self.kept) else 0.0

    @property
    def normal_share(self) -> float:
        """Share of the intervals that are normal; 0 without any."""
        return float(self.normal.mean()) if len(self.normal) else 0.0


_NONE = Beats(np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool), np.zeros(0, dtype=bool), float("inf"))


def find_beats(
    pulse: NDArray[np.float64],
    known: NDArray[np.bool_],
    fs: float,
    rate_hz: float,
    *,
    halves: NDArray[np.float64] | None = None,
    fine_hz: float = FINE_HZ,
) -> Beats:
    """Time the beats of a pulse whose rate is known.

    Crests of the pulse within a narrow band give a first guess. The mean beat around them is then slid over the
    pulse; where it fits best is the beat's time, found twice over.

    Parameters
    ----------
    pulse : ndarray, shape (n,)
        Rising with blood volume, evenly sampled.
    known : ndarray of bool, shape (n,)
        False where there were no data.
    fs : float
        Sampling rate in Hz.
    rate_hz : float
        Its rate in Hz.
    halves : ndarray, shape (n, 2), optional
        The same pulse, seen by two halves of the skin.
    fine_hz : float, optional
        The grid for the beats' times is at least this fine.
    """
    fine = int(np.ceil(fine_hz / fs))
    rate = fine * fs
    band = _WIDE[0] * rate_hz, min(max(_WIDE[1] * rate_hz, 4.0), _MOST_HZ, 0.45 * fs)
    wide = filtered(pulse, fs, fine, band)
    crests = _crests(filtered(pulse, fs, fine, (_NARROW[0] * rate_hz, _NARROW[1] * rate_hz)), rate_hz, rate)
    if len(crests) < _LEAST_BEATS:
        return _NONE
    mean_beat, times = find_mean_beat(wide, crests.astype(np.float64), rate_hz, rate)
    if len(times) < _LEAST_BEATS:
        return _NONE
    likeness, heights = mean_beat.compared(segments_at(wide, times, mean_beat.around))
    others = other_times(
        [] if halves is None else [filtered(half, fs, fine, band) for half in halves.T],
        _harmonics(pulse, fs, fine, rate_hz),
        times,
        mean_beat,
    )
    whole, off = _whole(times / rate, likeness, known, fs), _off_neighbours(np.diff(times))
    kept = whole & (off <= _ODD_SHARE)
    beats = Beats(
        times_s=times / rate,
        heights=heights,
        kept=kept,
        normal=kept | (whole & _variable(times, off, others)),
        timing_sigma_s=timing_sigma(residual_sigma(wide, times, mean_beat), times, others.harmonics) / rate,
        others=others.scaled(1 / rate),
    )
    if halves is None or (beats.unevenness <= _EVEN and beats.kept_share >= _RHYTHMIC):
        return beats
    return replace(beats, counted=count_beats(pulse, halves, known, fs))


def _harmonics(pulse: NDArray[np.float64], fs: float, fine: int, rate_hz: float) -> NDArray[np.float64] | None:
    """The pulse without the rate itself; None where the sampling rate leaves no harmonics."""
    if _NARROW[1] * rate_hz >= _MOST_OF_FS * fs:
        return None
    return filtered(pulse, fs, fine, (_NARROW[1] * rate_hz, min(_MOST_HZ, 0.45 * fs)))


def _crests(narrow: NDArray[np.float64], rate_hz: float, rate: float) -> NDArray[np.intp]:
    """Crests of the pulse in a narrow band, none much lower than the others."""
    crests = peaks_apart(narrow, max(1, int(_CLOSEST_CREST / rate_hz * rate)))
    return np.asarray(crests[narrow[crests] > _LOWEST_CREST * np.median(narrow[crests])] if len(crests) else crests)


def _whole(
    times_s: NDArray[np.float64], likeness: NDArray[np.float64], known: NDArray[np.bool_], fs: float
) -> NDArray[np.bool_]:
    """Which intervals lie between two beats that look like beats, with no gap between."""
    good = likeness > _MIN_LIKENESS
    unknown = np.concatenate([[0], np.cumsum(~known)])
    at = np.clip((times_s * fs).astype(np.intp), 0, len(known))
    return np.asarray(good[1:] & good[:-1] & (unknown[at[1:]] == unknown[at[:-1]]))


def _off_neighbours(intervals: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each interval is from the median of the seven around it, as a share of that."""
    if not len(intervals):
        return np.zeros(0)
    padded = np.pad(intervals, 3, mode="reflect") if len(intervals) > 3 else np.pad(intervals, 3, mode="edge")
    local = np.median(np.lib.stride_tricks.sliding_window_view(padded, 7), axis=1)
    return np.asarray(np.abs(intervals - local) / local)


def _variable(times: NDArray[np.float64], off: NDArray[np.float64], others: OtherTimes) -> NDArray[np.bool_]:
    """Which odd intervals are no artefacts: those as odd as is usual here, and alike in all parts of the pulse.

    A deep breath lengthens and shortens intervals by more than an artefact's bound.
    """
    if others.halves is None:
        return np.zeros(len(off), dtype=bool)
    intervals = np.diff(times)
    parts = [*others.halves, *([] if others.harmonics is None else [others.harmonics])]
    apart = np.max([np.abs(np.diff(part) - intervals) for part in parts], axis=0)
    usual = FROM_MAD * float(np.median(off))
    return np.asarray((apart <= _ALIKE * off * intervals) & (off <= min(_USUAL_REACH * usual, _MOST_OFF)))
