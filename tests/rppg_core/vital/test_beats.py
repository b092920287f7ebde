"""Beats are timed to a fraction of a frame, and the error of their times is known."""

import numpy as np
import pytest

from rppg_core.simulation.physiology import simulate_person
from rppg_core.vital.beats import find_beats


def pulse_of(fs=30.0, seconds=30.0, rate_bpm=72.0, noise=0.0, **changes):
    person = simulate_person(heart_rate_bpm=rate_bpm, duration_s=seconds, seed=4, **changes)
    times = np.arange(round(seconds * fs)) / fs
    wave = person.blood_volume(times)
    return person, wave + noise * np.random.default_rng(1).standard_normal(len(times))


def errors_s(beats, person):
    """Of the beats' times, less the delay that all crests have."""
    nearest = person.beats_s[np.abs(person.beats_s - beats.times_s[:, None] + 0.2).argmin(axis=1)]
    late = beats.times_s - nearest
    return late - np.median(late)


@pytest.mark.parametrize("fs", [15.0, 30.0])
def test_clean_beats_are_timed_to_milliseconds(fs):
    person, wave = pulse_of(fs)

    beats = find_beats(wave, np.ones(len(wave), dtype=bool), fs, 1.2)

    assert np.sqrt(np.mean(errors_s(beats, person) ** 2)) < 0.010
    assert beats.kept.all()
    assert beats.rate_bpm == pytest.approx(person.truth().heart_rate_bpm, abs=0.5)


@pytest.mark.parametrize("noise", [0.05, 0.2])
def test_the_error_that_is_said_is_that_which_is_made(noise):
    person, wave = pulse_of(noise=noise)

    beats = find_beats(wave, np.ones(len(wave), dtype=bool), 30.0, 1.2)

    made = np.sqrt(np.mean(errors_s(beats, person) ** 2))
    assert made / 2.5 < beats.timing_sigma_s < 2.5 * made


def test_intervals_over_a_gap_are_not_kept():
    _, wave = pulse_of()
    known = np.ones(len(wave), dtype=bool)
    known[300:345] = False

    beats = find_beats(np.where(known, wave, 0.0), known, 30.0, 1.2)

    over = (beats.times_s[:-1] < 11.5) & (beats.times_s[1:] > 10.0)
    assert over.any()
    assert not beats.kept[over].any()
    assert beats.kept[~over].mean() > 0.8


def test_too_short_a_wave_has_no_beats():
    _, wave = pulse_of(seconds=2.0)

    beats = find_beats(wave, np.ones(len(wave), dtype=bool), 30.0, 1.2)

    assert len(beats.times_s) == 0
    assert beats.rate_bpm == beats.kept_share == 0.0
    assert beats.timing_sigma_s == float("inf")
