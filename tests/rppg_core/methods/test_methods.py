"""Methods find a pulse at any rate and scale, and the running-sum POS equals the published loop."""

import numpy as np
import pytest

from rppg_core.errors import InvalidTraces, SignalTooShort
from rppg_core.methods import METHODS, pos
from rppg_core.simulation.physiology import simulate_person
from rppg_core.simulation.traces import capture_times, simulate_trace
from rppg_core.trace.sampling import slow_part


def skin(fps=30.0, seconds=15.0, rate_bpm=72.0, **scene):
    person = simulate_person(heart_rate_bpm=rate_bpm, duration_s=seconds, rmssd_ms=5, lf_ms=2, seed=3)
    times = capture_times(seconds, fps)
    quiet = {"noise": 2e-4, "jitter_px": 0.0, "sway_px": 0.0, "light_drift": 0.0, "n_regions": 4, **scene}
    return simulate_trace(person, times, seed=3, **quiet).colours, person.blood_volume(times)


def published_pos(rgb, fs, window_s=1.6):
    n, width = len(rgb), int(np.ceil(window_s * fs))
    total, count = np.zeros(rgb.shape[:2]), np.zeros((n, 1))
    for start in range(n - width + 1):
        window = rgb[start : start + width]
        normal = window / window.mean(axis=0)
        x = normal[..., 1] - normal[..., 2]
        y = normal[..., 1] + normal[..., 2] - 2 * normal[..., 0]
        beat = x + x.std(axis=0) / y.std(axis=0) * y
        total[start : start + width] += beat - beat.mean(axis=0)
        count[start : start + width] += 1
    return total / count


def test_pos_by_running_sums_equals_the_published_loop():
    traces, _ = skin(jitter_px=0.3, sway_px=3.0, light_drift=0.02)

    np.testing.assert_allclose(pos(traces, 30.0), published_pos(traces, 30.0), atol=1e-10)


@pytest.mark.parametrize("fps", [15.0, 30.0, 59.94])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_follows_the_light_that_falls_as_blood_volume_rises(name, fps):
    traces, blood = skin(fps)

    both = np.column_stack([METHODS[name](traces, fps).mean(axis=1), blood])
    pulse, truth = (both - slow_part(both, np.ones(len(both), dtype=bool), fps, 0.5)).T

    assert np.corrcoef(pulse, truth)[0, 1] < -0.8


@pytest.mark.parametrize("name", METHODS)
def test_a_dimmer_lamp_leaves_every_pulse_as_it_was(name):
    traces, _ = skin()

    np.testing.assert_allclose(METHODS[name](traces * 0.4, 30.0), METHODS[name](traces, 30.0), atol=1e-9)


@pytest.mark.parametrize("name", ["pos", "lgi", "omit"])
def test_a_white_flicker_alone_leaves_no_pulse(name):
    times = np.arange(300) / 30
    lamp = 1 + 0.05 * np.sin(2 * np.pi * 1.2 * times)
    traces = lamp[:, None, None] * np.array([170.0, 120.0, 100.0])

    assert np.abs(METHODS[name](traces, 30.0)).max() < 1e-3


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("bad", [np.ones((100, 3)), np.zeros((100, 2, 3)), np.full((100, 2, 3), np.nan)])
def test_every_method_refuses_what_is_no_trace(name, bad):
    with pytest.raises(InvalidTraces):
        METHODS[name](bad, 30.0)


@pytest.mark.parametrize("name", ["pos", "chrom"])
def test_methods_with_windows_refuse_a_trace_shorter_than_one(name):
    with pytest.raises(SignalTooShort):
        METHODS[name](np.ones((20, 2, 3)), 30.0)
