"""Pictures of a video become pixels when they are asked for them: each time the same, and a few at a time."""

import io
import weakref

import numpy as np
import pytest

from rppg_core.course.long_video import frames_to_measure
from rppg_core.face.footage import trace_of
from rppg_core.media.pictures import Picture
from rppg_core.media.video import probe, read_pictures, read_video
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.film import film
from rppg_core.simulation.scenes import Scene


@pytest.fixture(scope="module")
def video() -> bytes:
    file = io.BytesIO()
    film(simulate_face(Scene(duration_s=3.0, sway=0.03)), file)
    return file.getvalue()


@pytest.mark.parametrize("longest_side", [None, 400, 300, 100])
def test_pictures_that_are_kept_become_the_pixels_of_their_frames(video, longest_side):
    kept = list(read_pictures(io.BytesIO(video), longest_side=longest_side))
    for (time_s, picture), (at_s, pixels) in zip(
        kept, read_video(io.BytesIO(video), longest_side=longest_side), strict=True
    ):
        assert time_s == at_s
        assert picture.nbytes == pixels.nbytes
        assert np.array_equal(picture.pixels(), pixels)
        assert np.array_equal(picture.pixels(), pixels)


@pytest.mark.parametrize("longest_side", [None, 400])
def test_a_trace_is_that_of_pixels_that_were_there_before(reader, video, longest_side):
    later = trace_of(read_pictures(io.BytesIO(video), longest_side=longest_side), reader)
    before = trace_of(read_video(io.BytesIO(video), longest_side=longest_side), reader)
    assert np.array_equal(later.colours, before.colours, equal_nan=True)
    assert np.array_equal(later.pose, before.pose)
    np.testing.assert_array_equal(later.witness, before.witness)


def test_pixels_of_few_pictures_are_in_memory_at_once(reader, video, monkeypatch):
    held: list[weakref.ref] = []
    most = 0
    make = Picture.pixels

    def pixels(picture):
        nonlocal most
        image = make(picture)
        held[:] = [ref for ref in held if ref() is not None]
        held.append(weakref.ref(image))
        most = max(most, len(held))
        return image

    monkeypatch.setattr(Picture, "pixels", pixels)
    trace = trace_of(read_pictures(io.BytesIO(video)), reader)
    assert len(trace.times_s) > 80
    assert most <= 6


def test_frames_of_a_video_that_is_no_faster_than_measured_are_all_taken(video):
    info = probe(io.BytesIO(video))
    times = [time_s for time_s, _ in frames_to_measure(io.BytesIO(video), info)]
    assert times == [time_s for time_s, _ in read_video(io.BytesIO(video))]
