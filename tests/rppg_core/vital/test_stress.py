"""The stress index of beats whose times have errors."""

from dataclasses import replace

import numpy as np
import pytest

from rppg_core.quality.probability import MOST_RATIO, is_vague, stress_interval
from rppg_core.vital.beats import Beats
from rppg_core.vital.hrv import stress_index
from rppg_core.vital.stress import Stress, stress
from rppg_core.vital.timing import OtherTimes
from rppg_core.vital.variability import variability


def seen_with_errors(sigma_s: float, seed: int, n: int = 60) -> tuple[Beats, np.ndarray]:
    """Beats of a breathing heart timed with independent errors by all parts of the pulse, and the true intervals."""
    rng = np.random.default_rng(seed)
    true = 0.9 + 0.05 * np.sin(0.9 * np.arange(n)) + 0.01 * rng.standard_normal(n)
    times = np.concatenate([[0.0], np.cumsum(true)])
    parts = times + sigma_s * np.sqrt(2) * rng.standard_normal((2, n + 1))
    whole, kept = parts.mean(axis=0), np.ones(n, dtype=bool)
    harmonics = whole + 0.6 * sigma_s * rng.standard_normal(n + 1)
    return Beats(whole, np.ones(n + 1), kept, kept, sigma_s, OtherTimes(parts, harmonics)), true


def test_errors_of_the_times_lower_the_index_by_less_than_they_do_if_they_stay():
    freed, raw = [], []
    for seed in range(24):
        beats, true = seen_with_errors(0.012, seed)
        found = stress(beats, variability(beats))
        assert found is not None
        freed.append(found.index / stress_index(true) - 1)
        raw.append(stress_index(beats.intervals_s) / stress_index(true) - 1)

    assert np.mean(raw) < -0.1
    assert abs(np.mean(freed)) < 0.6 * abs(np.mean(raw))


def test_exact_times_leave_the_index_as_it_is():
    beats, true = seen_with_errors(0.0, 1)
    found = stress(beats, variability(beats))

    assert found is not None
    assert found.index == pytest.approx(stress_index(true))
    assert found.jitter_share == pytest.approx(0.0, abs=1e-9)


def test_the_range_widens_with_jitter_until_it_says_nothing():
    exact, shaky = stress_interval(Stress(200.0, 0.01)), stress_interval(Stress(200.0, 0.05))

    assert shaky[0] < exact[0] < 200.0 < exact[1] < shaky[1]
    assert exact[0] * exact[1] == pytest.approx(200.0**2)  # even in the logarithm
    assert not is_vague("stress_index", exact)
    assert is_vague("stress_index", (100.0, 100.0 * MOST_RATIO + 1))


def test_without_an_sdnn_there_is_no_index():
    beats, _ = seen_with_errors(0.005, 2)

    assert stress(beats, replace(variability(beats), sdnn_ms=None)) is None
