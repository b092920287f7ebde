"""What the whole picture does at a rate: the even pace of a codec's keyframes, which passes for a pulse.

A video codec sends a whole picture every so many frames and only changes between them. With each keyframe the colours
of skin and wall jump, and the detail comes back that has been blurred since the last one. A heart does neither: it
changes no detail, nothing beside the face, and nothing from one frame to the next that it didn't change gradually. So
what is looked at are the jumps from frame to frame, and whether they come with the rate: a train of jumps is a comb,
as strong at every multiple of its rate up to half the frame rate, whatever its sign and phase. Pulse, nodding and
talking have no power at the higher multiples, so the geometric mean over the multiples leaves them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import next_fast_len, rfft, rfftfreq

from rppg_core.numerics import medians, quantiles
from rppg_core.trace.witnesses import CENTRE, DETAILS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.trace.sampling import EvenTrace
    from rppg_core.trace.traces import Trace

_MIN_SEEN = 0.9  # share of the frames in which a witness must be seen
_LARGEST = 8.0  # times the usual change: one cut of the scene must not outweigh every keyframe
_FLOOR, _OF_MEAN = (
    1e-5,
    0.05,
)  # the usual change is at least this, and this share of the mean: in still pictures it is 0
_OVERSAMPLED = 8
_LEAST_POWER = 1e-2  # over the median: what is fainter is no fainter
_LEAST_HZ = 0.6
_REACH_HZ = 0.06  # a pulse's peak lies up to this far from the comb that draws it
_TEETH, _SHARP_TEETH = 8, 10
_SHARP_HZ = 5.0  # nothing of a body is as quick as the multiples from here on
_LEAST_TEETH, _LEAST_SHARP_TEETH = 2, 3  # the quick multiples of a slow stream are still those of a clear pulse
_USED_OF_FS = 0.48


@dataclass(frozen=True, slots=True)
class PictureEvidence:
    """What the whole picture says against a rate.

    `comb_db` is the mean level, over the multiples of the rate, of the jumps in what is not skin; `sharp_comb_db` that
    of the jumps in skin and all, over the multiples that are too quick for a body. Both are 2 to 5 dB by chance.
    `jumps` is the logarithm of how far the greatest changes exceed the usual ones: 1 to 2 for noise.
    """

    comb_db: float = 0.0
    sharp_comb_db: float = 0.0
    jumps: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class WholePicture:
    """Levels of the jumps in a trace over their median, in dB, by frequency."""

    freqs: NDArray[np.float64]
    fs: float
    beside: NDArray[np.float64]  # (2 or 0, n_freqs) of what is not skin: sizes of all jumps together; the detail's own
    everywhere: NDArray[np.float64]  # (1, n_freqs) of skin and the rest
    jumps: float

    def against(self, rate_hz: float) -> PictureEvidence:
        """The evidence against a rate."""
        return self.against_each([rate_hz])[0]

    def against_each(self, rates_hz: list[float]) -> list[PictureEvidence]:
        """The evidence against each of some rates."""
        step = self.freqs[1]
        around = [np.arange(rate - _REACH_HZ, rate + _REACH_HZ + step / 4, step / 2) for rate in rates_hz]
        rates = np.concatenate(around)
        starts = np.cumsum([0, *(len(one) for one in around[:-1])])
        comb = self._comb(self.beside, rates, least=_LEAST_TEETH, most=_TEETH)
        sharp = self._comb(self.everywhere, rates, _SHARP_HZ, least=_LEAST_SHARP_TEETH, most=_SHARP_TEETH)
        highest = np.maximum.reduceat([comb, sharp], starts, axis=1)
        found = np.where(np.isneginf(highest), 0.0, highest).T.tolist()
        return [PictureEvidence(comb_db, sharp_db, self.jumps) for comb_db, sharp_db in found]

    def _comb(
        self, levels: NDArray[np.float64], rates: NDArray[np.float64], from_hz: float = 0.0, *, least: int, most: int
    ) -> NDArray[np.float64]:
        """Highest mean of some levels over the multiples of each rate from a frequency on; -inf of too few."""
        if not len(levels):
            return np.full(len(rates), -np.inf)
        first = np.maximum(1, np.ceil(from_hz / rates))
        teeth = rates[:, None] * (first[:, None] + np.arange(most))
        used = teeth < _USED_OF_FS * self.fs
        count = used.sum(axis=1)
        level = levels[:, np.where(used, np.rint(teeth / self.freqs[1]), 0).astype(np.intp)]
        mean = np.where(used, level, 0.0).sum(axis=2) / np.maximum(count, 1)
        return np.where(count >= least, mean.max(axis=0), -np.inf)


def whole_picture(trace: Trace, even: EvenTrace, levels: NDArray[np.float64]) -> WholePicture:
    """Find the jumps of a trace on its even grid.

    Parameters
    ----------
    trace : Trace
        Without witnesses the skin's own jumps have to do.
    even : EvenTrace
        From `sampling.resample` on the trace.
    levels : ndarray, shape (n, 3 * n_used)
        Logarithms of its colours.
    """
    skin = _jumps(levels)
    size = np.abs(skin).mean(axis=1)
    changes = _witnesses(trace, even)
    freqs = rfftfreq(_length(len(skin)), 1 / even.fs)
    beside = np.zeros((0, len(freqs)))
    jumps = 0.0
    if changes is not None:
        witnesses = _jumps(changes)
        sizes = np.abs(witnesses).mean(axis=1)
        details = [i for i in range(DETAILS.stop) if changes[:, i].any()]
        beside = np.stack([_level_db(sizes[:, None], freqs), _level_db(witnesses[:, details], freqs)])
        size = size + sizes
        steps = np.abs(np.diff(changes, axis=0))
        moving = steps.any(axis=0)
        greatest, usual = quantiles(steps[:, moving], 0.99), medians(steps[:, moving])
        jumps = float(np.mean(np.log(greatest / (usual + 1e-4)))) if moving.any() else 0.0
    return WholePicture(freqs, even.fs, beside, _level_db(size[:, None], freqs)[None], jumps)


def _witnesses(trace: Trace, even: EvenTrace) -> NDArray[np.float64] | None:
    """Detail, and logarithms of the colours beside the face, on the grid; zeros for what is not seen nearly always."""
    if trace.witness is None:
        return None
    finite = np.isfinite(trace.witness)
    seen, complete = finite.mean(axis=0) >= _MIN_SEEN, np.asarray(finite.all(axis=0))
    seen[CENTRE.stop - 1] = False  # the brightness of what mostly is face
    if not seen.any():
        return None
    times = trace.times_s - trace.times_s[0]
    grid = np.zeros((len(even.times_s), len(seen)))
    for column in np.flatnonzero(seen):
        there = slice(None) if complete[column] else finite[:, column]
        values = trace.witness[there, column]
        grid[:, column] = np.interp(
            even.times_s, times[there], values if column < DETAILS.stop else np.log(values + 1.0)
        )
    return grid


def _jumps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Changes from frame to frame in units of what is usual, the largest cut off."""
    steps = np.diff(values, axis=0)
    size = np.abs(steps)
    usual = medians(size) + _FLOOR + _OF_MEAN * size.mean(axis=0)
    return np.asarray(np.clip(steps / usual, -_LARGEST, _LARGEST))


def _length(n: int) -> int:
    return int(next_fast_len(_OVERSAMPLED * n, real=True))


def _level_db(series: NDArray[np.float64], freqs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the series (n, k) of their power spectra, each over its median, in dB."""
    n, k = series.shape
    if not k:
        return np.full(len(freqs), 10 * np.log10(1 + _LEAST_POWER))
    window = np.hanning(n)[:, None]
    power = np.abs(rfft((series - series.mean(axis=0)) * window, _length(n), axis=0)) ** 2
    usual = medians(power[freqs > _LEAST_HZ])
    return np.asarray(10 * np.log10(power @ (1 / (usual + 1e-12)) / k + _LEAST_POWER))
