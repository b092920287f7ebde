"""The bench of real faces: what is laid over them is the pulse that it says, and nothing else."""

import numpy as np
import pytest

from benchmarks.faces.blood import blood
from benchmarks.faces.motion import Motion
from benchmarks.faces.pictures import TEST, TUNING
from benchmarks.faces.takes import Sensor, laid_over, take_of_portrait


@pytest.fixture(scope="module")
def take():
    times = np.linspace(0, 5, 151)
    turn = np.stack([0.05 * np.sin(times), 0 * times, 0 * times, 0.02 * np.cos(times), 0.03 * np.sin(times)], axis=1)
    made = take_of_portrait(TUNING[0], Motion(times, turn), seed=1, seconds=0.5, eyes_px=40.0)
    assert made is not None
    return made


@pytest.mark.parametrize("seed", range(3))
def test_upstrokes_are_locked_to_the_beats_and_only_diastole_stretches(seed):
    one = blood(seed, depth=(0.01, 0.01), duration_s=30.0)
    beats, heights = one.person.beats_s[2:-3], one.person.beat_heights[2:-3]
    since = np.linspace(0, 0.25, 100)

    level = one.at(beats[:, None] + since) - one.baseline * one.person.baseline(beats[:, None] + since)
    upstrokes = level / heights[:, None]

    assert np.ptp(np.diff(beats)) > 0.02
    assert np.abs(upstrokes - upstrokes[0]).max() < 1e-9
    assert upstrokes[0, 0] == pytest.approx(0.0, abs=1e-9)
    assert upstrokes.max() == pytest.approx(1.0, abs=0.01)


def test_the_truth_is_that_of_the_beats():
    one = blood(5, depth=(0.01, 0.01), duration_s=30.0)
    inside = one.person.beats_s[(one.person.beats_s >= 0) & (one.person.beats_s <= 30)]

    assert one.truth(0, 30).rmssd_ms == pytest.approx(1000 * np.sqrt(np.mean(np.diff(inside, 2) ** 2)))


def test_blood_dims_skin_and_leaves_the_rest(take):
    frame, skin = next(take.frames())

    dimmed = laid_over(frame, skin, np.array([0.004, 0.01, 0.007]), np.ones(3))

    middle = tuple(side // 2 for side in skin.shape)
    assert skin[middle] > 0.2
    assert skin[:5].max() == skin[-5:].max() == 0.0
    assert np.array_equal(dimmed[skin == 0], frame[skin == 0])
    change = 1 - dimmed[middle] / frame[middle]
    assert change / skin[middle] == pytest.approx([0.004, 0.01, 0.007], rel=1e-2)


def test_frames_without_a_pulse_differ_by_motion_alone(take):
    """The mean colour of skin that moves before even light hardly changes, and has no pulse."""
    means = np.array([(frame * skin[..., None]).sum(axis=(0, 1)) / skin.sum() for frame, skin in take.frames()])

    assert np.ptp(means, axis=0).max() / means.mean() < 0.01
    assert len(means) == len(take.times_s) == 16


def test_rounding_is_dithered(take):
    shown = np.full((*take.size[::-1], 3), 100.3, dtype=np.float32)
    sensor = Sensor(take.size, 0.5, seed=1)

    mean = np.mean([sensor.photographed(shown).mean() for _ in range(10)])

    assert mean == pytest.approx(100.3, abs=0.02)


def test_tuning_and_test_share_no_face():
    assert not {portrait.file for portrait in TUNING} & {portrait.file for portrait in TEST}
