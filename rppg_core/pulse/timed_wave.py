"""The wave whose beats are timed: a mix of regions whose weights are learnt from other seconds than they are used for.

Weights that are learnt from the very samples they are used for also fit the noise there, against whatever the model
of the pulse leaves out: they take from its variability, and intervals shrink towards their mean. Learnt from other
seconds, they can't.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.fft import rfftfreq

from rppg_core.bands import PULSE_BAND_HZ, within
from rppg_core.numerics import TINY, analytic_signal, filter_circularly

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of 2 to 10 folds and blocks of 0.8 to 6 s, on the tuning scenes of `benchmarks.variability`, these made the smallest
# errors of the beats' times by a little; any number of folds leaves intervals unshrunk.
_FOLDS, _BLOCK_S = 3, 2.0
_FADE_S = 0.3  # over which one fold's weights give way to the next one's
# Towards independent noise, among the regions of a component (some thirty) and among components (six): the first asks
# for much, since a window holds some two hundred frequencies. Chosen like the folds, from 0.5 to 0.95 and 0.1 to 0.3.
_SHRINK_REGIONS, _SHRINK_COMPONENTS = 0.7, 0.1
_TURNS, _HARMONICS, _PHASE_WIDTH = 2, 3, 0.28


def timed_waves(
    wave: NDArray[np.float64], components: NDArray[np.float64], fs: float, rate_hz: float, *, halves: bool = True
) -> NDArray[np.float64]:
    """Mix what the regions show for the beats' times: all regions, and every other one, twice.

    A first wave gives the phase. What follows that phase and its harmonics, whatever the rhythm, is signal, all else is
    noise, also at the pulse's own frequencies. First the regions of each component are mixed, then the components; each
    time with the weights that have the best ratio of the two (the maximum-likelihood spatial filter, its covariance
    drawn towards independent noise).

    Parameters
    ----------
    wave : ndarray, shape (n,)
        A pulse, rising with blood volume.
    components : ndarray, shape (n, k, n_regions)
        What each region shows in each of k ways, rising with blood volume.
    fs, rate_hz : float
        Sampling rate and the pulse's rate, in Hz.
    halves : bool
        Whether two halves of the regions are mixed too.

    Returns
    -------
    ndarray, shape (n, 3) or (n, 1)
        Pulses of the same direction and height as `wave`: of all regions, and of two halves of them, whose noise is
        the regions' own.
    """
    n, k, n_regions = components.shape
    freqs = rfftfreq(n, 1 / fs)
    seen = filter_circularly(components.reshape(n, -1), within(freqs, PULSE_BAND_HZ, fs).astype(np.float64))
    blocks = (np.arange(n) / fs / _BLOCK_S).astype(np.intp)
    learning = _Learning(seen, blocks % _FOLDS, k)
    used = _faded(learning.folds, fs)
    parts = [slice(None)]
    mixed = wave[:, None]
    for turn in range(_TURNS):
        if halves and turn == _TURNS - 1:
            parts += [slice(0, None, 2), slice(1, None, 2)] if n_regions > 1 else [slice(None)] * 2
        mixed = _mixed(components, learning, used, _mean_beat(mixed[:, 0], freqs, fs, rate_hz), parts)
    return mixed


def _mixed(
    components: NDArray[np.float64],
    learning: _Learning,
    used: NDArray[np.float64],
    beat: NDArray[np.float64],
    parts: list[slice],
) -> NDArray[np.float64]:
    """Mix parts of the regions, (n, n_parts), each fold by the weights that the others give."""
    weights = np.zeros((*components.shape[1:], _FOLDS, len(parts)))
    gains = learning.gains(beat)
    for fold in np.flatnonzero(used.any(axis=1)):
        learnt = learning.without(int(fold), gains)
        for i, part in enumerate(parts):
            weights[:, part, fold, i] = learnt.weights(part)
    shape = len(components), -1
    by_fold = components.reshape(shape) @ weights.reshape(-1, _FOLDS * len(parts))
    return np.asarray(np.einsum("fn,nfp->np", used, by_fold.reshape(*shape[:1], *weights.shape[2:])))


def _mean_beat(wave: NDArray[np.float64], freqs: NDArray[np.float64], fs: float, rate_hz: float) -> NDArray[np.float64]:
    """What of a wave follows its own phase and its harmonics."""
    around = np.exp(-0.5 * ((freqs - rate_hz) / (_PHASE_WIDTH * rate_hz)) ** 2)
    analytic = analytic_signal(wave, around)
    turns = analytic / (np.abs(analytic) + TINY)
    harmonics = [turns]
    for _ in range(1, min(_HARMONICS, int(0.45 * fs / rate_hz))):
        harmonics.append(harmonics[-1] * turns)
    basis = np.stack([part for one in harmonics for part in (one.real, one.imag)], axis=1)
    return np.asarray(basis @ np.linalg.lstsq(basis, wave, rcond=None)[0])


def _faded(folds: NDArray[np.intp], fs: float) -> NDArray[np.float64]:
    """How far the weights of each fold are used, (n_folds, n); they add up to 1."""
    kernel = np.hanning(max(3, int(_FADE_S * fs)) + 2)[1:-1]
    used = np.array([np.convolve(folds == fold, kernel, mode="same") for fold in range(_FOLDS)])
    return np.asarray(used / (used.sum(axis=0) + TINY))


class _Learning:
    """Components (n, k * n_regions) in the pulse's band, cut in folds.

    What does not depend on the mean beat is made once: for each fold the `others` and their `power`, a covariance.
    """

    def __init__(self, seen: NDArray[np.float64], folds: NDArray[np.intp], k: int) -> None:
        self.folds, self.k = folds, k
        self.seen = [seen[folds == fold] for fold in range(_FOLDS)]
        products = [inside.T @ inside for inside in self.seen]
        self.others = [self._others(fold) for fold in range(_FOLDS)]
        self.power = [sum(products[other] for other in others) / self._count(others) for others in self.others]

    def gains(self, beat: NDArray[np.float64]) -> list[_Gain]:
        """How much of the mean beat (n,) each fold shows."""
        shapes = [beat[self.folds == fold] for fold in range(_FOLDS)]
        return [_Gain(shape @ inside, float(shape @ shape)) for shape, inside in zip(shapes, self.seen, strict=True)]

    def without(self, fold: int, gains: list[_Gain]) -> _Learnt:
        """What all other folds say."""
        others = self.others[fold]
        power = sum(gains[other].power for other in others)
        gain = np.sum([gains[other].shown for other in others], axis=0) / (power + TINY)
        noise = self.power[fold] - np.outer(power / self._count(others) * gain, gain)
        return _Learnt(gain.reshape(self.k, -1), noise.reshape(self.k, -1, self.k, gain.size // self.k))

    def _others(self, fold: int) -> list[int]:
        """All other folds; this one itself, in a trace so short that there are no others."""
        return [other for other in range(_FOLDS) if other != fold and len(self.seen[other])] or [fold]

    def _count(self, folds: list[int]) -> int:
        return sum(len(self.seen[fold]) for fold in folds)


class _Gain(NamedTuple):
    """Products of components (k * n_regions,) with the mean beat, and its own power."""

    shown: NDArray[np.float64]
    power: float


class _Learnt(NamedTuple):
    """The pulse's gain (k, n_regions) and the noise (k, n_regions, k, n_regions) of some samples."""

    gain: NDArray[np.float64]
    noise: NDArray[np.float64]

    def weights(self, part: slice) -> NDArray[np.float64]:
        """Weights (k, n_regions) for a part of the regions: what follows the mean beat keeps its height."""
        gain, noise = self.gain[:, part], self.noise[:, part, :, part]
        # What beats against the rest is no pulse.
        regions = _solved(np.einsum("krks->krs", noise), np.maximum(gain, 0.0), _SHRINK_REGIONS)
        left = np.einsum("krl,kr->kl", noise.reshape(*gain.shape, -1), regions).reshape(-1, *gain.shape)
        rest = np.einsum("kls,ls->kl", left, regions)  # covariance of the components
        regions /= (scale := np.sqrt(np.maximum(np.diag(rest), 0.0) + TINY))[:, None]
        heights = np.einsum("kr,kr->k", gain, regions)
        components = _solved((rest / np.outer(scale, scale))[None], heights[None], _SHRINK_COMPONENTS)[0]
        return np.asarray(components[:, None] * regions / (components @ heights + TINY))


def _solved(noise: NDArray[np.float64], gain: NDArray[np.float64], shrink: float) -> NDArray[np.float64]:
    """Best weights (m, k) for gains (m, k) against noise (m, k, k) drawn towards independence."""
    own = np.einsum("mkk->mk", noise)
    mixed = (1 - shrink) * noise
    diagonal = np.einsum("mkk->mk", mixed)  # a view
    diagonal += shrink * own + 1e-12 * own.sum(axis=1, keepdims=True) + TINY
    return np.asarray(np.linalg.solve(mixed, gain[:, :, None])[:, :, 0])
