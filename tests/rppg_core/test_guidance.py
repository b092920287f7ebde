"""Guidance names what is wrong with the picture, and nothing else; from the first frame on."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rppg_core import Frame, Trace, advise
from rppg_core.face.regions import CENTRES, N_REGIONS
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene
from tests.images import jpeg, still_face


def trace_of(n=60, fps=30.0, place=(320.0, 240.0), size=80.0, colour=(170.0, 120.0, 100.0), **changes):
    times = changes.get("times", np.arange(n) / fps)
    pose = np.tile([*place, size, 0.0, 0.0], (len(times), 1))
    pose[:, 0] += changes.get("moved", 0.0)
    colours = (
        np.tile(np.asarray(colour), (len(times), N_REGIONS, 1)) * changes.get("shade", np.ones(N_REGIONS))[:, None]
    )
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
        ("UNEVEN_LIGHT", {"shade": np.where(CENTRES[:, 0] < 0, 1.0, 0.3)}),
        ("MOTION", {"moved": 60 * np.sin(np.arange(60) / 5)}),
        ("LOW_FRAME_RATE", {"fps": 10.0}),
    ],
)
def test_each_fault_of_a_picture_is_named_alone(code, picture):
    assert advise(trace_of(**picture)) == (code,)


@pytest.mark.parametrize("code", ["FACE_TOO_SMALL", "FACE_OFF_CENTRE", "TOO_DARK", "TOO_BRIGHT", "UNEVEN_LIGHT"])
def test_what_one_frame_shows_is_reported_from_one_frame(code):
    pictures: dict[str, dict[str, Any]] = {
        "FACE_TOO_SMALL": {"size": 18.0},
        "FACE_OFF_CENTRE": {"place": (60.0, 240.0)},
        "TOO_DARK": {"colour": (28.0, 20.0, 15.0)},
        "TOO_BRIGHT": {"colour": (252.0, 240.0, 235.0)},
        "UNEVEN_LIGHT": {"shade": np.where(CENTRES[:, 0] < 0, 1.0, 0.3)},
    }

    assert advise(trace_of(1, **pictures[code])) == (code,)


def test_slow_frames_are_asked_to_be_uneven_only_when_they_are_even():
    uneven = np.cumsum(np.random.default_rng(0).uniform(0.3, 0.9, 40))

    assert advise(trace_of(times=np.arange(40) * 0.6)) == ("LOW_FRAME_RATE", "EVENLY_SLOW_FRAMES")
    assert advise(trace_of(times=uneven)) == ("LOW_FRAME_RATE",)


def test_regions_that_are_not_seen_are_not_dark():
    trace = trace_of()
    trace.colours[:, :15] = np.nan

    assert advise(trace) == ()


def advice_on(reader, image, n=1):
    """What is said of an image that is sent `n` times."""
    readings = reader.read([Frame(33_333 * i, jpeg(image)) for i in range(n)])
    assert all(reading.error is None for reading in readings)
    size = (image.shape[1], image.shape[0])
    return advise(Trace.of([r.time_us / 1e6 for r in readings], [r.sample for r in readings], size))


def test_several_faces_are_reported_whatever_else_is_seen():
    trace = replace(trace_of(), several_faces=True)

    assert advise(trace) == ("SEVERAL_FACES",)


def lit(image, light):
    return np.clip(image * light, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("code", "made"),
    [
        (None, still_face),
        (None, lambda: still_face(skin=6)),
        ("FACE_TOO_SMALL", lambda: still_face(eyes_px=30.0, frame_size=(640, 480))),
        ("FACE_OFF_CENTRE", lambda: np.roll(still_face(frame_size=(640, 440)), -230, axis=1)),
        ("TOO_DARK", lambda: lit(still_face(skin=4), 0.16)),
        ("TOO_BRIGHT", lambda: lit(still_face(skin=1), 1.3)),
        ("UNEVEN_LIGHT", lambda: lit(still_face(), np.linspace(-1.0, 2.0, 480).clip(0.3, 1.0)[None, :, None])),
    ],
    ids=["good light skin", "good dark skin", "small", "off centre", "dark", "bright", "uneven"],
)
def test_an_image_that_shows_a_fault_is_reported(reader, code, made):
    assert advice_on(reader, made()) == ((code,) if code else ())


def test_frames_of_a_restless_head_are_reported(reader):
    restless = simulate_face(Scene(nod=0.35, nod_hz=0.8, duration_s=2.0, recoil=0.0))
    readings = [r for r in reader.read(list(restless.frames())) if r.sample]
    trace = Trace.of([r.time_us / 1e6 for r in readings], [r.sample for r in readings], restless.scene.frame_size)
    assert "MOTION" in advise(trace)


@pytest.mark.filterwarnings("error")
def test_of_a_picture_of_unknown_size_nothing_is_said_of_the_place(reader):
    (reading,) = reader.read([Frame(0, jpeg(still_face(eyes_px=60.0)))])
    assert "FACE_OFF_CENTRE" not in advise(Trace.of([0.0], [reading.sample], (0, 0)))
