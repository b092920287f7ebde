"""Single beats to a fraction of a frame, which of them to believe, and how exact their times are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

from rppg_core.numerics import TINY, peaks_apart, vertex

FINE_HZ = 250.0
"""Beats are timed on a grid at least this fine, and between its points by a parabola."""

_EDGE_S = 1.5  # the signal is mirrored this far, so that the first and last beats aren't bent by the filter
# From simulated beats whose times are known: the mean beat takes some of the noise with it, and times by the harmonics
# alone stray from those by the whole beat this much less than those from the truth. The second is the slower to learn
# that a codec bends all of a face alike, and the surer; so it counts twice.
_RESIDUAL_SHARE, _HARMONIC_SHARE, _HARMONIC_COUNT = 1.375, 0.46, 2
# Shares of the rate: a band with nothing but the rate itself, and one with as many harmonics as a beat's shape has.
_NARROW, _WIDE, _MOST_HZ = (0.55, 1.7), (0.5, 5.0), 8.0
# Shares of the mean interval. A heart's intervals differ by less than a third from beat to beat, so that crests are at
# least 0.6 apart, and no beat lies further than a quarter from its crest; 0.42 on both sides hold one beat, not two.
_CLOSEST_CREST, _CLOSEST_BEAT, _SLIDE, _REACH, _STRAY = 0.6, 0.3, 0.25, 0.42, 0.12
_LOWEST_CREST = 0.15  # of the median height: lower ones are noise in a gap
_SEEN_SHARE = 0.7  # of the reach that a beat must be from the ends
_LEAST_BEATS, _FEW_BEATS = 4, 8  # fewer have no mean beat; a trimmed mean needs more
_TURNS = 3  # the first aligns the beats, the others sharpen their mean
_BETWEEN = (0.15, 0.5)  # of the spacing: where neither beat has shaped the residual
_FROM_MAD = 1.4826  # standard deviation over median absolute deviation, of a normal distribution
_ODD_SHARE = 0.17  # an interval this far from the median of its seven neighbours is an artefact
_MIN_LIKENESS = 0.35  # correlation with the mean beat below which a beat is no beat


@dataclass(frozen=True, slots=True, eq=False)
class Beats:
    """Beats of one pulse.

    `times_s` (n,) and `heights` (n,) of the beats; `kept` (n - 1,) is False for intervals that are artefacts: missed,
    doubled or ectopic beats, gaps in the data. `timing_sigma_s` is the standard deviation of the times' error.
    """

    times_s: NDArray[np.float64]
    heights: NDArray[np.float64]
    kept: NDArray[np.bool_]
    timing_sigma_s: float

    @property
    def intervals_s(self) -> NDArray[np.float64]:
        """Times between beats, shape (n - 1,)."""
        return np.asarray(np.diff(self.times_s))

    @property
    def rate_bpm(self) -> float:
        """Rate by the intervals that are kept; 0 without any."""
        return 60 / float(np.mean(self.intervals_s[self.kept])) if self.kept.any() else 0.0

    @property
    def unevenness(self) -> float:
        """Median change from one interval to the next over the median interval, artefacts and all; 0 for too few."""
        intervals = self.intervals_s
        return float(np.median(np.abs(np.diff(intervals))) / np.median(intervals)) if len(intervals) > 2 else 0.0

    @property
    def kept_share(self) -> float:
        """Share of the intervals that are kept; 0 without any."""
        return float(self.kept.mean()) if len(self.kept) else 0.0


_NONE = Beats(np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool), float("inf"))


def find_beats(
    pulse: NDArray[np.float64], known: NDArray[np.bool_], fs: float, rate_hz: float, *, fine_hz: float = FINE_HZ
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
    fine_hz : float, optional
        The grid for the beats' times is at least this fine.
    """
    fine = int(np.ceil(fine_hz / fs))
    rate = fine * fs
    narrow = _filtered(pulse, fs, fine, (_NARROW[0] * rate_hz, _NARROW[1] * rate_hz))
    wide = _filtered(pulse, fs, fine, (_WIDE[0] * rate_hz, min(max(_WIDE[1] * rate_hz, 4.0), _MOST_HZ, 0.45 * fs)))
    crests = _crests(narrow, rate_hz, rate)
    if len(crests) < _LEAST_BEATS:
        return _NONE
    mean_beat, times = _mean_beat(wide, crests.astype(np.float64), rate_hz, rate)
    if len(times) < _LEAST_BEATS:
        return _NONE
    segments = _segments(wide, times, mean_beat.around)
    likeness, heights = mean_beat.compared(segments)
    sigma = _timing_sigma(wide, times, mean_beat.shape, segments) / rate
    if _NARROW[1] * rate_hz < 0.4 * fs:
        high = _filtered(pulse, fs, fine, (_NARROW[1] * rate_hz, min(_MOST_HZ, 0.45 * fs)))
        other = _harmonic_sigma(high, times, mean_beat, int(_STRAY / rate_hz * rate)) / rate
        sigma = float(np.sqrt((sigma**2 + _HARMONIC_COUNT * other**2) / (1 + _HARMONIC_COUNT)))
    return Beats(
        times_s=times / rate,
        heights=heights,
        kept=_kept(times / rate, likeness, known, fs),
        timing_sigma_s=sigma,
    )


def _crests(narrow: NDArray[np.float64], rate_hz: float, rate: float) -> NDArray[np.intp]:
    """Crests of the pulse in a narrow band, none much lower than the others."""
    crests = peaks_apart(narrow, max(1, int(_CLOSEST_CREST / rate_hz * rate)))
    return np.asarray(crests[narrow[crests] > _LOWEST_CREST * np.median(narrow[crests])] if len(crests) else crests)


@dataclass(frozen=True, slots=True, eq=False)
class _MeanBeat:
    """The mean of the beats, as it is looked for in the pulse."""

    shape: NDArray[np.float64]  # (width,) of mean zero under the taper, and tapered
    taper: NDArray[np.float64]  # (width,)
    around: NDArray[np.intp]  # (width,) samples from the beat's time

    def compared(self, segments: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Correlation of each segment (n_beats, width) with the mean beat, and its height."""
        shape, taper = self.shape, self.taper
        norm = np.sqrt(np.sum(shape**2 / np.maximum(taper, 1e-3)) * np.sum(segments**2 * taper, axis=1))
        match = segments @ shape
        return match / (norm + TINY), match / (np.sum(shape**2) + TINY) * np.ptp(shape)


def _mean_beat(
    wide: NDArray[np.float64], times: NDArray[np.float64], rate_hz: float, rate: float
) -> tuple[_MeanBeat, NDArray[np.float64]]:
    """The mean beat around first guesses of the beats' times, and the times at which it fits best, in turns."""
    reach = int(_REACH / rate_hz * rate)
    around = np.arange(-reach, reach + 1)
    taper = np.hanning(2 * reach + 3)[1:-1]
    shape, matching = taper, _Matching(wide, len(taper))
    for _ in range(_TURNS):
        segments = _segments(wide, times, around)
        typical = np.median(segments, axis=0) if len(times) < _FEW_BEATS else _trimmed_mean(segments)
        shape = (typical - typical.mean()) * taper
        shape -= taper * shape.sum() / taper.sum()
        times = _summits(matching.with_shape(shape), times, int(_SLIDE / rate_hz * rate))
    times = times[np.concatenate([[True], np.diff(times) > _CLOSEST_BEAT / rate_hz * rate])]
    # Of the others too little is seen.
    inside = (times > _SEEN_SHARE * reach) & (times < len(wide) - 1 - _SEEN_SHARE * reach)
    return _MeanBeat(shape, taper, around), times[inside]


def _filtered(pulse: NDArray[np.float64], fs: float, fine: int, band_hz: tuple[float, float]) -> NDArray[np.float64]:
    """Band-pass and interpolate `fine`-fold in one transform, with ends mirrored through their last value."""
    n = len(pulse)
    edge = min(int(_EDGE_S * fs), n - 1)
    head, tail = 2 * pulse[0] - pulse[edge:0:-1], 2 * pulse[-1] - pulse[-2 : -edge - 2 : -1]
    longer = np.concatenate([head, pulse, tail])
    n_fft = next_fast_len(len(longer), real=True)
    freqs = rfftfreq(n_fft, 1 / fs)
    low, high = band_hz
    rise = np.clip((freqs - 0.8 * low) / (0.2 * low), 0, 1)
    fall = np.clip((1.15 * high - freqs) / (0.15 * high), 0, 1)
    gain = np.sin(np.pi / 2 * rise) ** 2 * np.sin(np.pi / 2 * fall) ** 2
    smooth = irfft(rfft(longer, n_fft) * gain, fine * n_fft) * fine
    return np.asarray(smooth[edge * fine : (edge + n - 1) * fine + 1])


class _Matching:
    """A signal, ready to be correlated with shapes of `width` samples: its own transform is made once."""

    def __init__(self, signal: NDArray[np.float64], width: int) -> None:
        self._n, self._width = len(signal), width
        self._n_fft = next_fast_len(len(signal) + width - 1, real=True)
        self._spectrum = rfft(signal, self._n_fft)

    def with_shape(self, shape: NDArray[np.float64]) -> NDArray[np.float64]:
        """How well the shape (width,) fits around each sample, shape (n,)."""
        whole = irfft(self._spectrum * rfft(shape[::-1], self._n_fft), self._n_fft)
        start = (self._width - 1) // 2
        return np.asarray(whole[start : start + self._n])


def _segments(signal: NDArray[np.float64], times: NDArray[np.float64], around: NDArray[np.intp]) -> NDArray[np.float64]:
    """Stretches of `signal` around `times` (in samples, rounded), shape (n_beats, len(around)); the ends repeat."""
    index = np.rint(times).astype(np.intp)[:, None] + around
    return np.asarray(signal[np.clip(index, 0, len(signal) - 1)])


def _trimmed_mean(segments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the segments nearest to their median: a quarter may be anything."""
    away = np.sum((segments - np.median(segments, axis=0)) ** 2, axis=1)
    nearest = np.argsort(away)[: (3 * len(away) + 1) // 4]
    return np.asarray(segments[nearest].mean(axis=0))


def _summits(match: NDArray[np.float64], times: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Highest points of `match` within `reach` of each time, to a fraction of a sample."""
    around = np.arange(-reach, reach + 1)
    values = _segments(match, times, around)
    top = np.clip(np.rint(times).astype(np.intp) + around[np.argmax(values, axis=1)], 1, len(match) - 2)
    return np.asarray(top + vertex(match[top - 1], match[top], match[top + 1])[0])


def _timing_sigma(
    signal: NDArray[np.float64],
    times: NDArray[np.float64],
    shape: NDArray[np.float64],
    segments: NDArray[np.float64],
) -> float:
    """Standard deviation of the beats' times in samples, from what the mean beat doesn't explain.

    Noise shifts the summit of the match by its own match with the beat's slope, over the slope's power. The residual
    near a beat is already as small as its time could make it, so it is looked at halfway between.
    """
    typical = segments.mean(axis=0)
    slope, typical_slope = np.gradient(shape), np.gradient(typical)
    power = abs(float(slope @ typical_slope))
    residual = _residual(signal, times, segments, typical)
    shifts = _Matching(residual, len(slope)).with_shape(slope) / (power + TINY)
    between = _between_beats(len(signal), times)
    return _RESIDUAL_SHARE * float(np.sqrt(np.mean(shifts[between] ** 2))) if between.any() else float("inf")


def _residual(
    signal: NDArray[np.float64], times: NDArray[np.float64], segments: NDArray[np.float64], typical: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The signal around the beats, less the typical one at each beat's height; where they overlap, their mean."""
    reach = (len(typical) - 1) // 2
    residual, weight = np.zeros(len(signal)), np.zeros(len(signal))
    window = np.hanning(2 * reach + 3)[1:-1] + 1e-3
    for time, segment in zip(np.rint(times).astype(np.intp), segments, strict=True):
        start, end = max(time - reach, 0), min(time + reach + 1, len(signal))
        part = slice(start - time + reach, end - time + reach)
        scale = float(segment @ typical / (typical @ typical + TINY))
        residual[start:end] += window[part] * (segment - scale * typical)[part]
        weight[start:end] += window[part]
    return np.divide(residual, weight, out=np.zeros_like(residual), where=weight > 0)


def _between_beats(n: int, times: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of n samples lie about halfway between beats."""
    place, spacing = np.arange(n), float(np.median(np.diff(times)))
    after = np.searchsorted(times, place)
    left, right = times[np.clip(after - 1, 0, len(times) - 1)], times[np.clip(after, 0, len(times) - 1)]
    distance = np.minimum(np.abs(place - left), np.abs(place - right))
    return np.asarray((distance > _BETWEEN[0] * spacing) & (distance < _BETWEEN[1] * spacing))


def _harmonic_sigma(signal: NDArray[np.float64], times: NDArray[np.float64], mean_beat: _MeanBeat, reach: int) -> float:
    """Standard deviation of the beats' times in samples, from how far times by the harmonics alone stray from them.

    The harmonics and the rate have noise of their own; what bends the pulse without looking like noise parts them too.
    """
    typical = _segments(signal, times, mean_beat.around).mean(axis=0) * mean_beat.taper
    apart = _summits(_Matching(signal, len(typical)).with_shape(typical), times, reach) - times
    return float(_FROM_MAD * np.median(np.abs(apart - np.median(apart)))) / _HARMONIC_SHARE


def _kept(
    times_s: NDArray[np.float64], likeness: NDArray[np.float64], known: NDArray[np.bool_], fs: float
) -> NDArray[np.bool_]:
    """Which intervals to believe: both beats look like beats, no gap between, and near the median of its neighbours."""
    intervals = np.diff(times_s)
    if not len(intervals):
        return np.zeros(0, dtype=bool)
    good = likeness > _MIN_LIKENESS
    unknown = np.concatenate([[0], np.cumsum(~known)])
    at = np.clip((times_s * fs).astype(np.intp), 0, len(known))
    whole = unknown[at[1:]] == unknown[at[:-1]]

    padded = np.pad(intervals, 3, mode="reflect") if len(intervals) > 3 else np.pad(intervals, 3, mode="edge")
    local = np.median(np.lib.stride_tricks.sliding_window_view(padded, 7), axis=1)
    near = np.abs(intervals - local) <= _ODD_SHARE * local
    return np.asarray(good[1:] & good[:-1] & whole & near)
