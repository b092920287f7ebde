"""Pictures that come several times are one picture each."""

from dataclasses import replace

import numpy as np
import pytest
import simplejpeg

from rppg_core import measure
from rppg_core.face.reader import FaceReader, Frame
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene
from rppg_core.trace.repeats import distinct, repeated
from rppg_core.trace.traces import Trace


def shown(real_hz: float, rate_bpm: float, shown_hz: float = 30.0, duration_s: float = 20.0) -> Trace:
    """The trace of a camera of `real_hz` in a stream of `shown_hz`."""
    scene = Scene(heart_rate_bpm=rate_bpm, rmssd_ms=10.0, fps=real_hz, duration_s=duration_s, pulse=0.012, seed=7)
    face = simulate_face(replace(scene, eyes_px=48.0, frame_size=(250, 240)))
    jpegs = [
        simplejpeg.encode_jpeg(face.image(i), quality=90, colorspace="RGB", colorsubsampling="420")
        for i in range(len(face))
    ]
    times = np.arange(round(duration_s * shown_hz)) / shown_hz
    order = np.minimum((times * real_hz + 1e-9).astype(int), len(jpegs) - 1)
    reader, state, samples = FaceReader(), None, []
    for start in range(0, len(times), 30):
        batch = [Frame(round(1e6 * times[i]), jpegs[order[i]]) for i in range(start, min(start + 30, len(times)))]
        readings = reader.read(batch, state)
        samples += [reading.sample for reading in readings if reading.sample]
        state = readings[-1].face
    return Trace.of(times, samples, face.scene.frame_size)


@pytest.fixture(scope="module")
def slow() -> Trace:
    return shown(5.0, 66.0)


def test_repeats_are_left_out_and_the_first_of_each_is_kept(slow):
    kept = distinct(slow)
    assert len(kept.times_s) == pytest.approx(100, abs=2)
    assert np.diff(kept.times_s) == pytest.approx(0.2, abs=0.01)
    assert kept.witness.shape == (len(kept.times_s), slow.witness.shape[1])


def test_the_cameras_own_rate_is_what_counts(slow):
    vitals = measure(slow)
    assert "LOW_FRAME_RATE" in vitals.guidance
    assert vitals.rmssd_ms is None
    assert vitals.withheld["hrv"] == "LOW_FRAME_RATE"
    assert vitals.frame_rate_hz == pytest.approx(5.0, abs=0.1)
    assert vitals.heart_rate_bpm is None or vitals.heart_rate_bpm == pytest.approx(66, abs=2)


def test_a_pulse_faster_than_the_camera_shows_is_not_answered_as_another():
    vitals = measure(shown(4.0, 165.0))
    assert vitals.heart_rate_bpm is None or vitals.heart_rate_bpm == pytest.approx(165, abs=2.5)
    assert "LOW_FRAME_RATE" in vitals.guidance


def test_frames_that_all_differ_are_left_as_they_are():
    trace = shown(30.0, 80.0, duration_s=6.0)
    assert repeated(trace).mean() < 0.1
    assert distinct(trace) is trace


def test_without_witnesses_nothing_is_known_of_repeats(slow):
    bare = Trace(slow.times_s, slow.colours, slow.pose, slow.frame_size)
    assert distinct(bare) is bare


def test_a_picture_that_never_changes_is_looked_at_as_it_came(slow):
    same = np.zeros(len(slow.times_s), dtype=int)
    still = Trace(slow.times_s, slow.colours[same], slow.pose[same], slow.frame_size, slow.witness[same])
    assert distinct(still) is still
    assert measure(still).heart_rate_bpm is None
