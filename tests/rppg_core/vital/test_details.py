"""Measures of variability against those of the true beats, by other formulas, with exact and with noisy times."""

from __future__ import annotations

import numpy as np
import pytest

from rppg_core import measure
from rppg_core.quality.probability import rmssd_interval
from rppg_core.results import HRV_DETAILS, SPECTRAL_DETAILS
from rppg_core.simulation.physiology import simulate_person
from rppg_core.vital.beats import Beats, find_beats
from rppg_core.vital.details import HF_HZ, LF_HZ, hrv_details, jitter_spectrum, pnn50_percent, spectrum
from rppg_core.vital.timing import OtherTimes
from rppg_core.vital.variability import variability
from tests.rppg_core.same_answers import face, photograph, uneven

FPS = 30.0
PEOPLE = [
    {"heart_rate_bpm": 66, "rmssd_ms": 30, "lf_ms": 15, "respiration_rate_bpm": 15},
    {"heart_rate_bpm": 58, "rmssd_ms": 60, "lf_ms": 30, "respiration_rate_bpm": 12},
    {"heart_rate_bpm": 75, "rmssd_ms": 20, "lf_ms": 25, "respiration_rate_bpm": 15},
    {"heart_rate_bpm": 90, "rmssd_ms": 15, "lf_ms": 20, "respiration_rate_bpm": 18},
]


def person_of(facts, span_s, seed):
    return simulate_person(duration_s=span_s, seed=seed, **facts)


def details_of(person, noise, span_s, seed=0):
    """By a pulse that two halves of the skin show, each with noise of its own."""
    n = round(span_s * FPS)
    volume = person.blood_volume(np.arange(n) / FPS)
    halves = volume + noise * np.random.default_rng(seed).standard_normal((2, n))
    rate_hz = person.truth().heart_rate_bpm / 60
    beats = find_beats(halves.mean(axis=0), np.ones(n, dtype=bool), FPS, rate_hz, halves=halves.T)
    found = variability(beats)
    assert found.reason is None
    return hrv_details(beats, found, rmssd_interval(found), span_s), found


def truth_of(person, span_s):
    """The textbook's definitions on the true beats: the plot itself, and Welch's spectrum of a resampled series."""
    from scipy.interpolate import CubicSpline  # it and the next take a second to load
    from scipy.signal import welch

    beats = person.beats_s[(person.beats_s >= 0) & (person.beats_s <= span_s)]
    rr = 1000 * np.diff(beats)
    before, after = rr[:-1], rr[1:]
    even_s = np.arange(beats[1], beats[-1], 0.25)
    freqs, power = welch(CubicSpline(beats[1:], rr)(even_s), 4.0, nperseg=400, nfft=4096, detrend="linear")
    lf, hf = (
        float(power[(freqs >= low) & (freqs < high)].sum() * freqs[1]) for low, high in ((0.04, 0.15), (0.15, 0.4))
    )
    return {
        "sdnn_ms": rr.std(ddof=1), "pnn50_percent": 100 * np.mean(np.abs(after - before) > 50),
        "mean_nn_ms": rr.mean(), "sd1_ms": np.std((after - before) / np.sqrt(2)),
        "sd2_ms": np.std((after + before) / np.sqrt(2)), "lf_ms2": lf, "hf_ms2": hf, "lf_hf": lf / hf,
    }  # fmt: skip


@pytest.mark.parametrize("facts", PEOPLE, ids=lambda facts: str(facts["heart_rate_bpm"]))
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.12])
def test_five_minutes_give_what_the_true_beats_give(facts, noise):
    person = person_of(facts, 300.0, 1)

    found, _ = details_of(person, noise, 300.0)

    assert set(found) == set(HRV_DETAILS)
    true = truth_of(person, 300.0)
    assert found["mean_nn_ms"] == pytest.approx(true["mean_nn_ms"], rel=0.002)
    assert found["sdnn_ms"] == pytest.approx(true["sdnn_ms"], rel=0.04)
    assert found["sd2_ms"] == pytest.approx(true["sd2_ms"], rel=0.05)
    assert found["sd1_ms"] == pytest.approx(true["sd1_ms"], rel=0.16)
    assert found["pnn50_percent"] == pytest.approx(true["pnn50_percent"], abs=4)
    assert found["lf_ms2"] == pytest.approx(true["lf_ms2"], rel=0.15)
    assert found["hf_ms2"] == pytest.approx(true["hf_ms2"], rel=0.25)
    assert found["lf_hf"] == pytest.approx(true["lf_hf"], rel=0.3)


def test_jitter_is_taken_off_where_it_counts():
    """Of the plot's width as of RMSSD, which it follows; and of the fast band."""
    seen: list[list[float]] = []
    for seed in range(6):
        person = person_of({"heart_rate_bpm": 75, "rmssd_ms": 15, "lf_ms": 8}, 150.0, seed)
        true = truth_of(person, 150.0)["sd1_ms"]
        exact, _ = details_of(person, 0.0, 150.0)
        noisy, found = details_of(person, 0.16, 150.0, seed)
        freqs = np.linspace(*HF_HZ, 200)
        added = np.trapezoid(jitter_spectrum(freqs, found.jitter_ms2, 0.8), freqs)
        fast = [noisy["hf_ms2"] + share * added for share in (0, 1)]
        seen.append([value / exact["hf_ms2"] for value in fast])
        seen[-1] += [noisy["sd1_ms"] / true, found.raw_ms / np.sqrt(2) / true]

    freed_hf, raw_hf, freed_sd1, raw_sd1 = np.mean(seen, axis=0)
    assert raw_sd1 > 1.3
    assert raw_hf > 1.15
    assert abs(freed_sd1 - 1) < 0.5 * (raw_sd1 - 1)
    assert abs(freed_hf - 1) < 0.5 * (raw_hf - 1)


def test_a_wave_has_its_power_in_its_band_also_with_intervals_left_out():
    rng = np.random.default_rng(3)
    times = np.cumsum(np.full(200, 0.85))
    slow, fast = 30 * np.sin(2 * np.pi * 0.1 * times), 20 * np.sin(2 * np.pi * 0.27 * times)
    intervals = 850 + slow + fast
    kept = rng.random(200) > 0.08

    for chosen in (np.ones(200, dtype=bool), kept):
        for (low, high), power in ((LF_HZ, 450), (HF_HZ, 200)):
            freqs = np.linspace(low, high, 400)
            band = np.trapezoid(spectrum(times[chosen], intervals[chosen], freqs), freqs)
            assert band == pytest.approx(power, rel=0.12)


def test_the_spectrum_of_jitter_is_as_it_is_reckoned():
    rng = np.random.default_rng(4)
    freqs = np.linspace(0.05, 0.55, 200)
    seen = np.zeros(200)
    for _ in range(60):
        times = 0.85 * np.arange(200) + 0.006 * rng.standard_normal(200)
        seen += spectrum(times[1:], 1000 * np.diff(times), freqs) / 60

    reckoned = jitter_spectrum(freqs, 6 * 36.0, 0.85)
    assert np.trapezoid(seen, freqs) == pytest.approx(np.trapezoid(reckoned, freqs), rel=0.07)
    assert np.corrcoef(seen, reckoned)[0, 1] > 0.98


def test_pnn50_counts_only_what_is_beyond():
    assert pnn50_percent([50.0, -50.1, 10.0, 80.0]) == 50


def test_pnn50_is_withheld_where_jitter_decides_it():
    rng = np.random.default_rng(5)
    times = np.cumsum(0.9 + 0.035 * rng.standard_normal(60))
    kept = np.ones(59, dtype=bool)
    noise = 0.017 * rng.standard_normal((2, 60))

    found, exact = (
        hrv_details(beats, variability(beats), rmssd_interval(variability(beats)), 54.0)
        for beats in (
            Beats(times + scale * noise.mean(axis=0), np.ones(60), kept, kept, 0.01, OtherTimes(times + scale * noise))
            for scale in (1.0, 0.01)
        )
    )

    assert found["pnn50_percent"] is None
    assert exact["pnn50_percent"] > 0


def test_a_measurement_gives_them_all_from_two_minutes_on():
    details = measure(face(66.0, 121.0, 20.0)).hrv_details

    assert set(details.values) == set(HRV_DETAILS)
    assert None not in details.values.values()
    assert not details.withheld


def test_a_shorter_one_gives_all_but_the_spectrum():
    vitals = measure(face(66.0, 30.0))

    assert vitals.hrv_details.withheld == dict.fromkeys(SPECTRAL_DETAILS, "WINDOW_TOO_SHORT")
    assert vitals.hrv_details.values["sd1_ms"] == pytest.approx(vitals.rmssd_ms / np.sqrt(2))
    assert vitals.hrv_details.values["sdnn_ms"] == vitals.sdnn_ms


@pytest.mark.parametrize(
    "trace", [face(66.0, 12.0), photograph(), uneven(66.0, 60.0, 1.6)], ids=["short", "photo", "slow"]
)
def test_without_rmssd_there_are_none_and_its_reason_says_why(trace):
    vitals = measure(trace)

    assert vitals.rmssd_ms is None
    assert set(vitals.hrv_details.values.values()) == {None}
    reasons = dict(vitals.hrv_details.withheld)
    assert {reasons.pop(name) for name in SPECTRAL_DETAILS} == {"WINDOW_TOO_SHORT"}
    assert set(reasons.values()) == {vitals.withheld["hrv"]}
    assert set(reasons) | set(SPECTRAL_DETAILS) == set(HRV_DETAILS)
