"""Sines fitted to samples at any times, under noise whose colour is found."""

import numpy as np
import pytest

from rppg_core.pulse.least_squares import explained, fit, noise_root, waves_at, whitened


def white_noise(times):
    n = len(times)
    return np.eye(n), np.full((n, 1), n**-0.5)


def test_a_tone_at_uneven_times_is_explained_at_its_own_frequency_alone():
    times = np.sort(np.random.default_rng(1).uniform(0, 30, 48))
    root, level = white_noise(times)
    tone = whitened(5 + np.sin(2 * np.pi * 1.3 * times + 0.4)[:, None], root, level)

    shares = explained(times, tone, root, level, np.array([0.9, 1.3, 1.7]))[:, 0]

    assert shares[1] == pytest.approx(1.0, abs=0.01)
    assert max(shares[0], shares[2]) < 0.4


def test_the_amplitude_of_a_tone_is_found():
    times = np.sort(np.random.default_rng(2).uniform(0, 30, 60))
    root, level = white_noise(times)
    tone = whitened(3 * np.cos(2 * np.pi * 1.1 * times)[:, None], root, level)

    coefficients, _ = fit(waves_at(times, root, level, np.array([1.1])), tone)

    assert coefficients[0, 0, 0] == pytest.approx(3.0, rel=0.01)
    assert abs(coefficients[0, 1, 0]) < 0.05


def made_of(times, drift, led, rng):
    pose = rng.standard_normal((len(times), 5))
    noise = 0.3 * rng.standard_normal(len(times))
    return drift * np.sin(2 * np.pi * 0.03 * times) + led * pose[:, 1] + noise, pose


def test_drift_is_found_and_whitened():
    rng = np.random.default_rng(3)
    times = np.sort(rng.uniform(0, 60, 96))
    series, pose = made_of(times, 2.0, 0.0, rng)

    white = np.linalg.solve(noise_root(times, series, pose), series)

    assert np.corrcoef(series[1:], series[:-1])[0, 1] > 0.8
    assert abs(np.corrcoef(white[1:], white[:-1])[0, 1]) < 0.4


def test_what_follows_the_head_is_found_and_whitened():
    rng = np.random.default_rng(4)
    times = np.sort(rng.uniform(0, 60, 96))
    series, pose = made_of(times, 0.0, 2.0, rng)

    root = noise_root(times, series, pose)

    white, led = np.linalg.solve(root, series), np.linalg.solve(root, pose[:, 1])
    assert np.corrcoef(series, pose[:, 1])[0, 1] > 0.9
    assert white @ white < 0.3 * (series @ series)
    assert led @ led < 0.3 * (pose[:, 1] @ pose[:, 1])
