"""Single frames: the rate by their capture times, its aliases resolved or left open."""

import numpy as np
import pytest

from rppg_core import Trace, measure
from rppg_core.pulse.extract import find_pulse
from rppg_core.pulse.sparse import find_sparse_pulse
from rppg_core.simulation.physiology import without_rhythm
from rppg_core.simulation.traces import simulate_trace
from tests.rppg_core.test_measure import check_complete, person_of


def uneven(seconds, fps, seed=1):
    """Each frame somewhere in its slot."""
    slots = np.arange(int(seconds * fps))
    return (slots + np.random.default_rng(seed).uniform(0.05, 0.95, len(slots))) / fps


def sparse_trace(rate_bpm=72.0, seconds=30.0, times=None, seed=1, **scene):
    person = person_of(rate_bpm, seconds)
    times = uneven(seconds, 1.6) if times is None else times
    truth = person.truth(float(times[0]), float(times[-1])).heart_rate_bpm
    return simulate_trace(person, times, seed=seed, **{"amplitude": 0.01} | scene), truth


@pytest.mark.parametrize("rate_bpm", [47, 63, 88, 118, 155, 190])
def test_one_and_a_half_frames_a_second_show_any_rate(rate_bpm):
    trace, truth = sparse_trace(rate_bpm, seconds=60.0, times=uneven(60, 1.6))

    vitals = measure(trace)

    check_complete(vitals)
    assert vitals.heart_rate_bpm == pytest.approx(truth, abs=1.0)
    low, high = vitals.interval["heart_rate"]
    assert low < truth < high


def test_only_the_rate_is_given_and_the_rest_says_why():
    trace, _ = sparse_trace(seconds=60.0, times=uneven(60, 1.6))

    withheld = measure(trace).withheld

    assert withheld == dict.fromkeys(("hrv", "stress_index", "respiration_rate", "spo2"), "LOW_FRAME_RATE")


@pytest.mark.parametrize("fps", [1.0, 1.6, 2.0, 3.0])
@pytest.mark.parametrize("rate_bpm", [58, 72, 105])
def test_evenly_slow_frames_never_give_a_sure_wrong_rate(fps, rate_bpm):
    trace, truth = sparse_trace(rate_bpm, seconds=60.0, times=np.arange(int(60 * fps)) / fps)

    vitals = measure(trace)

    assert vitals.confidence < 0.7 or vitals.heart_rate_bpm == pytest.approx(truth, abs=3.0)
    assert "EVENLY_SLOW_FRAMES" in vitals.guidance


def test_an_alias_halves_the_odds():
    even, _ = sparse_trace(72, times=np.arange(60) / 2.0)
    jittered, _ = sparse_trace(72, times=uneven(30, 2.0))

    assert find_sparse_pulse(even).evidence.log_odds < 0.5
    assert find_sparse_pulse(jittered).evidence.log_odds > 3


def test_both_ways_agree_where_both_apply():
    trace, _ = sparse_trace(81, times=np.arange(300) / 10.0)

    assert find_sparse_pulse(trace).rate_bpm == pytest.approx(find_pulse(trace).rate_bpm, abs=0.5)


def test_bursts_with_little_between_them_are_answered():
    times = np.concatenate([start + np.arange(30) / 30.0 for start in np.arange(0, 30, 3.0)])
    trace, truth = sparse_trace(76, times=times)

    assert measure(trace).heart_rate_bpm == pytest.approx(truth, abs=2.0)


def test_a_rate_that_changes_over_minutes_is_followed_in_parts():
    trace, truth = sparse_trace(66, seconds=180.0, times=uneven(180, 1.6), seed=4)

    assert measure(trace).heart_rate_bpm == pytest.approx(truth, abs=1.0)


@pytest.mark.parametrize("scene", [{}, {"flicker": 0.01}, {"nod_px": 8.0}, {"sway_px": 12.0}])
def test_what_has_no_pulse_gets_no_rate(scene):
    for seed in range(4):
        trace = simulate_trace(None, uneven(60, 1.6, seed), seed=seed, **scene)
        vitals = measure(trace)
        check_complete(vitals)
        assert vitals.heart_rate_bpm is None
        assert "NO_PULSE" in vitals.guidance


def test_a_heart_without_rhythm_gets_no_sure_rate():
    answered = 0
    for seed in range(12):
        person = without_rhythm(person_of(75.0, seed=seed), 0.22, seed)
        times = uneven(30, 5.0, seed)
        vitals = measure(simulate_trace(person, times, seed=seed, light_drift=0.0))
        answered += vitals.heart_rate_bpm is not None
        assert vitals.confidence < 0.7

    assert answered <= 4


def test_a_few_frames_say_nothing():
    trace, _ = sparse_trace(times=np.arange(6) * 1.3)

    assert measure(trace).withheld["heart_rate"] == "LOW_FRAME_RATE"


def test_regions_that_come_and_go_and_any_epoch_change_little():
    trace, truth = sparse_trace(seconds=60.0, times=uneven(60, 1.6))
    colours = trace.colours.copy()
    colours[::7, 3] = np.nan
    patchy = Trace(trace.times_s + 1.7e9, colours, trace.pose, trace.frame_size)

    assert measure(patchy).heart_rate_bpm == pytest.approx(truth, abs=1.0)


@pytest.mark.parametrize("times", [np.arange(12) * 30.0, uneven(60, 1.6), np.arange(9) * 0.7])
def test_colours_that_never_change_and_minutes_between_frames_say_nothing(times):
    n = len(times)
    trace = Trace(
        times, np.full((n, 24, 3), (150.0, 110.0, 90.0)), np.tile((320.0, 240.0, 80.0, 0.0, 0.0), (n, 1)), (640, 480)
    )

    vitals = measure(trace)

    check_complete(vitals)
    assert vitals.heart_rate_bpm is None
