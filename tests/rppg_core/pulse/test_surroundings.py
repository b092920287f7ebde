"""What the whole picture does to colours is no pulse, however much it looks like one on skin."""

from dataclasses import replace

import numpy as np
import pytest

from rppg_core import measure
from rppg_core.face.regions import N_REGIONS
from rppg_core.pulse.surroundings import changes_with_face
from rppg_core.simulation.physiology import simulate_person
from rppg_core.simulation.traces import capture_times, simulate_trace
from rppg_core.trace.witnesses import COLOURS, CONTROLS, N_WITNESSES

SECONDS = 20.0
WALL = np.array([[90.0, 84.0, 70.0], [150.0, 140.0, 120.0], [60.0, 70.0, 90.0], [40.0, 42.0, 55.0]])


def scene(person, *, fps=30.0, seed=1):
    """A face before a wall, both with their noise."""
    times = capture_times(SECONDS, fps, jitter_s=0.3 / fps, seed=seed)
    trace = simulate_trace(person, times, n_regions=N_REGIONS, seed=seed)
    noise = 1 + 0.0005 * np.random.default_rng(seed).standard_normal((len(times), *WALL.shape))
    witness = np.full((len(times), N_WITNESSES), 3.0)
    witness[:, COLOURS] = (WALL * noise).reshape(len(times), -1)
    return replace(trace, witness=witness)


def hunting(trace, gains, *, height=0.01, hz=1.3, wall=1.0):
    """The same under gains of R, G, B that swing, on the wall in this share."""
    swing = height * np.sin(2 * np.pi * hz * trace.times_s)[:, None, None] * np.asarray(gains)
    witness = trace.witness.copy()
    beside = witness[:, COLOURS].reshape(len(witness), len(CONTROLS), 3) * (1 + wall * swing)
    witness[:, COLOURS] = beside.reshape(len(witness), -1)
    return replace(trace, colours=trace.colours * (1 + swing), witness=witness)


LIKE_BLOOD = (-0.3, -1.0, -0.6)


@pytest.mark.parametrize("fps", [30.0, 5.0])
@pytest.mark.parametrize("wall", [0.6, 1.0])
def test_a_camera_or_a_lamp_that_changes_the_wall_as_well_gives_no_rate(fps, wall):
    """Only on skin it would be one."""
    photograph = scene(None, fps=fps)
    assert measure(hunting(photograph, LIKE_BLOOD, wall=0.0)).heart_rate_bpm == pytest.approx(78.0, abs=1.0)
    seen = measure(hunting(photograph, LIKE_BLOOD, wall=wall))
    assert seen.heart_rate_bpm is None
    assert "NO_PULSE" in seen.guidance


@pytest.mark.parametrize("fps", [30.0, 5.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_pulse_before_a_wall_stays_one(fps, seed):
    person = simulate_person(heart_rate_bpm=78.0, duration_s=SECONDS, rmssd_ms=10.0, seed=seed)
    trace = scene(person, fps=fps, seed=seed)
    truth = person.truth(0.0, SECONDS).heart_rate_bpm
    assert not changes_with_face(trace, truth / 60)
    assert measure(trace).heart_rate_bpm == pytest.approx(truth, abs=2.0)


@pytest.mark.parametrize("bare", [["below"], ["above", "below"]])
def test_a_bare_chest_and_a_bald_head_may_have_the_pulse_of_the_face(bare):
    person = simulate_person(heart_rate_bpm=78.0, duration_s=SECONDS, seed=1)
    trace = scene(person)
    witness = trace.witness.copy()
    for place in bare:
        first = COLOURS.start + 3 * CONTROLS.index(place)
        witness[:, first : first + 3] = trace.colours.mean(axis=1)
    assert not changes_with_face(replace(trace, witness=witness), 1.3)


def test_patches_that_are_dark_burnt_or_not_seen_say_nothing():
    trace = hunting(scene(None), LIKE_BLOOD)
    assert changes_with_face(trace, 1.3)
    assert not changes_with_face(replace(trace, witness=None), 1.3)
    for level in (2.0, 254.0, np.nan):
        witness = trace.witness.copy()
        witness[:, COLOURS.start : COLOURS.start + 9] = level
        assert not changes_with_face(replace(trace, witness=witness), 1.3)


@pytest.mark.parametrize("gains", [(0.3, 0.7, 1.0), (0.05, 0.65, 1.0)])
def test_a_cold_lamp_on_the_face_alone_has_no_blood_s_colour(gains):
    """Blue light swings more than green, as in no pulse, and so clearly that noise can't be to blame."""
    seen = measure(hunting(scene(None), gains, height=0.015, wall=0.0))
    assert seen.heart_rate_bpm is None
    assert seen.quality.heart_rate < 0.3
