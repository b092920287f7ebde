"""Heart-rate variability of textbook series, worked out by hand."""

import numpy as np
import pytest

from rppg_core.vital.hrv import rmssd_ms, sdnn_ms, stress_index


def test_rmssd_and_sdnn_of_a_series_worked_out_by_hand():
    intervals = [0.80, 0.82, 0.78, 0.81]  # differences 20, -40, 30 ms

    assert rmssd_ms(intervals) == pytest.approx(np.sqrt((400 + 1600 + 900) / 3))
    assert sdnn_ms(intervals) == pytest.approx(1000 * np.std(intervals, ddof=1))


def test_a_difference_counts_only_between_two_kept_neighbours():
    intervals = [0.80, 0.82, 0.50, 0.84, 0.80]

    assert rmssd_ms(intervals, [True, True, False, True, True]) == pytest.approx(np.sqrt((400 + 1600) / 2))


def test_an_even_rhythm_has_no_variability_and_no_stress_index():
    assert rmssd_ms([0.8] * 30) == pytest.approx(0.0)
    assert stress_index([0.8] * 30) is None


def test_baevskys_index_of_a_histogram_worked_out_by_hand():
    # 50 ms bins: 0.75-0.80 holds 2, 0.80-0.85 holds 6, 0.85-0.90 holds 2; the range is 0.12 s.
    intervals = [0.77, 0.78, *[0.82] * 6, 0.86, 0.89]

    assert stress_index(intervals) == pytest.approx(60 / (2 * 0.825 * 0.12))


def test_an_interval_on_a_bins_edge_falls_in_the_bin_it_opens():
    assert stress_index([0.85, 0.85, 0.85, 0.80, 0.91]) == pytest.approx(60 / (2 * 0.875 * 0.11))


def test_nothing_kept_says_nothing():
    assert rmssd_ms([0.8, 0.9], [True, False]) is None
    assert sdnn_ms([0.8, 0.9], [True, False]) is None
    assert stress_index([0.8, 0.9], [False, False]) is None
