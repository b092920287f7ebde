"""A white tone in the light is taken out, a coloured one is not."""

import numpy as np
import pytest

from rppg_core.trace.flicker import remove_flicker

FS = 30.0
TIMES = np.arange(600) / FS
NOISE = 1e-3 * np.random.default_rng(1).standard_normal((600, 8, 3))


def tone(rgb, hz=1.7, size=0.01):
    return size * np.sin(2 * np.pi * hz * TIMES)[:, None, None] * np.asarray(rgb)


def left_at(changes, hz):
    return abs(np.exp(-2j * np.pi * hz * TIMES) @ changes.mean(axis=(1, 2))) * 2 / len(TIMES)


@pytest.mark.parametrize("hz", [0.9, 1.7, 6.5])
def test_a_lamp_is_taken_out(hz):
    assert left_at(remove_flicker(NOISE + tone((1, 1, 1), hz), FS), hz) < 5e-4


def test_several_lamps_are_taken_out():
    left = remove_flicker(NOISE + tone((1, 1, 1), 1.1) + tone((1, 1, 1), 2.3, 0.006), FS)

    assert max(left_at(left, 1.1), left_at(left, 2.3)) < 5e-4


def test_blood_is_left():
    blood = NOISE - tone((0.33, 0.77, 0.53), 1.2)

    np.testing.assert_array_equal(remove_flicker(blood, FS), blood)
