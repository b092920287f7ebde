"""What errors of the beats' times add to the variability is learnt from the recording, and taken off."""

from dataclasses import replace

import numpy as np
import pytest

from rppg_core.quality.probability import rmssd_interval
from rppg_core.simulation.physiology import simulate_person, without_rhythm
from rppg_core.vital.beats import Beats, find_beats
from rppg_core.vital.timing import OtherTimes
from rppg_core.vital.variability import Variability, variability

FS = 30.0
TIMES_S = np.arange(900) / FS
KNOWN = np.ones(900, dtype=bool)


def person_of(seed, **changes):
    facts = {"heart_rate_bpm": 66.0, "duration_s": 30.0, "rmssd_ms": 30.0, "lf_ms": 10.0, "seed": seed}
    return simulate_person(**(facts | changes))


def beats_of(person, noise, seed=0, rate_hz=1.1):
    """Beats of a pulse that two halves of the skin show, each with noise of its own."""
    halves = person.blood_volume(TIMES_S) + noise * np.random.default_rng(seed).standard_normal((2, 900))
    return find_beats(halves.mean(axis=0), KNOWN, FS, rate_hz, halves=halves.T)


def beats_at(times_s, **others):
    n = len(times_s)
    kept = np.ones(n - 1, dtype=bool)
    return Beats(times_s, np.ones(n), kept, kept, 0.003, OtherTimes(**others))


def test_without_the_jitter_rmssd_and_sdnn_are_nearer_to_the_truth():
    raw, freed, freed_sdnn = [], [], []
    for seed in range(12):
        person = person_of(seed, rmssd_ms=15.0, lf_ms=5.0)
        found, true = variability(beats_of(person, 0.12, seed)), person.truth(0, 30)
        raw.append(found.raw_ms - true.rmssd_ms)
        freed.append(found.rmssd_ms - true.rmssd_ms)
        freed_sdnn.append(found.sdnn_ms - true.sdnn_ms)

    assert np.mean(raw) > 3.0
    assert abs(np.mean(freed)) < np.mean(raw)
    assert abs(np.mean(freed_sdnn)) < 2.0


def test_jitter_of_independent_halves_is_as_large_as_the_errors_are():
    """Of errors that are drawn, not of waves: the best mean of two, with twice the error in one of them."""
    rng = np.random.default_rng(1)
    ratios = []
    for _ in range(40):
        times = np.cumsum(np.full(36, 0.9))
        one, other = 0.004 * rng.standard_normal(36), 0.008 * rng.standard_normal(36)
        whole = 0.8 * one + 0.2 * other
        beats = beats_at(times + whole, halves=np.stack([times + one, times + other]))
        ratios.append(variability(beats).jitter_ms2 / (6e6 * 0.8 * 0.004**2))

    assert np.mean(ratios) == pytest.approx(1.0, abs=0.15)


def test_a_bend_of_the_whole_pulse_is_seen_by_its_harmonics():
    rng = np.random.default_rng(2)
    times, own = np.cumsum(np.full(36, 0.9)), 0.001 * rng.standard_normal((2, 36))
    bend = 0.006 * rng.standard_normal(36)
    halves = times + own + bend
    whole = halves.mean(axis=0)

    alike = variability(beats_at(whole, halves=halves, harmonics=whole + 0.0005 * rng.standard_normal(36)))
    apart = variability(beats_at(whole, halves=halves, harmonics=whole - 0.8 * bend))

    assert apart.jitter_ms2 > 3 * alike.jitter_ms2
    assert apart.most_jitter_ms2 > 20 * alike.most_jitter_ms2


def test_deep_breaths_are_no_artefacts():
    person = person_of(3, heart_rate_bpm=58.0, rmssd_ms=85.0, rsa_share=0.8, respiration_rate_bpm=9.0, lf_ms=20.0)
    beats = beats_of(person, 0.01, rate_hz=58 / 60)

    found = variability(beats)

    assert beats.normal.all()
    assert found.rmssd_ms == pytest.approx(person.truth(0, 30).rmssd_ms, rel=0.06)


def test_a_beat_that_was_missed_is_an_artefact_also_in_a_variable_rhythm():
    person = person_of(4, rmssd_ms=60.0)
    gone = person.beats_s[np.searchsorted(person.beats_s, 14.0)]
    heights = np.where(person.beats_s == gone, 0.0, person.beat_heights)

    beats = beats_of(replace(person, beat_heights=heights), 0.01)

    around = (beats.times_s[:-1] < gone + 0.2) & (beats.times_s[1:] > gone + 0.2)
    assert not beats.normal[around].any()
    assert beats.normal[~around].mean() > 0.9


@pytest.mark.parametrize("spread", [0.14, 0.2, 0.28])
def test_fibrillation_is_irregular_and_has_no_rmssd(spread):
    for seed in range(8):
        person = without_rhythm(person_of(seed, heart_rate_bpm=90.0), spread, seed)

        found = variability(beats_of(person, 0.01, seed, rate_hz=1.5))

        assert found.rmssd_ms is None
        assert found.reason == "IRREGULAR_BEATS"


def test_ectopic_beats_are_left_out():
    person = person_of(5, ectopic_beats=3)

    found = variability(beats_of(person, 0.01))

    assert found.rmssd_ms == pytest.approx(person.truth(0, 30).rmssd_ms, abs=6.0)


def test_of_what_jitter_explains_nearly_all_of_no_more_is_known_than_what_is_seen():
    rng = np.random.default_rng(6)
    times = np.cumsum(np.full(36, 0.9))
    halves = times + 0.02 * rng.standard_normal((2, 36))

    found = variability(beats_at(halves.mean(axis=0), halves=halves))

    assert found.is_mostly_jitter
    low, high = rmssd_interval(found)
    assert low == 0
    assert high >= found.raw_ms


def test_jitter_of_twice_what_is_seen_is_no_jitter():
    """A tone is timed exactly, and its harmonics are noise."""
    rng = np.random.default_rng(10)
    times = np.cumsum(np.full(36, 0.9)) + 0.002 * rng.standard_normal(36)
    halves, harmonics = times + 0.02 * rng.standard_normal((2, 36)), times + 0.06 * rng.standard_normal(36)

    assert variability(beats_at(times, halves=halves, harmonics=harmonics)).reason == "LOW_SIGNAL"


def test_a_single_spot_whose_jitter_explains_nearly_all_has_no_rmssd():
    found = variability(beats_at(np.cumsum(0.9 + 0.004 * np.random.default_rng(8).standard_normal(36))))

    rough = replace(beats_at(np.cumsum(0.9 + 0.02 * np.random.default_rng(8).standard_normal(36))), timing_sigma_s=0.02)
    assert found.reason is None
    assert variability(rough).reason == "LOW_SIGNAL"


def test_errors_that_all_parts_share_are_seen_by_the_order_of_the_differences():
    """Independent errors alternate, a slow breath doesn't: parts of the pulse that agree leave both in."""
    rng = np.random.default_rng(9)
    even = np.cumsum(np.full(60, 0.8))
    own = 0.002 * rng.standard_normal((3, 60))

    def found(times):
        return variability(beats_at(times, halves=times + own[:2], harmonics=times + own[2]))

    noisy = found(even + 0.006 * rng.standard_normal(60))
    breathing = found(even + 0.03 * np.sin(2 * np.pi * 0.12 * np.arange(60)))

    assert noisy.jitter_ms2 > 3 * breathing.jitter_ms2
    assert breathing.rmssd_ms == pytest.approx(breathing.raw_ms, rel=0.1)


def test_a_single_spot_is_judged_by_its_sigma_alone():
    times = np.cumsum(0.9 + 0.03 * np.random.default_rng(7).standard_normal(36))

    found = variability(beats_at(times))

    assert 0 < found.jitter_ms2 < found.most_jitter_ms2 == pytest.approx(6e6 * 0.003**2)


def test_the_range_is_even_in_the_square_and_grows_with_jitter():
    exact = Variability(30.0, 40.0, None, 31.0, 50.0, 80.0, 34)
    rough = replace(exact, most_jitter_ms2=800.0)

    (low, high), (lower, higher) = rmssd_interval(exact), rmssd_interval(rough)

    assert lower < low < 30 < high < higher
    assert 900 - low**2 == pytest.approx(high**2 - 900)
