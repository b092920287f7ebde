"""Guidance names what is wrong with the picture, and nothing else; from the first frame on."""

import numpy as np
import pytest

from rppg_core import Trace, advise


def trace_of(n=60, fps=30.0, place=(320.0, 240.0), size=80.0, colour=(170.0, 120.0, 100.0), **changes):
    times = changes.get("times", np.arange(n) / fps)
    pose = np.tile([*place, size, 0.0, 0.0], (len(times), 1))
    pose[:, 0] += changes.get("moved", 0.0)
    colours = np.tile(np.asarray(colour), (len(times), 24, 1)) * changes.get("shade", np.ones(24))[:, None]
    return Trace(times, colours, pose, (640, 480))


@pytest.mark.parametrize("n", [1, 2, 3, 60])
def test_a_good_picture_needs_no_advice(n):
    assert advise(trace_of(n)) == ()


@pytest.mark.parametrize(
    ("code", "picture"),
    [
        ("FACE_TOO_SMALL", {"size": 18.0}),
        ("FACE_OFF_CENTRE", {"place": (60.0, 240.0)}),
        ("FACE_OFF_CENTRE", {"place": (320.0, 440.0)}),
        ("TOO_DARK", {"colour": (28.0, 20.0, 15.0)}),
        ("TOO_BRIGHT", {"colour": (252.0, 240.0, 235.0)}),
        ("UNEVEN_LIGHT", {"shade": np.where(np.arange(24) < 12, 1.0, 0.3)}),
        ("MOTION", {"moved": 60 * np.sin(np.arange(60) / 5)}),
        ("LOW_FRAME_RATE", {"fps": 10.0}),
    ],
)
def test_each_fault_of_a_picture_is_named_alone(code, picture):
    assert advise(trace_of(**picture)) == (code,)


@pytest.mark.parametrize("code", ["FACE_TOO_SMALL", "FACE_OFF_CENTRE", "TOO_DARK", "TOO_BRIGHT", "UNEVEN_LIGHT"])
def test_what_one_frame_shows_is_told_from_one_frame(code):
    pictures = {
        "FACE_TOO_SMALL": {"size": 18.0},
        "FACE_OFF_CENTRE": {"place": (60.0, 240.0)},
        "TOO_DARK": {"colour": (28.0, 20.0, 15.0)},
        "TOO_BRIGHT": {"colour": (252.0, 240.0, 235.0)},
        "UNEVEN_LIGHT": {"shade": np.where(np.arange(24) < 12, 1.0, 0.3)},
    }

    assert advise(trace_of(1, **pictures[code])) == (code,)


def test_slow_frames_are_told_to_be_uneven_only_when_they_are_even():
    uneven = np.cumsum(np.random.default_rng(0).uniform(0.3, 0.9, 40))

    assert advise(trace_of(times=np.arange(40) * 0.6)) == ("LOW_FRAME_RATE", "EVENLY_SLOW_FRAMES")
    assert advise(trace_of(times=uneven)) == ("LOW_FRAME_RATE",)


def test_regions_that_are_not_seen_are_not_dark():
    trace = trace_of()
    trace.colours[:, :15] = np.nan

    assert advise(trace) == ()
