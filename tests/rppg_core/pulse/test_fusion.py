"""Mixing many channels to one pulse."""

import numpy as np
import pytest

from rppg_core.pulse.fusion import refined_wave
from rppg_core.simulation.physiology import simulate_person

FS = 30.0


def pulse_of(seed: int) -> np.ndarray:
    person = simulate_person(heart_rate_bpm=72, duration_s=30, rmssd_ms=30, seed=seed)
    return person.blood_volume(np.arange(900) / FS)


def likeness(wave: np.ndarray, pulse: np.ndarray) -> float:
    return float(np.corrcoef(wave, pulse)[0, 1])


@pytest.mark.parametrize("seed", range(4))
def test_a_disturbance_at_the_pulses_own_rate_is_mixed_out(seed):
    rng = np.random.default_rng(seed)
    pulse = pulse_of(seed)
    sway = np.sin(2 * np.pi * 1.26 * np.arange(900) / FS)
    leak = rng.uniform(-0.8, 0.8, 20)
    channels = pulse[:, None] + sway[:, None] * leak + 0.05 * rng.standard_normal((900, 20))
    first = channels @ np.where(leak > 0, 1.0, 0.5)  # what a mix that doesn't know of the sway might be

    refined = refined_wave(first, channels, FS, 1.2)

    assert 1 - likeness(refined, pulse) < 0.5 * (1 - likeness(first, pulse))


def test_channels_without_the_pulse_or_against_it_get_no_say():
    pulse = pulse_of(5)
    rng = np.random.default_rng(5)
    noise = rng.standard_normal((900, 3))
    channels = np.stack([pulse + 0.2 * noise[:, 0], noise[:, 1], -pulse + 0.2 * noise[:, 2]], axis=1)

    refined = refined_wave(channels[:, 0], channels, FS, 1.2)

    assert likeness(refined, channels[:, 0]) > 0.98
