"""The matched filter for blood's colour: what it finds, and what it doesn't lend to noise."""

import numpy as np
import pytest

from rppg_core.bands import RATE_HZ as RATE_HZ_BAND
from rppg_core.bands import within
from rppg_core.methods._pbv import SIGNATURE
from rppg_core.pulse.extract import find_pulse
from rppg_core.pulse.fusion import MatchedFilter, band_spectrum, near, spectra_of
from rppg_core.simulation.physiology import simulate_person
from rppg_core.simulation.traces import capture_times, simulate_trace

FS, SECONDS, REGIONS = 30.0, 20.0, 12
RATE_HZ = 1.3


def spectra(seed: int, *, pulse: float, shared: float = 0.0):
    """Channels (blocks of R, G, B) of regions with noise of their own, shared light, and a pulse of blood's colour."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(FS * SECONDS)) / FS
    channels = rng.standard_normal((len(times), 3, REGIONS)) + shared * rng.standard_normal((len(times), 1, 1))
    channels += pulse * np.sin(2 * np.pi * RATE_HZ * times)[:, None, None] * SIGNATURE[:, None]
    freqs, values = band_spectrum(channels.reshape(len(times), -1), FS)
    return spectra_of(freqs, values, 2 / SECONDS)


def matched(found) -> MatchedFilter:
    return MatchedFilter.of(found, np.repeat(SIGNATURE, REGIONS))


@pytest.mark.parametrize("seed", range(4))
def test_a_pulse_beneath_shared_light_stands_out(seed):
    found = spectra(seed, pulse=0.6, shared=4.0)
    band = within(found.freqs, RATE_HZ_BAND)
    mean, mixed = np.abs(found.mixed(np.ones(3 * REGIONS))[band]), np.abs(matched(found).over_all()[band])
    assert found.freqs[band][np.argmax(mean)] != pytest.approx(RATE_HZ, abs=0.05)
    assert found.freqs[band][np.argmax(mixed)] == pytest.approx(RATE_HZ, abs=0.05)


def test_noise_of_one_half_is_not_in_the_other():
    """At the rate that looks best in noise alone, by the whole face, two halves agree by chance only."""
    agreements = []
    for seed in range(40):
        found = spectra(seed, pulse=0.0)
        best = max(matched(found).at(np.arange(0.8, 3.5, 0.1).tolist()), key=lambda c: c.snr_db)
        odd, even = matched(found).halves(best.rate_hz, REGIONS)[near(found, best.rate_hz)].T
        power = np.sqrt(np.sum(np.abs(odd) ** 2) * np.sum(np.abs(even) ** 2))
        agreements.append(float(np.sum(odd * even.conj()).real / power))
    assert np.quantile(agreements, 0.25) < 0.3  # the best of many is where they agree by chance
    pulses = [matched(spectra(seed, pulse=0.3)).halves(RATE_HZ, REGIONS) for seed in range(10)]
    at = near(found, RATE_HZ)
    sure = [np.corrcoef(np.abs(p[at, 0]), np.abs(p[at, 1]))[0, 1] for p in pulses]
    assert np.mean(sure) > 0.9


def test_a_faint_pulse_is_found_in_ten_seconds():
    """Dark skin in dim light. Without the matched filter one of the twelve was found."""
    right = 0
    for seed in range(12):
        person = simulate_person(heart_rate_bpm=66 + 3 * seed, rmssd_ms=30, duration_s=10, seed=seed)
        trace = simulate_trace(person, capture_times(10, 30), amplitude=0.001, noise=0.003, seed=seed)
        pulse = find_pulse(trace)
        assert pulse is not None
        right += abs(pulse.rate_bpm - person.truth(0, 10).heart_rate_bpm) < 2
    assert right >= 6
