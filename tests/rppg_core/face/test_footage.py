"""Frames of any length to a trace: the same samples as in requests, in memory that doesn't grow."""

import io
import tracemalloc

import numpy as np
import pytest

from rppg_core import measure
from rppg_core.errors import NoFaceDetected, UnsupportedImage
from rppg_core.face.footage import trace_of
from rppg_core.face.reader import Frame
from rppg_core.media.video import read_video
from tests import videos
from tests.thorough import rows

ONE_OF_EACH = [
    ("mp4", "libx264"),
    ("mp4", "libx265"),
    ("webm", "libvpx"),
    ("webm", "libvpx-vp9"),
    ("webm", "libsvtav1"),
    ("avi", "mjpeg"),
]
"""Each decoder once; other containers are read in media/test_video.py."""


def footage(times=None):
    images = videos.pictures()
    times = videos.face().times_s if times is None else times
    return list(zip(times, images[: len(times)], strict=True))


def test_a_trace_has_the_samples_of_the_reader(reader):
    frames = footage()[:30]
    trace = trace_of(frames, reader)
    readings = reader.read([Frame(round(1e6 * at), image) for at, image in frames])
    assert np.array_equal(trace.colours, np.array([r.sample.colours for r in readings], np.float64), equal_nan=True)
    assert np.allclose(trace.times_s, [at for at, _ in frames], atol=1e-6)


@pytest.mark.parametrize(("container", "codec"), rows(videos.CONTAINERS, ONE_OF_EACH))
def test_the_pulse_survives_every_codec(container, codec, reader):
    frames = read_video(io.BytesIO(videos.encoded(container, codec)), max_fps=30)
    vitals = measure(trace_of(frames, reader))
    assert vitals.heart_rate_bpm == pytest.approx(videos.RATE_BPM, abs=2)


def test_uneven_times_are_taken_as_they_are(reader):
    even = videos.face().times_s
    kept = np.flatnonzero(np.random.default_rng(2).random(len(even)) > 0.15)
    images = [videos.pictures()[i] for i in kept]
    data = videos.encode(images, even[kept])
    vitals = measure(trace_of(read_video(io.BytesIO(data)), reader))
    assert vitals.heart_rate_bpm == pytest.approx(videos.RATE_BPM, abs=2)


@pytest.mark.skipif(not videos.FACE_1.is_file(), reason="the real clip is not beside the checkout")
def test_a_real_face_has_the_rate_of_its_contact_sensor(reader):
    trace = trace_of(read_video(videos.FACE_1, max_fps=30), reader)
    assert measure(trace).heart_rate_bpm == pytest.approx(videos.FACE_1_BPM, abs=2)


def test_progress_is_reported_in_time(reader):
    reported = []
    trace_of(footage(), reader, on_time=reported.append)
    assert reported == sorted(reported)
    assert reported[-1] == pytest.approx(10.5, abs=0.1)


def test_without_a_face_there_is_no_trace(reader):
    empty = np.full((120, 160, 3), 90, np.uint8)
    with pytest.raises(NoFaceDetected):
        trace_of([(i / 15, empty) for i in range(40)], reader)
    with pytest.raises(NoFaceDetected):
        trace_of([], reader)


def test_somebody_who_comes_late_is_found(reader):
    empty = np.full((300, 320, 3), 90, np.uint8)
    room = [(i / 15, empty) for i in range(15 * 12)]
    trace = trace_of([*room, *((12 + at, image) for at, image in footage())], reader)
    assert 12 <= trace.times_s[0] <= 14.1
    assert trace.times_s[-1] == pytest.approx(22.5, abs=0.1)
    assert len(trace.times_s) >= 120
    assert measure(trace).heart_rate_bpm == pytest.approx(videos.RATE_BPM, abs=2)


def test_an_empty_room_is_looked_at_now_and_then(reader):
    looked = []
    empty = np.full((120, 160, 3), 90, np.uint8)
    with pytest.raises(NoFaceDetected):
        trace_of([(i / 15, empty) for i in range(15 * 20)], reader, on_time=looked.append)
    assert len([at for at in looked if at > 6]) <= 8


def test_a_face_without_colour_is_reported_as_such(reader):
    grey = [(at, np.repeat(image[..., 1:2], 3, axis=2)) for at, image in footage()[:10]]
    with pytest.raises(UnsupportedImage):
        trace_of(grey, reader)


def test_memory_is_that_of_one_batch(reader):
    def long_film(count):
        for i in range(count):
            yield i / 15, videos.pictures()[i % 150].copy()

    peaks = []
    for count in (60, 300):
        tracemalloc.start()
        trace_of(long_film(count), reader)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 3_000_000
