"""Many regions and methods to one pulse: each pulse weighs by how clearly it shows the beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq
from scipy.signal import hilbert

from rppg_core.bands import PULSE_BAND_HZ, RATE_HZ, within
from rppg_core.numerics import TINY

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Towards independent noise: a window holds too few frequencies to trust every covariance. Finding a faint rate asks for
# more trust than judging it, where fitted noise would pass for pulse.
_SHRINK_SEARCH, _SHRINK_WAVE = 0.4, 0.8
_REFINEMENTS, _HARMONICS, _PHASE_WIDTH = 2, 3, 0.28
_SHRINK_REFINED, _MOST_SHRINK = 1.0, 0.9  # times the channels' share of all that can be known
_N_CANDIDATES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Spectra:
    """Hann-windowed spectra of many pulses: `values` (n_freqs, k) at `freqs` (Hz), each scaled to unit median noise."""

    freqs: NDArray[np.float64]
    values: NDArray[np.complex128]
    scale: NDArray[np.float64]  # (k,) what the pulses were divided by
    width_hz: float  # half width of a pure tone


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A rate that the pulses might have, how to mix them for it, and what the mix then shows."""

    rate_hz: float
    weights: NDArray[np.float64]  # (k,) for the unscaled pulses
    fused: NDArray[np.complex128]  # (n_freqs,) spectrum of the mix
    snr_db: float  # power at the rate and its first harmonic over the rest of the band


def spectra_of(pulses: NDArray[np.float64], fs: float) -> Spectra:
    """Spectra of pulses of shape (n, k)."""
    freqs, values = band_spectrum(pulses, fs)
    scale = np.median(np.abs(values), axis=0)
    scale = np.where(scale > 1e-12, scale, np.inf)
    return Spectra(freqs=freqs, values=values / scale, scale=scale, width_hz=2 * fs / len(pulses))


def band_spectrum(series: NDArray[np.float64], fs: float) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Frequencies (n_freqs,) of the pulse's band, and the Hann-windowed spectrum there, (n_freqs, k), of (n, k) series.

    What isn't pulse falls with frequency; weighed by its square root, slow noise doesn't pass for half the rate.
    """
    n = len(series)
    n_fft = next_fast_len(2 * n, real=True)
    freqs = rfftfreq(n_fft, 1 / fs)
    keep = within(freqs, PULSE_BAND_HZ, fs)
    values = rfft(series * np.hanning(n)[:, None], n_fft, axis=0)[keep]
    return freqs[keep], np.asarray(values * np.sqrt(freqs[keep])[:, None])


def candidates(spectra: Spectra) -> list[Candidate]:
    """Rates the pulses might have, the clearest first.

    Every pulse, scaled to the same noise, first counts alike; at each peak of the sum, and at half of it, the pulses
    are then weighed by how they follow that sum there, against the covariance of what they show elsewhere.
    """
    if not np.isfinite(spectra.scale).any():
        return []
    common, power = _common(spectra), _power(spectra)
    found = [_weigh(spectra, common, power, rate, _SHRINK_SEARCH) for rate in _peaks(spectra, np.abs(common) ** 2)]
    return sorted(found, key=lambda candidate: -candidate.snr_db)


def mix_for_wave(spectra: Spectra, rate_hz: float) -> Candidate:
    """The mix whose wave is timed, for a rate that has been chosen."""
    return _weigh(spectra, _common(spectra), _power(spectra), rate_hz, _SHRINK_WAVE)


def refined_wave(
    wave: NDArray[np.float64], channels: NDArray[np.float64], fs: float, rate_hz: float
) -> NDArray[np.float64]:
    """Mix channels anew for the beats' times: what follows the pulse's own phase is signal, all else is noise.

    A first wave gives the phase. Each channel is split into what the phase and its harmonics explain, whatever the
    rhythm, and the rest; the weights are those with the best ratio of the two (the maximum-likelihood spatial filter,
    its covariance drawn towards independent noise). Unlike a mix by frequency it also knows the noise that lies at the
    pulse's own frequencies.

    Parameters
    ----------
    wave : ndarray, shape (n,)
        A pulse, rising with blood volume.
    channels : ndarray, shape (n, k)
        What to mix, rising with blood volume.
    fs, rate_hz : float
        Sampling rate and the pulse's rate, in Hz.

    Returns
    -------
    ndarray, shape (n,)
        A pulse of the same direction as `wave`.
    """
    freqs = rfftfreq(len(wave), 1 / fs)
    inside = within(freqs, PULSE_BAND_HZ, fs)
    spectra = rfft(channels, axis=0)
    spectra[~inside] = 0.0
    seen = irfft(spectra, len(wave), axis=0)
    around = np.exp(-0.5 * ((freqs - rate_hz) / (_PHASE_WIDTH * rate_hz)) ** 2)
    known = 2 * np.count_nonzero(inside)
    shrink = min(_SHRINK_REFINED * channels.shape[1] / (channels.shape[1] + known), _MOST_SHRINK)
    n_harmonics = max(1, min(_HARMONICS, int(0.45 * fs / rate_hz)))
    refined = wave
    for _ in range(_REFINEMENTS):
        beat = _in_phase(refined, irfft(rfft(refined) * around, len(wave)), n_harmonics)
        refined = channels @ _spatial_filter(seen, beat, shrink)
    return np.asarray(refined)


def _in_phase(wave: NDArray[np.float64], around: NDArray[np.float64], n_harmonics: int) -> NDArray[np.float64]:
    """What the phase of a wave's part around its rate, and the harmonics of that phase, explain of the wave."""
    turns = np.exp(1j * np.angle(hilbert(around)))
    basis = np.concatenate([[(turns**m).real, (turns**m).imag] for m in np.arange(1, n_harmonics + 1)]).T
    return np.asarray(basis @ np.linalg.lstsq(basis, wave, rcond=None)[0])


def _spatial_filter(seen: NDArray[np.float64], beat: NDArray[np.float64], shrink: float) -> NDArray[np.float64]:
    """Weights (k,) of the channels `seen` with the best ratio of `beat` to the rest."""
    gain = seen.T @ beat / (beat @ beat + TINY)
    rest = seen - np.outer(beat, gain)
    noise = rest.T @ rest / len(rest)
    own = np.diag(noise) + 1e-12 * np.trace(noise) + TINY
    mixed = (1 - shrink) * noise + np.diag(shrink * own)
    return np.asarray(np.linalg.solve(mixed, np.maximum(gain, 0.0)))


def common_weights(spectra: Spectra) -> NDArray[np.float64]:
    """Weights (k,) of the scaled pulses that know nothing but their noise."""
    return np.asarray(np.min(spectra.scale) / spectra.scale)


def _common(spectra: Spectra) -> NDArray[np.complex128]:
    return np.asarray(spectra.values @ common_weights(spectra))


def _power(spectra: Spectra) -> NDArray[np.float64]:
    """Covariance (k, k) of the pulses over the whole band, not normalised."""
    parts = np.concatenate([spectra.values.real, spectra.values.imag])
    return np.asarray(parts.T @ parts)


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


def _weigh(
    spectra: Spectra, common: NDArray[np.complex128], power: NDArray[np.float64], rate_hz: float, shrink: float
) -> Candidate:
    """Mix the pulses for one rate by how they follow the common one there and by their covariance elsewhere."""
    at, harmonic = near(spectra, rate_hz), near(spectra, 2 * rate_hz)
    values = spectra.values
    gain = (values[at].T @ common[at].conj()).real / (np.sum(np.abs(common[at]) ** 2) + TINY)
    gain = np.maximum(gain, 0.0)  # what beats against the rest is no pulse
    signal = values[at | harmonic]
    signal_parts = np.concatenate([signal.real, signal.imag])
    covariance = (power - signal_parts.T @ signal_parts) / max(len(values) - len(signal), 1)
    own = np.diag(covariance)
    mixed = (1 - shrink) * covariance + np.diag(shrink * own + 1e-6)
    weights = np.linalg.solve(mixed, gain)
    fused = values @ weights
    return Candidate(
        rate_hz=rate_hz, weights=weights / spectra.scale, fused=fused, snr_db=_snr_db(spectra, fused, rate_hz)
    )


def near(spectra: Spectra, rate_hz: float) -> NDArray[np.bool_]:
    """Which frequencies belong to a rate: the width of a tone, and the spread that heart-rate variability gives it."""
    return np.abs(spectra.freqs - rate_hz) <= max(spectra.width_hz, 0.06)


def _snr_db(spectra: Spectra, fused: NDArray[np.complex128], rate_hz: float) -> float:
    """Power at a rate and its first harmonic over that of the rest of the band, in dB."""
    power = np.abs(fused) ** 2
    at, harmonic = near(spectra, rate_hz), near(spectra, 2 * rate_hz)
    # A pulse has more power in its rate than in the harmonic: else half of every rate would be as good a rate.
    signal = power[at].sum() + min(power[harmonic & ~at].sum(), 0.8 * power[at].sum())
    rest = power[~(at | harmonic)].sum()
    return float(10 * np.log10((signal + TINY) / (rest + TINY)))
