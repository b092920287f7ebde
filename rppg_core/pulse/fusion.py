"""Many regions and methods to one pulse: each pulse weighs by how clearly it shows the beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import next_fast_len, rfft, rfftfreq

from rppg_core.bands import PULSE_BAND_HZ, RATE_HZ, within
from rppg_core.numerics import TINY, medians

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Towards independent noise: a window holds too few frequencies to trust every covariance. Finding a faint rate asks for
# more trust than judging it, where fitted noise would pass for pulse.
_SHRINK_SEARCH, _SHRINK_WAVE = 0.4, 0.8
_N_CANDIDATES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Spectra:
    """Hann-windowed spectra of many pulses: `values` (n_freqs, k) at `freqs` (Hz), each scaled to unit median noise."""

    freqs: NDArray[np.float64]
    values: NDArray[np.complex128]
    scale: NDArray[np.float64]  # (k,) what the pulses were divided by
    width_hz: float  # half width of a pure tone
    power: NDArray[np.float64]  # (k, k) covariance of the pulses over the whole band, not normalised


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A rate that the pulses might have, how to mix them for it, and what the mix then shows."""

    rate_hz: float
    weights: NDArray[np.float64]  # (k,) for the unscaled pulses
    fused: NDArray[np.complex128]  # (n_freqs,) spectrum of the mix
    snr_db: float  # power at the rate and its first harmonic over the rest of the band


def spectra_of(freqs: NDArray[np.float64], values: NDArray[np.complex128], width_hz: float) -> Spectra:
    """Scale what `band_spectrum` gives for k pulses; `width_hz` is half the width of a tone."""
    scale = medians(np.abs(values))
    scale = np.where(scale > 1e-12, scale, np.inf)
    scaled = values / scale
    return Spectra(freqs=freqs, values=scaled, scale=scale, width_hz=width_hz, power=_power(scaled))


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
    common = _common(spectra)
    found = [_weigh(spectra, common, rate, _SHRINK_SEARCH) for rate in _peaks(spectra, np.abs(common) ** 2)]
    return sorted(found, key=lambda candidate: -candidate.snr_db)


def mix_for_wave(spectra: Spectra, rate_hz: float) -> Candidate:
    """The mix whose wave is timed, for a rate that has been chosen."""
    return _weigh(spectra, _common(spectra), rate_hz, _SHRINK_WAVE)


def common_weights(spectra: Spectra) -> NDArray[np.float64]:
    """Weights (k,) of the scaled pulses that know nothing but their noise."""
    return np.asarray(np.min(spectra.scale) / spectra.scale)


def _common(spectra: Spectra) -> NDArray[np.complex128]:
    return np.asarray(spectra.values @ common_weights(spectra))


def _power(values: NDArray[np.complex128]) -> NDArray[np.float64]:
    parts = np.concatenate([values.real, values.imag])
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


def _weigh(spectra: Spectra, common: NDArray[np.complex128], rate_hz: float, shrink: float) -> Candidate:
    """Mix the pulses for one rate by how they follow the common one there and by their covariance elsewhere."""
    at, harmonic = near(spectra, rate_hz), near(spectra, 2 * rate_hz)
    values = spectra.values
    gain = (values[at].T @ common[at].conj()).real / (np.sum(np.abs(common[at]) ** 2) + TINY)
    gain = np.maximum(gain, 0.0)  # what beats against the rest is no pulse
    signal = values[at | harmonic]
    signal_parts = np.concatenate([signal.real, signal.imag])
    covariance = (spectra.power - signal_parts.T @ signal_parts) / max(len(values) - len(signal), 1)
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
