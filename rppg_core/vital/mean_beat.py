"""The mean beat of a pulse, and where in a signal it fits best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

from rppg_core.numerics import TINY, medians, vertex

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EDGE_S = 1.5  # the signal is mirrored this far, so that the first and last beats aren't bent by the filter
# Shares of the mean interval. A heart's intervals differ by less than a third from beat to beat, so that no beat lies
# further than a quarter from its crest; 0.42 on both sides hold one beat, not two.
_CLOSEST_BEAT, _SLIDE, _REACH = 0.3, 0.25, 0.42
_SEEN_SHARE = 0.7  # of the reach that a beat must be from the ends
_FEW_BEATS = 8  # a trimmed mean needs more
_TURNS = 3  # the first aligns the beats, the others sharpen their mean


@dataclass(frozen=True, slots=True, eq=False)
class MeanBeat:
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


def find_mean_beat(
    wide: NDArray[np.float64], times: NDArray[np.float64], rate_hz: float, rate: float
) -> tuple[MeanBeat, NDArray[np.float64]]:
    """The mean beat around first guesses of the beats' times, and the times at which it fits best, in turns."""
    reach = int(_REACH / rate_hz * rate)
    around = np.arange(-reach, reach + 1)
    taper = np.hanning(2 * reach + 3)[1:-1]
    shape, matching = taper, Matching(wide, len(taper))
    for _ in range(_TURNS):
        segments = segments_at(wide, times, around)
        typical = np.median(segments, axis=0) if len(times) < _FEW_BEATS else _trimmed_mean(segments)
        shape = (typical - typical.mean()) * taper
        shape -= taper * shape.sum() / taper.sum()
        times = summits(matching.with_shape(shape), times, int(_SLIDE / rate_hz * rate))
    times = times[np.concatenate([[True], np.diff(times) > _CLOSEST_BEAT / rate_hz * rate])]
    # Of the others too little is seen.
    inside = (times > _SEEN_SHARE * reach) & (times < len(wide) - 1 - _SEEN_SHARE * reach)
    return MeanBeat(shape, taper, around), times[inside]


def filtered(pulse: NDArray[np.float64], fs: float, fine: int, band_hz: tuple[float, float]) -> NDArray[np.float64]:
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


class Matching:
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


def segments_at(
    signal: NDArray[np.float64], times: NDArray[np.float64], around: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Stretches of `signal` around `times` (in samples, rounded), shape (n_beats, len(around)); the ends repeat."""
    index = np.rint(times).astype(np.intp)[:, None] + around
    return np.asarray(signal[np.clip(index, 0, len(signal) - 1)])


def _trimmed_mean(segments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the segments nearest to their median: a quarter may be anything."""
    distance = np.sum((segments - medians(segments)) ** 2, axis=1)
    nearest = np.argsort(distance)[: (3 * len(distance) + 1) // 4]
    return np.asarray(segments[nearest].mean(axis=0))


def summits(match: NDArray[np.float64], times: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Highest points of `match` within `reach` of each time, to a fraction of a sample."""
    around = np.arange(-reach, reach + 1)
    values = segments_at(match, times, around)
    top = np.clip(np.rint(times).astype(np.intp) + around[np.argmax(values, axis=1)], 1, len(match) - 2)
    return np.asarray(top + vertex(match[top - 1], match[top], match[top + 1])[0])
