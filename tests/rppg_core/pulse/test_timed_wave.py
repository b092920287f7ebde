"""The wave whose beats are timed: noise is mixed out, and intervals keep their variability."""

import numpy as np
import pytest

from rppg_core.pulse.timed_wave import timed_waves
from rppg_core.simulation.physiology import simulate_person
from rppg_core.vital.beats import find_beats

FS = 30.0
TIMES_S = np.arange(900) / FS


def person(seed, rmssd_ms=30.0):
    return simulate_person(heart_rate_bpm=72, duration_s=30, rmssd_ms=rmssd_ms, seed=seed)


def likeness(wave, pulse):
    return float(np.corrcoef(wave, pulse)[0, 1])


@pytest.mark.parametrize("seed", range(4))
def test_a_disturbance_at_the_pulses_own_rate_is_mixed_out(seed):
    rng = np.random.default_rng(seed)
    pulse = person(seed).blood_volume(TIMES_S)
    sway = np.sin(2 * np.pi * 1.26 * TIMES_S)
    # It moves two components of the skin unlike the blood does, as light and shade do.
    shade = pulse[:, None] + 0.5 * sway[:, None] + 0.1 * rng.standard_normal((900, 20))
    hue = pulse[:, None] + 0.15 * sway[:, None] + 0.1 * rng.standard_normal((900, 20))
    first = hue.mean(axis=1)

    mixed = timed_waves(first, np.stack([shade, hue], axis=1), FS, 1.2)[:, 0]

    assert 1 - likeness(mixed, pulse) < 0.5 * (1 - likeness(first, pulse))


def test_regions_without_the_pulse_or_against_it_get_no_say():
    pulse = person(5).blood_volume(TIMES_S)
    noise = np.random.default_rng(5).standard_normal((900, 3))
    regions = np.stack([pulse + 0.2 * noise[:, 0], noise[:, 1], -pulse + 0.2 * noise[:, 2]], axis=1)

    mixed = timed_waves(regions[:, 0], regions[:, None], FS, 1.2)[:, 0]

    assert likeness(mixed, regions[:, 0]) > 0.98


def test_halves_show_the_same_pulse_with_noise_of_their_own():
    pulse = person(6).blood_volume(TIMES_S)
    regions = pulse[:, None] + np.random.default_rng(6).standard_normal((900, 30))

    whole, one, other = timed_waves(regions.mean(axis=1), regions[:, None], FS, 1.2).T

    noise = [wave - pulse * (wave @ pulse) / (pulse @ pulse) for wave in (whole, one, other)]
    assert abs(likeness(noise[1], noise[2])) < 0.2
    assert likeness(whole, pulse) > max(likeness(one, pulse), likeness(other, pulse))


def test_many_noisy_regions_do_not_shrink_the_intervals():
    """Weights that are learnt from the samples they are used for take 17 % from the variability of these recordings."""
    slopes = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        one = person(seed, rmssd_ms=60.0)
        pulse = one.blood_volume(TIMES_S)
        components = pulse[:, None, None] + 6.0 * rng.standard_normal((900, 6, 300))
        wave = timed_waves(components[:, 0].mean(axis=1), components, FS, 1.2)[:, 0]
        beats = find_beats(wave, np.ones(900, dtype=bool), FS, 1.2)
        nearest = np.abs(one.beats_s - beats.times_s[:, None] + 0.2).argmin(axis=1)
        true, found = np.diff(one.beats_s[nearest], 2), np.diff(beats.times_s, 2)
        slopes.append(float(found @ true / (true @ true)))

    assert np.mean(slopes) == pytest.approx(1.0, abs=0.08)


def test_a_trace_shorter_than_a_block_is_mixed_all_the_same():
    pulse = person(7).blood_volume(TIMES_S[:50])
    regions = pulse[:, None] + 0.3 * np.random.default_rng(7).standard_normal((50, 8))

    mixed = timed_waves(regions.mean(axis=1), regions[:, None], FS, 1.2)

    assert mixed.shape == (50, 3)
    assert likeness(mixed[:, 0], pulse) > 0.9
