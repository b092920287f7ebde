"""Sines fitted to samples at any times, under noise whose colour is found."""

import numpy as np
import pytest

from rppg_core.least_squares import explained, fit, noise_root, waves_at, whitened


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


def test_drift_and_what_the_head_leads_are_found_and_whitened():
    rng = np.random.default_rng(3)
    times = np.sort(rng.uniform(0, 60, 96))
    pose = rng.standard_normal((96, 5))
    series = 4 * np.sin(2 * np.pi * 0.03 * times) + 2 * pose[:, 1] + 0.3 * rng.standard_normal(96)

    white = np.linalg.solve(noise_root(times, series, pose), series)

    assert abs(np.corrcoef(white, pose[:, 1])[0, 1]) < abs(np.corrcoef(series, pose[:, 1])[0, 1])
    assert abs(np.corrcoef(white[1:], white[:-1])[0, 1]) < 0.35
