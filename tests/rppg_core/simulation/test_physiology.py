"""A simulated person has the requested physiology, and states its true values."""

import numpy as np
import pytest

from rppg_core.simulation.physiology import simulate_person


@pytest.mark.parametrize("rate_bpm", [45, 72, 120, 180])
def test_the_heart_beats_at_the_rate_asked_for(rate_bpm):
    person = simulate_person(heart_rate_bpm=rate_bpm, duration_s=60, rmssd_ms=15, lf_ms=8, seed=2)

    assert person.truth().heart_rate_bpm == pytest.approx(rate_bpm, rel=0.02)


@pytest.mark.parametrize("rmssd_ms", [15, 40, 80])
def test_variability_from_beat_to_beat_is_as_asked_for(rmssd_ms):
    person = simulate_person(heart_rate_bpm=65, duration_s=120, rmssd_ms=rmssd_ms, lf_ms=5, seed=4)

    assert person.truth().rmssd_ms == pytest.approx(rmssd_ms, rel=0.15)


def test_the_blood_volume_crests_once_after_every_beat():
    person = simulate_person(heart_rate_bpm=70, duration_s=20, seed=5)
    times = np.arange(0, 20, 0.002)
    volume = person.blood_volume(times)
    crests = times[1:-1][(volume[1:-1] > volume[:-2]) & (volume[1:-1] > volume[2:]) & (volume[1:-1] > 0.4)]
    beats = person.beats_s[(person.beats_s > 0) & (person.beats_s < 19.5)]

    delays = np.array([np.min(crests[crests > beat]) - beat for beat in beats])
    assert delays.std() < 0.004


def test_breaths_move_the_rhythm_and_the_height_of_the_pulse():
    person = simulate_person(heart_rate_bpm=70, duration_s=120, rmssd_ms=50, rsa_share=0.95, lf_ms=1, seed=6)
    middle = (person.beats_s[1:] + person.beats_s[:-1]) / 2
    breath = np.exp(-1j * np.interp(middle, person.breath_grid_s, person.breath_phase))

    rhythm = np.abs(np.mean((np.diff(person.beats_s) - np.mean(np.diff(person.beats_s))) * breath))
    assert rhythm > 0.4 * np.std(np.diff(person.beats_s))
    assert np.abs(np.mean((person.beat_heights[1:] - 1) * breath)) > 0.04


def test_an_ectopic_beat_comes_early_and_does_not_count_in_the_variability():
    calm = simulate_person(heart_rate_bpm=65, duration_s=60, rmssd_ms=20, seed=7)
    ectopic = simulate_person(heart_rate_bpm=65, duration_s=60, rmssd_ms=20, ectopic_beats=2, seed=7)

    assert ectopic.ectopic.sum() == 2
    assert np.diff(ectopic.beats_s).min() < 0.8 * np.diff(calm.beats_s).min()
    assert ectopic.truth().rmssd_ms == pytest.approx(calm.truth().rmssd_ms, rel=0.3)


def test_the_same_seed_gives_the_same_person():
    one, two, other = (simulate_person(seed=seed) for seed in (1, 1, 2))

    np.testing.assert_array_equal(one.beats_s, two.beats_s)
    assert len(one.beats_s) != len(other.beats_s) or not np.allclose(one.beats_s, other.beats_s)
