"""Figures of a wave whose regularity is known."""

import numpy as np
import pytest

from rppg_core.quality.regularity import regularity
from rppg_core.results import Waveform

FS = 30.0
TIME = np.arange(0, 30, 1 / FS)


def wave(ppg):
    return Waveform(fs=FS, ppg=np.asarray(ppg), respiration=np.zeros(0), beats_s=np.zeros(0))


@pytest.mark.parametrize("rate_bpm", [45.0, 72.5, 180.0])
def test_a_pure_tone_is_wholly_regular(rate_bpm):
    found = regularity(wave(np.sin(2 * np.pi * rate_bpm / 60 * TIME)), rate_bpm)
    assert found.stability == 1.0
    assert found.periodicity > 0.95


def test_noise_is_not_regular():
    found = regularity(wave(np.random.default_rng(0).normal(size=len(TIME))), 72.0)
    assert found.stability < 0.4
    assert found.periodicity < 0.4


def test_half_a_recording_of_noise_halves_both():
    tone = np.sin(2 * np.pi * 1.2 * TIME)
    noise = np.random.default_rng(1).normal(size=len(TIME))
    found = regularity(wave(np.where(TIME < 15, tone, noise)), 72.0)
    assert 0.4 < found.stability < 0.75
    assert 0.5 < found.periodicity < 0.85


def test_more_noise_means_less_of_both():
    tone, noise = np.sin(2 * np.pi * 1.2 * TIME), np.random.default_rng(2).normal(size=len(TIME))
    figures = [regularity(wave(tone + level * noise), 72.0) for level in (0.0, 1.0, 3.0, 9.0)]
    for name in ("stability", "periodicity"):
        values = [getattr(figure, name) for figure in figures]
        assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("ppg", [[], [1.0], np.zeros(300)])
def test_no_wave_is_not_regular(ppg):
    found = regularity(wave(ppg), 72.0)
    assert (found.stability, found.periodicity) == (0.0, 0.0)
