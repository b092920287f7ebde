"""What tells a pulse's quick rise and slow fall from waves of other shapes."""

from __future__ import annotations

import numpy as np
import pytest

from rppg_core.pulse.asymmetry import asymmetry

RATE_HZ = 1.3


def sawtooth(fs: float, rate_hz: float = RATE_HZ, span_s: float = 12.0, wander: float = 0.0) -> np.ndarray:
    """Rises within a fifth of each beat; the rate wanders by a share of itself."""
    t = np.arange(int(span_s * fs)) / fs
    phase = rate_hz * t + wander * np.sin(2 * np.pi * 0.1 * t) * rate_hz / (2 * np.pi * 0.1)
    return np.interp(phase % 1.0, [0.0, 0.2, 1.0], [0.0, 1.0, 0.0])


@pytest.mark.parametrize("fs", [10.0, 30.0])
@pytest.mark.parametrize("wander", [0.0, 0.05])
def test_a_quick_rise_has_the_sign_of_a_pulse(fs: float, wander: float) -> None:
    wave = sawtooth(fs, wander=wander)
    assert asymmetry(wave, fs, RATE_HZ) > 0.7
    assert asymmetry(wave[::-1], fs, RATE_HZ) < -0.7
    assert asymmetry(-wave, fs, RATE_HZ) < -0.7


def test_its_height_and_level_do_not_count() -> None:
    wave = sawtooth(30.0)
    assert asymmetry(40 * wave + 9, 30.0, RATE_HZ) == pytest.approx(asymmetry(wave, 30.0, RATE_HZ))


def test_noise_and_sines_have_none_on_average() -> None:
    rng = np.random.default_rng(5)
    sine = np.sin(2 * np.pi * RATE_HZ * np.arange(360) / 30.0)
    of_noise = [asymmetry(rng.normal(size=360), 30.0, RATE_HZ) for _ in range(200)]
    of_sines = [asymmetry(sine + 0.3 * rng.normal(size=360), 30.0, RATE_HZ) for _ in range(200)]
    for found in (of_noise, of_sines):
        assert abs(np.mean(found)) < 0.1
        assert np.std(found) > 0.1  # it is chance, not always nothing


def test_what_the_sampling_rate_hides_is_not_judged() -> None:
    assert asymmetry(sawtooth(8.0, rate_hz=2.0), 8.0, 2.0) == 0.0
    assert asymmetry(np.zeros(150), 30.0, RATE_HZ) == 0.0
