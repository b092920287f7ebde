"""Two people in one window have no heart rate in common; a lamp and a heart that changes leave one person."""

from dataclasses import replace

import numpy as np
import pytest

from rppg_core import measure
from rppg_core.pulse.succession import change_of_face_s, is_replaced
from rppg_core.rolling import partial
from rppg_core.trace.traces import Trace
from tests.rppg_core.same_answers import face, uneven


def one_after_the_other(one: Trace, other: Trace, at_s: float) -> Trace:
    """The first face until a moment, the second one from then on."""
    later = one.times_s >= at_s
    colours = np.where(later[:, None, None], other.colours, one.colours)
    return replace(one, colours=colours, pose=np.where(later[:, None], other.pose, one.pose))


@pytest.mark.parametrize(("first_bpm", "second_bpm"), [(70.0, 78.0), (95.0, 60.0)])
def test_a_window_of_two_people_has_no_heart_rate(first_bpm, second_bpm):
    both = one_after_the_other(face(first_bpm, seed=1), face(second_bpm, seed=2), 15.0)
    vitals = measure(both)
    assert vitals.heart_rate_bpm is None
    assert vitals.confidence < 0.3
    assert vitals.withheld["heart_rate"] == "LOW_SIGNAL"
    assert "SEVERAL_FACES" in vitals.guidance
    assert "NO_PULSE" not in vitals.guidance


def test_somebody_else_after_a_pause_is_noticed():
    both = one_after_the_other(face(70.0, seed=1), face(78.0, seed=2), 15.0)
    assert measure(both.part((both.times_s < 13) | (both.times_s > 17))).heart_rate_bpm is None


def test_two_people_in_slow_frames_are_noticed():
    both = one_after_the_other(uneven(65.0, 60.0, 3.0, seed=3), uneven(90.0, 60.0, 3.0, seed=3), 30.0)
    other = replace(both, colours=np.where(both.times_s[:, None, None] >= 30, both.colours[:, ::-1], both.colours))
    assert change_of_face_s(other) == pytest.approx(30.0, abs=0.7)
    assert measure(other).heart_rate_bpm is None


def test_the_running_rate_of_two_people_is_withheld():
    both = one_after_the_other(face(62.0, 10.4, seed=1), face(85.0, 10.4, seed=2), 5.2)
    assert partial(both).heart_rate_bpm is None


def test_the_same_face_in_other_light_keeps_its_rate():
    trace = face(72.0)
    gain = np.where(trace.times_s[:, None, None] >= 14, [1.25, 1.15, 1.05], 1.0)
    lit = replace(trace, colours=trace.colours * gain)
    assert change_of_face_s(lit) is None
    assert measure(lit).heart_rate_bpm == pytest.approx(72, abs=2)


def test_light_from_one_side_changes_the_pattern_and_not_the_rate():
    trace = face(72.0)
    side = 1 + 0.15 * np.linspace(-1, 1, trace.colours.shape[1])[:, None]
    lit = replace(trace, colours=trace.colours * np.where(trace.times_s[:, None, None] >= 14, side, 1.0))
    assert change_of_face_s(lit) == pytest.approx(14.0, abs=0.2)
    assert measure(lit).heart_rate_bpm == pytest.approx(72, abs=2)


@pytest.mark.parametrize("scene", [{"talking": 0.02, "sway_px": 12.0}, {"nod_px": 4.0}, {"noise": 0.006}])
def test_movement_and_noise_are_no_change_of_face(scene):
    assert change_of_face_s(face(72.0, 20.0, **scene)) is None


@pytest.mark.parametrize(
    ("rates", "replaced"), [((70, 71), False), ((70, 78), True), ((70, None), True), ((None, 70), True)]
)
def test_rates_before_and_after_a_change_decide(rates, replaced):
    both = one_after_the_other(face(seed=1), face(seed=2), 15.0)
    found = iter(rates)
    assert is_replaced(both, lambda _: next(found)) == replaced


def test_whoever_is_seen_for_less_than_a_rate_needs_is_not_looked_for():
    both = one_after_the_other(face(seed=1), face(seed=2), 3.0)
    assert not is_replaced(both, lambda _: None)


@pytest.mark.parametrize("n", [1, 2, 20])
def test_a_few_frames_show_no_change(n):
    trace = face(seconds=5.0)
    assert change_of_face_s(trace.part(np.arange(n))) is None


def test_a_few_spots_have_no_pattern():
    spots = one_after_the_other(face(n_regions=1, seed=1), face(n_regions=1, seed=2), 15.0)
    assert change_of_face_s(spots) is None
