"""Peaks, a peak between the points of a grid, and the analytic signal."""

import numpy as np
import pytest

from rppg_core.numerics import (
    analytic_signal,
    filter_circularly,
    medians,
    over_channels,
    over_regions,
    peak_frequency,
    peaks_apart,
    quantiles,
    solve_positive,
    vertex,
    window_sums,
)


@pytest.mark.parametrize("at", [9.6, 10.0, 10.3])
def test_a_parabola_is_found_exactly(at):
    x = np.arange(20.0)
    values = 5.0 - 0.2 * (x - at) ** 2
    top = int(np.argmax(values))

    shift, rise = vertex(*values[top - 1 : top + 2])

    assert top + shift == pytest.approx(at)
    assert values[top] + rise == pytest.approx(5.0)
    assert peak_frequency(x / 4, values, top) == pytest.approx(at / 4)


def test_a_gaussian_is_found_exactly_by_its_logarithm():
    x = np.arange(20.0)
    power = np.exp(-0.5 * (x - 8.3) ** 2)

    assert peak_frequency(x, power, 8, logarithmic=True) == pytest.approx(8.3)
    assert peak_frequency(x, power, 8) != pytest.approx(8.3, abs=0.01)


def test_what_does_not_bend_down_and_what_lies_at_the_end_stays_on_the_grid():
    assert [float(part) for part in vertex(1.0, 1.0, 1.0)] == [0.0, 0.0]
    assert peak_frequency(np.arange(5.0), np.arange(5.0), 4) == 4.0
    assert peak_frequency(np.arange(5.0), -np.arange(5.0), 0) == 0.0


@pytest.fixture(scope="module")
def signal():
    """What it is compared with. It takes a second to load, which those that only collect tests need not wait for."""
    import scipy.signal

    return scipy.signal


@pytest.mark.parametrize("length", [40, 41, 900])
@pytest.mark.parametrize("distance", [1, 3, 12])
def test_peaks_are_those_of_scipy(signal, length, distance):
    rng = np.random.default_rng(length)
    values = rng.standard_normal(length)
    assert peaks_apart(values, distance).tolist() == signal.find_peaks(values, distance=distance)[0].tolist()


def test_of_a_flat_peak_the_middle_is_given(signal):
    steps = np.random.default_rng(0).integers(-1, 2, 400).cumsum().astype(np.float64)
    assert peaks_apart(steps, 1).tolist() == signal.find_peaks(steps)[0].tolist()
    assert np.diff(peaks_apart(steps, 9)).min() >= 9
    assert peaks_apart(np.ones(5), 1).tolist() == []
    assert peaks_apart(np.array([0.0, 2.0, 2.0, 2.0, 1.0]), 1).tolist() == [2]


@pytest.mark.parametrize("length", [64, 65])
def test_the_analytic_signal_is_that_of_scipy(signal, length):
    wave = np.random.default_rng(length).standard_normal(length)
    assert np.allclose(analytic_signal(wave), signal.hilbert(wave), atol=1e-12)


@pytest.mark.parametrize("shape", [(1,), (2,), (7,), (1, 3), (2, 3), (501, 4), (500, 4), (60, 5, 3), (300, 1)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_medians_are_those_of_numpy_to_the_digit_and_leave_the_values_alone(shape, order):
    rng = np.random.default_rng(4)
    for values in (rng.normal(size=shape), rng.integers(0, 3, shape).astype(np.float64)):
        given = np.asarray(values, order=order)
        assert np.array_equal(medians(given), np.median(values, axis=0))
        assert np.array_equal(given, values)


def test_the_mean_over_channels_is_that_of_numpy_to_the_digit():
    colours = np.random.default_rng(5).uniform(0, 255, (200, 30, 3))
    assert np.array_equal(over_channels(colours), colours.mean(axis=2))


@pytest.mark.parametrize("length", [64, 65])
def test_the_analytic_signal_is_of_the_filtered_one(signal, length):
    wave = np.random.default_rng(1).standard_normal(length)
    gain = np.linspace(1.0, 0.0, length // 2 + 1)
    filtered = np.fft.irfft(np.fft.rfft(wave) * gain, length)
    assert np.allclose(analytic_signal(wave, gain), signal.hilbert(filtered), atol=1e-12)


@pytest.mark.parametrize("width", [1, 2, 3, 7, 8, 48])
def test_sums_over_every_run_of_frames(width):
    values = np.random.default_rng(2).standard_normal((48, 2, 3))
    runs = [values[start : start + width].sum(axis=0) for start in range(48 - width + 1)]
    assert np.allclose(window_sums(values, width), runs, rtol=0, atol=1e-12)


def test_the_mean_over_regions():
    colours = np.random.default_rng(3).standard_normal((5, 7, 3))
    assert np.allclose(over_regions(colours), colours.mean(axis=1), rtol=0, atol=1e-14)


def test_a_positive_definite_system_and_one_that_rounding_has_spoilt():
    rows = np.random.default_rng(4).standard_normal((50, 6))
    right = np.arange(6.0)
    for matrix in (rows.T @ rows, np.diag([1.0, 2.0, 3.0, 4.0, 5.0, -1e-9])):
        before = matrix.copy()
        assert np.allclose(matrix @ solve_positive(matrix, right), right)
        assert np.array_equal(matrix, before)


@pytest.mark.parametrize("length", [900, 901, 907, 17])
def test_a_filter_is_circular_whatever_the_length(length):
    rng = np.random.default_rng(5)
    series, gain = rng.standard_normal((length, 2, 3)), rng.uniform(0, 1, length // 2 + 1)
    filtered = np.fft.irfft(np.fft.rfft(series, axis=0) * gain[:, None, None], length, axis=0)
    assert np.allclose(filter_circularly(series, gain), filtered, rtol=0, atol=1e-13)


@pytest.mark.parametrize("shape", [(1,), (2, 3), (7,), (500, 4), (501, 2, 2)])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.75, 0.95, 0.99, 1.0])
def test_quantiles_are_those_of_numpy(shape, share):
    values = np.random.default_rng(6).standard_normal(shape)
    before = values.copy()
    assert np.array_equal(quantiles(values, share), np.quantile(values, share, axis=0))
    assert np.array_equal(values, before)
