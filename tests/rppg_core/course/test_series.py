"""The course of the rates: as the person's, within its range, and nothing where nothing can be known."""

import numpy as np
import pytest

from rppg_core.course.series import series
from rppg_core.face.regions import N_REGIONS
from rppg_core.simulation.physiology import simulate_person
from rppg_core.simulation.traces import capture_times, simulate_trace
from rppg_core.trace.traces import Trace


def trace(who, seconds, fps=30.0, **options):
    return simulate_trace(who, capture_times(seconds, fps), n_regions=N_REGIONS, **options)


def joined(first, second):
    """One trace after the other."""
    shift = first.times_s[-1] + np.median(np.diff(first.times_s))
    fields = (
        np.concatenate([first.times_s, second.times_s + shift]),
        np.concatenate([first.colours, second.colours]),
        np.concatenate([first.pose, second.pose]),
    )
    witness = None if first.witness is None else np.concatenate([first.witness, second.witness])
    return Trace(*fields, first.frame_size, witness)


def test_each_value_is_that_of_the_seconds_around_it():
    who = simulate_person(heart_rate_bpm=80.0, duration_s=60.0, respiration_rate_bpm=14.0, seed=1)
    found = series(trace(who, 60.0))
    assert found.start_s == 5.0
    moments = found.start_s + np.arange(51)
    true = np.array([who.truth(at - 5, at + 5).heart_rate_bpm for at in moments])
    assert found.heart_rate_bpm == pytest.approx(true, abs=2.0)
    inside = (found.heart_rate_low_bpm <= true) & (true <= found.heart_rate_high_bpm)
    assert inside.mean() >= 0.8
    assert len(found.respiration_rate_bpm) == 51
    known = np.isfinite(found.respiration_rate_bpm)
    assert known.mean() >= 0.8
    assert found.respiration_rate_bpm[known] == pytest.approx(14.0, abs=2.0)


@pytest.mark.parametrize(("seconds", "count"), [(0.1, 0), (9.9, 0), (10.0, 1), (10.9, 1), (12.0, 3), (29.5, 20)])
def test_it_goes_from_five_seconds_after_the_start_to_five_before_the_end(seconds, count):
    found = series(trace(simulate_person(duration_s=30.0, seed=2), seconds, fps=20.0))
    assert {len(values) for values in (found.heart_rate_bpm, found.heart_rate_low_bpm, found.heart_rate_high_bpm)} == {
        count
    }
    assert len(found.respiration_rate_bpm) == count


def test_a_photo_has_no_course():
    found = series(trace(None, 30.0, sway_px=4.0))
    assert np.isnan(found.heart_rate_bpm).all()
    assert np.isnan(found.heart_rate_low_bpm).all()
    assert np.isnan(found.respiration_rate_bpm).all()


def test_where_the_person_has_left_nothing_is_known_and_before_it_is():
    who = simulate_person(heart_rate_bpm=66.0, duration_s=30.0, seed=3)
    found = series(joined(trace(who, 24.0, fps=20.0), trace(None, 24.0, fps=20.0, seed=9)))
    moments = found.start_s + np.arange(len(found.heart_rate_bpm))
    assert found.heart_rate_bpm[moments <= 18] == pytest.approx(66.0, abs=3.0)
    assert np.isnan(found.heart_rate_bpm[moments >= 31]).all()
    assert np.isnan(found.respiration_rate_bpm[moments >= 31]).all()


def test_a_heart_that_slows_down_is_followed():
    fast = trace(simulate_person(heart_rate_bpm=110.0, duration_s=30.0, rmssd_ms=12.0, seed=4), 25.0, fps=20.0)
    slow = trace(simulate_person(heart_rate_bpm=70.0, duration_s=30.0, rmssd_ms=20.0, seed=4), 25.0, fps=20.0)
    found = series(joined(fast, slow))
    moments = found.start_s + np.arange(len(found.heart_rate_bpm))
    assert found.heart_rate_bpm[moments <= 18] == pytest.approx(110.0, abs=4.0)
    assert found.heart_rate_bpm[moments >= 32] == pytest.approx(70.0, abs=4.0)


def test_slow_frames_have_a_course_of_the_heart_alone():
    who = simulate_person(heart_rate_bpm=80.0, duration_s=60.0, seed=5)
    slots = np.arange(96)
    times = (slots + np.random.default_rng(2).uniform(0.05, 0.95, len(slots))) / 1.6
    found = series(simulate_trace(who, times, n_regions=N_REGIONS))
    known = np.isfinite(found.heart_rate_bpm)
    assert known.any()
    assert found.heart_rate_bpm[known] == pytest.approx(80.0, abs=3.0)
    assert np.isnan(found.respiration_rate_bpm).all()


def test_its_cost_does_not_grow_with_the_square_of_the_length(monkeypatch):
    looks = []
    monkeypatch.setattr("rppg_core.course.series.partial", lambda part: looks.append(len(part.times_s)))
    for seconds in (30.0, 300.0):
        looks.clear()
        series(trace(simulate_person(duration_s=seconds, seed=6), seconds, fps=10.0))
        assert sum(looks) <= 32 * 101, seconds


def test_bursts_with_little_between_have_a_course_as_slow_frames_have():
    times = np.sort((np.arange(0.0, 40.0, 0.94)[:, None] + 0.001 * np.arange(19)).ravel())
    who = simulate_person(heart_rate_bpm=80.0, duration_s=42.0, seed=1)
    found = series(simulate_trace(who, times, n_regions=N_REGIONS))
    assert len(found.heart_rate_bpm) == 30
    assert np.isnan(found.respiration_rate_bpm).all()
