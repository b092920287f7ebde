"""Beats of hearts without rhythm are counted, one by one, where two halves of the skin see them alike."""

from dataclasses import replace

import numpy as np
import pytest

from rppg_core.simulation.physiology import simulate_person, without_rhythm
from rppg_core.vital.beats import find_beats
from rppg_core.vital.upstrokes import CountedBeats, count_beats

FS = 30.0
TIMES_S = np.arange(900) / FS
KNOWN = np.ones(900, dtype=bool)


def fibrillating(seed, rate_bpm=80.0, spread=0.22):
    return without_rhythm(simulate_person(heart_rate_bpm=rate_bpm, duration_s=30.0, seed=seed), spread, seed)


def halves_of(person, noise, seed=0):
    return person.blood_volume(TIMES_S)[:, None] + noise * np.random.default_rng(seed).standard_normal((900, 2))


def counted(person, noise=0.1, seed=0, known=KNOWN):
    halves = halves_of(person, noise, seed)
    return count_beats(halves.mean(axis=1), halves, known, FS)


@pytest.mark.parametrize("rate_bpm", [62.0, 75.0, 88.0])
def test_the_mean_rate_of_a_heart_without_rhythm_is_that_of_its_counted_beats(rate_bpm):
    off_bpm, sigmas_bpm = [], []
    for seed in range(10):
        person = fibrillating(seed, rate_bpm)
        found = counted(person, noise=0.05, seed=seed)
        assert found.is_without_rhythm(concentration=0.5)
        off_bpm.append(abs(found.rate_bpm - person.truth(0, 30).heart_rate_bpm))
        sigmas_bpm.append(found.sigma_bpm)

    assert np.mean(np.array(off_bpm) < 2 * np.array(sigmas_bpm) + 0.3) >= 0.9
    assert max(sigmas_bpm) < 1.0


def test_a_rate_is_the_less_certain_the_closer_beats_follow_each_other():
    sigmas_bpm = [counted(fibrillating(4, rate_bpm), noise=0.05).sigma_bpm / rate_bpm for rate_bpm in (80.0, 130.0)]

    assert sigmas_bpm[1] > 1.5 * sigmas_bpm[0]


def test_each_beat_that_is_counted_is_one():
    person = fibrillating(3)

    found = counted(person)

    crests_s = person.beats_s + 0.17  # where the systolic wave of `simulation.physiology` is highest
    apart = np.abs(found.times_s[:, None] - crests_s).min(axis=1)
    assert np.median(apart) < 0.05
    assert apart.max() < 0.15


def test_a_beat_soon_after_another_is_not_missed():
    person = simulate_person(heart_rate_bpm=75.0, duration_s=30.0, seed=2)
    beats_s = person.beats_s.copy()
    beats_s[20::9] -= np.diff(beats_s)[19::9] - 0.28
    person = replace(person, beats_s=beats_s)

    found = counted(person, noise=0.02)

    assert found.rate_bpm == pytest.approx(person.truth(0, 30).heart_rate_bpm, abs=0.5)
    assert found.intervals_s.min() < 0.32


def test_halves_that_show_noise_alone_do_not_agree():
    rng = np.random.default_rng(2)
    halves = rng.standard_normal((900, 2))

    found = count_beats(halves.mean(axis=1), halves, KNOWN, FS)

    assert found is None or not found.is_clear


def test_a_heart_with_a_rhythm_keeps_it():
    for seed in range(4):
        found = counted(simulate_person(heart_rate_bpm=72.0, duration_s=30.0, rmssd_ms=45.0, seed=seed))

        assert not found.is_without_rhythm(concentration=0.5)


def test_power_at_a_single_rate_is_a_rhythm():
    found = counted(fibrillating(1))

    assert found.is_without_rhythm(concentration=0.5)
    assert not found.is_without_rhythm(concentration=0.95)


def test_beats_that_follow_too_soon_may_hide_others():
    intervals_s = np.tile([0.28, 0.5, 0.9], 12)

    assert not CountedBeats(np.cumsum(intervals_s), intervals_s, agreement=1.0).is_clear
    assert CountedBeats(np.cumsum(intervals_s + 0.1), intervals_s + 0.1, agreement=1.0).is_clear


def test_intervals_across_missing_data_do_not_count():
    known = KNOWN.copy()
    known[300:390] = False
    person = fibrillating(5)

    whole, gap = counted(person), counted(person, known=known)

    assert len(gap.intervals_s) < len(whole.intervals_s)
    assert abs(gap.rate_bpm - person.truth(0, 30).heart_rate_bpm) < 6.0


def test_too_few_beats_are_none():
    halves = np.zeros((60, 2))
    halves[30] = 1.0

    assert count_beats(halves.mean(axis=1), halves, np.ones(60, dtype=bool), FS) is None


def test_beats_are_counted_where_they_look_uneven_and_there_are_two_halves():
    steady, uneven = simulate_person(heart_rate_bpm=72.0, duration_s=30.0, seed=1), fibrillating(1, 72.0)

    def beats_of(person, *, with_halves=True):
        halves = halves_of(person, 0.05)
        return find_beats(halves.mean(axis=1), KNOWN, FS, 1.2, halves=halves if with_halves else None)

    assert beats_of(steady).counted is None
    assert beats_of(uneven).counted is not None
    assert beats_of(uneven, with_halves=False).counted is None
