"""Landmark jitter is taken out of the colours; the pulse stays, even in a head that moves with it."""

import numpy as np
import pytest

from rppg_core.trace.motion import motion_at, nod_at, remove_motion

TIMES = np.arange(900) / 30
PULSE = 0.005 * np.cos(2 * np.pi * 1.2 * TIMES)


def test_jitter_that_leaks_linearly_goes_and_the_pulse_stays():
    rng = np.random.default_rng(1)
    pose = rng.standard_normal((900, 5))
    colours = PULSE[:, None] + pose @ (0.01 * rng.standard_normal((5, 6)))

    left = remove_motion(colours, pose, 30.0)

    assert np.std(colours - PULSE[:, None]) > 0.008
    assert np.std(left - PULSE[:, None]) < 0.0008


def test_a_head_that_moves_with_its_own_pulse_does_not_lose_it():
    rng = np.random.default_rng(2)
    pose = rng.standard_normal((900, 5))
    pose[:, 1] += 300 * PULSE

    left = remove_motion(np.tile(PULSE[:, None], (1, 3)), pose, 30.0)

    np.testing.assert_allclose(left, np.tile(PULSE[:, None], (1, 3)), atol=0.0015)


def test_a_constant_pose_changes_nothing():
    colours = PULSE[:, None]

    np.testing.assert_array_equal(remove_motion(colours, np.zeros((900, 5)), 30.0), colours)
    assert motion_at(np.zeros((900, 5)), 30.0, 1.2) == 1.0


def test_nodding_stands_out_at_its_rate_alone():
    pose = np.random.default_rng(3).standard_normal((900, 5))
    pose[:, 1] += 2 * np.sin(2 * np.pi * 1.2 * TIMES)

    assert motion_at(pose, 30.0, 1.2) > 30
    assert motion_at(pose, 30.0, 2.0) < 12


def test_a_nod_is_reported_by_its_amplitude_in_shares_of_the_face():
    t = np.arange(600) / 30
    pose = np.zeros((600, 5))
    pose[:, 1] = 3.0 * np.sin(2 * np.pi * 1.5 * t)

    assert nod_at(pose, 60.0, 30.0, 1.5) == pytest.approx(0.05, rel=0.05)
    assert nod_at(pose, 60.0, 30.0, 0.9) < 0.002
