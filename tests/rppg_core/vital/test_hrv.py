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
    # All fall in one bin of 50 ms wherever its edges lie, but for the two ends: 10 of 12, and the range is 0.2 s. With
    # the edges at 0.80 + 2 ms · i, the bin's centre is 0.825 + 2 ms · i up to 0.83, from where on it is 50 ms lower.
    intervals = [0.72, *[0.83] * 10, 0.92]
    centres = [0.825 + 0.002 * i for i in range(16)] + [0.775 + 0.002 * i for i in range(16, 25)]

    assert stress_index(intervals) == pytest.approx(np.mean([100 * 10 / 12 / (2 * mo * 0.2) for mo in centres]))


@pytest.mark.parametrize("rr", [0.849, 0.851])
def test_a_millisecond_at_a_bins_edge_hardly_moves_the_index(rr):
    beside = [0.80, 0.81, 0.82, 0.84, *[rr] * 8, 0.86, 0.88, 0.90]

    assert stress_index(beside) == pytest.approx(stress_index([0.85 if x == rr else x for x in beside]), rel=0.02)


def test_the_index_does_not_depend_on_where_the_rhythm_lies_between_the_edges():
    rhythm = 0.9 + 0.04 * np.sin(np.arange(40))
    indices = [stress_index(rhythm + shift) * (0.9 + shift) for shift in np.linspace(0, 0.05, 11)]

    assert max(indices) / min(indices) < 1.02


def test_nothing_kept_says_nothing():
    assert rmssd_ms([0.8, 0.9], [True, False]) is None
    assert sdnn_ms([0.8, 0.9], [True, False]) is None
    assert stress_index([0.8, 0.9], [False, False]) is None
