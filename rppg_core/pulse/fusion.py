"""Many regions and methods to one pulse: each pulse weighs by how clearly it shows the beat."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import next_fast_len, rfft, rfftfreq

from rppg_core.bands import PULSE_BAND_HZ, RATE_HZ, within
from rppg_core.numerics import TINY, medians, solve_positive

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Towards independent noise: a window holds too few frequencies to trust every covariance. Finding a faint rate asks for
# more trust than judging it, where fitted noise would pass for pulse.
_SHRINK_SEARCH, _SHRINK_MATCHED, _SHRINK_WAVE = 0.4, 0.6, 0.8
# Hz around a rate that hold no noise to be learnt: a variable rhythm spreads a pulse so far, and a filter that has
# learnt it would hold it off and pass its harmonic.
_GUARD = 0.15
_N_CANDIDATES = 8
_TOGETHER = 56  # series that are transformed at once: more of them don't stay in a processor's cache
_APART = 0.5  # in widths of a tone; candidates that are nearer are one


@dataclass(frozen=True, slots=True, eq=False)
class Spectra:
    """Hann-windowed spectra of many pulses at `freqs` (Hz), each scaled to unit median noise.

    Their real and imaginary parts are kept apart: weights and covariances are real, and cost half as much that way.
    """

    freqs: NDArray[np.float64]
    parts: NDArray[np.float64]  # (2, n_freqs, k) real, imaginary
    scale: NDArray[np.float64]  # (k,) what the pulses were divided by
    width_hz: float  # half width of a pure tone
    power: NDArray[np.float64]  # (k, k) covariance of the pulses over the whole band, not normalised

    def mixed(self, weights: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Spectra (n_freqs, ...) of mixes of the pulses, by weights (k, ...)."""
        real, imaginary = self.parts @ weights
        return np.asarray(real + 1j * imaginary)


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A rate that the pulses might have, how to mix them for it, and what the mix then shows."""

    rate_hz: float
    weights: NDArray[np.float64]  # (k,) for the unscaled pulses
    fused: NDArray[np.complex128]  # (n_freqs,) spectrum of the mix
    snr_db: float  # power at the rate and its first harmonic over the rest of the band


def spectra_of(freqs: NDArray[np.float64], values: NDArray[np.complex128], width_hz: float) -> Spectra:
    """Scale what `band_spectrum` gives for k pulses; `width_hz` is half the width of a tone."""
    parts = np.stack([values.real, values.imag])
    scale = medians(np.sqrt(parts[0] ** 2 + parts[1] ** 2))
    scale = np.where(scale > 1e-12, scale, np.inf)
    parts /= scale
    return Spectra(freqs=freqs, parts=parts, scale=scale, width_hz=width_hz, power=_power(parts))


def band_spectrum(series: NDArray[np.float64], fs: float) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Frequencies (n_freqs,) of the pulse's band, and the Hann-windowed spectrum there, (n_freqs, k), of (n, k) series.

    What isn't pulse falls with frequency; weighed by its square root, slow noise doesn't pass for half the rate.
    """
    n, k = series.shape
    n_fft = next_fast_len(2 * n, real=True)
    freqs = rfftfreq(n_fft, 1 / fs)
    inside = np.flatnonzero(within(freqs, PULSE_BAND_HZ, fs))
    band = slice(inside[0], inside[-1] + 1)
    window, root = np.hanning(n)[:, None], np.sqrt(freqs[band])[:, None]
    values = np.empty((len(root), k), dtype=np.complex128)
    for start in range(0, k, _TOGETHER):
        part = slice(start, start + _TOGETHER)
        np.multiply(rfft(series[:, part] * window, n_fft, axis=0)[band], root, out=values[:, part])
    return freqs[band], values


def candidates(spectra: Spectra, blood: MatchedFilter | None = None) -> list[float]:
    """Rates (Hz) the pulses might have.

    They are the peaks of the sum of all pulses, each scaled to the same noise; half of the highest ones; and the peaks
    of what has blood's colour.
    """
    if not np.isfinite(spectra.scale).any():
        return []
    rates = _peaks(spectra, np.abs(_common(spectra)) ** 2)
    if blood is not None:
        others = _peaks(spectra, np.abs(blood.over_all()) ** 2)
        rates += [rate for rate in others if all(abs(rate - known) >= _APART * spectra.width_hz for known in rates)]
    return rates


def weighed(spectra: Spectra, rates_hz: list[float]) -> list[Candidate]:
    """Weigh the pulses for each rate by how they follow their sum there, against the covariance of all the rest."""
    return _weigh(spectra, _gains(spectra, rates_hz), rates_hz, _SHRINK_SEARCH)


def weights_for_wave(spectra: Spectra, rate_hz: float) -> NDArray[np.float64]:
    """Mix (k,) whose wave is timed, for a rate that has been chosen. Of a face a matched filter gives a better one."""
    return _weights(spectra, _gains(spectra, [rate_hz])[0], rate_hz, _SHRINK_WAVE) / spectra.scale


@dataclass(frozen=True, slots=True, eq=False)
class MatchedFilter:
    """What of some channels has a known colour: the adaptive matched filter [1]_ for it.

    The mix of channels that passes a change of that colour and as little as possible of what they show at other rates.
    It learns nothing from the rate it is tried at, so noise can't be taken for a pulse as easily as by weights that
    follow a pulse. What it costs is what the true colour differs from the known one.

    Attributes
    ----------
    spectra : Spectra
        Of the k channels.
    gain : ndarray, shape (k,)
        The height of the known change in each channel, as the spectra are scaled.

    References
    ----------
    .. [1] Robey, F. C., Fuhrmann, D. R., Kelly, E. J., & Nitzberg, R. (1992). A CFAR adaptive matched filter detector.
       IEEE Transactions on Aerospace and Electronic Systems, 28(1), 208-216. https://doi.org/10.1109/7.135446
    """

    spectra: Spectra
    gain: NDArray[np.float64]

    @classmethod
    def of(cls, spectra: Spectra, colour: NDArray[np.float64]) -> MatchedFilter:
        """Match the last columns of `spectra` with `colour`, shape (k,), the change of each channel before scaling."""
        gain = colour / spectra.scale[-len(colour) :]
        return cls(_part(spectra, slice(-len(colour), None)), gain / (np.linalg.norm(gain) + TINY))

    def over_all(self) -> NDArray[np.complex128]:
        """The spectrum (n_freqs,) of the mix for no rate in particular."""
        spectra = self.spectra
        return spectra.mixed(_against(spectra.power / len(spectra.freqs), self.gain, _SHRINK_SEARCH))

    def at(self, rates_hz: list[float]) -> list[Candidate]:
        """For each rate the mix that shows most of it."""
        return _weigh(self.spectra, self.gain, rates_hz, _SHRINK_MATCHED)

    def for_wave(self, rate_hz: float) -> NDArray[np.float64]:
        """Mix (k,) whose wave is timed."""
        return _weights(self.spectra, self.gain, rate_hz, _SHRINK_WAVE) / self.spectra.scale

    def halves(self, rate_hz: float, n_regions: int) -> NDArray[np.complex128]:
        """Two mixes for a rate, each from every other region, shape (n_freqs, 2): they share no camera's noise."""
        return np.stack(
            [self._half(half).at([rate_hz])[0].fused for half in odd_and_even(len(self.gain), n_regions)], axis=1
        )

    def _half(self, kept: NDArray[np.bool_]) -> MatchedFilter:
        return MatchedFilter(_part(self.spectra, kept), self.gain[kept])


def _part(spectra: Spectra, kept: slice | NDArray[np.bool_]) -> Spectra:
    return replace(
        spectra, parts=spectra.parts[..., kept], scale=spectra.scale[kept], power=spectra.power[kept][:, kept]
    )


def odd_and_even(k: int, n_regions: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of k pulses, in blocks of the regions, are of every other region, and which of the rest."""
    odd = (np.arange(k) % n_regions) % 2 == 1
    return odd, ~odd


def common_weights(spectra: Spectra) -> NDArray[np.float64]:
    """Weights (k,) of the scaled pulses that know nothing but their noise."""
    return np.asarray(np.min(spectra.scale) / spectra.scale)


def _common(spectra: Spectra) -> NDArray[np.complex128]:
    return spectra.mixed(common_weights(spectra))


def _power(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance (k, k), not normalised, of spectra (2, n, k)."""
    flat = parts.reshape(-1, parts.shape[2])
    return np.asarray(flat.T @ flat)


def _peaks(spectra: Spectra, power: NDArray[np.float64]) -> list[float]:
    inside = within(spectra.freqs, RATE_HZ)
    rates: list[float] = []
    left = np.where(inside, power, 0.0)
    for _ in range(_N_CANDIDATES):
        top = int(np.argmax(left))
        if left[top] <= 0:
            break
        rates.append(float(spectra.freqs[top]))
        left[np.abs(spectra.freqs - spectra.freqs[top]) < 0.75 * spectra.width_hz] = 0.0
    halves = [rate / 2 for rate in rates[:2] if rate / 2 >= RATE_HZ[0]]
    return rates + [half for half in halves if all(abs(half - rate) >= spectra.width_hz for rate in rates)]


def _gains(spectra: Spectra, rates_hz: list[float]) -> NDArray[np.float64]:
    """How each pulse follows the common one at each of m rates, shape (m, k)."""
    common = _common(spectra)
    gains = np.empty((len(rates_hz), len(spectra.scale)))
    for gain, rate_hz in zip(gains, rates_hz, strict=True):
        at = near(spectra, rate_hz)
        real, imaginary = spectra.parts[:, at]
        shown = common[at]
        gain[:] = (shown.real @ real + shown.imag @ imaginary) / (np.sum(np.abs(shown) ** 2) + TINY)
    return np.maximum(gains, 0.0)  # what beats against the rest is no pulse


def _weigh(spectra: Spectra, gains: NDArray[np.float64], rates_hz: list[float], shrink: float) -> list[Candidate]:
    """Mix the pulses for each of m rates by their gains (m, k) or (k,) there and by their covariance elsewhere."""
    gains = np.broadcast_to(gains, (len(rates_hz), len(spectra.scale)))
    weights = np.stack([_weights(spectra, *one, shrink) for one in zip(gains, rates_hz, strict=True)])
    fused = np.ascontiguousarray(spectra.mixed(weights.T).T)
    found = zip(rates_hz, weights / spectra.scale, fused, _snr_db(spectra, fused, rates_hz), strict=True)
    return [Candidate(*one) for one in found]


def _weights(spectra: Spectra, gain: NDArray[np.float64], rate_hz: float, shrink: float) -> NDArray[np.float64]:
    """Weights (k,) for the scaled pulses, by their covariance at all frequencies but the rate's and its harmonic's."""
    off = np.minimum(np.abs(spectra.freqs - rate_hz), np.abs(spectra.freqs - 2 * rate_hz))
    signal = off <= max(spectra.width_hz, _GUARD)
    noise = spectra.power - _power(spectra.parts[:, signal])
    noise /= max(len(off) - int(np.count_nonzero(signal)), 1)
    return _against(noise, gain, shrink)


def _against(covariance: NDArray[np.float64], gain: NDArray[np.float64], shrink: float) -> NDArray[np.float64]:
    """Weights (k,) that pass `gain` and least of noise of that covariance, which is drawn towards independent noise."""
    mixed = (1 - shrink) * covariance
    diagonal = np.einsum("kk->k", mixed)  # a view
    diagonal += shrink * np.einsum("kk->k", covariance) + 1e-6
    return solve_positive(mixed, gain)


def near(spectra: Spectra, rate_hz: float | NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which frequencies belong to a rate, (n_freqs,), or to each of (m, 1), (m, n_freqs).

    That is the width of a tone, and the spread that heart-rate variability gives it.
    """
    return np.abs(spectra.freqs - rate_hz) <= max(spectra.width_hz, 0.06)


def _snr_db(spectra: Spectra, fused: NDArray[np.complex128], rates_hz: list[float]) -> list[float]:
    """Power of each mix (m, n_freqs) at its rate and the first harmonic over that of the rest of the band, in dB."""
    power, rates = fused.real**2 + fused.imag**2, np.array(rates_hz)[:, None]
    at, harmonic = near(spectra, rates), near(spectra, 2 * rates)
    of_rate, of_harmonic, rest = (
        np.where(part, power, 0.0).sum(axis=1) for part in (at, harmonic & ~at, ~(at | harmonic))
    )
    # A pulse has more power in its rate than in the harmonic: else half of every rate would be as good a rate.
    signal = of_rate + np.minimum(of_harmonic, 0.8 * of_rate)
    found: list[float] = (10 * np.log10((signal + TINY) / (rest + TINY))).tolist()
    return found
