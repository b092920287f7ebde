"""The even grid: it returns known curves at uneven times, says where it knows nothing, and keeps trends."""

from __future__ import annotations

import numpy as np
import pytest

from rppg_core.simulation.traces import capture_times
from rppg_core.trace.sampling import GAP_S, MAX_FS, frame_rate_hz, resample, seen_colours, slow_part
from rppg_core.trace.traces import Trace

POSE = np.array([320.0, 240.0, 150.0, 0.0, 0.0])


def trace_of(times, curve, n_regions=3):
    colours = np.repeat(curve(times)[:, None, None], 3 * n_regions, axis=1).reshape(len(times), n_regions, 3)
    return Trace(times_s=times, colours=colours, pose=np.tile(POSE, (len(times), 1)), frame_size=(640, 480))


def wave(t):
    return 100 + 10 * np.sin(2 * np.pi * 1.2 * t)


def cubic(t):
    return 100 + 0.05 * (t - 4) ** 3 - 0.2 * (t - 2) ** 2


@pytest.mark.parametrize("fps", [12.0, 25.0, 30.0, 60.0, 120.0])
def test_even_traces_come_back_at_their_rate_or_averaged_down(fps):
    even = resample(trace_of(np.arange(round(10 * fps)) / fps, wave))
    assert even.fs <= MAX_FS
    assert fps / even.fs == pytest.approx(round(fps / even.fs))
    assert np.diff(even.times_s) == pytest.approx(1 / even.fs)
    assert even.known.all()
    assert even.colours[..., 0] == pytest.approx(np.repeat(wave(even.times_s)[:, None], 3, axis=1), abs=0.15)
    assert even.pose == pytest.approx(np.tile(POSE, (len(even.times_s), 1)))


@pytest.mark.parametrize("seed", range(4))
def test_a_cubic_at_uneven_times_comes_back_exactly(seed):
    times = capture_times(8.0, 25.0, jitter_s=0.005, seed=seed)
    even = resample(trace_of(times, cubic))
    assert even.colours[:, 0, 0] == pytest.approx(cubic(even.times_s + times[0]), abs=1e-6)


@pytest.mark.parametrize("gap_s", [GAP_S / 2, 2 * GAP_S])
def test_only_what_lies_in_a_long_gap_is_unknown(gap_s):
    times = capture_times(20.0, 25.0, gap_s=gap_s)
    even = resample(trace_of(times, wave))
    left = int(np.argmax(np.diff(times)))
    inside = (even.times_s > times[left] + 1e-6) & (even.times_s < times[left + 1] - 1e-6)
    assert inside.any()
    assert even.known[~inside].mean() > 0.99
    assert (even.known[inside] == (gap_s < GAP_S)).all()
    assert np.abs(even.colours - 100).max() <= 10.5  # nothing overshoots over the gap


def test_bursts_of_microseconds_make_no_grid_of_millions():
    times = (np.arange(20)[:, None] + 1e-6 * np.arange(10)).ravel()
    assert len(resample(trace_of(times, wave)).times_s) <= 4 * len(times) + 1


def test_a_region_that_is_rarely_seen_is_left_out_and_another_is_bridged():
    times = np.arange(100) / 25
    colours = np.repeat((50 + times)[:, None, None], 9, axis=1).reshape(100, 3, 3).copy()
    colours[40:50, 1] = np.nan
    colours[:60, 2] = np.nan
    kept, regions = seen_colours(times, colours)
    assert regions.tolist() == [0, 1]
    assert kept == pytest.approx(np.repeat((50 + times)[:, None, None], 6, axis=1).reshape(100, 2, 3))
    assert np.isnan(colours[45, 1]).all()  # the caller's own stays as it was


def test_the_frame_rate_counts_intervals():
    assert frame_rate_hz(np.arange(11) / 10) == pytest.approx(10)
    assert frame_rate_hz(np.array([3.0])) == 0.0


@pytest.mark.parametrize("cutoff_hz", [0.05, 0.1, 0.5])
def test_the_trend_holds_half_of_a_wave_at_its_cutoff_all_of_a_line_and_little_of_the_fast(cutoff_hz):
    t = np.arange(3000) / 25
    known = np.ones(len(t), bool)
    middle = slice(1000, 2000)

    def kept(hz):
        tone = np.sin(2 * np.pi * hz * t)
        trend = slow_part(tone[:, None], known, 25.0, cutoff_hz)[:, 0]
        return trend[middle] @ tone[middle] / (tone[middle] @ tone[middle])

    assert kept(cutoff_hz) == pytest.approx(0.5, abs=0.03)
    assert kept(4 * cutoff_hz) < 0.01
    line = 3 + 0.2 * t
    assert slow_part(line[:, None], known, 25.0, cutoff_hz)[:, 0] == pytest.approx(line, rel=1e-5)


def test_unknown_points_weigh_nothing_in_the_trend():
    t = np.arange(500) / 25
    line, known = 1 + 0.5 * t, np.ones(500, bool)
    known[200:240] = False
    spoilt = np.where(known, line, 1e6)
    assert slow_part(spoilt[:, None], known, 25.0, 0.1)[:, 0] == pytest.approx(line, rel=1e-5)
