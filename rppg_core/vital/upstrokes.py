"""Beats counted one by one, by their upstrokes: for hearts without rhythm, whose rate no spectrum shows.

In atrial fibrillation each interval is a chance of its own, so power is spread over half an octave and its peak is
none of the rates. The beats can still be counted, as long as each is seen by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.numerics import peaks_apart
from rppg_core.vital.mean_beat import filtered

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BAND_HZ = (0.7, 8.0)  # a slow heart, and the steepness of a fast one's upstrokes
_FINE_HZ = 120.0  # of the grid: an upstroke's time is needed to tell beats apart, not for their variability
_MOST_OF_FS = 0.45
# Zong 2003 (doi:10.1109/CIC.2003.1291140) sums the upstroke over 128 ms; of 0.12, 0.14 and 0.17 s, the middle one found
# the most right rates on the tuning recordings of `benchmarks.calibrate`. Hardly two beats pass the atrioventricular
# node closer than the refractory time: with 0.3 s, most of what was missed were beats 0.27 to 0.3 s after another.
_UPSTROKE_S, _REFRACTORY_S = 0.14, 0.25
_TO_CREST_S = 0.3  # from an upstroke, at most
_LOWEST = 0.4  # of the median upstroke: lower ones are dicrotic waves, or noise
_TURNS = 2
_SAME_S = 0.1  # two halves of the skin show the same beat this near
_LEAST_BEATS = 5
_TENTH = 0.1
_FAR_S = 0.42  # beats this far apart hide none between them
# Chosen on the tuning recordings (`python -m benchmarks.calibrate --judge`): of 210 of hearts without rhythm 154
# are answered right and 8 wrong, where the spectrum alone gave 32 and 41.
_ALIKE, _SHORTEST_S, _UNEVEN, _CONCENTRATED = 0.975, 0.32, 0.08, 0.9


@dataclass(frozen=True, slots=True, eq=False)
class CountedBeats:
    """Beats of a heart without rhythm.

    `times_s` (n,) are those of their crests, `intervals_s` (at most n - 1,) lie between their upstrokes, those with
    missing data left out. `agreement` is the F-measure (0-1) of the beats of one half of the skin by the other's.
    """

    times_s: NDArray[np.float64]
    intervals_s: NDArray[np.float64]
    agreement: float

    @property
    def rate_bpm(self) -> float:
        """60 over the mean interval."""
        return 60 / float(self.intervals_s.mean())

    @property
    def sigma_bpm(self) -> float:
        """How far a beat more or less moves the rate: at the window's ends, or hidden where others follow closely."""
        spread = float(self.intervals_s.std() / self.intervals_s.mean())
        hidden = float(np.clip((_FAR_S - self._short_s) / (_FAR_S - _SHORTEST_S), 0.0, 1.0))
        return self.rate_bpm * float(np.hypot(spread, hidden)) / len(self.intervals_s)

    @property
    def _short_s(self) -> float:
        """Only a tenth of the intervals are shorter."""
        return float(np.quantile(self.intervals_s, _TENTH))

    @property
    def unevenness(self) -> float:
        """Median change from one interval to the next over the median interval."""
        return float(np.median(np.abs(np.diff(self.intervals_s))) / np.median(self.intervals_s))

    @property
    def is_clear(self) -> bool:
        """Whether both halves see the same beats, and none so soon after another that a third may hide between."""
        return self.agreement >= _ALIKE and self._short_s >= _SHORTEST_S

    def is_without_rhythm(self, concentration: float) -> bool:
        """Whether these beats, not the spectrum, have the rate: they follow each other as no heart with a rhythm does.

        `concentration` is the share of the power around the spectrum's rate that lies at it.
        """
        return self.is_clear and self.unevenness > _UNEVEN and concentration < _CONCENTRATED


def count_beats(
    pulse: NDArray[np.float64], halves: NDArray[np.float64], known: NDArray[np.bool_], fs: float
) -> CountedBeats | None:
    """Count the beats of a pulse, whatever their rhythm.

    Parameters
    ----------
    pulse : ndarray, shape (n,)
        Rising with blood volume, evenly sampled.
    halves : ndarray, shape (n, 2)
        The same pulse, seen by two halves of the skin.
    known : ndarray of bool, shape (n,)
        False where there were no data; intervals across such a gap don't count.
    fs : float
        Sampling rate in Hz.

    Returns
    -------
    CountedBeats or None
        None where there are fewer than five.

    References
    ----------
    W. Zong, T. Heldt, G. B. Moody, R. G. Mark, "An open-source algorithm to detect onset of arterial blood pressure
    pulses", Computers in Cardiology 2003: the slope sum function.
    """
    times, one, other = (_upstrokes(wave, fs) for wave in (pulse, *halves.T))
    if min(len(times), len(one), len(other)) < _LEAST_BEATS:
        return None
    unknown = np.concatenate([[0], np.cumsum(~known)])
    at = np.clip((times * fs).astype(np.intp), 0, len(known))
    intervals = np.diff(times)[unknown[at[1:]] == unknown[at[:-1]]]
    if len(intervals) < _LEAST_BEATS - 1:
        return None
    return CountedBeats(_crests(pulse, times, fs), intervals, _alike(one, other))


def _upstrokes(wave: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """Times of the upstrokes in seconds: crests of the slope sum, none much lower than the others."""
    fine = int(np.ceil(_FINE_HZ / fs))
    rate = fine * fs
    smooth = filtered(wave, fs, fine, (_BAND_HZ[0], min(_BAND_HZ[1], _MOST_OF_FS * fs)))
    rises = np.maximum(np.gradient(smooth), 0.0)
    slope_sum = np.convolve(rises, np.ones(max(1, round(_UPSTROKE_S * rate))), mode="same")
    crests = peaks_apart(slope_sum, round(_REFRACTORY_S * rate))
    heights = slope_sum[crests]
    high = np.ones(len(crests), dtype=bool)
    for _ in range(_TURNS):
        high = heights > _LOWEST * np.median(heights[high]) if high.any() else high
    return np.asarray(crests[high] / rate)


def _crests(pulse: NDArray[np.float64], upstrokes_s: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """Where the pulse is highest soon after each upstroke, in seconds."""
    first = np.rint(upstrokes_s * fs).astype(np.intp)[:, None]
    around = np.minimum(first + np.arange(round(_TO_CREST_S * fs) + 1), len(pulse) - 1)
    return np.asarray(around[np.arange(len(around)), np.argmax(pulse[around], axis=1)] / fs)


def _alike(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Share of the beats of either that the other has too."""
    apart = np.abs(one[:, None] - other)
    same = np.count_nonzero(apart.min(axis=1) < _SAME_S) + np.count_nonzero(apart.min(axis=0) < _SAME_S)
    return float(same / (len(one) + len(other)))
