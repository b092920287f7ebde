"""Beats of contact sensors: those that were made, and those that NeuroKit2 finds, where it is installed."""

import numpy as np
import pytest

from rppg_core.validation import contact_beats

WIDTHS_S = {"ecg": 0.012, "ppg": 0.1}


def wave(kind, beats_s, fs, seconds=30.0):
    """A narrow or a broad bump for each beat, and a slow baseline."""
    times_s = np.arange(int(fs * seconds)) / fs
    bumps = sum(np.exp(-0.5 * ((times_s - at_s) / WIDTHS_S[kind]) ** 2) for at_s in beats_s)
    return bumps + 0.5 * np.sin(2 * np.pi * 0.2 * times_s)


def beats(rate_bpm, rng, seconds=30.0):
    intervals_s = 60 / rate_bpm * (1 + 0.05 * rng.standard_normal(int(seconds * rate_bpm / 60)))
    times_s = 0.5 + np.cumsum(intervals_s)
    return times_s[times_s < seconds - 0.5]


@pytest.mark.parametrize("kind", ["ecg", "ppg"])
@pytest.mark.parametrize("fs", [100.0, 250.0, 1000.0])
@pytest.mark.parametrize("rate_bpm", [45.0, 75.0, 130.0])
def test_each_beat_is_found_where_it_is(kind, fs, rate_bpm):
    rng = np.random.default_rng(int(rate_bpm))
    made_s = beats(rate_bpm, rng)
    samples = wave(kind, made_s, fs)
    found_s = contact_beats(samples + 0.01 * rng.standard_normal(len(samples)), fs, kind)
    assert len(found_s) == len(made_s)
    late_s = found_s - made_s
    assert np.abs(late_s - np.median(late_s)).max() < (0.005 if kind == "ecg" else 0.02)


def test_an_ecg_may_be_upside_down_and_in_any_unit():
    samples = wave("ecg", beats(70.0, np.random.default_rng(1)), 250.0)
    expected = contact_beats(samples, 250.0, "ecg")
    np.testing.assert_allclose(contact_beats(40 - 1000 * samples, 250.0, "ecg"), expected, atol=1e-6)


def test_the_t_wave_of_an_ecg_is_no_beat():
    made_s = beats(60.0, np.random.default_rng(2))
    times_s = np.arange(7500) / 250
    samples = wave("ecg", made_s, 250.0) + sum(0.4 * np.exp(-0.5 * ((times_s - at - 0.3) / 0.05) ** 2) for at in made_s)
    assert len(contact_beats(samples, 250.0, "ecg")) == len(made_s)


def test_a_wave_that_is_constant_or_short_has_no_beats():
    assert contact_beats(np.ones(3000), 100.0, "ppg").size == 0
    assert contact_beats(np.sin(np.arange(50)), 100.0, "ppg").size == 0


def test_a_wave_that_is_sampled_too_coarsely_is_refused():
    with pytest.raises(ValueError, match="at least 60 Hz"):
        contact_beats(np.ones(3000), 30.0, "ecg")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(10))
def test_rate_and_variability_are_those_that_neurokit_finds(seed):
    nk = pytest.importorskip("neurokit2", reason="needs NeuroKit2, which nothing else here needs")
    rate_bpm = float(np.random.default_rng(seed).uniform(45, 150))
    ecg = nk.ecg_simulate(duration=30, sampling_rate=500, heart_rate=rate_bpm, heart_rate_std=2, random_state=seed)
    theirs_s = nk.ecg_findpeaks(nk.ecg_clean(ecg, sampling_rate=500), sampling_rate=500)["ECG_R_Peaks"] / 500
    ours, theirs = np.diff(contact_beats(ecg, 500.0, "ecg")), np.diff(theirs_s)
    assert 60 / ours.mean() == pytest.approx(60 / theirs.mean(), abs=0.5)
    assert 1000 * np.std(np.diff(ours)) == pytest.approx(1000 * np.std(np.diff(theirs)), abs=4)
