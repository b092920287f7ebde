"""The wave whose beats are timed: a mix of regions whose weights are learnt from other seconds than they are used for.

Weights that are learnt from the very samples they are used for also fit the noise there, against whatever the model
of the pulse leaves out: they take from its variability, and intervals shrink towards their mean. Learnt from other
seconds, they can't.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.fft import irfft, rfft, rfftfreq

from rppg_core.bands import PULSE_BAND_HZ, within
from rppg_core.numerics import TINY, analytic_signal

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
    components : ndarray, shape (k, n, n_regions)
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
    freqs = rfftfreq(len(wave), 1 / fs)
    spectra = rfft(components, axis=1)
    spectra[:, ~within(freqs, PULSE_BAND_HZ, fs)] = 0.0
    blocks = (np.arange(len(wave)) / fs / _BLOCK_S).astype(np.intp)
    learning = _Learning(irfft(spectra, len(wave), axis=1), blocks % _FOLDS)
    used = _faded(learning.folds, fs)
    whole = [slice(None)]
    mixed = wave[:, None]
    for turn in range(_TURNS):
        beat = _mean_beat(mixed[:, 0], freqs, fs, rate_hz)
        more = _halves(components.shape[2]) if halves and turn == _TURNS - 1 else []
        mixed = _mixed(components, learning, used, beat, whole + more)
    return mixed


def _halves(n_regions: int) -> list[slice]:
    return [slice(0, None, 2), slice(1, None, 2)] if n_regions > 1 else [slice(None)] * 2


def _mixed(
    components: NDArray[np.float64],
    learning: _Learning,
    used: NDArray[np.float64],
    beat: NDArray[np.float64],
    parts: list[slice],
) -> NDArray[np.float64]:
    """Mix parts of the regions, (n, n_parts), each fold by the weights that the others give."""
    mixed = np.zeros((len(beat), len(parts)))
    for fold in np.flatnonzero(used.any(axis=1)):
        learnt = learning.without(int(fold), beat)
        for i, part in enumerate(parts):
            weights = learnt.weights(part)  # (k, n_regions of the part)
            mixed[:, i] += used[fold] * np.einsum("knr,kr->n", components[:, :, part], weights)
    return mixed


def _mean_beat(wave: NDArray[np.float64], freqs: NDArray[np.float64], fs: float, rate_hz: float) -> NDArray[np.float64]:
    """What of a wave follows its own phase and its harmonics."""
    around = np.exp(-0.5 * ((freqs - rate_hz) / (_PHASE_WIDTH * rate_hz)) ** 2)
    turns = np.exp(1j * np.angle(analytic_signal(irfft(rfft(wave) * around, len(wave)))))
    harmonics = range(1, max(1, min(_HARMONICS, int(0.45 * fs / rate_hz))) + 1)
    basis = np.concatenate([[(turns**m).real, (turns**m).imag] for m in harmonics]).T
    return np.asarray(basis @ np.linalg.lstsq(basis, wave, rcond=None)[0])


def _faded(folds: NDArray[np.intp], fs: float) -> NDArray[np.float64]:
    """How far the weights of each fold are used, (n_folds, n); they add up to 1."""
    kernel = np.hanning(max(3, int(_FADE_S * fs)) + 2)[1:-1]
    used = np.array([np.convolve(folds == fold, kernel, mode="same") for fold in range(_FOLDS)])
    return np.asarray(used / (used.sum(axis=0) + TINY))


class _Learning:
    """Components (k, n, n_regions) in the pulse's band, cut in folds; the products of each are made once."""

    def __init__(self, seen: NDArray[np.float64], folds: NDArray[np.intp]) -> None:
        self.seen, self.folds = seen, folds
        self.inside = [np.flatnonzero(folds == fold) for fold in range(_FOLDS)]
        self.products = [np.swapaxes(seen[:, at], 1, 2) @ seen[:, at] for at in self.inside]
        self._others = [self._of_others(fold) for fold in range(_FOLDS)]

    def _of_others(self, fold: int) -> _Others:
        """The samples of all other folds; of this one, in a trace so short that there are no others."""
        others = [other for other in range(_FOLDS) if other != fold and len(self.inside[other])] or [fold]
        at = np.sort(np.concatenate([self.inside[other] for other in others]))
        return _Others(at, self.seen[:, at], np.sum([self.products[other] for other in others], axis=0))

    def without(self, fold: int, beat: NDArray[np.float64]) -> _Learnt:
        """What the other folds say."""
        others = self._others[fold]
        seen, shape = others.seen, beat[others.at]
        gain = np.einsum("knr,n->kr", seen, shape) / (shape @ shape + TINY)
        signal = gain[:, :, None] * gain[:, None, :] * (shape @ shape)
        noise = (others.products - signal) / len(others.at)
        return _Learnt(seen, shape, gain, noise)


class _Others(NamedTuple):
    """Some samples: their indices, what was seen in them (k, n, n_regions), and its products."""

    at: NDArray[np.intp]
    seen: NDArray[np.float64]
    products: NDArray[np.float64]


class _Learnt:
    """The pulse's gain (k, n_regions) and the noise (k, n_regions, n_regions) of some samples."""

    def __init__(
        self,
        seen: NDArray[np.float64],
        shape: NDArray[np.float64],
        gain: NDArray[np.float64],
        noise: NDArray[np.float64],
    ) -> None:
        self.seen, self.shape, self.gain, self.noise = seen, shape, gain, noise

    def weights(self, part: slice) -> NDArray[np.float64]:
        """Weights (k, n_regions) for a part of the regions: what follows the mean beat keeps its height."""
        gain, noise = self.gain[:, part], self.noise[:, part, part]
        # What beats against the rest is no pulse.
        regions = _solved(noise, np.maximum(gain, 0.0), _SHRINK_REGIONS)
        power = np.einsum("kr,krs,ks->k", regions, noise, regions)
        regions /= np.sqrt(np.maximum(power, 0.0) + TINY)[:, None]
        shown = np.einsum("knr,kr->kn", self.seen[:, :, part], regions)
        heights = np.einsum("kr,kr->k", gain, regions)
        rest = shown - heights[:, None] * self.shape
        components = _solved((rest @ rest.T / rest.shape[1])[None], heights[None], _SHRINK_COMPONENTS)[0]
        return np.asarray(components[:, None] * regions / (components @ heights + TINY))


def _solved(noise: NDArray[np.float64], gain: NDArray[np.float64], shrink: float) -> NDArray[np.float64]:
    """Best weights (m, k) for gains (m, k) against noise (m, k, k) drawn towards independence."""
    own = np.einsum("mkk->mk", noise)
    floor = 1e-12 * own.sum(axis=1, keepdims=True) + TINY
    mixed = (1 - shrink) * noise + (shrink * own + floor)[:, :, None] * np.eye(noise.shape[1])
    return np.asarray(np.linalg.solve(mixed, gain[:, :, None])[:, :, 0])
