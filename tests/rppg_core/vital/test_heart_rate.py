"""The spectral rate has no steps, and the beats no memory of the filter."""

import numpy as np
import pytest

from rppg_core.trace.sampling import slow_part
from rppg_core.vital.beats import find_beats
from rppg_core.vital.heart_rate import heart_rate


@pytest.mark.parametrize("rate_bpm", np.arange(48.03, 200, 13.37))
@pytest.mark.parametrize("seconds", [10, 30])
def test_a_steady_pulse_is_read_to_a_tenth_of_a_beat(rate_bpm, seconds):
    times = np.arange(seconds * 30) / 30
    pulse = np.cos(2 * np.pi * rate_bpm / 60 * times + 1) + 0.3 * np.cos(4 * np.pi * rate_bpm / 60 * times)

    assert heart_rate(pulse, 30.0).rate_bpm == pytest.approx(rate_bpm, abs=0.1)


def test_a_strong_first_harmonic_does_not_double_the_rate():
    times = np.arange(900) / 30
    pulse = 0.7 * np.cos(2 * np.pi * 1.0 * times) + np.cos(4 * np.pi * 1.0 * times)

    assert heart_rate(pulse, 30.0).rate_bpm == pytest.approx(60, abs=0.2)


def test_an_ectopic_beat_costs_its_two_intervals_and_no_more():
    beats = np.cumsum(np.full(36, 0.8))
    beats[15] -= 0.3
    times = np.arange(870) / 30
    pulse = np.exp(-0.5 * ((times[:, None] - beats) / 0.09) ** 2).sum(axis=1)
    pulse -= pulse.mean()

    found = find_beats(pulse, np.ones(len(pulse), dtype=bool), 30.0, 75 / 60)

    assert np.count_nonzero(~found.kept) in (2, 3)
    np.testing.assert_allclose(found.intervals_s[found.kept], 0.8, atol=0.012)


def test_a_beat_in_a_gap_is_not_believed():
    times = np.arange(900) / 30
    known = np.abs(times - 12) > 0.6
    pulse = np.cos(2 * np.pi * 1.2 * times) * known

    found = find_beats(pulse, known, 30.0, 1.2)
    inside = (found.times_s[1:] > 11.4) & (found.times_s[:-1] < 12.6)

    assert inside.any()
    assert not found.kept[inside].any()


def test_a_trend_goes_and_a_pulse_stays():
    times = np.arange(600) / 30
    pulse = np.cos(2 * np.pi * 1.1 * times)
    series = (pulse + 20 * np.sin(2 * np.pi * 0.02 * times) + times)[:, None]

    left = series - slow_part(series, np.ones(600, dtype=bool), 30.0, 0.4)

    assert np.corrcoef(left[:, 0], pulse)[0, 1] > 0.99
