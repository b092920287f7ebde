"""Breathing from several modulations: the clear ones count, and slow hearts aren't asked about fast breath."""

import numpy as np
import pytest

from rppg_core.vital.respiration import FS, respiration

TIMES = np.arange(int(30 * FS)) / FS
NOISE = np.random.default_rng(1).standard_normal((3, len(TIMES)))


def breath(rate_bpm, noise=0.1, number=0):
    return np.sin(2 * np.pi * rate_bpm / 60 * TIMES) + noise * NOISE[number]


@pytest.mark.parametrize("rate_bpm", [9.0, 15.0, 27.0])
def test_the_rate_that_all_show_is_found_and_agreed_on(rate_bpm):
    names = ("baseline", "height", "rhythm")

    found = respiration({name: breath(rate_bpm, number=i) for i, name in enumerate(names)}, 1.2, 0.07)

    assert found.rate_bpm == pytest.approx(rate_bpm, abs=0.4)
    assert found.agreement == 1.0
    assert found.concentration > 0.7
    assert np.corrcoef(found.waveform, breath(rate_bpm, 0.0))[0, 1] > 0.9


def test_one_clear_modulation_outweighs_two_of_noise():
    found = respiration({"baseline": NOISE[0], "height": breath(18.0), "rhythm": NOISE[1]}, 1.2, 0.07)

    assert found.rate_bpm == pytest.approx(18.0, abs=0.5)


def test_what_comes_once_a_beat_shows_no_breath_above_half_the_heart_rate():
    fast = breath(30.0, 0.3)

    by_beats = respiration({"height": fast + 0.2 * breath(12.0)}, 0.8, 0.07)

    assert by_beats.rate_bpm == pytest.approx(12.0, abs=1.0)
    assert respiration({"baseline": fast}, 0.8, 0.07).rate_bpm == pytest.approx(30.0, abs=1.0)


def test_a_still_chest_has_no_rate():
    found = respiration({"baseline": np.zeros(len(TIMES))}, 1.2, 0.07)

    assert np.isnan(found.rate_bpm)
    assert found.agreement == found.concentration == 0.0
