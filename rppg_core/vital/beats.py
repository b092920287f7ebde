"""Single beats to a fraction of a frame, which of them to believe, and how exact their times are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq
from scipy.signal import find_peaks

FINE_HZ = 250.0
"""Beats are timed on a grid at least this fine, and between its points by a parabola."""

_EDGE_S = 1.5  # the signal is mirrored this far, so that the first and last beats aren't bent by the filter
# From simulated beats whose times are known: the mean beat takes some of the noise with it, and times by the harmonics
# alone stray from those by the whole beat this much less than those from the truth. The second is the slower to learn
# that a codec bends all of a face alike, and the surer; so it counts twice.
_RESIDUAL_SHARE, _HARMONIC_SHARE, _HARMONIC_COUNT = 1.375, 0.46, 2
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
    narrow = _filtered(pulse, fs, fine, (0.55 * rate_hz, 1.7 * rate_hz))
    wide = _filtered(pulse, fs, fine, (0.5 * rate_hz, min(max(5 * rate_hz, 4.0), 8.0, 0.45 * fs)))
    crests, _ = find_peaks(narrow, distance=max(1, int(0.6 / rate_hz * rate)))
    crests = crests[narrow[crests] > 0.15 * np.median(narrow[crests])] if len(crests) else crests
    if len(crests) < 4:
        return _NONE

    reach = int(0.42 / rate_hz * rate)
    reach_time = np.arange(-reach, reach + 1)
    taper = np.hanning(2 * reach + 3)[1:-1]
    times, shape = crests.astype(np.float64), taper
    matching = _Matching(wide, len(taper))
    for _ in range(3):
        segments = _segments(wide, times, reach_time)
        typical = np.median(segments, axis=0) if len(times) < 8 else _trimmed_mean(segments)
        shape = (typical - typical.mean()) * taper
        shape -= taper * shape.sum() / taper.sum()
        times = _summits(matching.with_shape(shape), times, int(0.25 / rate_hz * rate))
    times = times[np.concatenate([[True], np.diff(times) > 0.3 / rate_hz * rate])]
    inside = (times > 0.7 * reach) & (times < len(wide) - 1 - 0.7 * reach)  # of the others too little is seen
    times = times[inside]
    if len(times) < 4:
        return _NONE
    segments = _segments(wide, times, reach_time)

    norm = np.sqrt(np.sum(shape**2 / np.maximum(taper, 1e-3)) * np.sum(segments**2 * taper, axis=1))
    likeness = segments @ shape / (norm + 1e-30)
    heights = segments @ shape / (np.sum(shape**2) + 1e-30) * np.ptp(shape)
    sigma = _timing_sigma(wide, times, shape, segments, reach) / rate
    if 1.7 * rate_hz < 0.4 * fs:
        high = _filtered(pulse, fs, fine, (1.7 * rate_hz, min(8.0, 0.45 * fs)))
        other = _harmonic_sigma(high, times, taper, reach_time, int(0.12 / rate_hz * rate)) / rate
        sigma = float(np.sqrt((sigma**2 + _HARMONIC_COUNT * other**2) / (1 + _HARMONIC_COUNT)))
    return Beats(
        times_s=times / rate,
        heights=heights,
        kept=_kept(times / rate, likeness, known, fs),
        timing_sigma_s=sigma,
    )


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
    before, here, after = match[top - 1], match[top], match[top + 1]
    bend = before - 2 * here + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, -1.0), 0.0)
    return np.asarray(top + np.clip(shift, -0.5, 0.5))


def _timing_sigma(
    signal: NDArray[np.float64],
    times: NDArray[np.float64],
    shape: NDArray[np.float64],
    segments: NDArray[np.float64],
    reach: int,
) -> float:
    """Standard deviation of the beats' times in samples, from what the mean beat doesn't explain.

    Noise shifts the summit of the match by its own match with the beat's slope, over the slope's power. The residual
    near a beat is already as small as its time could make it, so it is looked at halfway between.
    """
    typical = segments.mean(axis=0)
    residual, weight = np.zeros(len(signal)), np.zeros(len(signal))
    window = np.hanning(2 * reach + 3)[1:-1] + 1e-3
    for time, segment in zip(np.rint(times).astype(np.intp), segments, strict=True):
        start, end = max(time - reach, 0), min(time + reach + 1, len(signal))
        part = slice(start - time + reach, end - time + reach)
        scale = float(segment @ typical / (typical @ typical + 1e-30))
        residual[start:end] += window[part] * (segment - scale * typical)[part]
        weight[start:end] += window[part]
    residual = np.divide(residual, weight, out=np.zeros_like(residual), where=weight > 0)
    slope, typical_slope = np.gradient(shape), np.gradient(typical)
    power = abs(float(slope @ typical_slope))
    shifts = _Matching(residual, len(slope)).with_shape(slope) / (power + 1e-30)
    spacing = float(np.median(np.diff(times)))
    place = np.arange(len(signal))
    after = np.searchsorted(times, place)
    left, right = times[np.clip(after - 1, 0, len(times) - 1)], times[np.clip(after, 0, len(times) - 1)]
    distance = np.minimum(np.abs(place - left), np.abs(place - right))
    between = (distance > 0.15 * spacing) & (distance < 0.5 * spacing)
    return _RESIDUAL_SHARE * float(np.sqrt(np.mean(shifts[between] ** 2))) if between.any() else float("inf")


def _harmonic_sigma(
    signal: NDArray[np.float64],
    times: NDArray[np.float64],
    taper: NDArray[np.float64],
    around: NDArray[np.intp],
    reach: int,
) -> float:
    """Standard deviation of the beats' times in samples, from how far times by the harmonics alone stray from them.

    The harmonics and the rate have noise of their own; what bends the pulse without looking like noise parts them too.
    """
    typical = _segments(signal, times, around).mean(axis=0) * taper
    apart = _summits(_Matching(signal, len(typical)).with_shape(typical), times, reach) - times
    return float(1.4826 * np.median(np.abs(apart - np.median(apart)))) / _HARMONIC_SHARE


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
