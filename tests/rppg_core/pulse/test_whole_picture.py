"""The pace of a codec's keyframes is no pulse: small clips, encoded here."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from benchmarks.streams import Stream, decoded, face_scene, film, photo_scene, read_frames
from rppg_core import measure
from rppg_core.face.reader import FaceReader
from rppg_core.pulse.extract import find_pulse
from rppg_core.pulse.whole_picture import PictureEvidence, WholePicture, whole_picture
from rppg_core.quality.probability import heart_rate_quality
from rppg_core.rolling import partial
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.physiology import simulate_person
from rppg_core.simulation.traces import capture_times, simulate_trace
from rppg_core.trace.sampling import resample
from rppg_core.trace.traces import Trace
from tests.thorough import rows

FAR_HZ = 1.37  # of no keyframes here


def sent(scene, stream) -> Trace:
    face = simulate_face(scene)
    images = [face.image(i) for i in range(len(face))]
    trace = read_frames(decoded(film(images, face.times_s, scene.fps, stream), stream), FaceReader(), scene.frame_size)
    assert trace is not None
    return trace


@cache
def photo(stream: Stream) -> Trace:
    """A photograph through a codec: its trace."""
    return sent(photo_scene(4, fps=30.0, duration_s=12.0, eyes_px=44.0, frame_size=(230, 216), noise=1.5), stream)


STREAMS = (
    Stream("libx264", gop=15, bits=0.08),
    Stream("libx264", gop=20, bits=0.1, jpeg_quality=90),
    Stream("mpeg4", gop=24, bits=0.15, jpeg_quality=80),
    Stream("libvpx", gop=18, bits=0.05),
)


@pytest.mark.parametrize(
    "stream", rows(STREAMS, STREAMS[::2]), ids=lambda s: f"{s.encoder}-{s.gop}-{s.jpeg_quality or 'video'}"
)
def test_a_photograph_through_a_codec_has_no_pulse(stream):
    trace = photo(stream)
    vitals = measure(trace)
    assert vitals.heart_rate_bpm is None
    assert vitals.rmssd_ms is None
    running = partial(trace)
    assert running is not None
    assert running.heart_rate_bpm is None


@pytest.mark.parametrize(
    "stream", rows(STREAMS[:3], STREAMS[:3:2]), ids=lambda s: f"{s.encoder}-{s.gop}-{s.jpeg_quality or 'video'}"
)
def test_the_picture_jumps_with_the_keyframes_and_at_no_other_rate(stream):
    trace = photo(stream)
    picture = seen(trace)
    at_keyframes, elsewhere = picture.against(30.0 / stream.gop), picture.against(FAR_HZ)
    assert max(at_keyframes.comb_db, at_keyframes.sharp_comb_db) > 9
    assert at_keyframes.comb_db > elsewhere.comb_db + 4


def seen(trace: Trace) -> WholePicture:
    even = resample(trace)
    return whole_picture(trace, even, np.log(even.colours).reshape(len(even.times_s), -1))


def test_a_face_in_a_fair_stream_keeps_its_pulse():
    scene = face_scene(5, heart_rate_bpm=81.0, rmssd_ms=15.0, fps=30.0, skin=2, pulse=0.012, sway=0.01, eyes_px=48.0,
                       frame_size=(250, 236))  # fmt: skip
    vitals = measure(sent(scene, Stream("libx264", gop=120, bits=0.3)))
    assert vitals.heart_rate_bpm == pytest.approx(81, abs=2)


def test_frames_that_were_never_video_have_no_comb():
    scene = face_scene(6, heart_rate_bpm=60.0, rmssd_ms=10.0, fps=30.0, skin=2, eyes_px=48.0, frame_size=(250, 236))
    trace = read_frames(simulate_face(scene).frames(), FaceReader(), scene.frame_size)
    assert trace
    against = seen(trace).against(1.0)
    assert against.comb_db < 7
    assert against.sharp_comb_db < 7
    assert measure(trace).heart_rate_bpm == pytest.approx(60, abs=2)  # a keyframe every second would be at 60 too


def test_a_comb_lowers_the_quality():
    pulse = find_pulse(simulate_trace(simulate_person(duration_s=20.0), capture_times(20.0, 30.0)))
    clean = heart_rate_quality(pulse.evidence)
    combed = replace(pulse.evidence, picture=PictureEvidence(comb_db=15.0, sharp_comb_db=15.0))
    assert heart_rate_quality(combed) < 0.3 < clean


def test_a_trace_without_witnesses_is_judged_by_its_skin():
    trace = simulate_trace(simulate_person(duration_s=20.0), capture_times(20.0, 30.0))
    bare = Trace(trace.times_s, trace.colours, trace.pose, trace.frame_size)
    against = seen(bare).against(1.2)
    assert against.comb_db == against.jumps == 0
    assert np.isfinite(against.sharp_comb_db)
