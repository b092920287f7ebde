"""Even and uneven sampling are distinguished by their effect on a pulse, not by the intervals' appearance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rppg_core.trace.aliasing import HIGH_HZ, LOW_HZ, alias_strength, has_alias, is_evenly_slow, known_margin

SLOW = [0.9, 1.5, 1.6, 2.0, 3.3, 5.0, 7.0]
DENSE = [8.0, 10.0, 15.0, 24.0, 29.97, 60.0]


def even(fps, n, delays_s=0.0, seed=0):
    return np.arange(n) / fps + delays_s * np.random.default_rng(seed).standard_normal(n)


def jittered(fps, n, seed=0):
    """One frame at any moment of its share of the time."""
    return (np.arange(n) + np.random.default_rng(seed).random(n)) / fps


def spectral_window(times, distances_hz):
    """The slow and obvious way."""
    return np.abs(np.exp(-2j * np.pi * np.outer(distances_hz, times)).mean(axis=1)) ** 2


@pytest.mark.parametrize("fps", SLOW)
@pytest.mark.parametrize("n", [16, 32, 90])
@pytest.mark.parametrize("delays_s", [0.0, 0.003, 0.008])
def test_an_even_slow_pace_is_seen_through_a_networks_delays(fps, n, delays_s):
    assert is_evenly_slow(even(fps, n, delays_s))


@pytest.mark.parametrize("seed", range(5))
def test_a_client_that_sleeps_the_same_time_after_every_answer_is_even(seed):
    """Its delays add up, so that the pace wanders."""
    answers = np.random.default_rng(seed).normal(0.03, 0.005, 45)
    assert is_evenly_slow(np.cumsum(0.6 + answers))


@pytest.mark.parametrize("fps", SLOW)
def test_an_even_slow_pace_is_seen_through_lost_frames(fps):
    kept = np.random.default_rng(3).random(60) > 0.3
    assert is_evenly_slow(even(fps, 60, 0.003)[kept])


@pytest.mark.parametrize("fps", SLOW)
@pytest.mark.parametrize("n", [2, 5, 12, 15, 32, 45, 400])
def test_a_jittered_pace_is_not_even(fps, n):
    told_even = [is_evenly_slow(jittered(fps, n, seed)) for seed in range(40)]
    assert sum(told_even) <= 1


@pytest.mark.parametrize("fps", DENSE)
def test_a_dense_pace_is_never_slow_however_even(fps):
    assert not any(is_evenly_slow(even(fps, n)) for n in (2, 12, 32, 300))


def test_bursts_that_come_regularly_alias_and_a_dense_stream_with_gaps_does_not():
    bursts = np.concatenate([0.0 + np.arange(30), 0.033 + np.arange(30), 0.066 + np.arange(30)])
    assert is_evenly_slow(bursts)
    gaps = np.concatenate([np.arange(30) / 15, 4 + np.arange(30) / 15, 8 + np.arange(30) / 15])
    assert not is_evenly_slow(gaps)


@pytest.mark.parametrize("times", [[], [1.0], [1.0, 1.0], [0.0, 0.6], list(np.arange(8) * 0.6)])
def test_of_too_few_frames_nothing_is_said(times):
    assert not is_evenly_slow(times)


@settings(deadline=None, max_examples=40)  # a busy machine is no failure
@given(
    st.lists(st.floats(0.02, 2.0), min_size=2, max_size=60),
    st.floats(0, 1e9),
    st.randoms(use_true_random=False),
)
def test_the_strength_is_that_of_the_plain_sum_and_the_same_on_any_clock_in_any_order(gaps, epoch, draw):
    times = np.round(np.cumsum(gaps) * 1024) / 1024  # any clock here gives them exactly
    distances = np.arange(LOW_HZ, 2 * HIGH_HZ, 0.05 / max(times[-1] - times[0], 0.5))
    assert alias_strength(times) == pytest.approx(spectral_window(times, distances).max(), abs=0.02)
    shuffled = list(times - times[0] + round(epoch))
    draw.shuffle(shuffled)
    assert alias_strength(shuffled) == alias_strength(times)


@pytest.mark.parametrize(
    ("fps", "rate_bpm", "alias_bpm"),
    [(1.6, 72, 168), (1.6, 71, 169), (2.0, 72, 48), (3.0, 60, 120), (5.0, 100, 200), (5.0, 60, None), (6.0, 75, None)],
)
def test_a_rate_has_an_alias_where_another_heart_would_look_the_same(fps, rate_bpm, alias_bpm):
    """`k * fps` plus or minus the rate, as far as a heart may have it."""
    assert has_alias(even(fps, 60, 0.003), rate_bpm / 60, apart_hz=0.1) == (alias_bpm is not None)
    if alias_bpm is not None:
        assert has_alias(even(fps, 60, 0.003), alias_bpm / 60, apart_hz=0.1)


def test_nothing_is_known_of_a_rate_over_its_alias_and_all_of_it_at_uneven_times():
    assert known_margin(3.0, even(1.6, 90), 1.2, apart_hz=0.05) == 0.0
    assert known_margin(-1.0, even(1.6, 90), 1.2, apart_hz=0.05) <= -1.0
    assert known_margin(3.0, jittered(1.6, 90), 1.2, apart_hz=0.05) == 3.0


def test_a_rate_whose_aliases_no_heart_has_keeps_most_of_its_margin():
    assert 2.0 < known_margin(3.0, even(5.0, 150), 1.0, apart_hz=0.05) < 3.0


def test_two_frames_at_most_distinguish_no_rates():
    assert has_alias([], 1.0, apart_hz=0.1)
    assert has_alias([5.0], 1.0, apart_hz=0.1)
