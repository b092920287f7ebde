"""Video files: true times, upright pixels, and a clear refusal of what is none."""

import io
from pathlib import Path

import av
import numpy as np
import pytest

from rppg_core.errors import InvalidVideo
from rppg_core.film import film
from rppg_core.scenes import Scene
from rppg_core.simulate import simulate_face
from rppg_core.video import read_video, span_s

FACE = simulate_face(Scene(duration_s=2.0, fps=15.0, time_jitter=0.1, dropped=0.1, frame_size=(240, 220), eyes_px=40.0))


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("video") / "face.mp4"
    film(FACE, path, crf=10)
    return path


def test_frames_come_with_the_times_they_were_captured_at(clip):
    times = np.array([time_s for time_s, _ in read_video(clip)])
    assert np.abs(np.diff(times) - np.diff(FACE.times_s)).max() < 1e-3
    assert span_s(clip) == pytest.approx(FACE.times_s[-1] - FACE.times_s[0], abs=1e-3)


def test_frames_come_as_they_were_filmed(clip):
    for index, (_, image) in enumerate(read_video(clip)):
        assert np.abs(image.astype(int) - FACE.image(index)).mean() < 4


def test_a_file_in_memory_is_read_as_well(clip):
    assert len(list(read_video(io.BytesIO(clip.read_bytes())))) == len(FACE)


def test_what_is_no_video_is_refused(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"this is text" * 1000)
    for read in (span_s, lambda p: next(read_video(p))):
        with pytest.raises(InvalidVideo):
            read(path)


def test_sound_without_pictures_is_refused(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=44_100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44_100
        out.mux(stream.encode(sound))
        out.mux(stream.encode(None))
    with pytest.raises(InvalidVideo, match="no video stream"):
        span_s(path)


def test_a_truncated_video_is_refused(clip, tmp_path):
    path = tmp_path / "half.mp4"
    path.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    with pytest.raises(InvalidVideo):
        next(read_video(path))
